/* swiglu: gated feed-forward with gate and value packed in one matrix. x [N,L,D] -> [N,L,D].
 * trained: fc1 [hidden,D] (first half gate, second half value) or fc1_g and fc1_x [hidden/2,D], fc2 [D,hidden/2] and their biases; norm [hidden/2].
 * Source: Shazeer 2020, arXiv:2002.05202. */
#include "nn/layers/layers.h"
#include <inttypes.h>

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_swiglu *o = params;
    int64_t d = gv_dim(g, x, -1), half = o->hidden / 2;
    const char *b = o->init ? "zeros" : NULL;
    if (o->hidden % 2)
        return gv_graph_fail(g, "a gated layer of width %" PRId64 " has no halves", o->hidden);
    gv_val gate, value;
    if (o->separate) {
        gate = gv_linear(g, x, "fc1_g", .out = half, .bias = true, .init = o->init, .bias_init = b);
        value = gv_linear(g, x, "fc1_x", .out = half, .bias = true, .init = o->init, .bias_init = b);
    } else {
        x = gv_linear(g, x, "fc1", .out = o->hidden, .bias = true, .init = o->init, .bias_init = b);
        gate = gv_slice(g, x, 2, 0, half);
        value = gv_slice(g, x, 2, half, half);
    }
    x = gv_mul(g, gv_silu(g, gate), value); /* [N,L,hidden/2] */
    gv_enter(g, "drop1");
    x = o->drop > 0 ? gv_dropout(g, x, o->drop, false) : x;
    gv_leave(g);
    if (o->norm)
        x = gv_layer_norm(g, x, "norm", .eps = o->eps);
    x = gv_linear(g, x, "fc2", .out = d, .bias = true, .init = o->out_init ? o->out_init : o->init, .bias_init = b);
    gv_enter(g, "drop2");
    x = o->drop > 0 ? gv_dropout(g, x, o->drop, false) : x;
    gv_leave(g);
    return x;
}

const gv_layer gv_layer_swiglu = {
    .name = "swiglu", .summary = "gated feed-forward", .params_size = sizeof(struct gv_swiglu), .build = build,
};
