/*
 * conv_patches: a convolution whose windows stand side by side (stride = kernel, no padding: stems of ViT and ConvNeXt, ConvNeXt's
 * downsampling) is a product of matrices once the pixels of each window lie together: x [N,H,W,C] -> patches [N H' W', kh kw C].
 *
 * Only the weight gradient is made so: dw [O,C,kh,kw] = dy' patches, by two reorders around one product. oneDNN's own kernel for it falls to a
 * hundredth of its speed in bf16 (tests/bench/LOG.md); its forward and data passes are fine.
 */
#include "nn/onednn/conv_desc.h"
#include "nn/onednn/conv_patches.h"
#include "nn/ops/attr.h"

static bool fits(const gv_call *c, const gv_window *w)
{
    if (w->dims != 2 || w->groups != 1 || !c->in[0].count || !c->in[1].count || !c->out[0].count)
        return false;
    for (int i = 0; i < 2; i++)
        if (w->stride[i] != w->kernel[i] || w->dilation[i] != 1 || w->pad[i] || c->in[1].shape[1 + i] * w->kernel[i] > c->in[0].shape[1 + i])
            return false;
    return w->kernel[0] * w->kernel[1] > 1;
}

int dn_patches_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_window *win = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    dnnl_data_type_t t = dn_type(x->dtype), tw = dn_type(c->out[0].dtype);
    if (!fits(c, win) || !t || dn_type(dy->dtype) != t || !tw)
        return GV_UNSUPPORTED;
    int64_t N = x->shape[0], H = x->shape[1], W = x->shape[2], C = x->shape[3], h = dy->shape[1], w = dy->shape[2], O = dy->shape[3];
    int64_t kh = win->kernel[0], kw = win->kernel[1], R = N * h * w, K = kh * kw * C;
    dn_md pixels = NULL, laid = NULL, a = NULL, b = NULL, y = NULL, made = NULL, dw = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = dn_attr(err);
    int r = attr ? GV_OK : GV_ESYS;
    dnnl_dims_t window = { N, h, w, kh, kw * C }, kernel = { O, kh * kw, C }, product = { O, K };
#define MD(md, nd, dims, type, ...) \
    if (r == GV_OK) \
        r = dn_status(dn_md_strides(&md, nd, dims, type, (dnnl_dims_t){ __VA_ARGS__ }), "a descriptor", err)
    MD(pixels, 5, window, t, H * W * C, kh * W * C, kw * C, W * C, 1);
    MD(laid, 5, window, t, h * w * K, w * K, K, kw * C, 1);
    MD(a, 2, ((dnnl_dims_t){ O, R }), t, 1, O);
    MD(b, 2, ((dnnl_dims_t){ R, K }), t, K, 1);
    MD(y, 2, product, tw, K, 1);
    MD(made, 3, kernel, tw, K, C, 1);
    MD(dw, 3, kernel, tw, K, 1, kh * kw);
#undef MD
    if (r == GV_OK)
        r = dn_status(dn_matmul(&pd, ctx->engine, a, b, NULL, y, attr), "a matrix product", err);
    if (r == GV_OK) {
        dn_chain *q = dn_chain_new(ctx, err);
        dn_place patches = dn_chain_temp(q, (size_t)(R * K) * gv_dtype_of(x->dtype)->size), out = dn_chain_temp(q, (size_t)(O * K) * gv_dtype_of(c->out[0].dtype)->size);
        dn_chain_reorder(q, DN_IN(0), pixels, patches, laid, err);
        dn_chain_prim(q, pd, err);
        dn_chain_name(q, pd);
        dn_chain_arg(q, DNNL_ARG_SRC, a, DN_IN(1), err);
        dn_chain_arg(q, DNNL_ARG_WEIGHTS, b, patches, err);
        dn_chain_arg(q, DNNL_ARG_DST, y, out, err);
        dn_chain_reorder(q, out, made, DN_OUT(0), dw, err);
        r = dn_chain_finish(q, k, err);
        if (r == GV_OK)
            k->name = "patches";
    }
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    dn_md all[] = { pixels, laid, a, b, y, made, dw };
    for (size_t i = 0; i < GV_COUNT(all); i++)
        dn_md_free(all[i]);
    return r;
}
