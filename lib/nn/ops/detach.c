/* detach: the same value; no gradient goes back through it. */
#include "nn/ops/op.h"

gv_val gv_detach(gv_graph *g, gv_val x)
{
    if (!gv_op_ready(g, GV_OP_detach, &x, 1))
        return GV_NO_VAL;
    return gv_op1(g, GV_OP_detach, NULL, &x, 1, gv_class_of(g, x), gv_shape(g, x), gv_ndim(g, x));
}

const gv_op gv_op_detach = { .name = "detach", .flags = GV_OP_VIEW, .wants = "a" };
