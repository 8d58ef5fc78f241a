/* update: target = a * target + b * value, in place, in the store. With a = 0 the old content is not read (NaN does not stay). */
#ifndef T
#include "nn/ops/op.h"

void gv_update(gv_graph *g, gv_val target, double a, double b, gv_val value)
{
    gv_val in[2] = { target, value };
    if (!gv_op_ready(g, GV_OP_update, in, 2) || !gv_is_float(g, GV_OP_update, value))
        return;
    if (gv_value_at(g, target)->kind != GV_VALUE_PARAM && gv_value_at(g, target)->kind != GV_VALUE_BUFFER)
        gv_graph_fail(g, "update: the target is neither a parameter nor a buffer");
    else if (gv_class_of(g, target) != GV_CLASS_STAT)
        gv_graph_fail(g, "update: '%s' is not of class STAT", gv_value_at(g, target)->name);
    else if (!gv_same_shape(g, target, value)) {
        char s[GV_SHAPE_TEXT], t[GV_SHAPE_TEXT];
        gv_graph_fail(g, "update: '%s' has shape %s, its new value %s", gv_value_at(g, target)->name, gv_shape_text(g, target, s), gv_shape_text(g, value, t));
    } else {
        gv_update_attr o = { a, b };
        gv_node_new(g, GV_OP_update, &o, in, 2);
    }
}

#define GV_KERNELS "nn/ops/update.c"
#include "nn/ops/types.h"

const gv_op gv_op_update = { .name = "update", .attr_size = sizeof(gv_update_attr), .flags = GV_OP_STATE, .wants = "as", GV_PLAIN(update_run) };
#else
GV_HOT static void F(update_body)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const gv_update_attr *o = c->attr;
    S *y = c->x[0];
    const S *x = c->x[1];
    S a = (S)o->a, b = (S)o->b;
    if (a == 0) {
        GV_IVDEP
        for (int64_t i = begin; i < end; i++)
            y[i] = b * x[i];
    } else {
        GV_IVDEP
        for (int64_t i = begin; i < end; i++)
            y[i] = a * y[i] + b * x[i];
    }
}

static int F(update_run)(const gv_call *c)
{
    return gv_over(c, c->in[0].count, GV_GRAIN, F(update_body));
}
#endif
