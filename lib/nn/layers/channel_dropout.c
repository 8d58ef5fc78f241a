/* channel_dropout: whole channels of a sample to zero with chance p while training, the rest times 1/(1-p). x [N,s…,C] -> same.
 * Source: Tompson et al. 2015, arXiv:1411.4280, section 3.2 (torch's Dropout1d to Dropout3d). */
#include "nn/layers/layers.h"
#include "nn/ops/op.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_channel_dropout *o = params;
    int n = gv_ndim(g, x);
    int64_t shape[GV_MAX_DIMS] = { gv_dim(g, x, 0) };
    if (gv_graph_phase(g) == GV_EVAL || o->p <= 0)
        return x;
    for (int i = 1; i + 1 < n; i++)
        shape[i] = 1;
    shape[n - 1] = gv_dim(g, x, -1);
    return gv_mul(g, x, gv_dropout(g, gv_constant(g, 1, GV_CLASS_REAL, shape, n), o->p, false)); /* mask [N,1…,C] */
}

const gv_layer gv_layer_channel_dropout = {
    .name = "channel_dropout", .summary = "dropout of whole channels", .params_size = sizeof(struct gv_channel_dropout), .build = build,
};
