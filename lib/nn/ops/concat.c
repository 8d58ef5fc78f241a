/* concat: several tensors one after another along an axis. More than GV_MAX_IN of them are joined in steps. */
#include "nn/ops/blocks.h"

static gv_val join(gv_graph *g, const gv_val *x, int n, int axis)
{
    int64_t shape[GV_MAX_DIMS];
    memcpy(shape, gv_shape(g, x[0]), sizeof shape);
    gv_class cls = gv_class_of(g, x[0]);
    for (int i = 1; i < n; i++) {
        bool fits = gv_ndim(g, x[i]) == gv_ndim(g, x[0]);
        for (int d = 0; fits && d < gv_ndim(g, x[0]); d++)
            fits = d == axis || gv_shape(g, x[i])[d] == shape[d];
        if (!fits) {
            char a[GV_SHAPE_TEXT], b[GV_SHAPE_TEXT];
            return gv_graph_fail(g, "concat along axis %d: tensor %d has shape %s, the first %s", axis, i, gv_shape_text(g, x[i], b), gv_shape_text(g, x[0], a));
        }
        shape[axis] += gv_shape(g, x[i])[axis];
        if (gv_class_of(g, x[i]) != cls)
            cls = gv_join_class(g, GV_OP_concat, x, n);
    }
    gv_concat_attr a = { axis };
    return gv_op1(g, GV_OP_concat, &a, x, n, cls, shape, gv_ndim(g, x[0]));
}

gv_val gv_concat(gv_graph *g, const gv_val *x, int n, int axis)
{
    if (n < 1)
        return gv_graph_fail(g, "concat of no tensors");
    for (int i = 0; i < n; i++)
        if (!gv_op_ready(g, GV_OP_concat, x + i, 1))
            return GV_NO_VAL;
    if ((axis = gv_axis(g, GV_OP_concat, x[0], axis)) < 0)
        return GV_NO_VAL;
    gv_val v = x[0];
    for (int at = 1; at < n && v != GV_NO_VAL;) {
        gv_val part[GV_MAX_IN] = { v };
        int m = 1;
        while (m < GV_MAX_IN && at < n)
            part[m++] = x[at++];
        v = join(g, part, m, axis);
    }
    return v;
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    const gv_concat_attr *a = n->attr;
    int64_t at = 0;
    for (int i = 0; i < n->nin; i++) {
        int64_t len = gv_dim(g, n->in[i], a->axis);
        if (want[i])
            dx[i] = gv_slice(g, dy[0], a->axis, at, len);
        at += len;
    }
}

static void body(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int axis = ((const gv_concat_attr *)c->attr)->axis;
    size_t step = gv_inner_bytes(&c->out[0], axis), row = step * (size_t)c->out[0].shape[axis], at = 0;
    for (int k = 0; k < c->nin; k++) {
        size_t n = step * (size_t)c->in[k].shape[axis];
        for (int64_t i = begin; i < end; i++)
            memcpy((char *)c->y[0] + (size_t)i * row + at, (const char *)c->x[k] + (size_t)i * n, n);
        at += n;
    }
}

static int run(const gv_call *c)
{
    int64_t outer = gv_outer_of(&c->out[0], ((const gv_concat_attr *)c->attr)->axis);
    return gv_over(c, outer, gv_row_grain(c->out[0].count / outer), body);
}

const gv_op gv_op_concat = {
    .name = "concat", .attr_size = sizeof(gv_concat_attr), .flags = GV_OP_ANY_TYPE, .wants = "o",
    .gradient = gradient, .plain_f32 = run,
};
