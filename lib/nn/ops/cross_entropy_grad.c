/* cross_entropy_grad: (softmax(logits) sum(t) - t) * dloss / rows, class STAT; rows with no target get zeros. */
#ifndef T
#include "nn/ops/op.h"

#define GV_KERNELS "nn/ops/cross_entropy_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_cross_entropy_grad = { .name = "cross_entropy_grad", .wants = "s", GV_PLAIN(cross_entropy_grad_run) };
#else
static int F(cross_entropy_grad_run)(const gv_call *c)
{
    int64_t K = c->in[0].shape[c->in[0].ndim - 1], R = c->in[0].count / K, rows = 0;
    const S *all = c->x[1];
    for (int64_t r = 0; r < R; r++) {
        bool any = false;
        for (int64_t i = 0; i < K; i++)
            any = any || all[r * K + i] != 0;
        rows += any;
    }
    double scale = rows ? (double)*(const S *)c->x[2] / (double)rows : 0;
    for (int64_t r = 0; r < R; r++) {
        const S *x = (const S *)c->x[0] + r * K, *t = all + r * K;
        S *dx = (S *)c->y[0] + r * K;
        double most = (double)x[0], sum = 0, weight = 0;
        bool any = false;
        for (int64_t i = 0; i < K; i++) {
            most = (double)x[i] > most ? (double)x[i] : most;
            weight += (double)t[i];
            any = any || t[i] != 0;
        }
        for (int64_t i = 0; i < K; i++)
            sum += exp((double)x[i] - most);
        for (int64_t i = 0; i < K; i++)
            dx[i] = any ? (S)((exp((double)x[i] - most) / sum * weight - (double)t[i]) * scale) : 0;
    }
    return GV_OK;
}
#endif
