/* regression: dropout, then a linear layer to the values to predict. x [N,D] -> [N,values].
 * trained: weight [values,D], bias [values], initialised as torch's Linear. */
#include "nn/heads/heads.h"
#include "nn/layers/layers.h"

static const gv_field fields[] = {
    GV_F64(gv_head_options, dropout, 0, 0, GV_BELOW_1, "probability", "chance that a feature is left out while training"),
    GV_I64(gv_head_options, out_dim, 1, 1, 1 << 20, "", "values to predict"),
    GV_END
};

static gv_val build(gv_graph *g, const gv_head_in *in, const gv_head_options *o)
{
    gv_val x = o->dropout > 0 ? gv_dropout(g, in->x, o->dropout, false) : in->x;
    return gv_linear(g, x, "", .out = o->out_dim, .bias = true);
}

const gv_variant gv_head_variant_regression = {
    .name = "regression", .class_name = "RegressionHeadConfig", .summary = "dropout, then a linear layer to the values to predict",
    .fields = fields, .params_size = sizeof(gv_head_options), .built = true,
};
const gv_head gv_head_regression = { .variant = &gv_head_variant_regression, .build = build };
