/* avgpool: the mean of each window. */
#ifndef T
#include "nn/ops/avgpool.h"

gv_val gv_avgpool(gv_graph *g, gv_val x, const gv_window *window)
{
    gv_pool_attr a = { *window };
    int64_t out[3], shape[GV_MAX_DIMS];
    if (!gv_op_ready(g, GV_OP_avgpool, &x, 1) || !gv_is_float(g, GV_OP_avgpool, x) || !gv_window_check(g, GV_OP_avgpool, x, &a.window, out))
        return GV_NO_VAL;
    memcpy(shape, gv_shape(g, x), sizeof shape);
    for (int d = 0; d < window->dims; d++) {
        shape[d + 1] = out[d];
        if (a.window.dilation[d] != 1 || a.window.pad[d] > a.window.kernel[d] / 2 || a.window.pad_end[d] > a.window.kernel[d] / 2)
            return gv_graph_fail(g, "avgpool: padding %" PRId64 " (at most half of kernel %" PRId64 "), dilation %" PRId64 " (only 1)", a.window.pad[d], a.window.kernel[d], a.window.dilation[d]);
    }
    return gv_op1(g, GV_OP_avgpool, &a, &x, 1, gv_class_of(g, x), shape, gv_ndim(g, x));
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    dx[0] = gv_avgpool_grad(g, dy[0], &((const gv_pool_attr *)n->attr)->window, gv_shape(g, n->in[0]));
}

#define GV_KERNELS "nn/ops/avgpool.c"
#include "nn/ops/types.h"

const gv_op gv_op_avgpool = {
    .name = "avgpool", .attr_size = sizeof(gv_pool_attr), .wants = "o", .gradient = gradient, GV_PLAIN(avgpool_run),
};
#else
typedef struct F(avgpool_args) { gv_geometry q; int64_t C; bool with_pad; const T *x; T *y; } F(avgpool_args);

enum { F(AVG_CB) = 64 };

GV_HOT static void F(avgpool_body)(void *p, int64_t begin, int64_t end)
{
    const F(avgpool_args) *o = p;
    const gv_geometry *q = &o->q;
    for (int64_t at = begin; at < end; at++) {
        int64_t pos[3], k[3];
        gv_unflatten(q->o, at % q->no, pos);
        A scale = 1 / (A)gv_avg_count(q, pos, o->with_pad);
        for (int64_t first = 0; first < o->C; first += F(AVG_CB)) {
            int64_t m = gv_min64(F(AVG_CB), o->C - first);
            A sum[F(AVG_CB)] = { 0 };
            for (int64_t t = 0; t < q->nk; t++) {
                gv_unflatten(q->k, t, k);
                int64_t i = gv_tap(q, pos, k);
                if (i < 0)
                    continue;
                const T *x = o->x + (at / q->no * q->ni + i) * o->C + first;
                for (int64_t c = 0; c < m; c++)
                    sum[c] += LD(x[c]);
            }
            for (int64_t c = 0; c < m; c++)
                o->y[at * o->C + first + c] = ST(sum[c] * scale);
        }
    }
}

static int F(avgpool_run)(const gv_call *c)
{
    const gv_window *w = &((const gv_pool_attr *)c->attr)->window;
    F(avgpool_args) o = { .C = c->in[0].shape[c->in[0].ndim - 1], .with_pad = w->count_include_pad, .x = c->x[0], .y = c->y[0] };
    gv_geometry_make(&o.q, w, &c->in[0], &c->out[0]);
    gv_parallel(o.q.n * o.q.no, gv_row_grain(o.C * o.q.nk), F(avgpool_body), &o);
    return GV_OK;
}
#endif
