/*
 * matmul: a [B…,M,K] b [B…,K,N] (each possibly transposed; b may be one matrix for every batch) * alpha + bias [N] -> [B…,M,N];
 * matmul_wgrad: a [R,M], b [R,N] -> a' b [M,N] in f32.
 *
 * A product with one matrix b is one tall product of all rows, and b is packed for oneDNN first: the packing reads b once, the
 * product reads it once per block of rows, so it pays from a few rows on (measured on ViT-B: 92-99 % of peak against 87-95 %).
 * Transposition is a matter of strides.
 */
#include "nn/onednn/candidates.h"
#include "nn/onednn/internal.h"
#include "nn/onednn/kernels.h"
#include "nn/onednn/product.h"
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

/* The sizes of a product: nb of M x K by K x N; na, nw: how many of a and b there are. `one`: they are one tall product. */
typedef struct sizes { int64_t M, N, K, nb, na, nw; bool one; const gv_desc *bias; dnnl_data_type_t ta, tb, ty; } sizes;

static bool measure(const gv_call *c, sizes *s)
{
    const gv_matmul_attr *o = c->attr;
    const gv_desc *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
    *s = (sizes){ .bias = c->nin > 2 && c->in[2].ndim >= 0 ? &c->in[2] : NULL, .ta = dn_type(a->dtype), .tb = dn_type(b->dtype), .ty = dn_type(y->dtype) };
    if (!s->ta || !s->tb || !s->ty || a->ndim < 2 || b->ndim < 2 || (s->bias && (!dn_type(s->bias->dtype) || o->alpha != 1)))
        return false;
    s->M = y->shape[y->ndim - 2], s->N = y->shape[y->ndim - 1], s->K = a->shape[a->ndim - (o->ta ? 2 : 1)];
    if (!s->M || !s->N || !s->K || !y->count)
        return false;
    s->nb = y->count / (s->M * s->N), s->na = a->count / (s->M * s->K), s->nw = b->count / (s->K * s->N);
    s->one = s->nw == 1 && (s->nb == 1 || (s->na == s->nb && !o->ta));
    return (s->na == s->nb || s->na == 1) && (s->nw == s->nb || s->nw == 1); /* else batch axes that broadcast among themselves */
}

static int tiles(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_matmul_attr *o = c->attr;
    sizes s;
    if (!measure(c, &s) || !s.one || o->ta || o->alpha != 1)
        return GV_UNSUPPORTED;
    dn_product tall = { .M = s.nb * s.M, .N = s.N, .K = s.K, .b = 1, .bias = s.bias ? 2 : -1, .more = -1, .turned = o->tb };
    return dn_product_make(ctx, c, &tall, k, err);
}

/* By oneDNN; pack: b is laid out as it likes first. */
static int by_onednn(gv_onednn *ctx, const gv_call *c, bool pack, gv_kernel *k, gv_err *err)
{
    const gv_matmul_attr *o = c->attr;
    sizes s;
    if (!measure(c, &s) || (pack && !s.one) || (!pack && s.ta != s.tb))
        return GV_UNSUPPORTED;
    int64_t M = s.M, N = s.N, K = s.K, nb = s.nb, na = s.na, nw = s.nw;
    dnnl_data_type_t ta = s.ta, tb = s.tb, ty = s.ty;
    const gv_desc *bias = s.bias;
    bool one = s.one;
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

static int packed(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return by_onednn(ctx, c, true, k, err);
}

static int as_it_lies(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    sizes s;
    int r = by_onednn(ctx, c, false, k, err);
    if (r == GV_OK && measure(c, &s) && s.one)
        k->name = "b as it lies";
    return r;
}

static bool has_rows(const gv_call *c)
{
    sizes s;
    return measure(c, &s) && s.one && (s.tb != s.ta || s.nb * s.M >= PACK_ROWS);
}

const dn_candidate dn_matmul_candidates[] = { { .make = tiles }, { .make = packed, .taken = has_rows }, { .make = as_it_lies }, { 0 } };

int gv_onednn_matmul(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return dn_by_rules(dn_matmul_candidates, ctx, c, k, err);
}

/* ---- the weight gradient ---- */

/* Inputs of one type, and something to do. */
static bool plain_wgrad(const gv_call *c)
{
    return dn_type(c->in[0].dtype) && c->in[1].dtype == c->in[0].dtype && dn_type(c->out[0].dtype) && c->out[0].count && c->in[0].count;
}

static int wgrad_tiles(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return plain_wgrad(c) ? dn_wgrad_amx_rows(ctx, c, k) : GV_UNSUPPORTED;
}

static int wgrad_rows(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    int r = plain_wgrad(c) ? gv_wgrad_bf16_rows(ctx, c, k) : GV_UNSUPPORTED;
    if (r == GV_OK)
        k->name = "own:rows";
    return r;
}

/* Many rows and few sums: our kernel is 1.2 to 1.6 times as fast; the other way round it is slower (tests/bench/LOG.md). */
static bool few_sums(const gv_call *c)
{
    return c->in[0].count / c->out[0].shape[0] >= FEW_SUMS_ROWS && c->out[0].count <= FEW_SUMS;
}

static int wgrad_panels(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return plain_wgrad(c) ? dn_wgrad_large(ctx, c, k) : GV_UNSUPPORTED;
}

static int wgrad_native(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    const gv_desc *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
    if (!plain_wgrad(c))
        return GV_UNSUPPORTED;
    dnnl_data_type_t t = dn_type(a->dtype), ty = dn_type(y->dtype);
    int64_t M = y->shape[0], N = y->shape[1];
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

const dn_candidate dn_matmul_wgrad_candidates[] = {
    { .make = wgrad_tiles }, { .make = wgrad_rows, .taken = few_sums }, { .make = wgrad_panels }, { .make = wgrad_native }, { 0 },
};

int gv_onednn_matmul_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    return dn_by_rules(dn_matmul_wgrad_candidates, ctx, c, k, err);
}
