/* vflip: mirror a sample along its last but one spatial axis with chance p (an image upside down). */
#include "augment/augment.h"

struct vflip { double p; };

static const gv_field fields[] = {
    GV_F64(struct vflip, p, 0.5, 0.0, 1.0, "probability", "chance that a sample is mirrored"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct vflip *o = params;
    (void)scratch;
    if (gv_rng_uniform(rng) >= o->p)
        return GV_OK;
    return gv_sample_flip(x, x->ndim - 3, err);
}

const gv_augment gv_augment_vflip = {
    .name = "vflip", .summary = "mirror top to bottom",
    .fields = fields, .params_size = sizeof(struct vflip), .apply = apply,
};
