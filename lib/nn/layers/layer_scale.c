/* layer_scale: x [N…,D] times gamma [D], which starts at a small constant.
 * Source: Touvron et al. 2021, arXiv:2103.17239, section 2. */
#include "nn/layers/layers.h"
#include <stdio.h>

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_layer_scale *o = params;
    int64_t d = gv_dim(g, x, -1);
    char init[GV_INIT_TEXT];
    snprintf(init, sizeof init, "constant %.17g", o->init);
    return gv_mul(g, x, gv_param(g, "gamma", &d, 1, init));
}

const gv_layer gv_layer_layer_scale = {
    .name = "layer_scale", .summary = "a trained factor per channel", .params_size = sizeof(struct gv_layer_scale), .build = build,
};
