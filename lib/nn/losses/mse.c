/* mse: mean of squares of logits [N,K] minus target [N,K], or [N] when K is 1 (F32).
 * A square is not linear in its target, so under mixing both losses are built: lam L(y) + (1 - lam) L(y[perm]). */
#include "nn/losses/losses.h"

static gv_val build(gv_graph *g, gv_val logits, const gv_loss_inputs *in, const gv_loss_options *o)
{
    (void)o;
    gv_val t = gv_cast(g, in->target, GV_CLASS_STAT);
    if (gv_ndim(g, t) == 1)
        logits = gv_reshape(g, logits, (int64_t[]){ -1 }, 1); /* [N] */
    gv_val a = gv_mse(g, logits, t);
    if (in->lam == GV_NO_VAL)
        return a;
    gv_val lam = gv_cast(g, in->lam, GV_CLASS_STAT);
    gv_val other = gv_mix(g, t, gv_affine(g, lam, 0, 0), in->perm); /* lam 0: t[perm] alone */
    gv_val b = gv_mse(g, logits, other);
    return gv_add(g, gv_mul(g, lam, a), gv_mul(g, gv_affine(g, lam, -1, 1), b));
}

const gv_loss gv_loss_mse = {
    .name = "mse", .summary = "mean squared error", .build = build,
};
