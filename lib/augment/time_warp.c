/* time_warp: let time run faster and slower, with chance p. The speed is a cubic spline through knots + 2 normal numbers about 1, at least
 * 0.1 so that time never turns back; all channels are warped alike, since they were measured together. Draws: p, then those numbers.
 * Source: Um et al. 2017, arXiv:1706.00527, section 4 (there each channel by itself, without the lower bound); Iwana & Uchida 2021,
 * arXiv:2007.15951, section 4.2. */
#include "augment/series.h"

struct time_warp { double std; int64_t knots; double p; };

static const gv_field fields[] = {
    GV_F64(struct time_warp, std, 0.2, 0, 10, "", "deviation of the speed about 1 at its knots"),
    GV_I64(struct time_warp, knots, 4, 0, GV_SERIES_KNOTS, "", "knots of the speed between the two ends"),
    GV_F64(struct time_warp, p, 0.3, 0, 1, "probability", "chance that a series is changed"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct time_warp *o = params;
    int r = gv_series_check(x, "time_warp", err);
    if (r < 0 || gv_rng_uniform(rng) >= o->p)
        return r;
    double *speed = gv_arena_alloc(scratch, (size_t)x->shape[0] * sizeof *speed, err);
    if (!speed)
        return GV_ESYS;
    gv_series_curve(rng, o->std, o->knots, speed, x->shape[0]);
    for (int64_t i = 0; i < x->shape[0]; i++)
        speed[i] = speed[i] < 0.1 ? 0.1 : speed[i];
    return gv_series_time_warp(x, speed, scratch, err);
}

const gv_augment gv_augment_time_warp = {
    .name = "time_warp", .summary = "let time run faster and slower",
    .fields = fields, .params_size = sizeof(struct time_warp), .apply = apply,
};
