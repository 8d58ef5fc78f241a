/* permute: axis i of y is axis axes[i] of x. Elements of any type. */
#include "nn/ops/op.h"

gv_val gv_permute(gv_graph *g, gv_val x, const int *axes)
{
    if (!gv_op_ready(g, GV_OP_permute, &x, 1))
        return GV_NO_VAL;
    gv_permute_attr a = { 0 };
    int n = gv_ndim(g, x);
    unsigned seen = 0;
    int64_t shape[GV_MAX_DIMS];
    bool same = true;
    for (int i = 0; i < n; i++) {
        if (axes[i] < 0 || axes[i] >= n || seen & 1u << axes[i]) {
            char t[GV_SHAPE_TEXT];
            return gv_graph_fail(g, "permute: axis %d stands at place %d; each of the %d axes of %s is wanted once", axes[i], i, n, gv_shape_text(g, x, t));
        }
        seen |= 1u << axes[i];
        a.axes[i] = axes[i];
        shape[i] = gv_shape(g, x)[axes[i]];
        same = same && axes[i] == i;
    }
    if (same)
        return x;
    return gv_op1(g, GV_OP_permute, &a, &x, 1, gv_class_of(g, x), shape, n);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    const gv_permute_attr *a = n->attr;
    int back[GV_MAX_DIMS];
    for (int i = 0; i < gv_ndim(g, n->in[0]); i++)
        back[a->axes[i]] = i;
    dx[0] = gv_permute(g, dy[0], back);
}

/* Neighbouring axes that stay neighbours are one; then the last two output axes are the loop. */
typedef struct permute_args {
    int nd;
    int64_t dim[GV_MAX_DIMS], step[GV_MAX_DIMS]; /* of the output's axes, in elements of x */
    size_t size;                                 /* bytes of an element (several values where they move together) */
    const char *x;
    char *y;
} permute_args;

#define MOVE(type) { const type *s = (const type *)o->x + from; type *d = (type *)o->y + row * n; \
        for (int64_t i = 0; i < n; i++) d[i] = s[i * step]; } break

/* The last output axis strides in x: blocks of output rows whose reads share cache lines. Rows run along the axis before the last, in which x
 * is dense, so a block of 16 rows reads 16 neighbours at a time. */
enum { TILE = 16 };

static bool tiled(const permute_args *o)
{
    return o->nd >= 2 && o->step[o->nd - 2] == 1 && o->dim[o->nd - 2] % TILE == 0 && (o->size == 2 || o->size == 4);
}

#define TURN(type) { const type *s = (const type *)o->x + from; type *d = (type *)o->y + row * n; \
        for (int64_t i = 0; i < n; i += TILE) { int64_t m = gv_min64(TILE, n - i); \
            for (int64_t r_ = 0; r_ < TILE; r_++) for (int64_t k = 0; k < m; k++) d[r_ * n + i + k] = s[(i + k) * step + r_]; } } break

GV_HOT static void permute_tiles(void *p, int64_t begin, int64_t end)
{
    const permute_args *o = p;
    int last = o->nd - 1;
    int64_t n = o->dim[last], step = o->step[last];
    for (int64_t row = begin * TILE; row < end * TILE; row += TILE) {
        int64_t from = 0, r = row;
        for (int d = last - 1; d >= 0; d--) {
            from += r % o->dim[d] * o->step[d];
            r /= o->dim[d];
        }
        switch (o->size) {
        case 2: TURN(uint16_t);
        default: TURN(uint32_t);
        }
    }
}

GV_HOT static void permute_body(void *p, int64_t begin, int64_t end)
{
    const permute_args *o = p;
    int last = o->nd - 1;
    int64_t n = o->dim[last], step = o->step[last];
    for (int64_t row = begin; row < end; row++) {
        int64_t from = 0, r = row;
        for (int d = last - 1; d >= 0; d--) {
            from += r % o->dim[d] * o->step[d];
            r /= o->dim[d];
        }
        switch (o->size) {
        case 1: MOVE(uint8_t);
        case 2: MOVE(uint16_t);
        case 4: MOVE(uint32_t);
        case 8: MOVE(uint64_t);
        default:
            for (int64_t i = 0; i < n; i++)
                memcpy(o->y + (size_t)(row * n + i) * o->size, o->x + (size_t)(from + i * step) * o->size, o->size);
        }
    }
}

static int run(const gv_call *c)
{
    const gv_permute_attr *a = c->attr;
    const gv_desc *x = &c->in[0], *y = &c->out[0];
    int64_t stride[GV_MAX_DIMS], s = 1;
    for (int i = x->ndim - 1; i >= 0; i--) {
        stride[i] = s;
        s *= x->shape[i];
    }
    permute_args o = { .size = gv_dtype_of(x->dtype)->size, .x = c->x[0], .y = c->y[0] };
    for (int i = 0; i < y->ndim; i++) {
        int64_t st = stride[a->axes[i]];
        if (y->shape[i] == 1)
            continue;
        if (o.nd && o.step[o.nd - 1] == st * y->shape[i]) {
            o.dim[o.nd - 1] *= y->shape[i];
            o.step[o.nd - 1] = st;
        } else {
            o.dim[o.nd] = y->shape[i];
            o.step[o.nd++] = st;
        }
    }
    if (o.nd && o.step[o.nd - 1] == 1) { /* the last axis stays last: whole rows move */
        o.size *= (size_t)o.dim[--o.nd];
        for (int i = 0; i < o.nd; i++)
            o.step[i] /= (int64_t)(o.size / gv_dtype_of(x->dtype)->size);
    }
    if (!o.nd) {
        o.nd = 1;
        o.dim[0] = 1;
        o.step[0] = 1;
    }
    int64_t n = o.dim[o.nd - 1], rows = 1;
    for (int i = 0; i < o.nd - 1; i++)
        rows *= o.dim[i];
    if (tiled(&o))
        gv_parallel(rows / TILE, gv_row_grain(n * TILE), permute_tiles, &o);
    else
        gv_parallel(rows, gv_row_grain(n * (int64_t)(o.size + 3) / 4), permute_body, &o);
    return GV_OK;
}

const gv_op gv_op_permute = {
    .name = "permute", .attr_size = sizeof(gv_permute_attr), .flags = GV_OP_ANY_TYPE, .wants = "a",
    .gradient = gradient, .plain_f32 = run,
};
