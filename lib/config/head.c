/* head: what turns features into predictions. Heads come from nn/heads/heads.def. */
#include "config/internal.h"

#define GV_HEAD(n) extern const gv_variant gv_head_variant_##n;
#include "nn/heads/heads.def"
#undef GV_HEAD
static const gv_variant *const variants[] = {
#define GV_HEAD(n) &gv_head_variant_##n,
#include "nn/heads/heads.def"
#undef GV_HEAD
    NULL
};
static const gv_union uni = {
    .field = "head_type", .help = "head; untouched in regression it is the regression head", .variants = variants, .def = "classification",
    .chosen = offsetof(struct gv_model_config, head), .params = offsetof(struct gv_model_config, head_params),
};

const gv_block gv_block_head = { .path = "model.head", .summary = "head", .offset = offsetof(gv_config, model), .uni = &uni };
