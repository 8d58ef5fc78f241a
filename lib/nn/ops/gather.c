/* gather: rows of the second axis by their places: x [N,L,…], index I32 [N,K] -> [N,K,…]. A place outside the axis stops the run. */
#include "nn/ops/op.h"

gv_val gv_gather(gv_graph *g, gv_val x, gv_val index)
{
    char t[GV_SHAPE_TEXT], u[GV_SHAPE_TEXT];
    gv_val in[2] = { x, index };
    if (!gv_op_ready(g, GV_OP_gather, in, 2) || !gv_is_float(g, GV_OP_gather, x))
        return GV_NO_VAL;
    if (gv_class_of(g, index) != GV_CLASS_I32)
        return gv_graph_fail(g, "gather: the places must be I32");
    if (gv_ndim(g, x) < 2 || gv_ndim(g, index) != 2 || gv_dim(g, index, 0) != gv_dim(g, x, 0))
        return gv_graph_fail(g, "gather: places of shape %s in a tensor of shape %s", gv_shape_text(g, index, u), gv_shape_text(g, x, t));
    int64_t shape[GV_MAX_DIMS];
    memcpy(shape, gv_shape(g, x), sizeof shape);
    shape[1] = gv_dim(g, index, 1);
    return gv_op1(g, GV_OP_gather, NULL, in, 2, gv_class_of(g, x), shape, gv_ndim(g, x));
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    gv_val in[2] = { dy[0], n->in[1] };
    dx[0] = gv_op1(g, GV_OP_gather_grad, NULL, in, 2, gv_class_of(g, dy[0]), gv_shape(g, n->in[0]), gv_ndim(g, n->in[0]));
}

static void rows(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t k = c->in[1].shape[1], len = c->in[0].shape[1];
    size_t row = (size_t)(c->out[0].count / (c->in[1].shape[0] * k)) * gv_dtype_of(c->out[0].dtype)->size;
    const int32_t *index = c->x[1];
    for (int64_t i = begin; i < end; i++)
        memcpy((char *)c->y[0] + (size_t)i * row, (const char *)c->x[0] + (size_t)(i / k * len + index[i]) * row, row);
}

static int run(const gv_call *c)
{
    const int32_t *index = c->x[1];
    for (int64_t i = 0; i < c->in[1].count; i++)
        if (index[i] < 0 || index[i] >= c->in[0].shape[1])
            return GV_EDATA;
    return gv_over(c, c->in[1].count, gv_row_grain(c->out[0].count / c->in[1].count), rows);
}

const gv_op gv_op_gather = { .name = "gather", .flags = GV_OP_ANY_TYPE, .wants = "oa", .gradient = gradient, .plain_f32 = run };
