/* transpose_axes: put the equal axes of a sample (rot90.c) in a random order, with chance p.
 * Draws: p, then the order (gv_rng_permutation).
 * Source: batchgeneratorsv2 transforms/spatial/transpose.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct transpose_axes { double p; };

static const gv_field fields[] = {
    GV_F64(struct transpose_axes, p, 0.5, 0, 1, "probability", "chance that a sample is changed"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct transpose_axes *o = params;
    int equal[GV_MAX_DIMS], order[GV_MAX_DIMS], n = gv_equal_axes(x, equal);
    bool flip[GV_MAX_DIMS] = { false }, any = false;
    int64_t to[GV_MAX_DIMS];
    if (gv_rng_uniform(rng) >= o->p || n < 2)
        return GV_OK;
    gv_rng_permutation(rng, to, n);
    for (int a = 0; a < x->ndim - 1; a++)
        order[a] = a;
    for (int i = 0; i < n; i++) {
        order[equal[i]] = equal[to[i]];
        any = any || to[i] != i;
    }
    return any ? gv_sample_reorder(x, order, flip, scratch, err) : GV_OK;
}

const gv_augment gv_augment_transpose_axes = {
    .name = "transpose_axes", .summary = "put equal axes in a random order",
    .fields = fields, .params_size = sizeof(struct transpose_axes), .apply = apply,
};
