/* slice: elements start … start+len-1 along one axis. Along the first axis it is a view (the plan moves no bytes). */
#include "nn/ops/blocks.h"

gv_val gv_slice(gv_graph *g, gv_val x, int axis, int64_t start, int64_t len)
{
    char t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_slice, &x, 1) || (axis = gv_axis(g, GV_OP_slice, x, axis)) < 0)
        return GV_NO_VAL;
    int64_t n = gv_dim(g, x, axis), shape[GV_MAX_DIMS];
    if (start < 0 || len < 1 || start > n - len)
        return gv_graph_fail(g, "slice: %" PRId64 " elements from %" PRId64 " along axis %d of %s", len, start, axis, gv_shape_text(g, x, t));
    if (len == n)
        return x;
    memcpy(shape, gv_shape(g, x), sizeof shape);
    shape[axis] = len;
    gv_slice_attr a = { axis, start, len };
    return gv_op1(g, GV_OP_slice, &a, &x, 1, gv_class_of(g, x), shape, gv_ndim(g, x));
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    const gv_slice_attr *a = n->attr;
    dx[0] = gv_pad(g, dy[0], a->axis, a->start, gv_dim(g, n->in[0], a->axis) - a->start - a->len);
}

static void body(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const gv_slice_attr *a = c->attr;
    size_t step = gv_inner_bytes(&c->in[0], a->axis), row = step * (size_t)c->in[0].shape[a->axis], n = step * (size_t)a->len;
    for (int64_t i = begin; i < end; i++)
        memcpy((char *)c->y[0] + (size_t)i * n, (const char *)c->x[0] + (size_t)i * row + step * (size_t)a->start, n);
}

static int run(const gv_call *c)
{
    const gv_slice_attr *a = c->attr;
    int64_t outer = gv_outer_of(&c->in[0], a->axis);
    return gv_over(c, outer, gv_row_grain(c->out[0].count / outer), body);
}

const gv_op gv_op_slice = {
    .name = "slice", .attr_size = sizeof(gv_slice_attr), .flags = GV_OP_ANY_TYPE, .wants = "a",
    .gradient = gradient, .plain_f32 = run,
};
