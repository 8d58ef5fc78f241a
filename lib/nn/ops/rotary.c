/* rotary: turn pairs of neighbouring channels by an angle that grows with the token's place, x [N,L,W] -> same. The first `heads` pieces of
 * `width` channels of a token are turned, what stands behind them is copied (so queries and keys in front of values take one pass).
 *
 *   y0 = x0 cos - x1 sin;  y1 = x1 cos + x0 sin;  angle of pair a * B + b: place along axis a times base^(-b/B), B pairs for each axis
 *
 * Token l stands at place l of the grid (row-major), or at place keep[n,l] where tokens were left out. The gradient turns back.
 * Source: Su et al. 2021, arXiv:2104.09864, section 3.4.2; over several axes as timm's RotaryEmbeddingCat (EVA-02, Primus). */
#ifndef T
#include "nn/ops/op.h"

static gv_val make(gv_graph *g, gv_val x, gv_val keep, const gv_rotary_attr *a)
{
    gv_val in[2] = { x, keep };
    return gv_op1(g, GV_OP_rotary, a, in, 2, gv_class_of(g, x), gv_shape(g, x), gv_ndim(g, x));
}

gv_val gv_rotary(gv_graph *g, gv_val x, gv_val keep, int64_t heads, int64_t width, const int64_t grid[3], double base)
{
    gv_rotary_attr a = { .heads = heads, .width = width, .base = base };
    int64_t places = 1;
    if (!gv_op_ready(g, GV_OP_rotary, &x, 1) || !gv_is_float(g, GV_OP_rotary, x))
        return GV_NO_VAL;
    for (int i = 0; i < 3 && grid[i] > 0; i++) {
        a.grid[a.axes++] = grid[i];
        places *= grid[i];
    }
    if (gv_ndim(g, x) != 3 || a.axes < 1 || heads < 1 || width < 1 || heads * width > gv_dim(g, x, 2) || width > GV_ROTARY_MOST)
        return gv_graph_fail(g, "rotary positions of %" PRId64 " heads of %" PRId64 " channels do not fit the tokens", heads, width);
    if (width % (2 * a.axes))
        return gv_graph_fail(g, "rotary positions: %" PRId64 " channels of a head do not divide into pairs for %d axes", width, a.axes);
    if (keep == GV_NO_VAL ? gv_dim(g, x, 1) != places : gv_ndim(g, keep) != 2 || gv_dim(g, keep, 0) != gv_dim(g, x, 0) || gv_dim(g, keep, 1) != gv_dim(g, x, 1))
        return gv_graph_fail(g, "rotary positions: %" PRId64 " tokens for a grid of %" PRId64 " places", gv_dim(g, x, 1), places);
    return make(g, x, keep, &a);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    gv_rotary_attr a = *(const gv_rotary_attr *)n->attr;
    a.back = !a.back;
    dx[0] = make(g, dy[0], n->in[1], &a);
    dx[1] = GV_NO_VAL;
}

/* A row of cosines and a row of sines, one number for each pair of one axis, for every place of every axis. */
static size_t scratch(const gv_call *c)
{
    const gv_rotary_attr *o = c->attr;
    int64_t places = o->grid[0] + o->grid[1] + o->grid[2];
    return (size_t)(places * o->width / o->axes) * sizeof(double);
}

#define GV_KERNELS "nn/ops/rotary.c"
#include "nn/ops/types.h"

const gv_op gv_op_rotary = {
    .name = "rotary", .attr_size = sizeof(gv_rotary_attr), .wants = "oa", .gradient = gradient, GV_PLAIN(rotary_run), .scratch = scratch,
};
#else
/* The cosines and sines of one token: pieces of the tables, axis after axis. */
static inline void F(rotary_angles)(const gv_rotary_attr *o, const A *table, int64_t place, A *restrict cosine, A *restrict sine)
{
    int64_t b = o->width / 2 / o->axes, at[3] = { 0, 0, 0 };
    for (int i = o->axes - 1; i >= 0; place /= o->grid[i], i--)
        at[i] = place % o->grid[i];
    for (int i = 0; i < o->axes; table += o->grid[i] * 2 * b, i++) {
        memcpy(cosine + i * b, table + at[i] * 2 * b, (size_t)b * sizeof *cosine);
        memcpy(sine + i * b, table + at[i] * 2 * b + b, (size_t)b * sizeof *sine);
    }
}

GV_HOT static void F(rotary_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const gv_rotary_attr *o = c->attr;
    const int32_t *keep = c->in[1].ndim < 0 ? NULL : c->x[1];
    int64_t L = c->in[0].shape[1], W = c->in[0].shape[2], pairs = o->width / 2, turned = o->heads * o->width;
    A cosine[GV_ROTARY_MOST / 2], sine[GV_ROTARY_MOST / 2];
    for (int64_t r = begin; r < end; r++) {
        const T *x = (const T *)c->x[0] + r * W;
        T *y = (T *)c->y[0] + r * W;
        F(rotary_angles)(o, c->scratch, keep ? keep[r] : r % L, cosine, sine);
        for (int64_t h = 0; h < turned; h += o->width) {
            const T *restrict from = x + h;
            T *restrict to = y + h;
            for (int64_t i = 0; i < pairs; i++) {
                A u = LD(from[2 * i]), v = LD(from[2 * i + 1]);
                to[2 * i] = ST(u * cosine[i] - v * sine[i]);
                to[2 * i + 1] = ST(v * cosine[i] + u * sine[i]);
            }
        }
        memcpy(y + turned, x + turned, (size_t)(W - turned) * sizeof *y);
    }
}

static int F(rotary_run)(const gv_call *c)
{
    const gv_rotary_attr *o = c->attr;
    int64_t b = o->width / 2 / o->axes;
    A *table = c->scratch;
    for (int i = 0; i < o->axes; i++)
        for (int64_t k = 0; k < o->grid[i]; k++, table += 2 * b)
            for (int64_t j = 0; j < b; j++) {
                double angle = (double)k * pow(o->base, -(double)j / (double)b);
                table[j] = (A)cos(angle);
                table[b + j] = (A)(o->back ? -sin(angle) : sin(angle));
            }
    return gv_over(c, c->in[0].shape[0] * c->in[0].shape[1], gv_row_grain(c->in[0].shape[2]), F(rotary_rows));
}
#endif
