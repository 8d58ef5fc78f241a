/* candidates: going through the tables (candidates.h). */
#include "nn/onednn/candidates.h"

static const dn_candidate *const tables[GV_OPS] = {
    [GV_OP_conv] = dn_conv_candidates, [GV_OP_conv_dgrad] = dn_conv_dgrad_candidates, [GV_OP_conv_wgrad] = dn_conv_wgrad_candidates,
    [GV_OP_matmul] = dn_matmul_candidates, [GV_OP_matmul_wgrad] = dn_matmul_wgrad_candidates,
};

int dn_by_rules(const dn_candidate *table, gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err)
{
    for (; table->make; table++) {
        if (table->taken && !table->taken(c))
            continue;
        int r = table->make(ctx, c, k, err);
        if (r != GV_UNSUPPORTED)
            return r;
    }
    return GV_UNSUPPORTED;
}

int dn_candidate_at(void *ctx, const gv_call *c, int n, gv_kernel *k, gv_err *err)
{
    const dn_candidate *t = tables[c->node->op];
    for (int i = 0; t && t->make && i < n; i++)
        t++;
    return t && t->make ? t->make(ctx, c, k, err) : GV_NO_CANDIDATE;
}
