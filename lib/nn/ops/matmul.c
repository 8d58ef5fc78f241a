/* matmul: a [B…,M,K] times b [B…,K,N], either transposed, b possibly 2-D for every batch, times alpha, plus bias [N]. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_matmul(gv_graph *g, gv_val a, gv_val b, gv_val bias, bool ta, bool tb, double alpha)
{
    gv_val in[3] = { a, b, bias };
    char sa[GV_SHAPE_TEXT], sb[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_matmul, in, 2) || !gv_is_float(g, GV_OP_matmul, a) || !gv_is_float(g, GV_OP_matmul, b))
        return GV_NO_VAL;
    int n = gv_ndim(g, a), nb = gv_ndim(g, b);
    bool fits = n >= 2 && nb >= 2 && (nb == 2 || nb == n);
    for (int i = 0; fits && nb > 2 && i < n - 2; i++)
        fits = gv_shape(g, a)[i] == gv_shape(g, b)[i];
    if (!fits || gv_dim(g, a, ta ? -2 : -1) != gv_dim(g, b, tb ? -1 : -2))
        return gv_graph_fail(g, "matmul of %s%s and %s%s: the shapes do not fit", gv_shape_text(g, a, sa), ta ? " transposed" : "", gv_shape_text(g, b, sb), tb ? " transposed" : "");
    int64_t shape[GV_MAX_DIMS];
    memcpy(shape, gv_shape(g, a), sizeof shape);
    shape[n - 2] = gv_dim(g, a, ta ? -1 : -2);
    shape[n - 1] = gv_dim(g, b, tb ? -2 : -1);
    if (!gv_is_vector(g, GV_OP_matmul, "the bias", bias, shape[n - 1]))
        return GV_NO_VAL;
    gv_matmul_attr o = { ta, tb, alpha };
    return gv_op1(g, GV_OP_matmul, &o, in, 3, GV_CLASS_REAL, shape, n);
}

static gv_val swap_last(gv_graph *g, gv_val x)
{
    int axes[GV_MAX_DIMS], n = gv_ndim(g, x);
    for (int i = 0; i < n; i++)
        axes[i] = i;
    axes[n - 1] = n - 2;
    axes[n - 2] = n - 1;
    return gv_permute(g, x, axes);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    const gv_matmul_attr *o = n->attr;
    gv_val a = n->in[0], b = n->in[1], d = dy[0], none = GV_NO_VAL;
    bool flat = gv_ndim(g, b) == 2, plain = flat && gv_ndim(g, a) > 2;
    if (want[0]) {
        if (!o->ta)
            dx[0] = gv_matmul(g, d, b, none, false, !o->tb, o->alpha);
        else if (plain)
            dx[0] = swap_last(g, gv_matmul(g, d, b, none, false, !o->tb, o->alpha));
        else
            dx[0] = gv_matmul(g, b, d, none, o->tb, true, o->alpha);
    }
    if (want[1] && flat) {
        gv_val rows = o->ta ? swap_last(g, a) : a; /* [B…,M,K] */
        gv_val w = o->tb ? gv_matmul_wgrad(g, d, rows) : gv_matmul_wgrad(g, rows, d);
        dx[1] = gv_affine(g, w, o->alpha, 0);
    } else if (want[1])
        dx[1] = o->tb ? gv_matmul(g, d, a, none, true, o->ta, o->alpha) : gv_matmul(g, a, d, none, !o->ta, false, o->alpha);
    if (want[2])
        dx[2] = gv_sum_to(g, d, gv_shape(g, n->in[2]), 1, gv_class_of(g, n->in[2]));
}

static size_t scratch(const gv_call *c)
{
    return (size_t)c->in[1].count * (c->in[1].dtype == GV_F64T ? 8 : 4);
}

#define GV_KERNELS "nn/ops/matmul.c"
#include "nn/ops/types.h"

const gv_op gv_op_matmul = {
    .name = "matmul", .attr_size = sizeof(gv_matmul_attr), .wants = "rrs",
    .gradient = gradient, GV_PLAIN(matmul_run), .scratch = scratch,
};
#else
#define GEMM(x) matmul_gemm_##x
#define GEMM_OUT T
#define GEMM_ST(v) ST(v)
#include "nn/ops/gemm.h"

typedef struct F(matmul_pack) { int64_t K, N; bool tb; const T *b; A *to; } F(matmul_pack);

/* Every b as [K,N]; pieces are (batch, k). */
static void F(matmul_pack_body)(void *p, int64_t begin, int64_t end)
{
    const F(matmul_pack) *o = p;
    for (int64_t at = begin; at < end; at++) {
        int64_t batch = at / o->K, k = at % o->K;
        const T *b = o->b + batch * o->K * o->N + (o->tb ? k : k * o->N);
        A *to = o->to + at * o->N;
        int64_t step = o->tb ? o->K : 1;
        for (int64_t n = 0; n < o->N; n++)
            to[n] = LD(b[n * step]);
    }
}

static int F(matmul_run)(const gv_call *c)
{
    const gv_matmul_attr *t = c->attr;
    const gv_desc *a = &c->in[0], *b = &c->in[1];
    int64_t rows = a->shape[a->ndim - 2], cols = a->shape[a->ndim - 1], N = c->out[0].shape[c->out[0].ndim - 1];
    F(GEMM(args)) o = { .M = t->ta ? cols : rows, .K = t->ta ? rows : cols, .N = N, .batches = a->count / (rows * cols),
                        .am = t->ta ? 1 : cols, .ak = t->ta ? cols : 1, .ab = rows * cols, .bb = b->ndim == 2 ? 0 : b->count / (a->count / (rows * cols)),
                        .a = c->x[0], .b = c->scratch, .c = c->y[0], .bias = c->x[2], .alpha = (A)t->alpha };
    if (!t->tb && sizeof(T) == sizeof(A))
        o.b = c->x[1];
    else {
        F(matmul_pack) pack = { o.K, N, t->tb, c->x[1], c->scratch };
        gv_parallel(b->count / N, gv_row_grain(N), F(matmul_pack_body), &pack);
    }
    F(GEMM(run))(&o);
    return GV_OK;
}
#undef GEMM
#undef GEMM_OUT
#undef GEMM_ST
#endif
