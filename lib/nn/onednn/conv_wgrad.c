/* conv_wgrad: x [N,s…,C], dy [N,s'…,O] -> dw [O,C/groups,k…], f32 also where x and dy are bf16: oneDNN sums in f32 anyway. */
#include "nn/onednn/candidates.h"
#include "nn/onednn/conv_desc.h"
#include "nn/onednn/conv_patches.h"
#include "nn/onednn/conv_winograd.h"
#include "nn/onednn/depthwise.h"
#include "nn/onednn/depthwise_nd.h"
#include "nn/onednn/kernels.h"
#include "nn/onednn/wgrad_amx.h"
#include "nn/onednn/wgrad_bf16.h"
#include "nn/onednn/wgrad_f32.h"
#include "nn/onednn/wgrad_winograd.h"
#include "nn/ops/attr.h"

enum { FEW = 16 /* input channels, from which on our own kernel is the faster one where there is no AMX (tests/bench/LOG.md) */,
       NARROW = 8 /* less channels than a vector of AVX2 has */, F32_ROWS = 64, F32_WORK = 1 << 18 /* worth laying out */ };

/* Where oneDNN's bf16 weight gradient falls to a hundredth of its speed (2.6 and 3.2, AVX-512 without AMX; tests/bench/LOG.md): rows of
 * one or two pixels, short strided rows, and few input channels. There our own kernel runs or, where the processor lacks what it needs or the
 * channels come in groups, x and dy are widened and the f32 kernel runs. */
static bool bf16_is_slow(const gv_call *c)
{
    const gv_window *win = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    if (x->dtype != GV_BF16)
        return false;
    int64_t row = dy->shape[dy->ndim - 2], channels = x->shape[x->ndim - 1];
    return row <= 2 || (win->stride[win->dims - 1] > 1 && row <= 8) || (channels <= 4 && row <= 32);
}

static int tiles(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return dn_wgrad_amx(ctx, c, k);
}

static int own(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return gv_wgrad_bf16_serves(c) ? gv_wgrad_bf16(ctx, c, k) : GV_UNSUPPORTED;
}

static bool own_is_faster(const gv_call *c)
{
    return (c->in[0].shape[c->in[0].ndim - 1] >= FEW && !gv_onednn_has_amx()) || bf16_is_slow(c);
}

static int depthwise(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return dn_depthwise_wgrad(ctx, c, k);
}

static int depthwise_nd(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return dn_depthwise_nd_wgrad(ctx, c, k);
}

/* oneDNN 2.6 on AVX2: with one pixel, a stride and so few input channels this kernel reads what nobody wrote (tests/nn/onednn_conv.c). */
static bool is_wrong(dnnl_primitive_desc_t pd, const gv_call *c)
{
    const char *name = NULL;
    return c->in[0].shape[c->in[0].ndim - 1] < NARROW && dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name) == dnnl_success && !strcmp(name, "jit_1x1:avx2");
}

static bool f32_is_enough(const gv_call *c)
{
    const gv_desc *x = &c->in[0], *dy = &c->in[1], *dw = &c->out[0];
    int64_t rows = dy->count / dy->shape[dy->ndim - 1];
    return x->shape[x->ndim - 1] < NARROW || (rows >= F32_ROWS && rows * dw->count >= F32_WORK);
}

/* By oneDNN, on x and dy in this type. */
static int in_type(gv_onednn *ctx, const gv_call *c, gv_dtype type, gv_kernel *k, gv_err *err)
{
    const gv_conv_attr *o = c->attr;
    dnnl_primitive_desc_t hint = NULL, pd = NULL;
    gv_desc x = c->in[0], y = c->in[1];
    x.dtype = y.dtype = type;
    dn_conv d, f, raw; /* the gradient; the forward pass it belongs to, whose weights have the type of x; x and dy as they come */
    int r = dn_conv_describe(&d, &o->window, &x, &c->out[0], &y, NULL, dn_type(c->out[0].dtype), err);
    int rf = dn_conv_describe(&f, &o->window, &x, &c->out[0], &y, NULL, dn_type(x.dtype), err);
    int rr = dn_conv_describe(&raw, &o->window, &c->in[0], &c->out[0], &c->in[1], NULL, dn_type(c->in[0].dtype), err);
    if (r == GV_OK && (r = rf) == GV_OK && (r = rr) == GV_OK)
        r = dn_conv_hint(ctx, &f, &hint, err);
    if (r == GV_OK)
        r = dn_status(dn_conv_backward_weights(&pd, ctx->engine, d.x, d.w_any, NULL, d.y, d.stride, d.dilate, d.pad_l, d.pad_r, hint, d.attr),
                      "a convolution's weight gradient", err);
    if (r == GV_OK && is_wrong(pd, c)) {
        dnnl_primitive_desc_destroy(pd);
        r = GV_UNSUPPORTED;
    }
    if (r == GV_OK) {
        dn_chain *h = dn_chain_new(ctx, err);
        dn_cmd made = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_weights_md, 0);
        bool plain = dnnl_memory_desc_equal(made, d.w_plain);
        dn_place px = dn_chain_pack(h, DN_IN(0), raw.x, d.x, err), py = dn_chain_pack(h, DN_IN(1), raw.y, d.y, err);
        dn_place w = plain ? DN_OUT(0) : dn_chain_temp(h, dnnl_memory_desc_get_size(made));
        dn_chain_prim(h, pd, err);
        dn_chain_name(h, pd);
        dn_chain_arg(h, DNNL_ARG_SRC, d.x, px, err);
        dn_chain_arg(h, DNNL_ARG_DIFF_DST, d.y, py, err);
        dn_chain_arg(h, DNNL_ARG_DIFF_WEIGHTS, made, w, err);
        if (!plain)
            dn_chain_reorder(h, w, made, DN_OUT(0), d.w_plain, err);
        r = dn_chain_finish(h, k, err);
        dnnl_primitive_desc_destroy(pd);
    }
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    dn_conv_drop(&raw);
    dn_conv_drop(&f);
    dn_conv_drop(&d);
    return r;
}

static int native(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return in_type(ctx, c, c->in[0].dtype, k, err);
}

static int widened(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return c->in[0].dtype == GV_BF16 && c->in[1].dtype == GV_BF16 ? in_type(ctx, c, GV_F32T, k, err) : GV_UNSUPPORTED;
}

const dn_candidate dn_conv_wgrad_candidates[] = {
    { .make = depthwise_nd }, { .make = tiles }, { .make = dn_winograd_wgrad, .taken = dn_winograd_pays },
    { .make = own, .taken = own_is_faster }, { .make = depthwise }, { .make = dn_patches_wgrad },
    { .make = dn_wgrad_f32, .taken = f32_is_enough }, { .make = widened, .taken = bf16_is_slow }, { .make = native }, { 0 },
};

int gv_onednn_conv_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return dn_by_rules(dn_conv_wgrad_candidates, ctx, c, k, err);
}
