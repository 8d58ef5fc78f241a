/* cross_entropy: logits [N,K], target I64 [N] (a negative label is left out of the mean). With class weights the mean is weighted by those of the
 * labels, which mixing only permutes.
 * Label smoothing gives each of the K classes smoothing/K, as torch does. Cross-entropy is linear in its targets, so mixing
 * them is lam L(y) + (1 - lam) L(y[perm]). */
#include "nn/losses/losses.h"

static gv_val build(gv_graph *g, gv_val logits, const gv_loss_inputs *in, const gv_loss_options *o)
{
    int64_t k = gv_dim(g, logits, 1);
    gv_val factor, plain = gv_one_hot(g, in->target, k, 0), t = o->label_smoothing > 0 ? gv_one_hot(g, in->target, k, o->label_smoothing) : plain;
    t = gv_loss_weighted(g, t, plain, o, &factor);
    gv_val v = gv_cross_entropy(g, logits, gv_loss_mixed(g, t, in));
    return factor == GV_NO_VAL ? v : gv_mul(g, v, factor);
}

const gv_loss gv_loss_cross_entropy = {
    .name = "cross_entropy", .summary = "softmax cross-entropy with label smoothing", .build = build,
};
