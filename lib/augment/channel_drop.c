/* channel_drop: set each channel of a series to 0 (its mean, where series are normalised) with chance p; when all would go, one drawn at
 * random stays. Draws: one number a channel, then which one stays where that is needed. */
#include "augment/series.h"

struct channel_drop { double p; };

static const gv_field fields[] = {
    GV_F64(struct channel_drop, p, 0.1, 0, 1, "probability", "chance that a channel is set to 0"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct channel_drop *o = params;
    int r = gv_series_check(x, "channel_drop", err);
    int64_t c = r < 0 ? 0 : x->shape[1], left = 0;
    double *keep = r < 0 ? NULL : gv_arena_alloc(scratch, (size_t)c * sizeof *keep, err);
    if (r < 0 || !keep)
        return r < 0 ? r : GV_ESYS;
    for (int64_t k = 0; k < c; k++)
        left += (keep[k] = gv_rng_uniform(rng) >= o->p) > 0;
    if (!left)
        keep[gv_rng_below(rng, (uint64_t)c)] = 1;
    for (int64_t i = 0; left < c && i < x->shape[0]; i++)
        for (int64_t k = 0; k < c; k++)
            if (keep[k] == 0)
                ((float *)x->data)[i * c + k] = 0;
    return GV_OK;
}

const gv_augment gv_augment_channel_drop = {
    .name = "channel_drop", .summary = "set channels of a series to 0",
    .fields = fields, .params_size = sizeof(struct channel_drop), .apply = apply,
};
