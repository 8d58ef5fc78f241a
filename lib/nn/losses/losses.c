/* The table of losses, and mixed targets. */
#include "nn/losses/losses.h"
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

gv_val gv_loss_mixed(gv_graph *g, gv_val t, const gv_loss_inputs *in)
{
    return in->lam == GV_NO_VAL ? t : gv_mix(g, t, in->lam, in->perm);
}
