/* local_gamma: bend the values of channels by a power within a wide Gaussian bump (brightness_gradient.c), with chance p; exponents come from a
 * low and a high range with the same chance.
 * Draws: p; then for each channel its chance and, where it is changed, the bump (gv_draw_bump), which range, the exponent.
 * Source: batchgeneratorsv2 transforms/local/local_gamma.py with the numbers of nnU-Net's DA5 (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct local_gamma { double p, p_channel, low_min, low_max, high_min, high_max; };

static const gv_field fields[] = {
    GV_F64(struct local_gamma, p, 0.3, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct local_gamma, p_channel, 0.5, 0, 1, "probability", "chance of each channel then"),
    GV_F64(struct local_gamma, low_min, 0.01, 0.001, 100, "", "smallest exponent of the low range"),
    GV_F64(struct local_gamma, low_max, 0.8, 0.001, 100, "", "its largest"),
    GV_F64(struct local_gamma, high_min, 1.5, 0.001, 100, "", "smallest exponent of the high range"),
    GV_F64(struct local_gamma, high_max, 4, 0.001, 100, "", "its largest"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct local_gamma *o = params;
    gv_bump b;
    gv_draw_bump(v, rng, &b);
    bool low = gv_rng_uniform(rng) < 0.5;
    return gv_volume_local_gamma(v, &b, low ? gv_rng_range(rng, o->low_min, o->low_max) : gv_rng_range(rng, o->high_min, o->high_max), scratch, err);
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct local_gamma *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_local_gamma = {
    .name = "local_gamma", .summary = "bend the values of a part of channels by a power",
    .fields = fields, .params_size = sizeof(struct local_gamma), .apply = apply,
};
