/* grn: global response normalisation. x [N,s…,C] -> bias + weight * x * g / (mean of g over C + 1e-6) + x, where g [N,1…,C] is the
 * Euclidean norm of a channel over space. trained: weight, bias [C], both from 0, so that it begins as the identity.
 * Source: Woo et al. 2023, arXiv:2301.00808, section 3.2. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    (void)params;
    int n = gv_ndim(g, x);
    int64_t c = gv_dim(g, x, -1);
    gv_mark(g, "norm");
    gv_val weight = gv_param(g, "weight", &c, 1, "zeros");
    gv_val bias = gv_param(g, "bias", &c, 1, "zeros");
    gv_val s = gv_reduce(g, GV_SUM, gv_unary(g, GV_SQUARE, x), (1u << (n - 1)) - 2, true, GV_CLASS_STAT); /* [N,1…,C] */
    /* a channel that is zero everywhere has the gradient zero, as torch's norm; the root alone would give 0 times infinity */
    s = gv_unary(g, GV_SQRT, gv_affine(g, s, 1, 1e-30));
    gv_val m = gv_reduce(g, GV_MEAN, s, 1u << (n - 1), true, GV_CLASS_STAT);
    s = gv_affine(g, gv_mul(g, gv_div(g, s, gv_affine(g, m, 1, 1e-6)), weight), 1, 1); /* one factor for x: 1 + weight g / mean g */
    return gv_add(g, gv_mul(g, x, s), bias);
}

const gv_layer gv_layer_grn = {
    .name = "grn", .summary = "global response normalisation", .params_size = sizeof(struct gv_grn), .build = build,
};
