/* gaussian_blur: a Gaussian of random deviation, cut to a random odd size, with chance p; outside the image it is mirrored about its edge
 * pixels. Sizes are drawn from all whole numbers of the range and even ones then grow by 1, so 3 … 5 gives 5 twice as often as 3.
 * Draws: p, the deviation, the size.
 * Source: albumentations GaussianBlur; the arithmetic is OpenCV's sepFilter2D (lib/sample/blur.c). */
#include "augment/albumentations.h"
#include <math.h>

struct gaussian_blur { int64_t size_min, size_max; double sigma_min, sigma_max, p; };

static const gv_field fields[] = {
    GV_I64(struct gaussian_blur, size_min, 3, 1, 2 * GV_MAX_BLUR + 1, "pixel", "smallest side of the kernel"),
    GV_I64(struct gaussian_blur, size_max, 5, 1, 2 * GV_MAX_BLUR + 1, "pixel", "largest side of the kernel"),
    GV_F64(struct gaussian_blur, sigma_min, 0.5, 0.05, 100, "pixel", "smallest deviation"),
    GV_F64(struct gaussian_blur, sigma_max, 3, 0.05, 100, "pixel", "largest deviation"),
    GV_F64(struct gaussian_blur, p, 0.15, 0, 1, "probability", "chance that a sample is blurred"),
    GV_END
};

void gv_gaussian_kernel(double sigma, int size, float *weight)
{
    double v[2 * GV_MAX_BLUR + 1], sum = 0;
    for (int i = 0; i < size; i++) {
        double x = (i - size / 2) / sigma;
        v[i] = exp(-0.5 * (x * x));
        sum += v[i];
    }
    for (int i = 0; i < size; i++)
        weight[i] = (float)(v[i] / sum);
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct gaussian_blur *o = params;
    float weight[2 * GV_MAX_BLUR + 1];
    int r = gv_sample_bytes_or_floats(x, "blurring", err);
    if (r < 0)
        return r;
    if (o->size_min > o->size_max || o->sigma_min > o->sigma_max)
        return gv_fail(err, GV_EUSAGE, "the smallest size or deviation of a blur is above the largest");
    if (gv_rng_uniform(rng) >= o->p)
        return GV_OK;
    double sigma = gv_rng_range(rng, o->sigma_min, o->sigma_max);
    int size = (int)o->size_min + (int)gv_rng_below(rng, (uint64_t)(o->size_max - o->size_min + 1));
    size |= 1;
    gv_gaussian_kernel(sigma, size, weight);
    return gv_opencv_blur(x, weight, size, scratch, err);
}

const gv_augment gv_augment_gaussian_blur = {
    .name = "gaussian_blur", .summary = "blur by a random Gaussian",
    .fields = fields, .params_size = sizeof(struct gaussian_blur), .apply = apply,
};
