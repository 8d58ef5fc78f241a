/* softmax_grad: y (dy - sum(y dy)) over the last axis. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_softmax_grad(gv_graph *g, gv_val y, gv_val dy)
{
    gv_val in[2] = { y, dy };
    if (!gv_op_ready(g, GV_OP_softmax_grad, in, 2))
        return GV_NO_VAL;
    return gv_op1(g, GV_OP_softmax_grad, NULL, in, 2, gv_class_of(g, y), gv_shape(g, y), gv_ndim(g, y));
}

#define GV_KERNELS "nn/ops/softmax_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_softmax_grad = { .name = "softmax_grad", .wants = "o", GV_PLAIN(softmax_grad_run) };
#else
#define LANES(x) softmax_grad_##x
#include "nn/ops/lanes.h"

GV_HOT static void F(softmax_grad_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = c->in[0].shape[c->in[0].ndim - 1];
    for (int64_t r = begin; r < end; r++) {
        const T *y = (const T *)c->x[0] + r * C, *dy = (const T *)c->x[1] + r * C;
        T *dx = (T *)c->y[0] + r * C;
        A sum;
        GV_LANE_SUM(sum, C, LD(y[at]) * LD(dy[at]));
        GV_IVDEP
        for (int64_t i = 0; i < C; i++)
            dx[i] = ST(LD(y[i]) * (LD(dy[i]) - sum));
    }
}
#undef LANES

static int F(softmax_grad_run)(const gv_call *c)
{
    int64_t C = c->in[0].shape[c->in[0].ndim - 1];
    return gv_over(c, c->in[0].count / C, gv_row_grain(C), F(softmax_grad_rows));
}
#endif
