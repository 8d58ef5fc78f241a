/* op: checks that builders share. */
#include "nn/ops/op.h"
#include "nn/internal.h"

const char *gv_shape_text(const gv_graph *g, gv_val v, char t[GV_SHAPE_TEXT])
{
    size_t n = 0;
    const int64_t *s = gv_shape(g, v);
    t[n++] = '[';
    for (int i = 0; i < gv_ndim(g, v); i++)
        n += (size_t)snprintf(t + n, GV_SHAPE_TEXT - n, "%s%" PRId64, i ? "," : "", s[i]);
    snprintf(t + n, GV_SHAPE_TEXT - n, "]");
    return t;
}

bool gv_op_ready(gv_graph *g, gv_op_id op, const gv_val *in, int required)
{
    if (gv_graph_error(g))
        return false;
    for (int i = 0; i < required; i++)
        if (in[i] < 0 || in[i] >= g->nvalue) {
            gv_graph_fail(g, "%s: input %d has no value", gv_op_of(op)->name, i);
            return false;
        }
    return true;
}

gv_val gv_op1(gv_graph *g, gv_op_id op, const void *attr, const gv_val *in, int nin, gv_class cls, const int64_t *shape, int ndim)
{
    return gv_node_out(g, gv_node_new(g, op, attr, in, nin), cls, shape, ndim);
}

bool gv_same_shape(const gv_graph *g, gv_val a, gv_val b)
{
    return gv_ndim(g, a) == gv_ndim(g, b) && !memcmp(gv_shape(g, a), gv_shape(g, b), (size_t)gv_ndim(g, a) * sizeof(int64_t));
}

bool gv_is_float(gv_graph *g, gv_op_id op, gv_val v)
{
    gv_class c = gv_class_of(g, v);
    if (c == GV_CLASS_REAL || c == GV_CLASS_STAT)
        return true;
    gv_graph_fail(g, "%s of whole numbers or raw input; cast or normalize it first", gv_op_of(op)->name);
    return false;
}

bool gv_is_vector(gv_graph *g, gv_op_id op, const char *what, gv_val v, int64_t n)
{
    if (v == GV_NO_VAL || (gv_ndim(g, v) == 1 && gv_dim(g, v, 0) == n))
        return true;
    char t[GV_SHAPE_TEXT];
    gv_graph_fail(g, "%s: %s has shape %s; [%" PRId64 "] is wanted", gv_op_of(op)->name, what, gv_shape_text(g, v, t), n);
    return false;
}

gv_class gv_join_class(gv_graph *g, gv_op_id op, const gv_val *in, int n)
{
    gv_class c = GV_CLASS_STAT;
    for (int i = 0; i < n; i++) {
        gv_is_float(g, op, in[i]);
        if (gv_class_of(g, in[i]) == GV_CLASS_REAL)
            c = GV_CLASS_REAL;
    }
    return c;
}

gv_val gv_sum_to(gv_graph *g, gv_val v, const int64_t *shape, int ndim, gv_class cls)
{
    int have = gv_ndim(g, v), lead = have - ndim;
    unsigned axes = 0;
    for (int i = 0; i < have; i++)
        if (i < lead || (shape[i - lead] == 1 && gv_shape(g, v)[i] != 1))
            axes |= 1u << i;
    if (!axes && !lead)
        return gv_class_of(g, v) == cls ? v : gv_cast(g, v, cls);
    return gv_reshape(g, gv_reduce(g, GV_SUM, v, axes, true, cls), shape, ndim);
}
