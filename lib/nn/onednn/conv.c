/* conv: x [N,s…,C] * w [O,C/groups,k…] + b [O] -> y [N,s'…,O]. Weights are packed (and, for bf16, narrowed) by one reorder in
 * every run, because training changes them every step. */
#include "nn/onednn/candidates.h"
#include "nn/onednn/conv_desc.h"
#include "nn/onednn/conv_winograd.h"
#include "nn/onednn/depthwise.h"
#include "nn/onednn/depthwise_nd.h"
#include "nn/onednn/kernels.h"
#include "nn/onednn/product.h"
#include "nn/ops/attr.h"

/* What comes behind the convolution, in its last pass. */
static int follow(dnnl_primitive_attr_t attr, bool sum, bool relu, gv_err *err)
{
    dnnl_post_ops_t po = NULL;
    int r = dn_status(dnnl_post_ops_create(&po), "what follows a convolution", err);
    if (r == GV_OK && sum)
        r = dn_status(dn_append_sum(po), "an addition", err);
    if (r == GV_OK && relu)
        r = dn_status(dn_append_eltwise(po, dnnl_eltwise_relu, 0, 0), "relu", err);
    if (r == GV_OK)
        r = dn_status(dnnl_primitive_attr_set_post_ops(attr, po), "what follows a convolution", err);
    if (po)
        dnnl_post_ops_destroy(po);
    return r;
}

/* oneDNN 3.2 on AMX: where windows are wider than one pixel and stand side by side, and the input channels are an odd number of sixteens, this kernel's
 * sums are wrong (48, 80, 112, … channels, 2x2 at stride 2; tests/nn/onednn_conv.c). Version 2.6 is right. */
static int leave_wrong(dnnl_primitive_desc_t pd, const gv_call *c, const gv_window *w, gv_err *err)
{
    const char *name = NULL;
    int last = w->dims - 1;
    if (c->in[0].dtype != GV_BF16 || c->in[0].shape[w->dims + 1] / w->groups % 32 != 16 || w->kernel[last] == 1 || w->kernel[last] != w->stride[last])
        return GV_OK;
    int r = dn_status(dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name), "a convolution's kernel", err);
    return r == GV_OK && !strcmp(name, "brgconv:avx512_core_amx") ? dn_status(dn_next(pd), "another convolution", err) : r;
}

/* The bias, and what is added to the result (`more`); NULL: there is none. */
static const gv_desc *optional(const gv_call *c, int i)
{
    return c->nin > i && c->in[i].ndim >= 0 ? &c->in[i] : NULL;
}

static bool adds_alike(const gv_call *c)
{
    const gv_desc *more = optional(c, 3);
    return !more || (more->dtype == c->out[0].dtype && more->count == c->out[0].count);
}

static int depthwise(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return optional(c, 3) || ((const gv_conv_attr *)c->attr)->relu ? GV_UNSUPPORTED : dn_depthwise_forward(ctx, c, k);
}

static int depthwise_nd(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return dn_depthwise_nd_forward(ctx, c, k);
}

static int product(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_conv_attr *o = c->attr;
    dn_product p = { .M = c->out[0].count / c->in[1].shape[0], .N = c->in[1].shape[0], .K = c->in[1].shape[1], .b = 1, .bias = optional(c, 2) ? 2 : -1,
                     .more = optional(c, 3) ? 3 : -1, .turned = true, .relu = o->relu };
    if (!adds_alike(c) || (!dn_conv_is_product(&o->window) && !dn_product_windows(&p, &o->window, &c->in[0], &c->out[0])))
        return GV_UNSUPPORTED;
    return dn_product_make(ctx, c, &p, k, err);
}

static int native(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_conv_attr *o = c->attr;
    const gv_desc *b = optional(c, 2), *more = optional(c, 3);
    if (!adds_alike(c))
        return GV_UNSUPPORTED;
    dnnl_primitive_desc_t pd = NULL;
    dn_conv d;
    int r = dn_conv_describe(&d, &o->window, &c->in[0], &c->in[1], &c->out[0], b, dn_type(c->in[0].dtype), err);
    if (r == GV_OK && (more || o->relu))
        r = follow(d.attr, more != NULL, o->relu, err);
    if (r == GV_OK)
        r = dn_status(dn_conv_forward(&pd, ctx->engine, dnnl_forward_training, d.x, d.w_any, d.b, d.y, d.stride, d.dilate, d.pad_l, d.pad_r, d.attr),
                      "a convolution", err);
    if (r == GV_OK)
        r = leave_wrong(pd, c, &o->window, err);
    if (r == GV_OK) {
        dn_chain *h = dn_chain_new(ctx, err);
        dn_cmd wanted = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
        dn_place w = dn_chain_pack_weight(h, c, 1, d.w_plain, wanted, err);
        if (more)
            dn_chain_copy(h, DN_IN(3), DN_OUT(0), d.y, err); /* oneDNN adds to what stands in y */
        dn_chain_prim(h, pd, err);
        dn_chain_name(h, pd);
        dn_chain_arg(h, DNNL_ARG_SRC, d.x, DN_IN(0), err);
        dn_chain_arg(h, DNNL_ARG_WEIGHTS, wanted, w, err);
        if (b)
            dn_chain_arg(h, DNNL_ARG_BIAS, d.b, DN_IN(2), err);
        dn_chain_arg(h, DNNL_ARG_DST, d.y, DN_OUT(0), err);
        r = dn_chain_finish(h, k, err);
        if (r == GV_OK && more)
            k->in_place[0] = 1u << 3;
        dnnl_primitive_desc_destroy(pd);
    }
    dn_conv_drop(&d);
    return r;
}

const dn_candidate dn_conv_candidates[] = { { .make = depthwise }, { .make = depthwise_nd }, { .make = dn_winograd, .taken = dn_winograd_pays }, { .make = product }, { .make = native }, { 0 } };

int gv_onednn_conv(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return dn_by_rules(dn_conv_candidates, ctx, c, k, err);
}
