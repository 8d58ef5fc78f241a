/* gather_grad: dy [N,K,…], index I32 [N,K] -> dx [N,L,…], zeros but for the rows that were fetched; a row fetched twice gets the sum. */
#ifndef T
#include "nn/ops/op.h"

#define GV_KERNELS "nn/ops/gather_grad.c"
#include "nn/ops/types.h"

/* The rows of a parameter have another type than activations: that of dx decides. */
static int run(const gv_call *c)
{
    return c->out[0].dtype == GV_F64T ? gather_grad_run_f64(c) : c->out[0].dtype == GV_BF16 ? gather_grad_run_bf16(c) : gather_grad_run_f32(c);
}

const gv_op gv_op_gather_grad = { .name = "gather_grad", .flags = GV_OP_ANY_TYPE, .wants = "oa", .plain_f32 = run };
#else
GV_HOT static void F(gather_grad_body)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t k = c->in[1].shape[1], len = c->out[0].shape[1], width = c->out[0].count / (c->out[0].shape[0] * len);
    for (int64_t n = begin; n < end; n++) {
        T *dx = (T *)c->y[0] + n * len * width;
        memset(dx, 0, (size_t)(len * width) * sizeof *dx);
        for (int64_t j = 0; j < k; j++) {
            const T *dy = (const T *)c->x[0] + (n * k + j) * width;
            T *to = dx + ((const int32_t *)c->x[1])[n * k + j] * width;
            for (int64_t i = 0; i < width; i++)
                to[i] = ST(LD(to[i]) + LD(dy[i]));
        }
    }
}

static int F(gather_grad_run)(const gv_call *c)
{
    for (int64_t i = 0; i < c->in[1].count; i++)
        if (((const int32_t *)c->x[1])[i] < 0 || ((const int32_t *)c->x[1])[i] >= c->out[0].shape[1])
            return GV_EDATA;
    return gv_over(c, c->out[0].shape[0], gv_row_grain(c->out[0].count / c->out[0].shape[0]), F(gather_grad_body));
}
#endif
