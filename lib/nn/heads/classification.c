/* classification: dropout, then a linear layer to one logit per class. x [N,D] -> [N,classes].
 * trained: weight [classes,D], bias [classes], initialised as torch's Linear. */
#include "nn/heads/heads.h"

static const gv_field fields[] = {
    GV_F64(gv_head_options, dropout, 0, 0, GV_BELOW_1, "probability", "chance that a feature is left out while training"),
    GV_END
};

const gv_variant gv_head_variant_classification = {
    .name = "classification", .class_name = "ClassificationHeadConfig", .summary = "dropout, then a linear layer to one logit per class",
    .fields = fields, .params_size = sizeof(gv_head_options), .built = true,
};
const gv_head gv_head_classification = { .variant = &gv_head_variant_classification, .build = gv_head_linear };
