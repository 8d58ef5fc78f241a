/* mlp: two linear layers with an activation between. x [N…,D] -> [N…,D].
 * trained: fc1 [hidden,D], fc2 [D,hidden] (with `conv` [hidden,D,1,1] and [D,hidden,1,1]) and their biases; norm [hidden] where asked for
 * (BEiT-3), or grn [hidden] (ConvNeXt V2). */
#include "nn/layers/layers.h"

static gv_val fc(gv_graph *g, const struct gv_mlp *o, gv_val x, const char *name, int64_t out)
{
    const char *b = o->init ? "zeros" : NULL;
    if (o->conv)
        return gv_conv2d(g, x, name, .out = out, .kernel = 1, .bias = !o->no_bias, .init = o->init, .bias_init = b);
    return gv_linear(g, x, name, .out = out, .bias = !o->no_bias, .init = o->init, .bias_init = b);
}

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_mlp *o = params;
    int64_t d = gv_dim(g, x, -1);
    x = fc(g, o, x, "fc1", o->hidden);
    x = gv_activate(g, o->act, x);
    gv_enter(g, "drop1");
    x = o->drop > 0 ? gv_dropout(g, x, o->drop, false) : x;
    gv_leave(g);
    if (o->norm)
        x = gv_layer_norm(g, x, "norm", .eps = o->eps);
    if (o->grn)
        x = gv_grn(g, x, "grn");
    x = fc(g, o, x, "fc2", d);
    gv_enter(g, "drop2");
    x = o->drop > 0 ? gv_dropout(g, x, o->drop, false) : x;
    gv_leave(g);
    return x;
}

const gv_layer gv_layer_mlp = {
    .name = "mlp", .summary = "two linear layers with an activation", .params_size = sizeof(struct gv_mlp), .build = build,
};
