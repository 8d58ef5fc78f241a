/* gauss_noise: add a normal number of one random deviation to every pixel and channel, with chance p. 8 bits: the noise is truncated to
 * whole numbers before it is added. float32: the result is cut to 0 … 1. The images of a stack share their noise.
 * Draws: p, the deviation, then the normals, each image of a stack from the same place.
 * Source: albumentations GaussNoise (per channel, mean 0). */
#include "augment/albumentations.h"

struct gauss_noise { double std_min, std_max, p; };

static const gv_field fields[] = {
    GV_F64(struct gauss_noise, std_min, 0.01, 0, 1, "fraction", "smallest deviation, of the largest value"),
    GV_F64(struct gauss_noise, std_max, 0.04, 0, 1, "fraction", "largest deviation"),
    GV_F64(struct gauss_noise, p, 0.15, 0, 1, "probability", "chance that noise is added"),
    GV_END
};

void gv_gauss_noise(void *data, gv_dtype dtype, const double *normal, size_t n, double sigma)
{
    double s = (double)(float)sigma;
    uint8_t *p = data;
    float *q = data;
    if (dtype == GV_U8)
        for (size_t i = 0; i < n; i++) {
            int v = p[i] + (int)((float)(normal[i] * s) * 255.0f); /* within 255 times any normal number drawn: no overflow */
            p[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    else
        for (size_t i = 0; i < n; i++) {
            float v = q[i] + (float)(normal[i] * s);
            q[i] = v < 0 ? 0 : v > 1 ? 1 : v;
        }
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct gauss_noise *o = params;
    gv_frames f;
    int r = gv_sample_bytes_or_floats(x, "adding noise", err);
    (void)scratch;
    if (r < 0 || (r = gv_sample_frames(x, &f, err)) < 0)
        return r;
    if (o->std_min > o->std_max)
        return gv_fail(err, GV_EUSAGE, "the smallest deviation of the noise, %g, is above the largest, %g", o->std_min, o->std_max);
    if (gv_rng_uniform(rng) >= o->p)
        return GV_OK;
    double sigma = gv_rng_range(rng, o->std_min, o->std_max), z[GV_RNG_MANY];
    size_t e = gv_dtype_of(x->dtype)->size, n = (size_t)(f.h * f.w * f.c);
    for (int64_t k = 0; k < f.n; k++) {
        gv_rng same = *rng; /* two uniform numbers are one whole call of Philox, so that blocks can follow */
        char *frame = (char *)x->data + (size_t)k * n * e;
        for (size_t at = 0; at < n; at += GV_RNG_MANY) {
            gv_rng_normals(&same, z);
            gv_gauss_noise(frame + at * e, x->dtype, z, n - at < GV_RNG_MANY ? n - at : GV_RNG_MANY, sigma);
        }
    }
    return GV_OK;
}

const gv_augment gv_augment_gauss_noise = {
    .name = "gauss_noise", .summary = "add normal noise",
    .fields = fields, .params_size = sizeof(struct gauss_noise), .apply = apply,
};
