/* squeeze_excite: weigh channels by what the whole image says. x [N,s…,C] -> same.
 * trained: fc1 [R,C,1…], fc2 [C,R,1…] and their biases, as 1x1 convolutions; R = C * ratio to the nearest multiple of 8.
 * Source: Hu et al. 2018, arXiv:1709.01507; the rounding is that of timm's layers/squeeze_excite.py. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_squeeze_excite *o = params;
    int64_t c = gv_dim(g, x, -1), r = (int64_t)(c * (o->ratio > 0 ? o->ratio : 1. / 16) + 4) / 8 * 8;
    int dims = gv_ndim(g, x) - 2, over = o->axes > 0 && o->axes < dims ? o->axes : dims;
    gv_val s = gv_reduce(g, GV_MEAN, x, (2u << over) - 2, true, GV_CLASS_REAL); /* [N,1…,C] */
    s = gv_convnd(g, s, "fc1", .dims = dims, .out = r > 8 ? r : 8, .kernel = { 1, 1, 1 }, .bias = true, .init = o->init, .bias_init = o->bias_init);
    s = gv_convnd(g, gv_relu(g, s), "fc2", .dims = dims, .out = c, .kernel = { 1, 1, 1 }, .bias = true, .init = o->init, .bias_init = o->bias_init);
    return gv_mul(g, x, gv_sigmoid(g, s));
}

const gv_layer gv_layer_squeeze_excite = {
    .name = "squeeze_excite", .summary = "channel attention by two small layers", .params_size = sizeof(struct gv_squeeze_excite), .build = build,
};
