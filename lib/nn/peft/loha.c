/* loha: the weight gets alpha / r (w1_a w1_b) * (w2_a w2_b), a product element by element of two of low rank; w2_b starts at zero.
 *   <module>.hada_w1_a, .hada_w2_a [O,r], .hada_w1_b, .hada_w2_b [r,I k…]
 * While training a module's update is left out with chance loha_dropout, and rows of it with chance loha_rank_dropout (the others are scaled up).
 * Source: Hyeon-Woo et al. 2021 (FedPara), arXiv:2108.06098, section 2.2; Yeh et al. 2023, arXiv:2309.14859; names: huggingface/peft 0.21. */
#include "nn/peft/peft.h"

struct loha { int64_t loha_rank; double loha_alpha, loha_dropout, loha_rank_dropout; gv_strs loha_target_modules; };

static const gv_field fields[] = {
    GV_I64(struct loha, loha_rank, 4, 1, 1 << 16, "", "rank of the update"),
    GV_F64(struct loha, loha_alpha, 1, GV_ABOVE_0, INFINITY, "", "scale of the update, times rank"),
    GV_F64(struct loha, loha_dropout, 0, 0.0, GV_BELOW_1, "probability", "chance that a module's update is left out of a step"),
    GV_F64(struct loha, loha_rank_dropout, 0, 0.0, GV_BELOW_1, "probability", "chance that a row of the update is left out of a step"),
    GV_STRS(struct loha, loha_target_modules, "attn.q_proj attn.k_proj attn.v_proj attn.proj mlp.fc1_g mlp.fc1_x mlp.fc2", NULL, "modules to adapt, by the end of their path"),
    GV_END
};

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g, (void)p;
    return false;
}

static gv_val low_rank(gv_graph *g, const char *a, const char *b, int64_t out, int64_t in, int64_t r, const char *init_b)
{
    gv_val left = gv_peft_param(g, "", a, (int64_t[]){ out, r }, 2, "kaiming_uniform_a5");
    return gv_matmul(g, left, gv_peft_param(g, "", b, (int64_t[]){ r, in }, 2, init_b), GV_NO_VAL, false, false, 1);
}

static gv_val branch(const void *params, gv_graph *g, const gv_peft_module *m)
{
    const struct loha *o = params;
    int64_t out = gv_dim(g, m->w, 0), in = gv_shape_count(gv_shape(g, m->w), gv_ndim(g, m->w)) / out, r = o->loha_rank;
    gv_val first = low_rank(g, "hada_w1_a", "hada_w1_b", out, in, r, "kaiming_uniform_a5");
    gv_val w = gv_mul(g, first, low_rank(g, "hada_w2_a", "hada_w2_b", out, in, r, "zeros")); /* [O,I k…] */
    return gv_peft_update(g, m, gv_affine(g, w, o->loha_alpha / (double)r, 0), o->loha_dropout, o->loha_rank_dropout, true);
}

static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    const struct loha *o = params;
    return gv_peft_change(&(gv_peft_rewrite){ .field = "loha_target_modules", .targets = &o->loha_target_modules, .convolutions = true, .change = branch, .params = params }, g, err);
}

static const char *keys[][2] = { { "r", "loha_rank" }, { "alpha", "loha_alpha" }, { "module_dropout", "loha_dropout" }, { "rank_dropout", "loha_rank_dropout" }, { NULL, NULL } };
static const gv_peft_files files = { "LOHA", keys, ".hada_w1_a", "loha_target_modules", { NULL, NULL }, "\"use_effective_conv2d\": false, \"init_weights\": true" };

const gv_variant gv_peft_variant_loha = {
    .name = "loha", .class_name = "LoHaConfig", .summary = "LoHa: Hadamard product of low ranks", .fields = fields, .params_size = sizeof(struct loha), .built = true,
};
const gv_peft gv_peft_loha = { .variant = &gv_peft_variant_loha, .trainable = trainable, .adapt = adapt, .files = &files };
