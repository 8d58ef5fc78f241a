/* maxpool: y and the place of the maximum inside the input's spatial block (I32). The first maximum wins, NaN beats all, as in torch. */
#ifndef T
#include "nn/ops/maxpool_values.h"

gv_pool_out gv_maxpool(gv_graph *g, gv_val x, const gv_window *window)
{
    gv_pool_out o = { GV_NO_VAL, GV_NO_VAL };
    gv_pool_attr a = { *window };
    int64_t out[3], shape[GV_MAX_DIMS];
    if (!gv_op_ready(g, GV_OP_maxpool, &x, 1) || !gv_is_float(g, GV_OP_maxpool, x) || !gv_window_check(g, GV_OP_maxpool, x, &a.window, out))
        return o;
    int64_t inside = 1;
    memcpy(shape, gv_shape(g, x), sizeof shape);
    for (int d = 0; d < window->dims; d++) {
        inside *= shape[d + 1];
        shape[d + 1] = out[d];
        if (a.window.pad[d] > a.window.kernel[d] / 2 || a.window.pad_end[d] > a.window.kernel[d] / 2) {
            gv_graph_fail(g, "maxpool: padding %" PRId64 " is more than half of kernel %" PRId64, a.window.pad[d], a.window.kernel[d]);
            return o;
        }
        int64_t k = window->kernel[d], step = a.window.dilation[d], in = gv_dim(g, x, d + 1);
        for (int64_t i = 0; i < out[d]; i++) { /* its first tap that is not before the input */
            int64_t at = i * a.window.stride[d] - a.window.pad[d], tap = at < 0 ? (-at + step - 1) / step : 0;
            if (tap < k && at + tap * step < in)
                continue;
            gv_graph_fail(g, "maxpool: a kernel of %" PRId64 " with dilation %" PRId64 " sees nothing but padding along spatial axis %d, of %" PRId64 " pixels", k, step, d, in);
            return o;
        }
    }
    if (inside > INT32_MAX) {
        gv_graph_fail(g, "maxpool over %" PRId64 " positions; at most %d are possible", inside, INT32_MAX);
        return o;
    }
    int n = gv_node_new(g, GV_OP_maxpool, &a, &x, 1);
    o.y = gv_node_out(g, n, gv_class_of(g, x), shape, gv_ndim(g, x));
    o.index = gv_node_out(g, n, GV_CLASS_I32, shape, gv_ndim(g, x));
    return o;
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    dx[0] = gv_maxpool_grad(g, dy[0], n->out[1], &((const gv_pool_attr *)n->attr)->window, gv_shape(g, n->in[0]));
}

#define GV_KERNELS "nn/ops/maxpool.c"
#include "nn/ops/types.h"

static int bf16(const gv_call *c)
{
    return c->unread & 2 && gv_maxpool_values(c) ? GV_OK : maxpool_run_bf16(c);
}

const gv_op gv_op_maxpool = {
    .name = "maxpool", .attr_size = sizeof(gv_pool_attr), .wants = "o", .gradient = gradient, .plain_f32 = maxpool_run_f32, .plain_f64 = maxpool_run_f64, .plain_bf16 = bf16,
};
#else
typedef struct F(maxpool_args) { gv_geometry q; int64_t C; const T *x; T *y; int32_t *index; } F(maxpool_args);

enum { F(MAXPOOL_BLOCK) = 64 };

/* One output pixel, n channels from c0 on: a constant where it can be, and `index` too, so that sums of taps stay in registers. */
static inline __attribute__((always_inline)) void F(maxpool_pixel)(const F(maxpool_args) *o, int64_t at, const T *image, const int64_t lo[3], const int64_t hi[3], const int64_t start[3],
                                                                   int64_t c0, int64_t n, bool index)
{
    const gv_geometry *q = &o->q;
    A best[F(MAXPOOL_BLOCK)];
    int32_t where[F(MAXPOOL_BLOCK)];
    bool any = false;
    for (int64_t k0 = lo[0]; k0 < hi[0]; k0++)
        for (int64_t k1 = lo[1]; k1 < hi[1]; k1++)
            for (int64_t k2 = lo[2]; k2 < hi[2]; k2++) {
                int64_t i = ((start[0] + k0 * q->dil[0]) * q->i[1] + start[1] + k1 * q->dil[1]) * q->i[2] + start[2] + k2 * q->dil[2];
                const T *x = image + i * o->C + c0;
                if (!any) {
                    any = true;
                    for (int64_t c = 0; c < n; c++) {
                        best[c] = LD(x[c]);
                        where[c] = (int32_t)i;
                    }
                    continue;
                }
                for (int64_t c = 0; c < n; c++) {
                    A v = LD(x[c]);
                    int more = (v > best[c]) | (v != v);
                    best[c] = more ? v : best[c];
                    if (index)
                        where[c] = more ? (int32_t)i : where[c];
                }
            }
    for (int64_t c = 0; c < n; c++) {
        o->y[at * o->C + c0 + c] = ST(best[c]);
        if (index)
            o->index[at * o->C + c0 + c] = where[c];
    }
}

GV_HOT static void F(maxpool_body)(void *p, int64_t begin, int64_t end)
{
    const F(maxpool_args) *o = p;
    const gv_geometry *q = &o->q;
    for (int64_t at = begin; at < end; at++) {
        int64_t pos[3], lo[3], hi[3], start[3], c0 = 0;
        gv_unflatten(q->o, at % q->no, pos);
        for (int d = 0; d < 3; d++) {
            gv_window_inside(q, d, pos[d], &lo[d], &hi[d]);
            start[d] = pos[d] * q->stride[d] - q->pad[d];
        }
        const T *image = o->x + at / q->no * q->ni * o->C;
        for (; c0 + F(MAXPOOL_BLOCK) <= o->C; c0 += F(MAXPOOL_BLOCK)) /* a block of channels stays in the first cache or in registers */
            if (o->index)
                F(maxpool_pixel)(o, at, image, lo, hi, start, c0, F(MAXPOOL_BLOCK), true);
            else
                F(maxpool_pixel)(o, at, image, lo, hi, start, c0, F(MAXPOOL_BLOCK), false);
        if (c0 < o->C)
            F(maxpool_pixel)(o, at, image, lo, hi, start, c0, o->C - c0, o->index != NULL);
    }
}

static int F(maxpool_run)(const gv_call *c)
{
    F(maxpool_args) o = { .C = c->in[0].shape[c->in[0].ndim - 1], .x = c->x[0], .y = c->y[0], .index = c->unread & 2 ? NULL : c->y[1] };
    gv_geometry_make(&o.q, &((const gv_pool_attr *)c->attr)->window, &c->in[0], &c->out[0]);
    gv_parallel(o.q.n * o.q.no, gv_row_grain(o.C * o.q.nk), F(maxpool_body), &o);
    return GV_OK;
}
#endif
