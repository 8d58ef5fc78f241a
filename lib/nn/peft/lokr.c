/* lokr: the weight gets alpha / r kron(w1, w2). Both sides of it split in two factors near their root (or near lokr_decompose_factor), the smaller ones
 * make w1, which starts at zero, the larger ones w2; w2 is of low rank unless the rank reaches half of its sides.
 *   <module>.lokr_w1 [a,c], and .lokr_w2 [b,d,k…] or .lokr_w2_a [b,r], .lokr_w2_b [r,d k…], with O = a b, I = c d
 * While training a module's update is left out with chance lokr_dropout, and rows of it with chance lokr_rank_dropout.
 * Source: Edalati et al. 2022, arXiv:2212.10650; Yeh et al. 2023, arXiv:2309.14859; factors and names: huggingface/peft 0.21. */
#include "nn/peft/peft.h"

struct lokr { int64_t lokr_rank; double lokr_alpha, lokr_dropout, lokr_rank_dropout; int64_t lokr_decompose_factor; gv_strs lokr_target_modules; };

static const gv_field fields[] = {
    GV_I64(struct lokr, lokr_rank, 4, 1, 1 << 16, "", "rank of the update"),
    GV_F64(struct lokr, lokr_alpha, 1, GV_ABOVE_0, INFINITY, "", "scale of the update, times rank"),
    GV_F64(struct lokr, lokr_dropout, 0, 0.0, GV_BELOW_1, "probability", "chance that a module's update is left out of a step"),
    GV_F64(struct lokr, lokr_rank_dropout, 0, 0.0, GV_BELOW_1, "probability", "chance that a row of the update is left out of a step"),
    GV_I64(struct lokr, lokr_decompose_factor, -1, -1, 1 << 16, "", "factor of the split; -1: nearest to a square"),
    GV_STRS(struct lokr, lokr_target_modules, "attn.q_proj attn.k_proj attn.v_proj attn.proj mlp.fc1_g mlp.fc1_x mlp.fc2", NULL, "modules to adapt, by the end of their path"),
    GV_END
};

static bool trainable(const void *params, const gv_graph *g, const gv_param_info *p)
{
    (void)params, (void)g, (void)p;
    return false;
}

/* n = *small times the answer: `factor` where it divides n, else the divisor nearest to the root that is not above it. */
static int64_t split(int64_t n, int64_t factor, int64_t *small)
{
    *small = 1;
    for (int64_t d = 1; d <= n / d; d++)
        if (n % d == 0 && (factor < 1 || d <= factor))
            *small = d;
    if (factor > 0 && n % factor == 0)
        *small = factor;
    return n / *small;
}

static gv_val branch(const void *params, gv_graph *g, const gv_peft_module *m)
{
    const struct lokr *o = params;
    const int64_t *shape = gv_shape(g, m->w);
    int ndim = gv_ndim(g, m->w);
    int64_t a, c, b = split(shape[0], o->lokr_decompose_factor, &a), d = split(shape[1], o->lokr_decompose_factor, &c), r = o->lokr_rank;
    int64_t area = gv_shape_count(shape, ndim) / shape[0] / shape[1], whole[GV_MAX_DIMS] = { b, d };
    for (int i = 2; i < ndim; i++)
        whole[i] = shape[i];
    gv_val w1 = gv_peft_param(g, "", "lokr_w1", (int64_t[]){ a, c }, 2, "zeros"), w2;
    if (2 * r < (b > d ? b : d)) {
        gv_val left = gv_peft_param(g, "", "lokr_w2_a", (int64_t[]){ b, r }, 2, "kaiming_uniform_a5");
        w2 = gv_matmul(g, left, gv_peft_param(g, "", "lokr_w2_b", (int64_t[]){ r, d * area }, 2, "kaiming_uniform_a5"), GV_NO_VAL, false, false, 1);
    } else
        w2 = gv_peft_param(g, "", "lokr_w2", whole, ndim, "kaiming_uniform_a5");
    w1 = gv_reshape(g, w1, (int64_t[]){ a, 1, c, 1 }, 4);
    w2 = gv_reshape(g, w2, (int64_t[]){ 1, b, 1, d * area }, 4);
    gv_val w = gv_reshape(g, gv_mul(g, w1, w2), (int64_t[]){ a * b, c * d * area }, 2); /* [a,b,c,d k…] as [O,I k…] */
    return gv_peft_update(g, m, gv_affine(g, w, o->lokr_alpha / (double)r, 0), o->lokr_dropout, o->lokr_rank_dropout, false);
}

static int adapt(const void *params, gv_graph *g, gv_err *err)
{
    const struct lokr *o = params;
    if (!o->lokr_decompose_factor)
        return gv_fail(err, GV_EUSAGE, "'--peft.lokr_decompose_factor' is 0; -1, or 1 and more are possible");
    return gv_peft_change(&(gv_peft_rewrite){ .field = "lokr_target_modules", .targets = &o->lokr_target_modules, .convolutions = true, .change = branch, .params = params }, g, err);
}

static const char *keys[][2] = {
    { "r", "lokr_rank" }, { "alpha", "lokr_alpha" }, { "module_dropout", "lokr_dropout" }, { "rank_dropout", "lokr_rank_dropout" }, { "decompose_factor", "lokr_decompose_factor" }, { NULL, NULL },
};
static const gv_peft_files files = { "LOKR", keys, ".lokr_w1", "lokr_target_modules", { NULL, NULL }, "\"use_effective_conv2d\": false, \"decompose_both\": false, \"rank_dropout_scale\": false, \"init_weights\": true" };

const gv_variant gv_peft_variant_lokr = {
    .name = "lokr", .class_name = "LoKrConfig", .summary = "LoKr: Kronecker product of low ranks", .fields = fields, .params_size = sizeof(struct lokr), .built = true,
};
const gv_peft gv_peft_lokr = { .variant = &gv_peft_variant_lokr, .trainable = trainable, .adapt = adapt, .files = &files };
