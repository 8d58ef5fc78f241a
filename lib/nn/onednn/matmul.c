/*
 * matmul: a [B…,M,K] b [B…,K,N] (each possibly transposed; b may be one matrix for every batch) * alpha + bias [N] -> [B…,M,N];
 * matmul_wgrad: a [R,M], b [R,N] -> a' b [M,N] in f32.
 *
 * A product with one matrix b is one tall product of all rows, and b is packed for oneDNN first: the packing reads b once, the
 * product reads it once per block of rows, so it pays from a few rows on (measured on ViT-B: 92-99 % of peak against 87-95 %).
 * Transposition is a matter of strides.
 */
#include "nn/onednn/internal.h"
#include "nn/onednn/kernels.h"
#include "nn/onednn/product_amx.h"
#include "nn/onednn/wgrad_amx.h"
#include "nn/onednn/wgrad_bf16.h"
#include "nn/onednn/wgrad_large.h"
#include "nn/ops/attr.h"

enum { PACK_ROWS = 64 /* fewer rows than this: b is used as it lies */, FEW_SUMS_ROWS = 8192, FEW_SUMS = 1 << 18 };

struct product {
    dn_md a, b, b_any, bias, y;
    dnnl_primitive_attr_t attr;
};

/* [nb,rows,cols] with nb == 0 for no batch axis; stored with rows and columns swapped when t. */
static int matrix(dn_md *md, int64_t nb, int64_t rows, int64_t cols, bool t, dnnl_data_type_t type, gv_err *err)
{
    int o = nb > 0;
    dnnl_dims_t d = { nb }, s = { rows * cols };
    d[o] = rows, d[o + 1] = cols;
    s[o] = t ? 1 : cols, s[o + 1] = t ? rows : 1;
    return dn_status(dn_md_strides(md, 2 + o, d, type, s), "a descriptor", err);
}

static int scale_by(dnnl_primitive_attr_t attr, double alpha, gv_err *err)
{
    dnnl_post_ops_t po = NULL;
    if (alpha == 1)
        return GV_OK;
    int r = dn_status(dnnl_post_ops_create(&po), "a scale", err);
    if (r == GV_OK)
        r = dn_status(dn_append_eltwise(po, dnnl_eltwise_linear, (float)alpha, 0), "a scale", err);
    if (r == GV_OK)
        r = dn_status(dnnl_primitive_attr_set_post_ops(attr, po), "a scale", err);
    if (po)
        dnnl_post_ops_destroy(po);
    return r;
}

static void drop(struct product *p)
{
    dn_md_free(p->a);
    dn_md_free(p->b);
    dn_md_free(p->b_any);
    dn_md_free(p->bias);
    dn_md_free(p->y);
    if (p->attr)
        dnnl_primitive_attr_destroy(p->attr);
}

/* Descriptors are there; b_any is NULL where b is used as it lies. bias_at: its input, if there is one. */
static int build(gv_onednn *ctx, const gv_call *c, struct product *p, int bias_at, gv_kernel *k, gv_err *err)
{
    dnnl_primitive_desc_t pd = NULL;
    int r = dn_status(dn_matmul(&pd, ctx->engine, p->a, p->b_any ? p->b_any : p->b, p->bias, p->y, p->attr), "a matrix product", err);
    if (r != GV_OK)
        return r;
    dn_chain *h = dn_chain_new(ctx, err);
    dn_cmd wanted = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dn_place b = dn_chain_pack_weight(h, c, 1, p->b, wanted, err);
    dn_chain_prim(h, pd, err);
    dn_chain_name(h, pd);
    dn_chain_arg(h, DNNL_ARG_SRC, p->a, DN_IN(0), err);
    dn_chain_arg(h, DNNL_ARG_WEIGHTS, wanted, b, err);
    if (p->bias)
        dn_chain_arg(h, DNNL_ARG_BIAS, p->bias, DN_IN((size_t)bias_at), err);
    dn_chain_arg(h, DNNL_ARG_DST, p->y, DN_OUT(0), err);
    r = dn_chain_finish(h, k, err);
    dnnl_primitive_desc_destroy(pd);
    return r;
}

int gv_onednn_matmul(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_matmul_attr *o = c->attr;
    const gv_desc *a = &c->in[0], *b = &c->in[1], *y = &c->out[0], *bias = c->nin > 2 && c->in[2].ndim >= 0 ? &c->in[2] : NULL;
    dnnl_data_type_t ta = dn_type(a->dtype), tb = dn_type(b->dtype), ty = dn_type(y->dtype);
    if (!ta || !tb || !ty || a->ndim < 2 || b->ndim < 2 || (bias && (!dn_type(bias->dtype) || o->alpha != 1)))
        return GV_UNSUPPORTED;
    int64_t M = y->shape[y->ndim - 2], N = y->shape[y->ndim - 1], K = a->shape[a->ndim - (o->ta ? 2 : 1)];
    if (!M || !N || !K || !y->count)
        return GV_UNSUPPORTED;
    int64_t nb = y->count / (M * N), na = a->count / (M * K), nw = b->count / (K * N);
    if ((na != nb && na != 1) || (nw != nb && nw != 1))
        return GV_UNSUPPORTED; /* batch axes that broadcast among themselves */
    bool one = nw == 1 && (nb == 1 || (na == nb && !o->ta)); /* one tall product */
    bool pack = one && (tb != ta || nb * M >= PACK_ROWS);
    if (tb != ta && !pack)
        return GV_UNSUPPORTED;
    dn_product tall = { .M = nb * M, .N = N, .K = K, .b = 1, .bias = bias ? 2 : -1, .more = -1, .turned = o->tb };
    if (one && !o->ta && o->alpha == 1 && dn_product_amx(ctx, c, &tall, k, err) == GV_OK)
        return GV_OK;
    struct product p = { 0 };
    int r = matrix(&p.a, one ? 0 : na, one ? nb * M : M, K, o->ta, ta, err);
    if (r == GV_OK)
        r = matrix(&p.b, one ? 0 : nw, K, N, o->tb, tb, err);
    if (r == GV_OK)
        r = matrix(&p.y, one ? 0 : nb, one ? nb * M : M, N, false, ty, err);
    if (r == GV_OK && pack) {
        dnnl_dims_t d = { K, N };
        r = dn_status(dn_md_tag(&p.b_any, 2, d, ta, dnnl_format_tag_any), "a descriptor", err);
    }
    if (r == GV_OK && bias)
        r = matrix(&p.bias, one ? 0 : 1, 1, N, false, dn_type(bias->dtype), err);
    if (r == GV_OK)
        r = (p.attr = dn_attr(err)) ? scale_by(p.attr, o->alpha, err) : GV_ESYS;
    if (r == GV_OK)
        r = build(ctx, c, &p, 2, k, err);
    drop(&p);
    return r;
}

int gv_onednn_matmul_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_desc *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
    dnnl_data_type_t t = dn_type(a->dtype), ty = dn_type(y->dtype);
    int64_t M = y->shape[0], N = y->shape[1];
    if (!t || dn_type(b->dtype) != t || !ty || !y->count || !a->count)
        return GV_UNSUPPORTED;
    if (dn_wgrad_amx_rows(ctx, c, k) == GV_OK)
        return GV_OK;
    /* Many rows and few sums: our kernel is 1.2 to 1.6 times as fast; the other way round it is slower (tests/bench/LOG.md). */
    if (a->count / M >= FEW_SUMS_ROWS && M * N <= FEW_SUMS && gv_wgrad_bf16_rows(ctx, c, k) == GV_OK)
        return GV_OK;
    if (dn_wgrad_large(ctx, c, k) == GV_OK)
        return GV_OK;
    struct product p = { 0 };
    int r = matrix(&p.a, 0, M, a->count / M, true, t, err);
    if (r == GV_OK)
        r = matrix(&p.b, 0, b->count / N, N, false, t, err);
    if (r == GV_OK)
        r = matrix(&p.y, 0, M, N, false, ty, err);
    if (r == GV_OK)
        r = (p.attr = dn_attr(err)) ? build(ctx, c, &p, 0, k, err) : GV_ESYS;
    drop(&p);
    return r;
}
