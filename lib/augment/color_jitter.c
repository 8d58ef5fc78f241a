/* color_jitter: brightness, contrast and saturation by factors within 1 - v … 1 + v, hue by a shift within -v … v of a whole turn, in
 * random order, with chance p. Images of 1 channel keep their (missing) saturation and hue.
 * Draws: p, brightness, contrast, saturation, hue, the order.
 * Source: albumentations ColorJitter; the arithmetic is OpenCV's (lib/sample/colour_opencv.c). */
#include "augment/albumentations.h"

struct color_jitter { double brightness, contrast, saturation, hue, p; };

static const gv_field fields[] = {
    GV_F64(struct color_jitter, brightness, 0.2, 0, 10, "", "largest change of the factor from 1"),
    GV_F64(struct color_jitter, contrast, 0.2, 0, 10, "", "largest change of the factor from 1"),
    GV_F64(struct color_jitter, saturation, 0.2, 0, 10, "", "largest change of the factor from 1"),
    GV_F64(struct color_jitter, hue, 0.03, 0, 0.5, "turn", "largest shift either way"),
    GV_F64(struct color_jitter, p, 0.6, 0, 1, "probability", "chance that a sample is changed"),
    GV_END
};

int gv_color_jitter(gv_sample *x, const double factor[4], const int64_t order[4], gv_err *err)
{
    static int (*const change[4])(gv_sample *, double, gv_err *) = { gv_opencv_brightness, gv_opencv_contrast, gv_opencv_saturation, gv_opencv_hue };
    int r = GV_OK;
    for (int i = 0; i < 4 && r == GV_OK; i++)
        r = change[order[i]](x, factor[order[i]], err);
    return r;
}

static double around_1(gv_rng *rng, double v)
{
    return gv_rng_range(rng, v > 1 ? 0 : 1 - v, 1 + v);
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct color_jitter *o = params;
    (void)scratch;
    /* A factor of 1 checks the sample alone: what cannot be changed is an error at any chance, not now and then. */
    int r = gv_opencv_brightness(x, 1, err);
    if (r < 0 || gv_rng_uniform(rng) >= o->p)
        return r;
    double factor[4];
    int64_t order[4];
    factor[0] = around_1(rng, o->brightness);
    factor[1] = around_1(rng, o->contrast);
    factor[2] = around_1(rng, o->saturation);
    factor[3] = gv_rng_range(rng, -o->hue, o->hue);
    gv_rng_permutation(rng, order, 4);
    return gv_color_jitter(x, factor, order, err);
}

const gv_augment gv_augment_color_jitter = {
    .name = "color_jitter", .summary = "change brightness, contrast, saturation and hue",
    .fields = fields, .params_size = sizeof(struct color_jitter), .apply = apply,
};
