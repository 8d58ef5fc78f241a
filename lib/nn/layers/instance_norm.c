/* instance_norm: centre and scale each channel of each sample over space, in training and evaluation alike. x [N,s…,C] -> same;
 * trained: weight [C] from 1, bias [C] from 0. Source: Ulyanov et al. 2016, arXiv:1607.08022. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_instance_norm *o = params;
    int64_t c = gv_dim(g, x, -1);
    gv_mark(g, "norm");
    gv_val weight = gv_param(g, "weight", &c, 1, "ones");
    gv_val bias = gv_param(g, "bias", &c, 1, "zeros");
    return gv_instancenorm(g, x, weight, bias, o->eps > 0 ? o->eps : 1e-5).y;
}

const gv_layer gv_layer_instance_norm = {
    .name = "instance_norm", .summary = "instance normalisation", .params_size = sizeof(struct gv_instance_norm), .build = build,
};
