/* regression: dropout, then a linear layer to the values to predict. x [N,D] -> [N,values].
 * trained: weight [values,D], bias [values], initialised as torch's Linear. */
#include "nn/heads/heads.h"

static const gv_field fields[] = {
    GV_F64(gv_head_options, dropout, 0, 0, GV_BELOW_1, "probability", "chance that a feature is left out while training"),
    GV_I64(gv_head_options, out_dim, 1, 1, 1 << 20, "", "values to predict"),
    GV_END
};

const gv_variant gv_head_variant_regression = {
    .name = "regression", .class_name = "RegressionHeadConfig", .summary = "dropout, then a linear layer to the values to predict",
    .fields = fields, .params_size = sizeof(gv_head_options), .built = true,
};
const gv_head gv_head_regression = { .variant = &gv_head_variant_regression, .build = gv_head_linear };
