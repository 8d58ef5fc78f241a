/* ia3: a trained factor for each output of the attention's keys and values, and for each input of the MLP's second layer; all start at 1. Where
 * query, key and value come from one matrix, all three are scaled, as in the library peft with attn.qkv among its targets.
 *   <module>.ia3_l [O,1], or [1,I] on an input
 * Source: Liu et al. 2022, arXiv:2205.05638, section 3.3; names and shapes: huggingface/peft 0.21. */
#include "nn/peft/peft.h"
#include <string.h>

static const char *const words[] = { "attn.k_proj", "attn.v_proj", "mlp.fc2" };

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g, (void)p;
    return false;
}

static gv_val scaled(const void *params, gv_graph *g, const gv_peft_module *m)
{
    (void)params;
    const char *word = "mlp.fc2";
    if (gv_peft_targets(&(gv_strs){ 1, &word }, m->name, m->mark)) {
        int64_t in = gv_dim(g, m->x, -1);
        gv_val f = gv_peft_param(g, "", "ia3_l", (int64_t[]){ 1, in }, 2, "ones");
        gv_val y = gv_peft_again(g, m, gv_mul(g, m->x, gv_reshape(g, f, &in, 1)), GV_NO_VAL);
        return m->b == GV_NO_VAL ? y : gv_add(g, y, m->b);
    }
    int64_t out = gv_dim(g, m->y, -1);
    gv_val f = gv_peft_param(g, "", "ia3_l", (int64_t[]){ out, 1 }, 2, "ones");
    return gv_mul(g, m->y, gv_reshape(g, f, &out, 1));
}

static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    const char *v[GV_COUNT(words)];
    memcpy(v, words, sizeof words);
    gv_strs targets = { GV_COUNT(words), v };
    return gv_peft_change(&(gv_peft_rewrite){ .method = "ia3", .targets = &targets, .change = scaled, .params = params }, g, err);
}

static const char *keys[][2] = { { NULL, NULL } };
static const gv_peft_files files = { "IA3", keys, ".ia3_l", NULL, { "feedforward_modules", ".mlp.fc2.ia3_l" }, "\"fan_in_fan_out\": false, \"init_ia3_weights\": true" };

const gv_variant gv_peft_variant_ia3 = { .name = "ia3", .class_name = "IA3Config", .summary = "IA3: scales of keys, values and hidden units", .built = true };
const gv_peft gv_peft_ia3 = { .variant = &gv_peft_variant_ia3, .trainable = trainable, .adapt = adapt, .files = &files };
