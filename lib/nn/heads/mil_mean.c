/* mil_mean: the baseline without attention: instances projected, their mean, a linear layer. x [N,L,D], mask [N,L] -> [N,classes].
 * trained: fc.0 [hidden,D], classifier [classes,hidden], with biases; without a hidden layer the classifier alone. */
#include "nn/heads/heads.h"
#include "nn/layers/layers.h"

struct mil { int64_t out_dim; double dropout; int64_t hidden; }; /* the first two are those of gv_head_options */
_Static_assert(offsetof(struct mil, hidden) == sizeof(gv_head_options), "what all heads have comes first");

static const gv_field fields[] = {
    GV_F64(struct mil, dropout, 0.25, 0, GV_BELOW_1, "probability", "dropout after the projection"),
    GV_I64(struct mil, hidden, 512, 0, 1 << 20, "", "width of the projection; 0: none"),
    GV_END
};

static gv_val build(gv_graph *g, const gv_head_in *in, const gv_head_options *options)
{
    const struct mil *o = (const struct mil *)options;
    gv_val x = in->x;
    if (o->hidden)
        x = gv_relu(g, gv_linear(g, x, "fc.0", .out = o->hidden, .bias = true)); /* [N,L,hidden] */
    if (o->hidden && o->dropout > 0)
        x = gv_dropout(g, x, o->dropout, false);
    if (in->mask == GV_NO_VAL)
        x = gv_reduce(g, GV_MEAN, x, 2, false, GV_CLASS_REAL);
    else { /* a product with the mask is the sum of the instances that are there */
        gv_val size = gv_reduce(g, GV_SUM, in->mask, 2, true, GV_CLASS_STAT);
        gv_val mask = gv_reshape(g, in->mask, (int64_t[]){ gv_dim(g, x, 0), 1, gv_dim(g, x, 1) }, 3);
        x = gv_matmul(g, mask, x, GV_NO_VAL, false, false, 1); /* [N,1,hidden] */
        x = gv_div(g, gv_reshape(g, x, (int64_t[]){ gv_dim(g, x, 0), gv_dim(g, x, 2) }, 2), size);
    }
    return gv_linear(g, x, "classifier", .out = o->out_dim, .bias = true);
}

const gv_variant gv_head_variant_mil_mean = {
    .name = "mil_mean", .class_name = "MilMeanHeadConfig", .summary = "a bag's mean, then a linear layer",
    .fields = fields, .params_size = sizeof(struct mil), .built = true,
};
const gv_head gv_head_mil_mean = { .variant = &gv_head_variant_mil_mean, .takes = GV_HEAD_BAG, .own_name = true, .build = build };
