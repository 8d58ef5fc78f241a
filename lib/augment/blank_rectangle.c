/* blank_rectangle: boxes of channels become their mean, with chance p. A side of n voxels gives boxes of max(1, n/10) … n/3 - 1.
 * Draws: p; then for each channel its chance and, where it is changed, how many boxes; for each box its sides, then its place, an axis at a time.
 * Source: batchgeneratorsv2 transforms/noise/blank_rectangle.py with the numbers of nnU-Net's DA5 (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct blank_rectangle { double p, p_channel; int64_t count_min, count_max; };

static const gv_field fields[] = {
    GV_F64(struct blank_rectangle, p, 0.4, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct blank_rectangle, p_channel, 0.5, 0, 1, "probability", "chance of each channel then"),
    GV_I64(struct blank_rectangle, count_min, 1, 0, 1000, "", "fewest boxes of a channel"),
    GV_I64(struct blank_rectangle, count_max, 4, 0, 1000, "", "most boxes"),
    GV_END
};

static int change(const void *params, gv_volume *v, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct blank_rectangle *o = params;
    (void)scratch, (void)err;
    int64_t many = o->count_min + (o->count_max > o->count_min ? (int64_t)gv_rng_below(rng, (uint64_t)(o->count_max - o->count_min + 1)) : 0);
    for (; many > 0; many--) {
        int64_t first[GV_VOLUME_AXES] = { 0 }, size[GV_VOLUME_AXES] = { 1, 1, 1 };
        for (int a = GV_VOLUME_AXES - v->axes; a < GV_VOLUME_AXES; a++) {
            int64_t n = v->n[a], least = n / 10 > 1 ? n / 10 : 1, most = n / 3 - 1;
            size[a] = least + (most > least ? (int64_t)gv_rng_below(rng, (uint64_t)(most - least + 1)) : 0);
        }
        for (int a = GV_VOLUME_AXES - v->axes; a < GV_VOLUME_AXES; a++)
            first[a] = (int64_t)gv_rng_below(rng, (uint64_t)(v->n[a] - size[a] + 1));
        gv_volume_blank(v, first, size);
    }
    return GV_OK;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct blank_rectangle *o = params;
    return gv_augment_channels(x, o->p, o->p_channel, change, o, rng, scratch, err);
}

const gv_augment gv_augment_blank_rectangle = {
    .name = "blank_rectangle", .summary = "replace random boxes by their mean",
    .fields = fields, .params_size = sizeof(struct blank_rectangle), .apply = apply,
};
