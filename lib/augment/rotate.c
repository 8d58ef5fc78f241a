/* rotate: turn an image about its centre by an angle drawn from -limit … limit degrees, with chance p; what comes in from
 * outside is the mirrored image.
 * Source: albumentations Rotate (INTER_LINEAR, BORDER_REFLECT), centre (W/2 - 0.5, H/2 - 0.5), as OpenCV computes it. */
#include "augment/augment.h"

struct rotate { double limit, p; };

static const gv_field fields[] = {
    GV_F64(struct rotate, limit, 20, 0, 180, "degree", "largest angle either way"),
    GV_F64(struct rotate, p, 0.3, 0.0, 1.0, "probability", "chance that a sample is turned"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct rotate *o = params;
    if (gv_rng_uniform(rng) >= o->p)
        return GV_OK;
    double degrees = gv_rng_range(rng, -o->limit, o->limit);
    return gv_sample_rotate_linear(x, degrees, GV_BORDER_REFLECT, scratch, err);
}

const gv_augment gv_augment_rotate = {
    .name = "rotate", .summary = "turn by a random angle",
    .fields = fields, .params_size = sizeof(struct rotate), .apply = apply,
};
