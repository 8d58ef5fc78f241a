/* hflip: mirror a sample along its last spatial axis with chance p (an image left to right).
 * Source: He et al. 2015, arXiv:1512.03385, section 3.4. */
#include "augment/augment.h"

struct hflip { double p; };

static const gv_field fields[] = {
    GV_F64(struct hflip, p, 0.5, 0.0, 1.0, "probability", "chance that a sample is mirrored"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct hflip *o = params;
    (void)scratch;
    if (gv_rng_uniform(rng) >= o->p)
        return GV_OK;
    return gv_sample_flip(x, x->ndim - 2, err);
}

const gv_augment gv_augment_hflip = {
    .name = "hflip", .summary = "mirror left to right",
    .fields = fields, .params_size = sizeof(struct hflip), .apply = apply,
};
