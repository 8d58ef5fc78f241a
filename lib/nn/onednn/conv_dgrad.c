/* conv_dgrad: dy [N,s'…,O], w [O,C/groups,k…] -> dx [N,s…,C]. */
#include "nn/onednn/candidates.h"
#include "nn/onednn/conv_desc.h"
#include "nn/onednn/conv_winograd.h"
#include "nn/onednn/depthwise.h"
#include "nn/onednn/depthwise_nd.h"
#include "nn/onednn/kernels.h"
#include "nn/onednn/product.h"
#include "nn/ops/attr.h"

static int depthwise(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return dn_depthwise_dgrad(ctx, c, k);
}

static int depthwise_nd(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return dn_depthwise_nd_dgrad(ctx, c, k);
}

/* With stride 1: a convolution of dy whose weights are turned: input and output channels change places and the taps run backward. */
static int turned(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    gv_window w = ((const gv_conv_attr *)c->attr)->window;
    dn_product p = { .b = 1, .bias = -1, .more = -1 };
    for (int i = 0; i < w.dims; i++) {
        if (w.stride[i] != 1)
            return GV_UNSUPPORTED;
        w.pad[i] = (w.kernel[i] - 1) * w.dilation[i] - w.pad[i];
    }
    return dn_product_windows(&p, &w, &c->in[0], &c->out[0]) ? dn_product_make(ctx, c, &p, k, err) : GV_UNSUPPORTED;
}

/* One pixel wide: a product; with a stride its rows are spread over the pixels. */
static int product(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_window *w = &((const gv_conv_attr *)c->attr)->window;
    dn_product p = { .M = c->in[0].count / c->in[1].shape[0], .N = c->in[1].shape[1], .K = c->in[1].shape[0], .b = 1, .bias = -1, .more = -1 };
    if (!dn_conv_is_product(w)) {
        if (w->dims != 2 || w->groups != 1 || w->kernel[0] * w->kernel[1] != 1 || w->pad[0] || w->pad[1] || w->stride[0] * w->stride[1] == 1)
            return GV_UNSUPPORTED;
        p.spread = p.clear = true;
        p.oh = c->in[0].shape[1], p.ow = c->in[0].shape[2];
        p.yh = c->out[0].shape[1], p.yw = c->out[0].shape[2], p.zh = w->stride[0], p.zw = w->stride[1];
    }
    return dn_product_make(ctx, c, &p, k, err);
}

/* With a stride: pixels of dx that lie a stride apart see the same taps, which lie a stride apart, so each such phase is a convolution with stride 1; a stride
 * of 2 both ways has four. */
enum { PHASES = 4 };
typedef struct phases { gv_kernel kernel[PHASES]; int n; } phases;

static int run_phases(const gv_call *c)
{
    const phases *s = c->self;
    int r = GV_OK;
    for (int i = 0; r == GV_OK && i < s->n; i++) {
        gv_call one = *c;
        one.self = s->kernel[i].self;
        r = s->kernel[i].run(&one);
    }
    return r;
}

static void release_phases(void *p)
{
    phases *s = p;
    for (int i = 0; i < s->n; i++)
        s->kernel[i].release(s->kernel[i].self);
    gv_free(s);
}

/* Along one axis, of the pixels of dx from `from` on, `stride` apart: how many there are, which tap is the first they see, and how many. */
typedef struct phase { int64_t n, first, taps, pad; } phase;

static phase phase_of(const gv_window *w, int axis, int64_t from, int64_t size)
{
    int64_t s = w->stride[axis], at = from + w->pad[axis];
    phase p = { .n = (size - from + s - 1) / s, .first = at % s };
    p.taps = p.first < w->kernel[axis] ? (w->kernel[axis] - p.first + s - 1) / s : 0;
    p.pad = p.taps - 1 - at / s;
    return p;
}

static int strided(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_window *w = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *dx = &c->out[0];
    if (w->dims != 2 || w->dilation[0] != 1 || w->dilation[1] != 1 || w->stride[0] * w->stride[1] == 1 || w->stride[0] * w->stride[1] > PHASES || !dx->count)
        return GV_UNSUPPORTED;
    phases *s = gv_alloc(sizeof *s, err);
    if (!s)
        return GV_ESYS;
    int r = GV_OK;
    bool clear = false;
    gv_kernel all = { .name = "own:phases", .run = run_phases, .release = release_phases, .self = s };
    for (int i = 0; i < w->stride[0] * w->stride[1]; i++) /* pixels that see no tap at all? */
        clear |= !phase_of(w, 0, i / w->stride[1], dx->shape[1]).taps || !phase_of(w, 1, i % w->stride[1], dx->shape[2]).taps;
    for (int i = 0; r == GV_OK && i < w->stride[0] * w->stride[1]; i++) {
        phase y = phase_of(w, 0, i / w->stride[1], dx->shape[1]), x = phase_of(w, 1, i % w->stride[1], dx->shape[2]);
        gv_desc some = *dx;
        gv_window one = { .dims = 2, .groups = w->groups, .kernel = { y.taps, x.taps }, .stride = { 1, 1 }, .pad = { y.pad, x.pad }, .dilation = { 1, 1 } };
        dn_product p = { .b = 1, .bias = -1, .more = -1 };
        some.shape[1] = y.n, some.shape[2] = x.n;
        some.count = dx->shape[0] * y.n * x.n * dx->shape[3];
        if (!y.taps || !x.taps || !some.count)
            continue;
        if (!dn_product_windows(&p, &one, &c->in[0], &some)) {
            r = GV_UNSUPPORTED;
            break;
        }
        p.taps = w->kernel[0] * w->kernel[1];
        p.first = (y.first + (y.taps - 1) * w->stride[0]) * w->kernel[1] + x.first + (x.taps - 1) * w->stride[1];
        p.ty = -w->stride[0] * w->kernel[1], p.tx = -w->stride[1];
        p.spread = true, p.clear = clear && !s->n;
        p.yh = dx->shape[1], p.yw = dx->shape[2], p.zh = w->stride[0], p.zw = w->stride[1], p.y0 = i / w->stride[1], p.x0 = i % w->stride[1];
        r = dn_product_make(ctx, c, &p, &s->kernel[s->n], err);
        if (r == GV_OK && s->kernel[s->n].scratch_bytes > all.scratch_bytes)
            all.scratch_bytes = s->kernel[s->n].scratch_bytes;
        s->n += r == GV_OK;
    }
    if (r == GV_OK && !s->n)
        r = GV_UNSUPPORTED;
    if (r == GV_OK)
        *k = all;
    else
        release_phases(s);
    return r;
}

static int native(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_conv_attr *o = c->attr;
    dnnl_primitive_desc_t hint = NULL, pd = NULL;
    dn_conv d;
    int r = dn_conv_describe(&d, &o->window, &c->out[0], &c->in[1], &c->in[0], NULL, dn_type(c->in[0].dtype), err);
    if (r == GV_OK)
        r = dn_conv_hint(ctx, &d, &hint, err);
    if (r == GV_OK)
        r = dn_status(dn_conv_backward_data(&pd, ctx->engine, d.x, d.w_any, d.y, d.stride, d.dilate, d.pad_l, d.pad_r, hint, d.attr),
                      "a convolution's data gradient", err);
    if (r == GV_OK) {
        dn_chain *h = dn_chain_new(ctx, err);
        dn_cmd wanted = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
        dn_place w = dn_chain_pack(h, DN_IN(1), d.w_plain, wanted, err);
        dn_chain_prim(h, pd, err);
        dn_chain_name(h, pd);
        dn_chain_arg(h, DNNL_ARG_DIFF_DST, d.y, DN_IN(0), err);
        dn_chain_arg(h, DNNL_ARG_WEIGHTS, wanted, w, err);
        dn_chain_arg(h, DNNL_ARG_DIFF_SRC, d.x, DN_OUT(0), err);
        r = dn_chain_finish(h, k, err);
        dnnl_primitive_desc_destroy(pd);
    }
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    dn_conv_drop(&d);
    return r;
}

const dn_candidate dn_conv_dgrad_candidates[] = {
    { .make = depthwise }, { .make = depthwise_nd }, { .make = dn_winograd_dgrad, .taken = dn_winograd_pays }, { .make = product }, { .make = turned },
    { .make = strided }, { .make = native }, { 0 },
};

int gv_onednn_conv_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return dn_by_rules(dn_conv_dgrad_candidates, ctx, c, k, err);
}
