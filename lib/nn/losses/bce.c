/* bce: binary cross-entropy of logits [N,K] against targets [N,K] in 0 … 1 (F32), the mean over all of them; for samples
 * with any number of labels. Linear in its targets, so they are mixed (see cross_entropy). */
#include "nn/losses/losses.h"

static gv_val build(gv_graph *g, gv_val logits, const gv_loss_inputs *in, const gv_loss_options *o)
{
    (void)o; /* smoothing is defined for one label per sample */
    return gv_bce_logits(g, logits, gv_loss_mixed(g, gv_cast(g, in->target, GV_CLASS_STAT), in));
}

const gv_loss gv_loss_bce = {
    .name = "bce", .summary = "binary cross-entropy, for several labels per sample", .build = build,
};
