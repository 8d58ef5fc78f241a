/* blur: blur channels by a Gaussian, with chance p; sigmas in voxels, drawn for every axis or once for all.
 * Draws: p; then for each channel its chance and, where it is changed, a sigma an axis or one.
 * Source: batchgeneratorsv2 transforms/noise/gaussian_blur.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct blur { double p, p_channel; double sigma_min, sigma_max; bool same_axes; };

static const gv_field fields[] = {
    GV_F64(struct blur, p, 0.2, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct blur, p_channel, 0.5, 0, 1, "probability", "chance of each channel then"),
    GV_F64(struct blur, sigma_min, 0.5, 0, 40, "voxel", "smallest deviation"),
    GV_F64(struct blur, sigma_max, 1, 0, 40, "voxel", "largest deviation"),
    GV_BOOL(struct blur, same_axes, false, "one deviation for all axes"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct blur *o = params;
    double sigma[GV_VOLUME_AXES];
    for (int a = 0; a < GV_VOLUME_AXES; a++)
        sigma[a] = a < GV_VOLUME_AXES - v->axes ? 0 : o->same_axes && a > GV_VOLUME_AXES - v->axes ? sigma[a - 1] : gv_rng_range(rng, o->sigma_min, o->sigma_max);
    return gv_volume_blur(v, sigma, scratch, err);
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct blur *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_blur = {
    .name = "blur", .summary = "blur channels by a random Gaussian",
    .fields = fields, .params_size = sizeof(struct blur), .apply = apply,
};
