/*
 * mil_max: the baseline that believes one instance: each gets logits of its own, and those of the top instance are the bag's.
 * x [N,L,D], mask [N,L] -> [N,classes]. With two classes the top instance has the highest probability of class 1 (in screening the positive
 * one), with more the highest of any class, as CLAM's `mil` has it; for labels and numbers each output is its maximum over the instances.
 * trained: fc.0 [hidden,D], classifier [classes,hidden], with biases; without a hidden layer the classifier alone.
 * Source: Campanella et al. 2019, doi:10.1038/s41591-019-0508-1; Lu et al. 2021, arXiv:2004.09666 (the baseline `mil`).
 */
#include "nn/heads/heads.h"
#include "nn/layers/layers.h"

struct mil { int64_t out_dim; double dropout; int64_t hidden; }; /* the first two are those of gv_head_options */
_Static_assert(offsetof(struct mil, hidden) == sizeof(gv_head_options), "what all heads have comes first");

static const gv_field fields[] = {
    GV_F64(struct mil, dropout, 0.25, 0, GV_BELOW_1, "probability", "dropout after the projection"),
    GV_I64(struct mil, hidden, 512, 0, 1 << 20, "", "width of the projection; 0: none"),
    GV_END
};

/* The top instance's logits [N,1,K]. */
static gv_val top(gv_graph *g, gv_val z, gv_val bar)
{
    int64_t n = gv_dim(g, z, 0), l = gv_dim(g, z, 1), k = gv_dim(g, z, 2);
    gv_val p = gv_softmax(g, gv_detach(g, z)), score;
    if (k == 2)
        score = gv_reshape(g, gv_slice(g, p, 2, 1, 1), (int64_t[]){ n, l }, 2);
    else
        score = gv_reduce(g, GV_MAX, p, 1u << 2, false, GV_CLASS_REAL);
    return gv_gather(g, z, gv_topk(g, bar == GV_NO_VAL ? score : gv_add(g, score, bar), 1));
}

static gv_val build(gv_graph *g, const gv_head_in *in, const gv_head_options *options)
{
    const struct mil *o = (const struct mil *)options;
    gv_val x = in->x;
    if (o->hidden)
        x = gv_relu(g, gv_linear(g, x, "fc.0", .out = o->hidden, .bias = true)); /* [N,L,hidden] */
    if (o->hidden && o->dropout > 0)
        x = gv_dropout(g, x, o->dropout, false);
    gv_val z = gv_linear(g, x, "classifier", .out = o->out_dim, .bias = true); /* [N,L,K] */
    gv_val bar = in->mask == GV_NO_VAL ? GV_NO_VAL : gv_affine(g, in->mask, 1e9, -1e9);
    if (in->one_class && o->out_dim > 1)
        return gv_reshape(g, top(g, z, bar), (int64_t[]){ gv_dim(g, z, 0), o->out_dim }, 2);
    if (bar != GV_NO_VAL)
        z = gv_add(g, z, gv_reshape(g, bar, (int64_t[]){ gv_dim(g, z, 0), gv_dim(g, z, 1), 1 }, 3));
    return gv_reduce(g, GV_MAX, z, 2, false, GV_CLASS_REAL);
}

const gv_variant gv_head_variant_mil_max = {
    .name = "mil_max", .class_name = "MilMaxHeadConfig", .summary = "the logits of a bag's top instance",
    .fields = fields, .params_size = sizeof(struct mil), .built = true,
};
const gv_head gv_head_mil_max = { .variant = &gv_head_variant_mil_max, .takes = GV_HEAD_BAG, .own_name = true, .build = build };
