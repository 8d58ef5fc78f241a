/* window_warp: stretch or shrink a part of a series at a random place, with chance p, and bring the whole to its length again. The part has
 * ceil(ratio T) points and becomes `shrink` or `stretch` times as long, one as likely as the other. Draws: p, which of them, the place.
 * Source: Le Guennec et al. 2016, section 3; Iwana & Uchida 2021, arXiv:2007.15951, section 4.2.4. */
#include "augment/series.h"

struct window_warp { double ratio, shrink, stretch, p; };

static const gv_field fields[] = {
    GV_F64(struct window_warp, ratio, 0.1, GV_ABOVE_0, 1, "fraction", "how much of the series is warped"),
    GV_F64(struct window_warp, shrink, 0.5, GV_ABOVE_0, 100, "", "one of the factors"),
    GV_F64(struct window_warp, stretch, 2, GV_ABOVE_0, 100, "", "the other"),
    GV_F64(struct window_warp, p, 0.3, 0, 1, "probability", "chance that a series is changed"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct window_warp *o = params;
    int r = gv_series_check(x, "window_warp", err);
    if (r < 0 || gv_rng_uniform(rng) >= o->p)
        return r;
    int64_t t = x->shape[0], n = (int64_t)ceil(o->ratio * (double)t);
    double scale = gv_rng_uniform(rng) < 0.5 ? o->shrink : o->stretch;
    return gv_series_window_warp(x, (int64_t)gv_rng_below(rng, (uint64_t)(t - n + 1)), n, scale, scratch, err);
}

const gv_augment gv_augment_window_warp = {
    .name = "window_warp", .summary = "stretch or shrink a part of a series",
    .fields = fields, .params_size = sizeof(struct window_warp), .apply = apply,
};
