/* noise: add normal noise of one random deviation to all channels, with chance p. (gauss_noise is albumentations' for images.)
 * Draws: p, the deviation, then the normals by the block (gv_rng_normals) in the order of the numbers.
 * Source: batchgeneratorsv2 transforms/intensity/gaussian_noise.py (the number called variance there is the deviation) (3cb4f07) as behaviour. */
#include "augment/volumes.h"

struct noise { double p, sigma_min, sigma_max; };

static const gv_field fields[] = {
    GV_F64(struct noise, p, 0.1, 0, 1, "probability", "chance that a sample is changed"),
    GV_F64(struct noise, sigma_min, 0, 0, 1000000000.0, "", "smallest deviation"),
    GV_F64(struct noise, sigma_max, 0.1, 0, 1000000000.0, "", "largest deviation"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct noise *o = params;
    double z[GV_RNG_MANY];
    int r = gv_sample_to_float(x, scratch, err);
    if (gv_rng_uniform(rng) >= o->p)
        return r;
    float sigma = (float)gv_rng_range(rng, o->sigma_min, o->sigma_max);
    int64_t n = r < 0 ? 0 : gv_shape_count(x->shape, x->ndim);
    for (int64_t at = 0; at < n; at += GV_RNG_MANY) { /* two uniform numbers are one whole call of Philox, so that blocks can follow */
        gv_rng_normals(rng, z);
        gv_volume_add_noise((float *)x->data + at, z, n - at < GV_RNG_MANY ? n - at : GV_RNG_MANY, sigma);
    }
    return r;
}

const gv_augment gv_augment_noise = {
    .name = "noise", .summary = "add normal noise to all channels",
    .fields = fields, .params_size = sizeof(struct noise), .apply = apply,
};
