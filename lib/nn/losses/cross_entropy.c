/* cross_entropy: logits [N,K], target I64 [N] (a negative label is left out of the mean).
 * Label smoothing gives each of the K classes smoothing/K, as torch does. Cross-entropy is linear in its targets, so mixing
 * them is lam L(y) + (1 - lam) L(y[perm]). */
#include "nn/losses/losses.h"

static gv_val build(gv_graph *g, gv_val logits, const gv_loss_inputs *in, const gv_loss_options *o)
{
    gv_val t = gv_one_hot(g, in->target, gv_dim(g, logits, 1), o->label_smoothing);
    return gv_cross_entropy(g, logits, gv_loss_mixed(g, t, in));
}

const gv_loss gv_loss_cross_entropy = {
    .name = "cross_entropy", .summary = "softmax cross-entropy with label smoothing", .build = build,
};
