/* The table of losses, and mixed targets. */
#include "nn/losses/losses.h"
#include "nn/ops/op.h"
#include <string.h>

static const gv_loss *const losses[] = {
#define GV_LOSS(n) &gv_loss_##n,
#include "nn/losses/losses.def"
#undef GV_LOSS
};

const gv_loss *gv_loss_find(const char *name)
{
    for (size_t i = 0; i < GV_COUNT(losses); i++)
        if (!strcmp(losses[i]->name, name))
            return losses[i];
    return NULL;
}

gv_val gv_loss_weighted(gv_graph *g, gv_val targets, gv_val plain, const gv_loss_options *o, gv_val *factor)
{
    *factor = GV_NO_VAL;
    if (!o->class_weights || gv_graph_error(g))
        return targets;
    int64_t k = gv_dim(g, targets, 1), one[1] = { 1 };
    gv_val w = GV_NO_VAL;
    for (int64_t c = 0; c < k; c++) {
        gv_val v = gv_constant(g, o->class_weights[c], GV_CLASS_STAT, one, 1);
        w = c ? gv_concat(g, (gv_val[]){ w, v }, 2, 0) : v;
    }
    gv_val rows = gv_reduce(g, GV_SUM, plain, 3, false, GV_CLASS_STAT), weights = gv_reduce(g, GV_SUM, gv_mul(g, plain, w), 3, false, GV_CLASS_STAT);
    *factor = gv_reshape(g, gv_div(g, rows, gv_affine(g, weights, 1, 1e-30)), one, 1); /* a batch without labels has neither */
    return gv_mul(g, targets, w);
}

gv_val gv_loss_mixed(gv_graph *g, gv_val t, const gv_loss_inputs *in)
{
    return in->lam == GV_NO_VAL ? t : gv_mix(g, t, in->lam, in->perm);
}
