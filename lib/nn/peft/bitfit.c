/* bitfit: the biases of the encoder train, every tensor whose name contains "bias", beside the head.
 * Source: Ben-Zaken et al. 2022, arXiv:2106.10199, section 3. */
#include "nn/peft/peft.h"
#include <string.h>

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g;
    return strstr(p->name, "bias");
}

const gv_variant gv_peft_variant_bitfit = { .name = "bitfit", .class_name = "BitFitConfig", .summary = "biases and head train", .built = true };
const gv_peft gv_peft_bitfit = { .variant = &gv_peft_variant_bitfit, .trainable = trainable };
