/* smooth_svm: logits [N,K], target I64 [N]: log sum exp(x_j + [j != y]) - x_y, the smooth top-1 SVM with margin and temperature 1. It is the
 * cross-entropy of the logits with 1 added to every wrong class. No smoothing of labels; a negative label is left out of the mean.
 * Source: Berrada et al. 2018, arXiv:1802.07595 (k = 1). */
#include "nn/losses/losses.h"

static gv_val build(gv_graph *g, gv_val logits, const gv_loss_inputs *in, const gv_loss_options *o)
{
    if (in->lam != GV_NO_VAL)
        return gv_graph_fail(g, "the smooth SVM loss has no form for mixed samples (task.mixup)");
    gv_val factor, t = gv_one_hot(g, in->target, gv_dim(g, logits, 1), 0), w = gv_loss_weighted(g, t, t, o, &factor);
    gv_val v = gv_cross_entropy(g, gv_add(g, logits, gv_affine(g, t, -1, 1)), w);
    return factor == GV_NO_VAL ? v : gv_mul(g, v, factor);
}

const gv_loss gv_loss_smooth_svm = {
    .name = "smooth_svm", .summary = "smooth top-1 support vector loss", .build = build,
};
