/* blur_pool: blur with the binomial filter [1 2 1]/4 in both directions and keep every second pixel, border reflected.
 * x [N,H,W,C] -> [N,ceil(H/2),ceil(W/2),C]. The 3x3 binomial filter is two 2x2 means in a row, so no weights are needed.
 * Source: Zhang 2019, arXiv:1904.11486. */
#include "nn/layers/layers.h"

static gv_val reflect(gv_graph *g, gv_val x, int axis)
{
    int64_t n = gv_dim(g, x, axis);
    if (n < 2)
        return gv_graph_fail(g, "an axis of length 1 cannot be reflected: the image is too small for this model");
    gv_val parts[3] = { gv_slice(g, x, axis, 1, 1), x, gv_slice(g, x, axis, n - 2, 1) };
    return gv_concat(g, parts, 3, axis);
}

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    (void)params;
    x = reflect(g, reflect(g, x, 1), 2);                /* [N,H+2,W+2,C] */
    x = gv_avg_pool(g, x, .kernel = 2, .stride = 1);    /* [N,H+1,W+1,C] */
    return gv_avg_pool(g, x, .kernel = 2, .stride = 2); /* [N,ceil(H/2),ceil(W/2),C] */
}

const gv_layer gv_layer_blur_pool = {
    .name = "blur_pool", .summary = "blur, then halve", .params_size = sizeof(struct gv_blur_pool), .build = build,
};
