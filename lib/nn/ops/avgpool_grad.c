/* avgpool_grad: every input position gathers its share of the windows that saw it. */
#ifndef T
#include "nn/ops/avgpool.h"

gv_val gv_avgpool_grad(gv_graph *g, gv_val dy, const gv_window *window, const int64_t *x_shape)
{
    if (!gv_op_ready(g, GV_OP_avgpool_grad, &dy, 1))
        return GV_NO_VAL;
    gv_pool_attr a = { *window };
    return gv_op1(g, GV_OP_avgpool_grad, &a, &dy, 1, gv_class_of(g, dy), x_shape, window->dims + 2);
}

#define GV_KERNELS "nn/ops/avgpool_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_avgpool_grad = { .name = "avgpool_grad", .attr_size = sizeof(gv_pool_attr), .wants = "o", GV_PLAIN(avgpool_grad_run) };
#else
typedef struct F(avgpool_grad_args) { gv_geometry q; int64_t C; bool with_pad; const T *dy; T *dx; } F(avgpool_grad_args);

enum { F(AVGG_CB) = 64 };

GV_HOT static void F(avgpool_grad_body)(void *p, int64_t begin, int64_t end)
{
    const F(avgpool_grad_args) *o = p;
    const gv_geometry *q = &o->q;
    for (int64_t at = begin; at < end; at++) {
        int64_t pos[3], k[3], out[3];
        gv_unflatten(q->i, at % q->ni, pos);
        for (int64_t first = 0; first < o->C; first += F(AVGG_CB)) {
            int64_t m = gv_min64(F(AVGG_CB), o->C - first);
            A sum[F(AVGG_CB)] = { 0 };
            for (int64_t t = 0; t < q->nk; t++) {
                gv_unflatten(q->k, t, k);
                int64_t i = gv_untap(q, pos, k);
                if (i < 0)
                    continue;
                gv_unflatten(q->o, i, out);
                A scale = 1 / (A)gv_avg_count(q, out, o->with_pad);
                const T *dy = o->dy + (at / q->ni * q->no + i) * o->C + first;
                for (int64_t c = 0; c < m; c++)
                    sum[c] += LD(dy[c]) * scale;
            }
            for (int64_t c = 0; c < m; c++)
                o->dx[at * o->C + first + c] = ST(sum[c]);
        }
    }
}

static int F(avgpool_grad_run)(const gv_call *c)
{
    const gv_window *w = &((const gv_pool_attr *)c->attr)->window;
    F(avgpool_grad_args) o = { .C = c->in[0].shape[c->in[0].ndim - 1], .with_pad = w->count_include_pad, .dy = c->x[0], .dx = c->y[0] };
    gv_geometry_make(&o.q, w, &c->out[0], &c->in[0]);
    gv_parallel(o.q.n * o.q.ni, gv_row_grain(o.C * 4), F(avgpool_grad_body), &o);
    return GV_OK;
}
#endif
