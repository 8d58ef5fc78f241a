/* brightness: multiply channels by a random factor, with chance p.
 * Draws: p; then for each channel its chance and, where it is changed, the factor (two numbers, gv_rng_balanced).
 * Source: batchgeneratorsv2 transforms/intensity/brightness.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct brightness { double p, p_channel, factor_min, factor_max; };

static const gv_field fields[] = {
    GV_F64(struct brightness, p, 0.15, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct brightness, p_channel, 1, 0, 1, "probability", "chance of each channel then"),
    GV_F64(struct brightness, factor_min, 0.75, 0, 100, "", "smallest factor"),
    GV_F64(struct brightness, factor_max, 1.25, 0, 100, "", "largest factor"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct brightness *o = params;
    (void)scratch, (void)err;
    gv_volume_scale_add(v, (float)gv_rng_balanced(rng, o->factor_min, o->factor_max), 0);
    return GV_OK;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct brightness *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_brightness = {
    .name = "brightness", .summary = "multiply channels by a random factor",
    .fields = fields, .params_size = sizeof(struct brightness), .apply = apply,
};
