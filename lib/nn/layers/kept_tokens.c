/* kept_tokens: places of the tokens that stay where the share p of each sample's is left out: x [N,L,D] -> I32 [N,L (1-p)], at least one. Those with
 * the largest of numbers drawn for them stay; drawn in float whatever the precision, since equal numbers would favour the first.
 * Source: Liu et al. 2023, arXiv:2208.07220. */
#include "nn/layers/layers.h"
#include "nn/ops/op.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_kept_tokens *o = params;
    int64_t n = gv_dim(g, x, 0), l = gv_dim(g, x, 1), k = (int64_t)((double)l * (1 - o->p));
    gv_val drawn = gv_noise(g, gv_constant(g, 0, GV_CLASS_STAT, (int64_t[]){ n, l }, 2), 1);
    return gv_topk(g, drawn, k > 0 ? k : 1);
}

const gv_layer gv_layer_kept_tokens = {
    .name = "kept_tokens", .summary = "places of tokens that are not left out", .params_size = sizeof(struct gv_kept_tokens), .build = build,
};
