/* mse: mean of squares of logits [N,K] minus target [N,K], or [N] when K is 1 (F32).
 * A square is not linear in its target. With m the mixed target, lam (x-y)^2 + (1-lam) (x-y')^2 is (x-m)^2 plus the mixed squares
 * of the targets minus m^2, which does not depend on x. */
#include "nn/losses/losses.h"

static gv_val build(gv_graph *g, gv_val logits, const gv_loss_inputs *in, const gv_loss_options *o)
{
    (void)o;
    gv_val t = gv_cast(g, in->target, GV_CLASS_STAT);
    if (gv_ndim(g, t) == 1)
        logits = gv_reshape(g, logits, (int64_t[]){ -1 }, 1); /* [N] */
    if (in->lam == GV_NO_VAL)
        return gv_mse(g, logits, t);
    gv_val m = gv_loss_mixed(g, t, in), q = gv_loss_mixed(g, gv_unary(g, GV_SQUARE, t), in);
    gv_val spread = gv_reduce(g, GV_MEAN, gv_sub(g, q, gv_unary(g, GV_SQUARE, m)), (1u << gv_ndim(g, t)) - 1, false, GV_CLASS_STAT);
    return gv_add(g, gv_mse(g, logits, m), gv_reshape(g, spread, (int64_t[]){ 1 }, 1));
}

const gv_loss gv_loss_mse = {
    .name = "mse", .summary = "mean squared error", .build = build,
};
