/* ssf: every channel behind the norms and linear layers of the blocks is scaled and shifted: y gamma + beta, from 1 and 0, so that training begins
 * with the encoder as it is (the authors start at normal draws around them).
 *   <module>.ssf_scale [C], <module>.ssf_shift [C] on norm1, norm2, attn.qkv (or its parts), attn.proj, mlp.fc1, mlp.fc2
 * Source: Lian et al. 2022, arXiv:2210.08823, section 3.2. */
#include "nn/peft/peft.h"
#include <string.h>

static const char *const words[] = { "norm1", "norm2", "attn.qkv", "attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.proj", "mlp.fc1", "mlp.fc1_g", "mlp.fc1_x", "mlp.fc2" };

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g, (void)p;
    return false;
}

static gv_val moved(const void *params, gv_graph *g, const gv_peft_module *m)
{
    (void)params;
    int64_t c = gv_dim(g, m->y, -1);
    gv_val scale = gv_peft_param(g, "", "ssf_scale", &c, 1, "ones");
    return gv_add(g, gv_mul(g, m->y, scale), gv_peft_param(g, "", "ssf_shift", &c, 1, "zeros"));
}

static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    const char *v[GV_COUNT(words)];
    memcpy(v, words, sizeof words);
    gv_strs targets = { GV_COUNT(words), v };
    return gv_peft_change(&(gv_peft_rewrite){ .method = "ssf", .targets = &targets, .convolutions = true, .norms = true, .change = moved, .params = params }, g, err);
}

const gv_variant gv_peft_variant_ssf = { .name = "ssf", .class_name = "SSFConfig", .summary = "SSF: scale and shift behind norms and linear layers", .built = true };
const gv_peft gv_peft_ssf = { .variant = &gv_peft_variant_ssf, .trainable = trainable, .adapt = adapt };
