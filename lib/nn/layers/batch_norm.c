/* batch_norm: centre and scale each channel over batch and space, in any number of dimensions.
 * x [N,s…,C] -> same; trained: weight [C] from 1, bias [C] from 0; kept: running_mean, running_var [C], num_batches_tracked.
 * In training the batch's statistics normalise, and the running ones move by `momentum` towards them (the variance with
 * n/(n-1), as torch does); in evaluation the running ones normalise.
 * Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_batch_norm *o = params;
    int64_t c = gv_dim(g, x, -1), one = 1;
    double eps = o->eps > 0 ? o->eps : 1e-5, m = o->momentum > 0 ? o->momentum : 0.1;
    gv_mark(g, "norm");
    gv_val weight = gv_param(g, "weight", &c, 1, o->zero_weight ? "zeros" : "ones");
    gv_val bias = gv_param(g, "bias", &c, 1, "zeros");
    gv_val mean = gv_buffer(g, "running_mean", &c, 1, "zeros", GV_CLASS_STAT);
    gv_val var = gv_buffer(g, "running_var", &c, 1, "ones", GV_CLASS_STAT);
    gv_val count = gv_buffer(g, "num_batches_tracked", &one, 1, "zeros", GV_CLASS_I64);
    if (gv_graph_phase(g) == GV_EVAL)
        return gv_batchnorm_eval(g, x, weight, bias, mean, var, eps);
    double n = 1;
    for (int i = 0; i + 1 < gv_ndim(g, x); i++)
        n *= (double)gv_dim(g, x, i);
    if (n < 2)
        return gv_graph_fail(g, "batch norm needs more than one value per channel in training: raise the batch or the image size, or drop the last batch");
    gv_norm_out r = gv_batchnorm_train(g, x, weight, bias, eps);
    gv_update(g, mean, 1 - m, m, r.mean);
    gv_update(g, var, 1 - m, m * n / (n - 1), r.var); /* unbiased */
    gv_count(g, count);
    return r.y;
}

const gv_layer gv_layer_batch_norm = {
    .name = "batch_norm", .summary = "batch normalisation", .params_size = sizeof(struct gv_batch_norm), .build = build,
};
