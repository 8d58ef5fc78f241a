/* head: what turns features into predictions. Heads with a unit come from nn/heads/heads.def, the others are declared here. */
#include "config/internal.h"

static const char *const branches[] = { "sb", "mb", NULL };
static const char *const sizes[] = { "tiny", "small", "big", NULL };
struct clam {
    int variant;
    bool gate;
    int size_arg;
    double dropout;
    int64_t k_sample;
    bool subtyping, feature_prep, l2_normalize_features;
    double layer_norm_eps;
    bool cosine_head;
    double cosine_scale;
    bool instance_eval;
    double instance_loss_weight, attn_drop;
    int64_t topk_k;
    double topk_tau;
    bool stochastic_topk;
    double topk_noise_std, topk_consistency_weight;
};
static const gv_field clam_fields[] = {
    GV_ENUM(struct clam, variant, 1, branches, "one attention branch, or one a class"),
    GV_BOOL(struct clam, gate, true, "gated attention"),
    GV_ENUM(struct clam, size_arg, 1, sizes, "hidden sizes"),
    GV_F64(struct clam, dropout, 0, 0, GV_BELOW_1, "probability", "dropout after the projection and in the gates"),
    GV_I64(struct clam, k_sample, 8, 1, 1 << 24, "instance", "instances with the most and the least attention, for the instance loss"),
    GV_BOOL(struct clam, subtyping, false, "instance loss for the other classes too"),
    GV_BOOL(struct clam, feature_prep, true, "layer norm before the projection"),
    GV_BOOL(struct clam, l2_normalize_features, true, "then unit length"),
    GV_F64(struct clam, layer_norm_eps, 1e-6, GV_ABOVE_0, INFINITY, "", "epsilon of that layer norm"),
    GV_BOOL(struct clam, cosine_head, true, "logits from cosines"),
    GV_F64(struct clam, cosine_scale, 20, GV_ABOVE_0, INFINITY, "", "scale of the cosines"),
    GV_BOOL(struct clam, instance_eval, false, "add the instance loss"),
    GV_F64(struct clam, instance_loss_weight, 1, 0, INFINITY, "", "its weight"),
    GV_F64(struct clam, attn_drop, 0, 0, GV_BELOW_1, "probability", "attention logits masked in training"),
    GV_I64(struct clam, topk_k, 2, 1, 1 << 24, "instance", "instances of the consistency loss"),
    GV_F64(struct clam, topk_tau, 0.25, GV_ABOVE_0, INFINITY, "", "its temperature"),
    GV_BOOL(struct clam, stochastic_topk, false, "add the consistency loss"),
    GV_F64(struct clam, topk_noise_std, 0.1, 0, INFINITY, "", "standard deviation of its noise"),
    GV_F64(struct clam, topk_consistency_weight, 1, 0, INFINITY, "", "its weight"),
    GV_END
};
static const gv_variant clam = {
    .name = "clam", .class_name = "ClamHeadConfig", .summary = "CLAM: attention over a bag of features",
    .fields = clam_fields, .params_size = sizeof(struct clam), .built = false,
};

struct framewise { int64_t num_clip_frames; const char *stem_key, *layer2_key, *layer3_key, *layer4_key; };
#define STAGE_KEY(m, d) GV_STR(struct framewise, m, d, "name of that stage of the encoder")
static const gv_field framewise_fields[] = {
    GV_I64(struct framewise, num_clip_frames, 3, 1, 1 << 16, "frame", "frames of a clip"),
    STAGE_KEY(stem_key, "stem"), STAGE_KEY(layer2_key, "layer2"), STAGE_KEY(layer3_key, "layer3"), STAGE_KEY(layer4_key, "layer4"),
    GV_END
};
static const gv_variant framewise = {
    .name = "framewise_decoder_1d", .class_name = "FramewiseDecoder1DHeadConfig", .summary = "one prediction a frame of a clip",
    .fields = framewise_fields, .params_size = sizeof(struct framewise), .built = false,
};

#define GV_HEAD(n) extern const gv_variant gv_head_variant_##n;
#include "nn/heads/heads.def"
#undef GV_HEAD
static const gv_variant *const variants[] = {
#define GV_HEAD(n) &gv_head_variant_##n,
#include "nn/heads/heads.def"
#undef GV_HEAD
    &clam, &framewise, NULL
};
static const gv_union uni = {
    .field = "head_type", .help = "head; untouched in regression it is the regression head", .variants = variants, .def = "classification",
    .chosen = offsetof(struct gv_model_config, head), .params = offsetof(struct gv_model_config, head_params),
};

const gv_block gv_block_head = { .path = "model.head", .summary = "head", .offset = offsetof(gv_config, model), .uni = &uni };
