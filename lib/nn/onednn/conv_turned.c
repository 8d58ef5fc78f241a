/*
 * The data gradient of a convolution with stride 1 is a convolution of dy whose weights are turned: input and output channels change places and
 * the taps run backward. On AMX oneDNN's forward kernels reach 1.5 to 2 times the rate of its kernels for data gradients (tests/bench/LOG.md), so the weights
 * are turned, into scratch, and the forward kernel runs.
 */
#include "nn/onednn/conv_turned.h"
#include "nn/onednn/conv_desc.h"
#include "nn/onednn/own.h"
#include "nn/ops/attr.h"

enum { CHANNELS_LEAST = 32 };

typedef struct turned {
    gv_kernel forward;
    int64_t O, C, taps;
    size_t bytes; /* of the turned weights, in front of what the forward kernel needs */
} turned;

typedef struct job { const turned *t; const uint16_t *w; uint16_t *to; } job;

/* w [O,C,taps] -> [taps, backward][O][C] */
GV_HOT static void conv_turn(void *p, int64_t begin, int64_t end)
{
    const job *j = p;
    int64_t C = j->t->C, O = j->t->O, taps = j->t->taps;
    for (int64_t o = begin; o < end; o++)
        for (int64_t k = 0; k < taps; k++) {
            const uint16_t *from = j->w + o * C * taps + k;
            uint16_t *to = j->to + ((taps - 1 - k) * O + o) * C;
            for (int64_t c = 0; c < C; c++)
                to[c] = from[c * taps];
        }
}

static int run(const gv_call *c)
{
    const turned *t = c->self;
    job j = { t, c->x[1], c->scratch };
    gv_parallel(t->O, dn_max(1, 16384 / (t->C * t->taps)), conv_turn, &j);
    gv_call f = *c;
    f.x[1] = c->scratch;
    f.scratch = (char *)c->scratch + t->bytes;
    f.self = t->forward.self;
    return t->forward.run(&f);
}

static void release(void *p)
{
    turned *t = p;
    if (t->forward.release)
        t->forward.release(t->forward.self);
    gv_free(t);
}

static bool fits(const gv_call *c, const gv_window *w)
{
    if (c->in[0].dtype != GV_BF16 || c->in[1].dtype != GV_BF16 || w->dims != 2 || w->groups > 1 || c->in[0].shape[3] < CHANNELS_LEAST || c->out[0].shape[3] < CHANNELS_LEAST)
        return false;
    for (int i = 0; i < 2; i++)
        if (w->stride[i] != 1 || w->dilation[i] != 1 || w->pad[i] >= w->kernel[i])
            return false;
    return w->kernel[0] * w->kernel[1] > 1;
}

int dn_conv_turned(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    gv_window w = ((const gv_conv_attr *)c->attr)->window;
    if (!fits(c, &w))
        return GV_UNSUPPORTED;
    gv_desc weight = c->in[1];
    int64_t O = weight.shape[0], C = weight.shape[1];
    weight.shape[0] = C, weight.shape[1] = O;
    for (int i = 0; i < 2; i++)
        w.pad[i] = w.kernel[i] - 1 - w.pad[i];
    dnnl_primitive_desc_t pd = NULL;
    dn_conv d;
    turned *t = gv_alloc(sizeof *t, err);
    int r = t ? dn_conv_describe(&d, &w, &c->in[0], &weight, &c->out[0], NULL, dnnl_bf16, err) : GV_ESYS;
    if (!t)
        return r;
    *t = (turned){ .O = O, .C = C, .taps = w.kernel[0] * w.kernel[1], .bytes = dn_round((size_t)weight.count * 2) };
    if (r == GV_OK) {
        dnnl_dims_t s = { C, O, w.kernel[0], w.kernel[1] };
        dn_md_free(d.w_plain);
        d.w_plain = NULL;
        r = dn_status(dn_md_tag(&d.w_plain, 4, s, dnnl_bf16, dnnl_hwio), "a descriptor", err);
    }
    if (r == GV_OK)
        r = dn_status(dn_conv_forward(&pd, ctx->engine, dnnl_forward_training, d.x, d.w_any, NULL, d.y, d.stride, d.dilate, d.pad_l, d.pad_r, d.attr),
                      "a convolution", err);
    if (r == GV_OK) {
        dn_chain *h = dn_chain_new(ctx, err);
        dn_cmd wanted = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
        dn_place p = dn_chain_pack(h, DN_IN(1), d.w_plain, wanted, err);
        dn_chain_prim(h, pd, err);
        dn_chain_name(h, pd);
        dn_chain_arg(h, DNNL_ARG_SRC, d.x, DN_IN(0), err);
        dn_chain_arg(h, DNNL_ARG_WEIGHTS, wanted, p, err);
        dn_chain_arg(h, DNNL_ARG_DST, d.y, DN_OUT(0), err);
        r = dn_chain_finish(h, &t->forward, err);
        dnnl_primitive_desc_destroy(pd);
    }
    dn_conv_drop(&d);
    if (r != GV_OK) {
        gv_free(t);
        return r;
    }
    *k = (gv_kernel){ .name = "turned", .run = run, .release = release, .self = t, .scratch_bytes = t->bytes + t->forward.scratch_bytes };
    return GV_OK;
}
