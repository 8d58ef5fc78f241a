/* brightness_additive: add a normal number to each channel, with chance p.
 * Draws: p; then for each channel its chance and, where it is changed, the number.
 * Source: batchgeneratorsv2 transforms/intensity/brightness.py, BrightnessAdditiveTransform (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct brightness_additive { double p, p_channel, mean, deviation; };

static const gv_field fields[] = {
    GV_F64(struct brightness_additive, p, 0.1, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct brightness_additive, p_channel, 0.5, 0, 1, "probability", "chance of each channel then"),
    GV_F64(struct brightness_additive, mean, 0, -1000000000.0, 1000000000.0, "", "mean of the number"),
    GV_F64(struct brightness_additive, deviation, 0.5, 0, 1000000000.0, "", "its deviation"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct brightness_additive *o = params;
    (void)scratch, (void)err;
    gv_volume_scale_add(v, 1, (float)(o->mean + o->deviation * gv_rng_normal(rng)));
    return GV_OK;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct brightness_additive *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_brightness_additive = {
    .name = "brightness_additive", .summary = "add a random number to channels",
    .fields = fields, .params_size = sizeof(struct brightness_additive), .apply = apply,
};
