/* constant: one number everywhere, as the gradient of a loss is, or a table of numbers known when the graph is built. */
#include "nn/ops/op.h"

gv_val gv_constant(gv_graph *g, double value, gv_class cls, const int64_t *shape, int ndim)
{
    gv_constant_attr a = { value, NULL };
    if (gv_graph_error(g))
        return GV_NO_VAL;
    return gv_op1(g, GV_OP_constant, &a, NULL, 0, cls, shape, ndim);
}

gv_val gv_table(gv_graph *g, const double *values, gv_class cls, const int64_t *shape, int ndim)
{
    gv_constant_attr a = { 0, values };
    if (gv_graph_error(g))
        return GV_NO_VAL;
    return gv_op1(g, GV_OP_constant, &a, NULL, 0, cls, shape, ndim);
}

static int run(const gv_call *c)
{
    const gv_constant_attr *a = c->attr;
    double v = a->value;
    if (a->table) {
        gv_from_f64(c->out[0].dtype, a->table, c->y[0], (size_t)c->out[0].count);
        return GV_OK;
    }
    size_t size = gv_dtype_of(c->out[0].dtype)->size;
    for (int64_t i = 0; i < c->out[0].count; i++)
        gv_from_f64(c->out[0].dtype, &v, (char *)c->y[0] + (size_t)i * size, 1);
    return GV_OK;
}

const gv_op gv_op_constant = { .name = "constant", .attr_size = sizeof(gv_constant_attr), .flags = GV_OP_ANY_TYPE, .wants = "a", .plain_f32 = run };
