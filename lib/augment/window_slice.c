/* window_slice: keep a part of a series at a random place and stretch it to the whole, with chance p. The part has ceil(ratio T) points.
 * Draws: p, the place. Source: Le Guennec et al. 2016, "Data augmentation for time series classification using convolutional neural
 * networks", section 3; Iwana & Uchida 2021, arXiv:2007.15951, section 4.2.2. */
#include "augment/series.h"

struct window_slice { double ratio, p; };

static const gv_field fields[] = {
    GV_F64(struct window_slice, ratio, 0.9, GV_ABOVE_0, 1, "fraction", "how much of the series is kept"),
    GV_F64(struct window_slice, p, 0.3, 0, 1, "probability", "chance that a series is changed"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct window_slice *o = params;
    int r = gv_series_check(x, "window_slice", err);
    if (r < 0 || gv_rng_uniform(rng) >= o->p)
        return r;
    int64_t t = x->shape[0], n = (int64_t)ceil(o->ratio * (double)t);
    return gv_series_slice(x, (int64_t)gv_rng_below(rng, (uint64_t)(t - n + 1)), n, scratch, err);
}

const gv_augment gv_augment_window_slice = {
    .name = "window_slice", .summary = "stretch a part of a series to the whole",
    .fields = fields, .params_size = sizeof(struct window_slice), .apply = apply,
};
