/* conv: x [N,s…,C], w [O,C/groups,k…], b [O] -> y [N,s'…,O], 1 to 3 spatial dimensions (cross-correlation, as in torch).
 * A rewrite (fuse_norm.c) may give a fourth input, shaped as y, that is added, and let relu follow.
 * The plain kernel repacks w to [k…,C/groups,O] in scratch and runs with the output channel innermost. */
#ifndef T
#include "nn/ops/window.h"

gv_val gv_conv(gv_graph *g, gv_val x, gv_val w, gv_val b, const gv_window *window)
{
    gv_val in[3] = { x, w, b };
    char tx[GV_SHAPE_TEXT], tw[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_conv, in, 2) || !gv_is_float(g, GV_OP_conv, x))
        return GV_NO_VAL;
    gv_conv_attr a = { *window, false };
    int64_t out[3], shape[GV_MAX_DIMS];
    if (gv_ndim(g, w) != window->dims + 2)
        return gv_graph_fail(g, "conv over %d spatial dimensions: the weight has shape %s", window->dims, gv_shape_text(g, w, tw));
    for (int d = 0; d < window->dims && d < 3; d++)
        a.window.kernel[d] = gv_dim(g, w, d + 2);
    if (!gv_window_check(g, GV_OP_conv, x, &a.window, out))
        return GV_NO_VAL;
    int64_t c = gv_dim(g, x, -1), o = gv_dim(g, w, 0), groups = a.window.groups;
    if (groups < 1 || c % groups || o % groups || gv_dim(g, w, 1) != c / groups)
        return gv_graph_fail(g, "conv of %s with weight %s in %" PRId64 " groups: the channels do not fit", gv_shape_text(g, x, tx), gv_shape_text(g, w, tw), groups);
    if (!gv_is_vector(g, GV_OP_conv, "the bias", b, o))
        return GV_NO_VAL;
    shape[0] = gv_dim(g, x, 0);
    for (int d = 0; d < window->dims; d++)
        shape[d + 1] = out[d];
    shape[window->dims + 1] = o;
    return gv_op1(g, GV_OP_conv, &a, in, 3, GV_CLASS_REAL, shape, window->dims + 2);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    const gv_window *w = &((const gv_conv_attr *)n->attr)->window;
    if (want[0])
        dx[0] = gv_conv_dgrad(g, dy[0], n->in[1], w, gv_shape(g, n->in[0]));
    if (want[1])
        dx[1] = gv_conv_wgrad(g, n->in[0], dy[0], w, gv_shape(g, n->in[1]));
    if (want[2])
        dx[2] = gv_sum_to(g, dy[0], gv_shape(g, n->in[2]), 1, gv_class_of(g, n->in[2]));
}

static size_t scratch(const gv_call *c)
{
    return (size_t)c->in[1].count * (c->in[1].dtype == GV_F64T ? 8 : 4);
}

#define GV_KERNELS "nn/ops/conv.c"
#include "nn/ops/types.h"

const gv_op gv_op_conv = {
    .name = "conv", .attr_size = sizeof(gv_conv_attr), .wants = "rrsr",
    .gradient = gradient, GV_PLAIN(conv_run), .scratch = scratch,
};
#else
typedef struct F(conv_args) { gv_geometry q; int64_t C, O, G; const T *x, *more; T *y; const A *w; const S *b; bool relu; } F(conv_args);

enum { F(CONV_OB) = 64 };

/* A row of output positions of one (n, spatial) range: every position's channels in blocks on the stack. */
GV_HOT static void F(conv_body)(void *p, int64_t begin, int64_t end)
{
    const F(conv_args) *o = p;
    const gv_geometry *q = &o->q;
    int64_t cg = o->C / o->G, og = o->O / o->G;
    for (int64_t at = begin; at < end; at++) {
        int64_t n = at / q->no, pos[3], k[3];
        gv_unflatten(q->o, at % q->no, pos);
        T *y = o->y + at * o->O;
        for (int64_t first = 0; first < o->O;) {
            int64_t group = first / og, m = gv_min64(F(CONV_OB), (group + 1) * og - first);
            A acc[F(CONV_OB)] = { 0 };
            for (int64_t t = 0; t < q->nk; t++) {
                gv_unflatten(q->k, t, k);
                int64_t i = gv_tap(q, pos, k);
                if (i < 0)
                    continue;
                const T *x = o->x + (n * q->ni + i) * o->C + group * cg;
                const A *w = o->w + t * cg * o->O + first;
                for (int64_t c = 0; c < cg; c++, w += o->O) {
                    A v = LD(x[c]);
                    if (m == F(CONV_OB)) {
                        for (int j = 0; j < F(CONV_OB); j++)
                            acc[j] += v * w[j];
                    } else {
                        for (int64_t j = 0; j < m; j++)
                            acc[j] += v * w[j];
                    }
                }
            }
            for (int64_t j = 0; j < m; j++) {
                A v = o->b ? acc[j] + o->b[first + j] : acc[j];
                v += o->more ? LD(o->more[at * o->O + first + j]) : 0;
                y[first + j] = ST(o->relu && v < 0 ? 0 : v);
            }
            first += m;
        }
    }
}

static int F(conv_run)(const gv_call *c)
{
    const gv_conv_attr *a = c->attr;
    F(conv_args) o = { .C = c->in[0].shape[c->in[0].ndim - 1], .O = c->in[1].shape[0], .G = a->window.groups,
                       .x = c->x[0], .y = c->y[0], .w = c->scratch, .b = c->x[2], .more = c->nin > 3 ? c->x[3] : NULL, .relu = a->relu };
    gv_geometry_make(&o.q, &a->window, &c->in[0], &c->out[0]);
    int64_t cg = o.C / o.G;
    const T *w = c->x[1];
    A *packed = c->scratch;
    for (int64_t i = 0; i < o.O * cg; i++) /* [o,c,t] -> [t,c,o] */
        for (int64_t t = 0; t < o.q.nk; t++)
            packed[(t * cg + i % cg) * o.O + i / cg] = LD(w[i * o.q.nk + t]);
    gv_parallel(o.q.n * o.q.no, gv_row_grain(o.O), F(conv_body), &o);
    return GV_OK;
}
#endif
