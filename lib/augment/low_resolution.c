/* low_resolution: channels as a coarser grid had kept them, with chance p: nearest voxels of the share, then linear between them. One share for
 * all axes but the first of an anisotropic volume, which stays (dummy_2d, see spatial.c).
 * Draws: p; then for each channel its chance and, where it is changed, the share.
 * Source: batchgeneratorsv2 transforms/spatial/low_resolution.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct low_resolution { double p, p_channel; double scale_min, scale_max; int dummy_2d; };

static const gv_field fields[] = {
    GV_F64(struct low_resolution, p, 0.25, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct low_resolution, p_channel, 0.5, 0, 1, "probability", "chance of each channel then"),
    GV_F64(struct low_resolution, scale_min, 0.5, 0.01, 1, "fraction", "smallest share of the voxels along an axis"),
    GV_F64(struct low_resolution, scale_max, 1, 0.01, 1, "fraction", "largest"),
    GV_ENUM(struct low_resolution, dummy_2d, GV_DUMMY_2D_NEVER, gv_dummy_2d_names, "leave the first of three axes alone"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct low_resolution *o = params;
    double share = gv_rng_range(rng, o->scale_min, o->scale_max), scale[GV_VOLUME_AXES] = { share, share, share };
    if (v->axes < 3 || gv_dummy_2d(o->dummy_2d, v->axes, v->n))
        scale[0] = 1;
    if (v->axes < 2)
        scale[1] = 1;
    return gv_volume_low_resolution(v, scale, scratch, err);
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct low_resolution *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_low_resolution = {
    .name = "low_resolution", .summary = "lower the resolution of channels and restore the size",
    .fields = fields, .params_size = sizeof(struct low_resolution), .apply = apply,
};
