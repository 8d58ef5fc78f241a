/* linear: x [N…,I] -> x weight' + bias [N…,out]; trained: weight [out,I], bias [out].
 * Initialised as torch's Linear unless told: both uniform within 1/sqrt(I). */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_linear *o = params;
    char text[GV_INIT_TEXT];
    int64_t in = gv_dim(g, x, -1), shape[2] = { o->out, in };
    gv_val weight = gv_param(g, "weight", shape, 2, o->init ? o->init : "kaiming_uniform_a5");
    gv_val bias = GV_NO_VAL;
    if (o->bias)
        bias = gv_param(g, "bias", shape, 1, o->bias_init ? o->bias_init : gv_init_bias(text, in));
    return gv_matmul(g, x, weight, bias, false, true, 1);
}

const gv_layer gv_layer_linear = {
    .name = "linear", .summary = "affine map of the last axis", .params_size = sizeof(struct gv_linear), .build = build,
};
