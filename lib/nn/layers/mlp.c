/* mlp: two linear layers with an activation between. x [N,L,D] -> [N,L,D].
 * trained: fc1 [hidden,D], fc2 [D,hidden] and their biases; norm [hidden] where asked for (BEiT-3). */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_mlp *o = params;
    int64_t d = gv_dim(g, x, -1);
    const char *b = o->init ? "zeros" : NULL;
    x = gv_linear(g, x, "fc1", .out = o->hidden, .bias = !o->no_bias, .init = o->init, .bias_init = b);
    x = gv_activate(g, o->act, x);
    gv_enter(g, "drop1");
    x = o->drop > 0 ? gv_dropout(g, x, o->drop, false) : x;
    gv_leave(g);
    if (o->norm)
        x = gv_layer_norm(g, x, "norm", .eps = o->eps);
    x = gv_linear(g, x, "fc2", .out = d, .bias = !o->no_bias, .init = o->init, .bias_init = b);
    gv_enter(g, "drop2");
    x = o->drop > 0 ? gv_dropout(g, x, o->drop, false) : x;
    gv_leave(g);
    return x;
}

const gv_layer gv_layer_mlp = {
    .name = "mlp", .summary = "two linear layers with an activation", .params_size = sizeof(struct gv_mlp), .build = build,
};
