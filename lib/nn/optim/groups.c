/* groups: what each parameter gets of learning rate and weight decay.
 *
 * undecay_norm     names that contain norm, bias or bn: no weight decay
 * layer-wise decay lr * decay^(n+3 - depth), n blocks: patch_embed 1, blocks.i i+2, norm and fc_norm n+2, head n+3; the first
 *                  of these keys that a name contains counts, and a name with none of them (class token, position embedding)
 *                  keeps the base rate. Weight decay is the same for all. The classifier outside the encoder is a head here. */
#include "nn/optim/groups.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t gv_groups_blocks(const gv_graph *g)
{
    int64_t n = 0;
    for (int i = 0; i < gv_param_count(g); i++) {
        const char *p = strstr(gv_param_at(g, i)->name, "blocks.");
        char *end;
        long k = p ? strtol(p + 7, &end, 10) : -1;
        if (p && end != p + 7 && *end == '.' && k >= 0 && k < 1 << 20 && k + 1 > n)
            n = k + 1;
    }
    return n;
}

/* -1: none of the keys. */
static int64_t depth_of(const char *name, const char *mark, int64_t n)
{
    char key[32];
    if (strstr(name, "patch_embed"))
        return 1;
    for (int64_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "blocks.%d.", (int)i);
        if (strstr(name, key))
            return i + 2;
    }
    if (strstr(name, "norm"))
        return n + 2;
    return strstr(name, "head") || (mark && !strcmp(mark, "classifier")) ? n + 3 : -1;
}

void gv_groups_of(const gv_optim_groups *o, const char *name, const char *mark, int64_t blocks, double *lr_scale, double *weight_decay)
{
    *lr_scale = 1;
    if (o->layer_wise_lr_decay > 0) {
        int64_t d = depth_of(name, mark, blocks);
        *lr_scale = d < 0 ? 1 : pow(o->layer_wise_lr_decay, (double)(blocks + 3 - d));
    } else if (o->undecay_norm && (strstr(name, "norm") || strstr(name, "bias") || strstr(name, "bn")))
        *weight_decay = 0;
}
