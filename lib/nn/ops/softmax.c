/* softmax: over the last axis, with the row's maximum taken off first. */
#ifndef T
#include "nn/ops/math.h"
#include "nn/ops/op.h"

gv_val gv_softmax(gv_graph *g, gv_val x)
{
    if (!gv_op_ready(g, GV_OP_softmax, &x, 1) || !gv_is_float(g, GV_OP_softmax, x))
        return GV_NO_VAL;
    (void)gv_dim(g, x, -1);
    return gv_op1(g, GV_OP_softmax, NULL, &x, 1, gv_class_of(g, x), gv_shape(g, x), gv_ndim(g, x));
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    dx[0] = gv_softmax_grad(g, n->out[0], dy[0]);
}

#define GV_KERNELS "nn/ops/softmax.c"
#include "nn/ops/types.h"

const gv_op gv_op_softmax = { .name = "softmax", .wants = "o", .gradient = gradient, GV_PLAIN(softmax_run) };
#else
#define LANES(x) softmax_##x
#include "nn/ops/lanes.h"

GV_HOT static void F(softmax_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = c->in[0].shape[c->in[0].ndim - 1];
    for (int64_t r = begin; r < end; r++) {
        const T *x = (const T *)c->x[0] + r * C;
        T *y = (T *)c->y[0] + r * C;
        A lane[16], most, sum = 0;
        for (int l = 0; l < 16; l++)
            lane[l] = LD(x[0]);
        int64_t k = 0;
        for (; k + 16 <= C; k += 16)
            for (int l = 0; l < 16; l++)
                lane[l] = LD(x[k + l]) > lane[l] ? LD(x[k + l]) : lane[l];
        most = lane[0];
        for (int l = 1; l < 16; l++)
            most = lane[l] > most ? lane[l] : most;
        for (; k < C; k++)
            most = LD(x[k]) > most ? LD(x[k]) : most;
        if (sizeof(T) == sizeof(A)) { /* the exponentials wait in y */
            GV_IVDEP
            for (int64_t i = 0; i < C; i++)
                y[i] = ST(gv_exp_of(LD(x[i]) - most));
            GV_LANE_SUM(sum, C, LD(y[at]));
            sum = 1 / sum;
            GV_IVDEP
            for (int64_t i = 0; i < C; i++)
                y[i] = ST(LD(y[i]) * sum);
        } else { /* bf16 would round them: twice computed */
            GV_LANE_SUM(sum, C, gv_exp_of(LD(x[at]) - most));
            sum = 1 / sum;
            GV_IVDEP
            for (int64_t i = 0; i < C; i++)
                y[i] = ST(gv_exp_of(LD(x[i]) - most) * sum);
        }
    }
}
#undef LANES

static int F(softmax_run)(const gv_call *c)
{
    int64_t C = c->in[0].shape[c->in[0].ndim - 1];
    return gv_over(c, c->in[0].count / C, gv_row_grain(C), F(softmax_rows));
}
#endif
