/* constant: one number everywhere. Used for the gradient of a loss. */
#include "nn/ops/op.h"

gv_val gv_constant(gv_graph *g, double value, gv_class cls, const int64_t *shape, int ndim)
{
    gv_constant_attr a = { value };
    if (gv_graph_error(g))
        return GV_NO_VAL;
    return gv_op1(g, GV_OP_constant, &a, NULL, 0, cls, shape, ndim);
}

static int run(const gv_call *c)
{
    double v = ((const gv_constant_attr *)c->attr)->value;
    size_t size = gv_dtype_of(c->out[0].dtype)->size;
    for (int64_t i = 0; i < c->out[0].count; i++)
        gv_from_f64(c->out[0].dtype, &v, (char *)c->y[0] + (size_t)i * size, 1);
    return GV_OK;
}

const gv_op gv_op_constant = { .name = "constant", .attr_size = sizeof(gv_constant_attr), .flags = GV_OP_ANY_TYPE, .wants = "a", .plain_f32 = run };
