/* matmul_wgrad: a [R…,M], b [R…,N] -> a'b [M,N] over all rows, class STAT: the gradient of a linear layer's weight. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_matmul_wgrad(gv_graph *g, gv_val a, gv_val b)
{
    gv_val in[2] = { a, b };
    char sa[GV_SHAPE_TEXT], sb[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_matmul_wgrad, in, 2))
        return GV_NO_VAL;
    int64_t m = gv_dim(g, a, -1), n = gv_dim(g, b, -1);
    if (gv_graph_error(g))
        return GV_NO_VAL;
    if (gv_shape_count(gv_shape(g, a), gv_ndim(g, a)) / m != gv_shape_count(gv_shape(g, b), gv_ndim(g, b)) / n)
        return gv_graph_fail(g, "matmul_wgrad of %s and %s: the rows do not fit", gv_shape_text(g, a, sa), gv_shape_text(g, b, sb));
    return gv_op1(g, GV_OP_matmul_wgrad, NULL, in, 2, GV_CLASS_STAT, (int64_t[]){ m, n }, 2);
}

static size_t scratch(const gv_call *c)
{
    return c->in[1].dtype == GV_BF16 ? (size_t)c->in[1].count * 4 : 0;
}

#define GV_KERNELS "nn/ops/matmul_wgrad.c"
#include "nn/ops/types.h"

const gv_op gv_op_matmul_wgrad = { .name = "matmul_wgrad", .wants = "rr", GV_PLAIN(matmul_wgrad_run), .scratch = scratch };
#else
#define GEMM(x) matmul_wgrad_gemm_##x
#define GEMM_OUT S
#define GEMM_ST(v) ((S)(v))
#include "nn/ops/gemm.h"
#undef GEMM_OUT
#undef GEMM_ST

static int F(matmul_wgrad_run)(const gv_call *c)
{
    int64_t M = c->out[0].shape[0], N = c->out[0].shape[1], R = c->in[0].count / M;
    const T *b = c->x[1];
    A *wide = c->scratch;
    F(GEMM(args)) o = { .M = M, .N = N, .K = R, .batches = 1, .am = 1, .ak = M, .a = c->x[0], .b = c->x[1], .c = c->y[0], .alpha = 1 };
    if (sizeof(T) != sizeof(A)) {
        for (int64_t i = 0; i < R * N; i++)
            wide[i] = LD(b[i]);
        o.b = wide;
    }
    F(GEMM(run))(&o);
    return GV_OK;
}
#undef GEMM
#endif
