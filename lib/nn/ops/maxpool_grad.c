/* maxpool_grad: each dy goes to the place its maximum came from. Parallel over samples: windows of one sample may overlap. */
#ifndef T
#include "nn/ops/window.h"

gv_val gv_maxpool_grad(gv_graph *g, gv_val dy, gv_val index, const gv_window *window, const int64_t *x_shape)
{
    gv_val in[2] = { dy, index };
    if (!gv_op_ready(g, GV_OP_maxpool_grad, in, 2))
        return GV_NO_VAL;
    gv_pool_attr a = { *window };
    return gv_op1(g, GV_OP_maxpool_grad, &a, in, 2, gv_class_of(g, dy), x_shape, window->dims + 2);
}

static size_t scratch(const gv_call *c)
{
    return c->out[0].dtype == GV_BF16 ? (size_t)c->out[0].count * 4 : 0;
}

#define GV_KERNELS "nn/ops/maxpool_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_maxpool_grad = {
    .name = "maxpool_grad", .attr_size = sizeof(gv_pool_attr), .wants = "oa", GV_PLAIN(maxpool_grad_run), .scratch = scratch,
};
#else
/* bf16 adds up in scratch, in float. */
static void F(maxpool_grad_body)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = c->in[0].shape[c->in[0].ndim - 1], N = c->in[0].shape[0], no = c->in[0].count / N, ni = c->out[0].count / N;
    for (int64_t n = begin; n < end; n++) {
        const T *dy = (const T *)c->x[0] + n * no;
        const int32_t *index = (const int32_t *)c->x[1] + n * no;
        T *dx = (T *)c->y[0] + n * ni;
        A *sum = sizeof(T) == sizeof(A) ? (void *)dx : (void *)((A *)c->scratch + n * ni);
        memset(sum, 0, (size_t)ni * sizeof *sum);
        for (int64_t i = 0; i < no; i += C)
            for (int64_t k = 0; k < C; k++)
                sum[index[i + k] * C + k] += LD(dy[i + k]);
        if (sizeof(T) != sizeof(A))
            for (int64_t i = 0; i < ni; i++)
                dx[i] = ST(sum[i]);
    }
}

static int F(maxpool_grad_run)(const gv_call *c)
{
    int64_t N = c->in[0].shape[0];
    return gv_over(c, N, gv_row_grain(c->out[0].count / N), F(maxpool_grad_body));
}
#endif
