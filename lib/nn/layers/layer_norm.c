/* layer_norm: centre and scale over the last axis. x [N…,C] -> same; trained: weight [C] from 1, bias [C] from 0.
 * Source: Ba et al. 2016, arXiv:1607.06450. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_layer_norm *o = params;
    int64_t c = gv_dim(g, x, -1);
    gv_mark(g, "norm");
    gv_val weight = gv_param(g, "weight", &c, 1, "ones");
    gv_val bias = gv_param(g, "bias", &c, 1, "zeros");
    return gv_layernorm(g, x, weight, bias, o->eps > 0 ? o->eps : 1e-6).y;
}

const gv_layer gv_layer_layer_norm = {
    .name = "layer_norm", .summary = "layer normalisation", .params_size = sizeof(struct gv_layer_norm), .build = build,
};
