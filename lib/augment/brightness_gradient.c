/* brightness_gradient: add a wide Gaussian bump, up or down, to channels, with chance p. Its deviation along an axis of n voxels is n/6 … n, uniform
 * in the logarithm; its centre lies from half a side before the volume to half a side behind.
 * Draws: p; then for each channel its chance and, where it is changed, the bump (gv_draw_bump), its sign, its strength.
 * Source: batchgeneratorsv2 transforms/local/brightness_gradient.py with the numbers of nnU-Net's DA5 (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct brightness_gradient { double p, p_channel, strength_min, strength_max; };

static const gv_field fields[] = {
    GV_F64(struct brightness_gradient, p, 0.3, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct brightness_gradient, p_channel, 0.5, 0, 1, "probability", "chance of each channel then"),
    GV_F64(struct brightness_gradient, strength_min, 1, 0, 1000000000.0, "", "smallest height"),
    GV_F64(struct brightness_gradient, strength_max, 5, 0, 1000000000.0, "", "largest height"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct brightness_gradient *o = params;
    gv_bump b;
    gv_draw_bump(v, rng, &b);
    double sign = gv_rng_uniform(rng) < 0.5 ? -1 : 1;
    return gv_volume_add_bump(v, &b, sign * gv_rng_range(rng, o->strength_min, o->strength_max), scratch, err);
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct brightness_gradient *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_brightness_gradient = {
    .name = "brightness_gradient", .summary = "add a wide bump to channels",
    .fields = fields, .params_size = sizeof(struct brightness_gradient), .apply = apply,
};
