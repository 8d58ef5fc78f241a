/* head: what turns features into predictions. Heads with a unit come from nn/heads/heads.def, the others are declared here. */
#include "config/internal.h"

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
    &framewise, NULL
};
static const gv_union uni = {
    .field = "head_type", .help = "head; untouched in regression it is the regression head", .variants = variants, .def = "classification",
    .chosen = offsetof(struct gv_model_config, head), .params = offsetof(struct gv_model_config, head_params),
};

const gv_block gv_block_head = { .path = "model.head", .summary = "head", .offset = offsetof(gv_config, model), .uni = &uni };
