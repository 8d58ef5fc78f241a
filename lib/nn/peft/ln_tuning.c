/* ln_tuning: weights and biases of the normalisation layers (the mark "norm") train, beside the head.
 * Source: Qi et al. 2022, Parameter-Efficient Tuning on Layer Normalization, arXiv:2211.08682; Basu et al. 2023, arXiv:2304.01917. */
#include "nn/peft/peft.h"

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g;
    return gv_peft_has_mark(p->mark, "norm");
}

/* Without norms it would be linear probing under another name. */
static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    (void)params;
    for (int i = 0; i < gv_param_count(g); i++)
        if (gv_peft_has_mark(gv_param_at(g, i)->mark, "norm"))
            return GV_OK;
    return gv_fail(err, GV_EUSAGE, "'--peft.method ln_tuning' trains normalisation layers, and the encoder has none; 'bitfit' and 'linear_probing' need none");
}

const gv_variant gv_peft_variant_ln_tuning = { .name = "ln_tuning", .class_name = "LNTuningConfig", .summary = "normalisation layers and head train", .built = true };
const gv_peft gv_peft_ln_tuning = { .variant = &gv_peft_variant_ln_tuning, .trainable = trainable, .adapt = adapt };
