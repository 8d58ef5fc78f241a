/* reshape: the same elements under another shape; no bytes move. */
#include "nn/ops/op.h"

gv_val gv_reshape(gv_graph *g, gv_val x, const int64_t *shape, int ndim)
{
    char t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_reshape, &x, 1))
        return GV_NO_VAL;
    if (ndim < 0 || ndim > GV_MAX_DIMS)
        return gv_graph_fail(g, "reshape: %d dimensions; at most %d are possible", ndim, GV_MAX_DIMS);
    int64_t count = gv_shape_count(gv_shape(g, x), gv_ndim(g, x)), rest = 1, want[GV_MAX_DIMS];
    int open = -1;
    for (int i = 0; i < ndim; i++) {
        want[i] = shape[i];
        if (shape[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        if (shape[i] < 1 || rest > count)
            return gv_graph_fail(g, "reshape: %" PRId64 " elements along axis %d of %s's new shape", shape[i], i, gv_shape_text(g, x, t));
        rest *= shape[i];
    }
    if (open >= 0)
        want[open] = rest && count % rest == 0 ? count / rest : 0;
    if (open >= 0 ? want[open] * rest != count : rest != count)
        return gv_graph_fail(g, "reshape: %s has %" PRId64 " elements; the new shape wants %s%" PRId64, gv_shape_text(g, x, t), count, open >= 0 ? "a multiple of " : "", rest);
    if (ndim == gv_ndim(g, x) && !memcmp(want, gv_shape(g, x), (size_t)ndim * sizeof *want))
        return x;
    return gv_op1(g, GV_OP_reshape, NULL, &x, 1, gv_class_of(g, x), want, ndim);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    dx[0] = gv_reshape(g, dy[0], gv_shape(g, n->in[0]), gv_ndim(g, n->in[0]));
}

const gv_op gv_op_reshape = { .name = "reshape", .flags = GV_OP_VIEW, .wants = "a", .gradient = gradient };
