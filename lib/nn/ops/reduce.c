/* reduce: sum, mean or maximum over the axes in a bit mask. Sums in double, in an order that does not depend on the threads.
 * The axes are merged into outer x reduced x inner; a pattern with more alternations is walked element by element. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_reduce(gv_graph *g, gv_reduce_kind kind, gv_val x, unsigned axes, bool keepdims, gv_class out)
{
    char t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_reduce, &x, 1) || !gv_is_float(g, GV_OP_reduce, x))
        return GV_NO_VAL;
    int n = gv_ndim(g, x), m = 0;
    if (out != GV_CLASS_REAL && out != GV_CLASS_STAT)
        return gv_graph_fail(g, "reduce: the result is REAL or STAT");
    if (axes >> n)
        return gv_graph_fail(g, "reduce: axes 0x%x of a tensor of shape %s", axes, gv_shape_text(g, x, t));
    int64_t shape[GV_MAX_DIMS];
    for (int i = 0; i < n; i++) {
        if (!(axes & 1u << i))
            shape[m++] = gv_shape(g, x)[i];
        else if (keepdims)
            shape[m++] = 1;
    }
    gv_reduce_attr a = { kind, axes, keepdims };
    if (gv_class_of(g, x) == GV_CLASS_STAT && out == GV_CLASS_REAL) /* the kernel narrows nothing */
        return gv_cast(g, gv_op1(g, GV_OP_reduce, &a, &x, 1, GV_CLASS_STAT, shape, m), out);
    return gv_op1(g, GV_OP_reduce, &a, &x, 1, out, shape, m);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    const gv_reduce_attr *a = n->attr;
    gv_val x = n->in[0], d = dy[0], y = n->out[0];
    int64_t shape[GV_MAX_DIMS];
    double count = 1;
    for (int i = 0; i < gv_ndim(g, x); i++) {
        bool gone = a->axes & 1u << i;
        shape[i] = gone ? 1 : gv_shape(g, x)[i];
        count *= gone ? (double)gv_shape(g, x)[i] : 1;
    }
    d = gv_cast(g, gv_reshape(g, d, shape, gv_ndim(g, x)), gv_class_of(g, x));
    if (a->kind == GV_MAX) {
        gv_val in[3] = { x, gv_cast(g, gv_reshape(g, y, shape, gv_ndim(g, x)), gv_class_of(g, x)), d };
        dx[0] = gv_op1(g, GV_OP_reduce_max_grad, n->attr, in, 3, gv_class_of(g, x), gv_shape(g, x), gv_ndim(g, x));
    } else
        dx[0] = gv_broadcast(g, gv_affine(g, d, a->kind == GV_MEAN ? 1 / count : 1, 0), gv_shape(g, x), gv_ndim(g, x));
}

typedef struct shape3 { int64_t outer, len, inner, pieces; bool simple; } shape3;

/* How the axes lie, and into how many pieces the reduced ones are cut. */
static shape3 plan(const gv_call *c)
{
    const gv_reduce_attr *a = c->attr;
    const gv_desc *x = &c->in[0];
    shape3 s = { 1, 1, 1, 1, true };
    int state = 0; /* 0 before, 1 in, 2 behind the reduced axes */
    for (int i = 0; i < x->ndim; i++) {
        if (x->shape[i] == 1)
            continue;
        bool r = a->axes & 1u << i;
        if (r && state == 2)
            s.simple = false;
        state = r ? state == 2 ? 2 : 1 : state ? 2 : 0;
        *(r ? &s.len : state == 2 ? &s.inner : &s.outer) *= x->shape[i];
    }
    if (s.outer * s.inner < 4096 && s.len * s.outer * s.inner > GV_GRAIN && s.outer < 64)
        s.pieces = gv_min64(64, s.len);
    return s;
}

static size_t scratch(const gv_call *c)
{
    shape3 s = plan(c);
    return (size_t)(s.simple ? s.outer * s.inner * s.pieces : c->out[0].count) * sizeof(double);
}

#define GV_KERNELS "nn/ops/reduce.c"
#include "nn/ops/types.h"

const gv_op gv_op_reduce = {
    .name = "reduce", .attr_size = sizeof(gv_reduce_attr), .wants = "a",
    .gradient = gradient, GV_PLAIN(reduce_run), .scratch = scratch,
};
#else
typedef struct F(reduce_args) { const gv_call *c; shape3 s; gv_reduce_kind kind; } F(reduce_args);

static inline double F(reduce_most)(double a, double b) { return b > a || b != b ? b : a; }

GV_HOT static void F(reduce_body)(void *p, int64_t begin, int64_t end)
{
    const F(reduce_args) *o = p;
    shape3 s = o->s;
    for (int64_t at = begin; at < end; at++) {
        int64_t outer = at / s.pieces, k = at % s.pieces, a = s.len * k / s.pieces, b = s.len * (k + 1) / s.pieces;
        const T *x = (const T *)o->c->x[0] + outer * s.len * s.inner;
        double *restrict sum = (double *)o->c->scratch + at * s.inner;
        if (s.inner == 1) {
            double lane[16];
            for (int l = 0; l < 16; l++)
                lane[l] = o->kind == GV_MAX ? (double)LD(x[a]) : 0;
            int64_t i = a;
            if (o->kind == GV_MAX)
                for (; i < b; i++)
                    lane[0] = F(reduce_most)(lane[0], (double)LD(x[i]));
            else {
                for (; i + 16 <= b; i += 16)
                    for (int l = 0; l < 16; l++)
                        lane[l] += (double)LD(x[i + l]);
                for (; i < b; i++)
                    lane[0] += (double)LD(x[i]);
                for (int h = 8; h; h /= 2)
                    for (int l = 0; l < h; l++)
                        lane[l] += lane[l + h];
            }
            sum[0] = lane[0];
            continue;
        }
        for (int64_t i = 0; i < s.inner; i++)
            sum[i] = o->kind == GV_MAX ? (double)LD(x[a * s.inner + i]) : 0;
        for (int64_t r = a; r < b; r++) {
            const T *row = x + r * s.inner;
            if (o->kind == GV_MAX)
                for (int64_t i = 0; i < s.inner; i++)
                    sum[i] = F(reduce_most)(sum[i], (double)LD(row[i]));
            else
                for (int64_t i = 0; i < s.inner; i++)
                    sum[i] += (double)LD(row[i]);
        }
    }
}

/* Any pattern of axes. */
static void F(reduce_walk)(const gv_call *c, double *sum)
{
    const gv_reduce_attr *a = c->attr;
    const gv_desc *x = &c->in[0];
    const T *v = c->x[0];
    int64_t step[GV_MAX_DIMS] = { 0 }, at[GV_MAX_DIMS] = { 0 }, s = 1, to = 0;
    for (int i = x->ndim - 1; i >= 0; i--)
        if (!(a->axes & 1u << i)) {
            step[i] = s;
            s *= x->shape[i];
        }
    for (int64_t i = 0; i < c->out[0].count; i++)
        sum[i] = a->kind == GV_MAX ? -INFINITY : 0;
    for (int64_t i = 0; i < x->count; i++) {
        double d = (double)LD(v[i]);
        sum[to] = a->kind == GV_MAX ? F(reduce_most)(sum[to], d) : sum[to] + d;
        for (int k = x->ndim - 1; k >= 0; k--) {
            to += step[k];
            if (++at[k] < x->shape[k])
                break;
            to -= step[k] * x->shape[k];
            at[k] = 0;
        }
    }
}

static int F(reduce_run)(const gv_call *c)
{
    const gv_reduce_attr *a = c->attr;
    double *sum = c->scratch, scale = a->kind == GV_MEAN ? (double)c->out[0].count / (double)c->in[0].count : 1;
    shape3 s = plan(c);
    if (s.simple) {
        F(reduce_args) o = { c, s, a->kind };
        gv_parallel(s.outer * s.pieces, gv_row_grain(s.len / s.pieces * s.inner), F(reduce_body), &o);
        for (int64_t k = 0; s.pieces > 1 && k < s.outer; k++) { /* pieces together */
            double *first = sum + k * s.pieces * s.inner, *to = sum + k * s.inner;
            for (int64_t i = 0; i < s.inner; i++) {
                double v = first[i];
                for (int64_t q = 1; q < s.pieces; q++)
                    v = a->kind == GV_MAX ? F(reduce_most)(v, first[q * s.inner + i]) : v + first[q * s.inner + i];
                to[i] = v;
            }
        }
    } else
        F(reduce_walk)(c, sum);
    bool real = gv_dtype_of(c->out[0].dtype)->size == sizeof(T); /* else bf16 summed into a STAT result */
    for (int64_t i = 0; i < c->out[0].count; i++) {
        if (real)
            ((T *)c->y[0])[i] = ST((A)(sum[i] * scale));
        else
            ((S *)c->y[0])[i] = (S)(sum[i] * scale);
    }
    return GV_OK;
}
#endif
