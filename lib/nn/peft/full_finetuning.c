/* full_finetuning: every parameter trains. */
#include "nn/peft/peft.h"

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g, (void)p;
    return true;
}

const gv_variant gv_peft_variant_full_finetuning = { .name = "full_finetuning", .class_name = "FullFinetuningConfig", .summary = "every parameter trains", .built = true };
const gv_peft gv_peft_full_finetuning = { .variant = &gv_peft_variant_full_finetuning, .trainable = trainable };
