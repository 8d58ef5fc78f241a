/* count: a counter of the store grows by one (num_batches_tracked). */
#include "nn/ops/op.h"

void gv_count(gv_graph *g, gv_val counter)
{
    if (!gv_op_ready(g, GV_OP_count, &counter, 1))
        return;
    if (gv_class_of(g, counter) != GV_CLASS_I64 || gv_value_at(g, counter)->kind != GV_VALUE_BUFFER)
        gv_graph_fail(g, "count: the counter must be a buffer of class I64");
    else
        gv_node_new(g, GV_OP_count, NULL, &counter, 1);
}

static int run(const gv_call *c)
{
    ++*(int64_t *)c->x[0];
    return GV_OK;
}

const gv_op gv_op_count = { .name = "count", .flags = GV_OP_STATE | GV_OP_ANY_TYPE, .wants = "a", .plain_f32 = run };
