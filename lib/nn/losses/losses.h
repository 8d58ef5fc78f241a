/*
 * Losses: from logits and targets to one number, as part of the graph. One file and one line in losses.def.
 *
 *   gv_loss_inputs in = { .target = y, .lam = GV_NO_VAL, .perm = GV_NO_VAL };
 *   gv_val loss = gv_loss_find("cross_entropy")->build(g, logits, &in, &(gv_loss_options){ .label_smoothing = 0.1 });
 *
 * With mixing (mixup, CutMix) lam [1] and perm [N] come with the batch, and the loss is lam L(y) + (1 - lam) L(y[perm]).
 */
#ifndef GV_NN_LOSSES_LOSSES_H
#define GV_NN_LOSSES_LOSSES_H

#include "nn/nn.h"

typedef struct gv_loss_options {
    double label_smoothing;
    const double *class_weights; /* one a class, above 0, for losses of one class a sample; NULL: all the same */
} gv_loss_options;

typedef struct gv_loss_inputs {
    gv_val target;    /* as the unit says */
    gv_val lam, perm; /* F32 [1] and I32 [N], or GV_NO_VAL both */
} gv_loss_inputs;

typedef struct gv_loss {
    const char *name, *summary;
    gv_val (*build)(gv_graph *g, gv_val logits, const gv_loss_inputs *in, const gv_loss_options *o); /* STAT [1] */
} gv_loss;

#define GV_LOSS(n) extern const gv_loss gv_loss_##n;
#include "nn/losses/losses.def"
#undef GV_LOSS

const gv_loss *gv_loss_find(const char *name); /* NULL when there is none */
/* Targets [N,K] whose rows weigh as much as their class, and what a mean over rows must be multiplied by to become the weighted mean: as torch's
 * cross-entropy with weights has it, with `plain` the targets without smoothing. Both as they are where there are no weights. */
gv_val gv_loss_weighted(gv_graph *g, gv_val targets, gv_val plain, const gv_loss_options *o, gv_val *factor);
/* lam t + (1 - lam) t[perm], or t when nothing is mixed. */
gv_val gv_loss_mixed(gv_graph *g, gv_val t, const gv_loss_inputs *in);

#endif
