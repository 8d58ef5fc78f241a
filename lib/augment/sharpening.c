/* sharpening: add a share of the Laplacian to channels, with chance p.
 * Draws: p; then for each channel its chance and, where it is changed, the share.
 * Source: batchgeneratorsv2 transforms/noise/sharpen.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct sharpening { double p, p_channel, strength_min, strength_max; };

static const gv_field fields[] = {
    GV_F64(struct sharpening, p, 0.2, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct sharpening, p_channel, 0.5, 0, 1, "probability", "chance of each channel then"),
    GV_F64(struct sharpening, strength_min, 0.1, 0, 100, "", "smallest share"),
    GV_F64(struct sharpening, strength_max, 1, 0, 100, "", "largest share"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct sharpening *o = params;
    return gv_volume_sharpen(v, gv_rng_range(rng, o->strength_min, o->strength_max), scratch, err);
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct sharpening *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_sharpening = {
    .name = "sharpening", .summary = "add a share of the Laplacian",
    .fields = fields, .params_size = sizeof(struct sharpening), .apply = apply,
};
