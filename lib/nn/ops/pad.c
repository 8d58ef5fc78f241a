/* pad: zeros before and after along one axis. */
#include "nn/ops/blocks.h"

gv_val gv_pad(gv_graph *g, gv_val x, int axis, int64_t before, int64_t after)
{
    char t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_pad, &x, 1) || (axis = gv_axis(g, GV_OP_pad, x, axis)) < 0)
        return GV_NO_VAL;
    if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX)
        return gv_graph_fail(g, "pad: %" PRId64 " and %" PRId64 " elements around axis %d of %s", before, after, axis, gv_shape_text(g, x, t));
    if (!before && !after)
        return x;
    int64_t shape[GV_MAX_DIMS];
    memcpy(shape, gv_shape(g, x), sizeof shape);
    shape[axis] += before + after;
    gv_pad_attr a = { axis, before, after };
    return gv_op1(g, GV_OP_pad, &a, &x, 1, gv_class_of(g, x), shape, gv_ndim(g, x));
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    const gv_pad_attr *a = n->attr;
    dx[0] = gv_slice(g, dy[0], a->axis, a->before, gv_dim(g, n->in[0], a->axis));
}

static void body(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const gv_pad_attr *a = c->attr;
    size_t step = gv_inner_bytes(&c->in[0], a->axis), n = step * (size_t)c->in[0].shape[a->axis], head = step * (size_t)a->before, tail = step * (size_t)a->after;
    for (int64_t i = begin; i < end; i++) {
        char *y = (char *)c->y[0] + (size_t)i * (head + n + tail);
        memset(y, 0, head);
        memcpy(y + head, (const char *)c->x[0] + (size_t)i * n, n);
        memset(y + head + n, 0, tail);
    }
}

static int run(const gv_call *c)
{
    int64_t outer = gv_outer_of(&c->in[0], ((const gv_pad_attr *)c->attr)->axis);
    return gv_over(c, outer, gv_row_grain(c->out[0].count / outer), body);
}

const gv_op gv_op_pad = {
    .name = "pad", .attr_size = sizeof(gv_pad_attr), .flags = GV_OP_ANY_TYPE, .wants = "a",
    .gradient = gradient, .plain_f32 = run,
};
