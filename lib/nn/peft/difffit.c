/* difffit: biases train, and a factor for each channel of what a block's attention and its MLP add, from 1: <module>.difffit_gamma [D] on the outputs
 * of attn.proj and mlp.fc2.
 * Source: Xie et al. 2023, arXiv:2304.06648, section 3.2. */
#include "nn/peft/peft.h"
#include <string.h>

static const char *const words[] = { "attn.proj", "mlp.fc2" };

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g;
    return strstr(p->name, "bias");
}

static gv_val scaled(const void *params, gv_graph *g, const gv_peft_module *m)
{
    (void)params;
    int64_t out = gv_dim(g, m->y, -1);
    return gv_mul(g, m->y, gv_peft_param(g, "", "difffit_gamma", &out, 1, "ones"));
}

static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    const char *v[GV_COUNT(words)];
    memcpy(v, words, sizeof words);
    gv_strs targets = { GV_COUNT(words), v };
    return gv_peft_change(&(gv_peft_rewrite){ .method = "difffit", .targets = &targets, .convolutions = true, .change = scaled, .params = params }, g, err);
}

const gv_variant gv_peft_variant_difffit = { .name = "difffit", .class_name = "DiffFitConfig", .summary = "biases and a scale of each block's branches train", .built = true };
const gv_peft gv_peft_difffit = { .variant = &gv_peft_variant_difffit, .trainable = trainable, .adapt = adapt };
