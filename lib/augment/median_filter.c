/* median_filter: the median of a cube around each voxel, with chance p.
 * Draws: p; then for each channel its chance and, where it is changed, the side of the cube.
 * Source: batchgeneratorsv2 transforms/noise/median_filter.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct median_filter { double p, p_channel; int64_t size_min, size_max; };

static const gv_field fields[] = {
    GV_F64(struct median_filter, p, 0.2, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct median_filter, p_channel, 0.5, 0, 1, "probability", "chance of each channel then"),
    GV_I64(struct median_filter, size_min, 2, 1, GV_MAX_MEDIAN, "voxel", "smallest side of the window"),
    GV_I64(struct median_filter, size_max, 7, 1, GV_MAX_MEDIAN, "voxel", "largest side"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct median_filter *o = params;
    int size = (int)o->size_min + (o->size_max > o->size_min ? (int)gv_rng_below(rng, (uint64_t)(o->size_max - o->size_min + 1)) : 0);
    return gv_volume_median(v, size, scratch, err);
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct median_filter *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_median_filter = {
    .name = "median_filter", .summary = "median over a random window",
    .fields = fields, .params_size = sizeof(struct median_filter), .apply = apply,
};
