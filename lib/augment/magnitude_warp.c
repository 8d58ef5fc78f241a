/* magnitude_warp: multiply each channel of a series by a smooth curve about 1, with chance p: a cubic spline through knots + 2 normal
 * numbers spread evenly over the series. Draws: p, then those numbers, channel after channel.
 * Source: Um et al. 2017, arXiv:1706.00527, section 4; Iwana & Uchida 2021, arXiv:2007.15951, section 4.1.4. */
#include "augment/series.h"

struct magnitude_warp { double std; int64_t knots; double p; };

static const gv_field fields[] = {
    GV_F64(struct magnitude_warp, std, 0.2, 0, 1e6, "", "deviation of the curve about 1 at its knots"),
    GV_I64(struct magnitude_warp, knots, 4, 0, GV_SERIES_KNOTS, "", "knots of the curve between the two ends"),
    GV_F64(struct magnitude_warp, p, 0.3, 0, 1, "probability", "chance that a series is changed"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct magnitude_warp *o = params;
    int r = gv_series_check(x, "magnitude_warp", err);
    if (r < 0 || gv_rng_uniform(rng) >= o->p)
        return r;
    int64_t t = x->shape[0], c = x->shape[1];
    double *curve = gv_arena_alloc(scratch, (size_t)(t * c) * sizeof *curve, err);
    if (!curve)
        return GV_ESYS;
    for (int64_t k = 0; k < c; k++)
        gv_series_curve(rng, o->std, o->knots, curve + k * t, t);
    gv_series_scale(x, curve, true);
    return GV_OK;
}

const gv_augment gv_augment_magnitude_warp = {
    .name = "magnitude_warp", .summary = "multiply a series by a smooth curve",
    .fields = fields, .params_size = sizeof(struct magnitude_warp), .apply = apply,
};
