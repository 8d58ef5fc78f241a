/* rot90: turn a sample by a quarter, a half, three quarters or not at all in the plane of two of its equal axes, with chance p. Equal axes are
 * those with the side that most axes share (all of a cube); without two of them nothing is done.
 * Draws: p, the quarters (0 … 3), the first and the second axis among the equal ones.
 * Source: batchgeneratorsv2 transforms/spatial/rot90.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct rot90 { double p; };

static const gv_field fields[] = {
    GV_F64(struct rot90, p, 0.5, 0, 1, "probability", "chance that a sample is changed"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct rot90 *o = params;
    int equal[GV_MAX_DIMS], order[GV_MAX_DIMS], n = gv_equal_axes(x, equal);
    bool flip[GV_MAX_DIMS] = { false };
    if (gv_rng_uniform(rng) >= o->p || n < 2)
        return GV_OK;
    int quarters = (int)gv_rng_below(rng, 4), i = (int)gv_rng_below(rng, (uint64_t)n), j = (int)gv_rng_below(rng, (uint64_t)n - 1);
    j += j >= i;
    int a = equal[i < j ? i : j], b = equal[i < j ? j : i];
    gv_quarter_turns(x->ndim - 1, quarters, a, b, order, flip);
    return quarters ? gv_sample_reorder(x, order, flip, scratch, err) : GV_OK;
}

const gv_augment gv_augment_rot90 = {
    .name = "rot90", .summary = "turn by quarters",
    .fields = fields, .params_size = sizeof(struct rot90), .apply = apply,
};
