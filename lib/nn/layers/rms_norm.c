/* rms_norm: scale over the last axis without centring. x [N…,C] -> x * weight / sqrt(mean x^2 + eps); with `deviation`, which timm calls
 * SimpleNorm, the variance about the mean with C-1 stands under the root instead. trained: weight [C] from 1.
 * Source: Zhang & Sennrich 2019, arXiv:1910.07467. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_rms_norm *o = params;
    int64_t c = gv_dim(g, x, -1);
    unsigned last = 1u << (gv_ndim(g, x) - 1);
    gv_val d = x;
    gv_mark(g, "norm");
    gv_val weight = gv_param(g, "weight", &c, 1, "ones");
    if (o->deviation && c < 2)
        return gv_graph_fail(g, "one channel has no deviation");
    if (o->deviation)
        d = gv_sub(g, x, gv_reduce(g, GV_MEAN, x, last, true, GV_CLASS_STAT));
    gv_val v = gv_reduce(g, GV_MEAN, gv_unary(g, GV_SQUARE, d), last, true, GV_CLASS_STAT);
    double scale = o->deviation ? (double)c / (double)(c - 1) : 1;
    v = gv_unary(g, GV_RSQRT, gv_affine(g, v, scale, o->eps > 0 ? o->eps : 1e-6));
    return gv_mul(g, gv_mul(g, x, v), weight);
}

const gv_layer gv_layer_rms_norm = {
    .name = "rms_norm", .summary = "scaling by the root mean square", .params_size = sizeof(struct gv_rms_norm), .build = build,
};
