/* maxpool_grad: each dy goes to the place its maximum came from. Every place of the input asks the windows that see it, from the first to the
 * last, so that nothing is written twice and all rows can be worked on at once. */
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

/* For each place along an axis: how many windows see it, and which, first to last. One table behind the other. */
static size_t scratch(const gv_call *c)
{
    gv_geometry q;
    gv_geometry_make(&q, &((const gv_pool_attr *)c->attr)->window, &c->out[0], &c->in[0]);
    int64_t n = 0;
    for (int d = 0; d < 3; d++)
        n += q.i[d] * (q.k[d] + 1);
    return (size_t)n * sizeof(int32_t);
}

static void find_windows(const gv_geometry *q, int32_t *to, const int32_t *seen[3])
{
    for (int d = 0; d < 3; d++) {
        seen[d] = to;
        for (int64_t p = 0; p < q->i[d]; p++, to += q->k[d] + 1) {
            to[0] = 0;
            for (int64_t k = q->k[d] - 1; k >= 0; k--) {
                int64_t at = p + q->pad[d] - k * q->dil[d];
                if (at >= 0 && at % q->stride[d] == 0 && at / q->stride[d] < q->o[d])
                    to[++to[0]] = (int32_t)(at / q->stride[d]);
            }
        }
    }
}

#define GV_KERNELS "nn/ops/maxpool_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_maxpool_grad = {
    .name = "maxpool_grad", .attr_size = sizeof(gv_pool_attr), .wants = "oa", GV_PLAIN(maxpool_grad_run), .scratch = scratch,
};
#else
typedef struct F(maxpool_grad_args) { gv_geometry q; const gv_call *c; int64_t C; const int32_t *seen[3]; } F(maxpool_grad_args);

enum { F(MAXPOOL_GRAD_BLOCK) = 64 };

/* m channels of one place. */
static inline __attribute__((always_inline)) void F(maxpool_grad_place)(const F(maxpool_grad_args) *o, const int32_t *const list[3], int64_t n, int32_t me, int64_t c0, int64_t m, T *dx)
{
    const gv_geometry *q = &o->q;
    A sum[F(MAXPOOL_GRAD_BLOCK)] = { 0 };
    for (int32_t a = 1; a <= list[0][0]; a++)
        for (int32_t b = 1; b <= list[1][0]; b++)
            for (int32_t e = 1; e <= list[2][0]; e++) {
                int64_t at = (((n * q->o[0] + list[0][a]) * q->o[1] + list[1][b]) * q->o[2] + list[2][e]) * o->C + c0;
                const T *dy = (const T *)o->c->x[0] + at;
                const int32_t *index = (const int32_t *)o->c->x[1] + at;
                for (int64_t i = 0; i < m; i++)
                    sum[i] += index[i] == me ? LD(dy[i]) : 0;
            }
    for (int64_t i = 0; i < m; i++)
        dx[i] = ST(sum[i]);
}

GV_HOT static void F(maxpool_grad_body)(void *p, int64_t begin, int64_t end)
{
    const F(maxpool_grad_args) *o = p;
    const gv_geometry *q = &o->q;
    for (int64_t row = begin; row < end; row++) { /* of the first two axes */
        int64_t p1 = row % q->i[1], p0 = row / q->i[1] % q->i[0], n = row / q->i[1] / q->i[0];
        for (int64_t p2 = 0; p2 < q->i[2]; p2++) {
            const int32_t *const list[3] = { o->seen[0] + p0 * (q->k[0] + 1), o->seen[1] + p1 * (q->k[1] + 1), o->seen[2] + p2 * (q->k[2] + 1) };
            int32_t me = (int32_t)((p0 * q->i[1] + p1) * q->i[2] + p2);
            T *dx = (T *)o->c->y[0] + (n * q->ni + me) * o->C;
            int64_t c = 0;
            for (; c + F(MAXPOOL_GRAD_BLOCK) <= o->C; c += F(MAXPOOL_GRAD_BLOCK))
                F(maxpool_grad_place)(o, list, n, me, c, F(MAXPOOL_GRAD_BLOCK), dx + c);
            if (c < o->C)
                F(maxpool_grad_place)(o, list, n, me, c, o->C - c, dx + c);
        }
    }
}

static int F(maxpool_grad_run)(const gv_call *c)
{
    F(maxpool_grad_args) o = { .c = c, .C = c->in[0].shape[c->in[0].ndim - 1] };
    gv_geometry_make(&o.q, &((const gv_pool_attr *)c->attr)->window, &c->out[0], &c->in[0]);
    find_windows(&o.q, c->scratch, o.seen);
    gv_parallel(o.q.n * o.q.i[0] * o.q.i[1], gv_row_grain(o.C * o.q.i[2]), F(maxpool_grad_body), &o);
    return GV_OK;
}
#endif
