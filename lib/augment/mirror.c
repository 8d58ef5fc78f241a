/* mirror: mirror a sample along each of its spatial axes, each with chance p.
 * Draws: one an axis, from the first.
 * Source: batchgeneratorsv2 transforms/spatial/mirroring.py (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct mirror { double p; };

static const gv_field fields[] = {
    GV_F64(struct mirror, p, 0.5, 0, 1, "probability", "chance of each axis"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct mirror *o = params;
    bool flip[GV_MAX_DIMS], any = false;
    int order[GV_MAX_DIMS];
    for (int a = 0; a < x->ndim - 1; a++) {
        flip[a] = gv_rng_uniform(rng) < o->p;
        any = any || flip[a];
        order[a] = a;
    }
    return any ? gv_sample_reorder(x, order, flip, scratch, err) : GV_OK;
}

const gv_augment gv_augment_mirror = {
    .name = "mirror", .summary = "mirror along each axis",
    .fields = fields, .params_size = sizeof(struct mirror), .apply = apply,
};
