/* The fields of the head clam, and what its preset `original` changes of them: the defaults of the published program. */
#include "nn/heads/clam.h"

_Static_assert(offsetof(struct gv_clam, preset) >= sizeof(gv_head_options), "what all heads have comes first");

static const char *const presets[] = { "glovita", "original", NULL };
static const char *const branches[] = { "sb", "mb", NULL };
static const char *const sizes[] = { "tiny", "small", "big", NULL };
static const char *const losses[] = { "cross_entropy", "svm", NULL };
#define C struct gv_clam
static const gv_field fields[] = {
    GV_ENUM(C, preset, GV_CLAM_GLOVITA, presets, "original: fields that are not given have the defaults of the published CLAM (sb, linear classifier, no feature_prep, dropout 0.25, instance loss 0.3 beside 0.7 of the bag's), gates drop 0.25, and the instance loss takes at most half of a bag on each side"),
    GV_ENUM(C, variant, GV_CLAM_MB, branches, "one attention branch, or one a class"),
    GV_BOOL(C, gate, true, "gated attention"),
    GV_ENUM(C, size_arg, 1, sizes, "hidden sizes: 256 and 128, 512 and 256, 512 and 384"),
    GV_F64(C, dropout, 0, 0, GV_BELOW_1, "probability", "dropout after the projection and in the gates"),
    GV_I64(C, k_sample, 8, 1, 1 << 24, "instance", "instances with the most and the least attention, for the instance loss"),
    GV_BOOL(C, subtyping, false, "instance loss for the other classes too"),
    GV_BOOL(C, feature_prep, true, "layer norm before the projection"),
    GV_BOOL(C, l2_normalize_features, true, "then unit length"),
    GV_F64(C, layer_norm_eps, 1e-6, GV_ABOVE_0, INFINITY, "", "epsilon of that layer norm"),
    GV_BOOL(C, cosine_head, true, "logits from cosines"),
    GV_F64(C, cosine_scale, 20, GV_ABOVE_0, INFINITY, "", "scale of the cosines"),
    GV_BOOL(C, instance_eval, false, "add the instance loss"),
    GV_ENUM(C, instance_loss, GV_CLAM_CE, losses, "kind of the instance loss; svm: the smooth top-1 SVM"),
    GV_ENUM(C, bag_loss, GV_CLAM_CE, losses, "kind of the loss of a bag, for classes"),
    GV_F64(C, bag_loss_weight, 1, 0, INFINITY, "", "weight of the bag's loss where there is another beside it"),
    GV_F64(C, instance_loss_weight, 1, 0, INFINITY, "", "weight of the instance loss"),
    GV_F64(C, attn_drop, 0, 0, GV_BELOW_1, "probability", "attention logits masked in training, never the largest of a bag"),
    GV_I64(C, topk_k, 2, 1, 1 << 24, "instance", "instances of the consistency loss"),
    GV_F64(C, topk_tau, 0.25, GV_ABOVE_0, INFINITY, "", "its temperature"),
    GV_BOOL(C, stochastic_topk, false, "add the consistency loss: the logits of the most attended instances, with noise, against those of the bag"),
    GV_F64(C, topk_noise_std, 0.1, 0, INFINITY, "", "standard deviation of its noise"),
    GV_F64(C, topk_consistency_weight, 1, 0, INFINITY, "", "its weight"),
    GV_END
};

static const char *const *adapted(const void *params)
{
    static const char *const original[] = {
        "variant", "sb", "dropout", "0.25", "feature_prep", "false", "l2_normalize_features", "false", "cosine_head", "false", "instance_eval", "true",
        "bag_loss_weight", "0.7", "instance_loss_weight", "0.3", NULL,
    };
    return ((const struct gv_clam *)params)->preset == GV_CLAM_ORIGINAL ? original : NULL;
}

const gv_variant gv_head_variant_clam = {
    .name = "clam", .class_name = "ClamHeadConfig", .summary = "CLAM: attention over a bag of features",
    .fields = fields, .params_size = sizeof(struct gv_clam), .adapted = adapted, .built = true,
};
