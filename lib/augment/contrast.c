/* contrast: stretch channels about their mean by a random factor, with chance p; cut to the range they had, or not.
 * Draws: p; then for each channel its chance and, where it is changed, the factor (two numbers, gv_rng_balanced).
 * Source: batchgeneratorsv2 transforms/intensity/contrast.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct contrast { double p, p_channel; double factor_min, factor_max; bool preserve_range; };

static const gv_field fields[] = {
    GV_F64(struct contrast, p, 0.15, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct contrast, p_channel, 1, 0, 1, "probability", "chance of each channel then"),
    GV_F64(struct contrast, factor_min, 0.75, 0, 100, "", "smallest factor"),
    GV_F64(struct contrast, factor_max, 1.25, 0, 100, "", "largest factor"),
    GV_BOOL(struct contrast, preserve_range, true, "cut to the range there was"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct contrast *o = params;
    (void)scratch, (void)err;
    gv_volume_contrast(v, gv_rng_balanced(rng, o->factor_min, o->factor_max), o->preserve_range);
    return GV_OK;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct contrast *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_contrast = {
    .name = "contrast", .summary = "stretch channels about their mean",
    .fields = fields, .params_size = sizeof(struct contrast), .apply = apply,
};
