/* gamma: channels scaled to 0 … 1, to the power of a random exponent, and back, with chance p; turned over first (and back) where inverted.
 * Mean and deviation are restored where they are to be retained.
 * Draws: p; then for each channel its chance and, where it is changed, the exponent (two numbers, gv_rng_balanced).
 * Source: batchgeneratorsv2 transforms/intensity/gamma.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct gamma { double p, p_channel; double gamma_min, gamma_max; bool invert, retain_stats; };

static const gv_field fields[] = {
    GV_F64(struct gamma, p, 0.3, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct gamma, p_channel, 1, 0, 1, "probability", "chance of each channel then"),
    GV_F64(struct gamma, gamma_min, 0.7, 0.001, 100, "", "smallest exponent"),
    GV_F64(struct gamma, gamma_max, 1.5, 0.001, 100, "", "largest exponent"),
    GV_BOOL(struct gamma, invert, false, "of the negative"),
    GV_BOOL(struct gamma, retain_stats, true, "keep mean and deviation"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct gamma *o = params;
    (void)scratch, (void)err;
    gv_volume_gamma(v, gv_rng_balanced(rng, o->gamma_min, o->gamma_max), o->invert, o->retain_stats);
    return GV_OK;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct gamma *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_gamma = {
    .name = "gamma", .summary = "bend the values of channels by a power",
    .fields = fields, .params_size = sizeof(struct gamma), .apply = apply,
};
