/* linear_probing: the head alone trains, on a frozen encoder.
 * The encoder still runs in the training phase: its batch norms use the batch and move their running statistics, as
 * PyTorch's model.train() does with requires_grad off. */
#include "nn/peft/peft.h"

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g, (void)p;
    return false; /* the classifier is added for every method */
}

const gv_variant gv_peft_variant_linear_probing = { .name = "linear_probing", .class_name = "LinearProbingConfig", .summary = "the head alone trains, on a frozen encoder", .built = true };
const gv_peft gv_peft_linear_probing = { .variant = &gv_peft_variant_linear_probing, .trainable = trainable };
