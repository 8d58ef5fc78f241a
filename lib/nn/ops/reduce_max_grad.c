/* reduce_max_grad: x, y (the maximum, reduced axes kept as 1) and dy -> dx; equal maxima share dy evenly, as torch.amax does. */
#ifndef T
#include "nn/ops/op.h"

#define GV_KERNELS "nn/ops/reduce_max_grad.c"
#include "nn/ops/types.h"

static size_t scratch(const gv_call *c)
{
    return (size_t)c->in[1].count * sizeof(int64_t);
}

const gv_op gv_op_reduce_max_grad = {
    .name = "reduce_max_grad", .attr_size = sizeof(gv_reduce_attr), .wants = "o", GV_PLAIN(reduce_max_grad_run), .scratch = scratch,
};
#else
static int F(reduce_max_grad_run)(const gv_call *c)
{
    const gv_desc *d = &c->in[0];
    const T *x = c->x[0], *y = c->x[1], *dy = c->x[2];
    T *dx = c->y[0];
    int64_t *ties = c->scratch, step[GV_MAX_DIMS] = { 0 }, s = 1;
    memset(ties, 0, (size_t)c->in[1].count * sizeof *ties);
    for (int i = d->ndim - 1; i >= 0; i--)
        if (c->in[1].shape[i] > 1) {
            step[i] = s;
            s *= d->shape[i];
        }
    for (int pass = 0; pass < 2; pass++) {
        int64_t at[GV_MAX_DIMS] = { 0 }, to = 0;
        for (int64_t i = 0; i < d->count; i++) {
            bool is = LD(x[i]) == LD(y[to]);
            if (!pass)
                ties[to] += is;
            else
                dx[i] = is ? ST(LD(dy[to]) / (A)ties[to]) : ST((A)0);
            for (int k = d->ndim - 1; k >= 0; k--) {
                to += step[k];
                if (++at[k] < d->shape[k])
                    break;
                to -= step[k] * d->shape[k];
                at[k] = 0;
            }
        }
    }
    return GV_OK;
}
#endif
