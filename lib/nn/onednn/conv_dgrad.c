/* conv_dgrad: dy [N,s'…,O], w [O,C/groups,k…] -> dx [N,s…,C]. */
#include "nn/onednn/candidates.h"
#include "nn/onednn/conv_desc.h"
#include "nn/onednn/conv_winograd.h"
#include "nn/onednn/depthwise.h"
#include "nn/onednn/depthwise_nd.h"
#include "nn/onednn/kernels.h"
#include "nn/onednn/product_amx.h"
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
    return dn_product_windows(&p, &w, &c->in[0], &c->out[0]) ? dn_product_amx(ctx, c, &p, k, err) : GV_UNSUPPORTED;
}

/* One pixel wide: a product; with a stride its rows are spread over the pixels. */
static int product(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_window *w = &((const gv_conv_attr *)c->attr)->window;
    dn_product p = { .M = c->in[0].count / c->in[1].shape[0], .N = c->in[1].shape[1], .K = c->in[1].shape[0], .b = 1, .bias = -1, .more = -1 };
    if (!dn_conv_is_product(w)) {
        if (w->dims != 2 || w->groups != 1 || w->kernel[0] * w->kernel[1] != 1 || w->pad[0] || w->pad[1] || w->stride[0] * w->stride[1] == 1)
            return GV_UNSUPPORTED;
        p.spread = true;
        p.h = c->out[0].shape[1], p.w = c->out[0].shape[2], p.oh = c->in[0].shape[1], p.ow = c->in[0].shape[2], p.sh = w->stride[0], p.sw = w->stride[1];
    }
    return dn_product_amx(ctx, c, &p, k, err);
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
    { .make = depthwise }, { .make = depthwise_nd }, { .make = product }, { .make = turned }, { .make = dn_winograd_dgrad, .taken = dn_winograd_pays },
    { .make = native }, { 0 },
};

int gv_onednn_conv_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return dn_by_rules(dn_conv_dgrad_candidates, ctx, c, k, err);
}
