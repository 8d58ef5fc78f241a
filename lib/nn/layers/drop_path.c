/* drop_path: leave a residual branch out for whole samples, with chance p, while training; x [N,…] -> same.
 * Source: Huang et al. 2016, arXiv:1603.09382. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_drop_path *o = params;
    return o->p > 0 ? gv_dropout(g, x, o->p, true) : x;
}

const gv_layer gv_layer_drop_path = {
    .name = "drop_path", .summary = "stochastic depth", .params_size = sizeof(struct gv_drop_path), .build = build,
};
