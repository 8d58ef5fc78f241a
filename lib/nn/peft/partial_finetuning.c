/* partial_finetuning: the first blocks and what stands before them stay frozen; the other blocks, what stands between and behind them (the last
 * norm), and the head train. Blocks are counted by their mark, in the order of the encoder: those of a vision transformer, the residual
 * blocks of a ResNet over all stages. Nothing is computed backwards below the first that trains.
 * Source: Yosinski et al. 2014, arXiv:1411.1792; "partial-k" of He et al. 2021, arXiv:2111.06377, section 4.3. */
#include "nn/peft/peft.h"
#include <inttypes.h>

struct partial_finetuning { int64_t num_frozen_layers; };

static const gv_field fields[] = {
    GV_I64(struct partial_finetuning, num_frozen_layers, 6, 0, 1 << 16, "block", "blocks that stay frozen"),
    GV_END
};

/* Tensors from the first one of block number num_frozen_layers on; where all blocks are frozen, from behind the last one. */
static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    const struct partial_finetuning *o = params;
    int n = gv_param_count(g), i = o->num_frozen_layers ? n : 0;
    while (o->num_frozen_layers && i > 0 && gv_block_of(g, gv_param_at(g, i - 1)->name) != o->num_frozen_layers - 1)
        i--;
    while (!o->num_frozen_layers && i < n && gv_block_of(g, gv_param_at(g, i)->name) != 0)
        i++;
    for (; i < n; i++)
        if (gv_param_at(g, i) == p)
            return true;
    return false;
}

static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    const struct partial_finetuning *o = params;
    int n = gv_block_count(g);
    if (!n)
        return gv_fail(err, GV_EUSAGE, "'--peft.method partial_finetuning' freezes blocks, and there are none; choose 'linear_probing' or 'full_finetuning'");
    if (o->num_frozen_layers > n)
        return gv_fail(err, GV_EUSAGE, "'--peft.num_frozen_layers' is %" PRId64 ", and the encoder has %d blocks", o->num_frozen_layers, n);
    return GV_OK;
}

const gv_variant gv_peft_variant_partial_finetuning = {
    .name = "partial_finetuning", .class_name = "PartialFinetuningConfig", .summary = "the last blocks and the head train", .fields = fields, .params_size = sizeof(struct partial_finetuning), .built = true,
};
const gv_peft gv_peft_partial_finetuning = { .variant = &gv_peft_variant_partial_finetuning, .trainable = trainable, .adapt = adapt };
