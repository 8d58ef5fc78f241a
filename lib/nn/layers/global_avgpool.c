/* global_avgpool: the mean over all spatial axes. x [N,s…,C] -> [N,C], or [N,1…,C] with keep. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_global_avgpool *o = params;
    int n = gv_ndim(g, x);
    if (n < 3)
        return gv_graph_fail(g, "there is no spatial axis to average: the value has %d axes", n);
    return gv_reduce(g, GV_MEAN, x, (1u << (n - 1)) - 2, o->keep, GV_CLASS_REAL); /* axes 1 … n-2 */
}

const gv_layer gv_layer_global_avgpool = {
    .name = "global_avgpool", .summary = "mean over space", .params_size = sizeof(struct gv_global_avgpool), .build = build,
};
