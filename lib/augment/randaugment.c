/* randaugment: two operations with two magnitudes, drawn uniformly from all ordered pairs; each is then applied with
 * chance 1/2. 15 operations, magnitudes 1 to 9.
 * Source: Xie et al. 2019 (UDA), arXiv:1904.12848, and Cubuk et al. 2019, arXiv:1909.13719; arithmetic is Pillow's. */
#include "augment/paint.h"
#include <math.h>

struct randaugment { double p; };

static const gv_field fields[] = {
    GV_F64(struct randaugment, p, 0.5, 0.0, 1.0, "probability", "chance that each of the two operations is applied"),
    GV_END
};

static const uint8_t fill[3] = { 128, 128, 128 };

enum op { INVERT, CUTOUT, SHARPNESS, AUTOCONTRAST, POSTERIZE, SHEAR_X, TRANSLATE_X, TRANSLATE_Y, SHEAR_Y, ROTATE, EQUALIZE,
          CONTRAST, COLOR, SOLARIZE, BRIGHTNESS, OPS };

/* Ten equally spaced values; m is the index. */
static double between(double first, double last, int m)
{
    return m == 9 ? last : m * ((last - first) / 9) + first;
}

static int affine(gv_sample *x, const double m[6], gv_interpolation how, gv_arena *scratch, gv_err *err)
{
    gv_frames f;
    uint8_t paint[GV_MAX_CHANNELS];
    if (gv_sample_frames(x, &f, err) < 0)
        return GV_EDATA;
    gv_paint(fill, f.c, paint);
    return gv_sample_warp_pillow(x, m, how, paint, scratch, err);
}

int gv_randaugment_op(gv_sample *x, int op, int magnitude, double sign, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    gv_frames f;
    uint8_t paint[GV_MAX_CHANNELS];
    if (gv_sample_frames(x, &f, err) < 0)
        return GV_EDATA;
    double shear = between(0, 0.3, magnitude) * sign, shift = between(0, 150.0 / 331, magnitude), degrees = between(0, 30, magnitude);
    float factor = (float)(1 + between(0, 0.9, magnitude) * sign);
    switch (op) {
    case INVERT: return gv_colour_invert(x, err);
    case CUTOUT: return gv_paint_square(x, (int64_t)rint(between(0, 20, magnitude)), rng, err);
    case SHARPNESS: return gv_colour_sharpness(x, factor, scratch, err);
    case AUTOCONTRAST: return gv_colour_autocontrast(x, err);
    case POSTERIZE: return gv_colour_posterize(x, (int)rint(between(8, 4, magnitude)), err);
    case SHEAR_X: return affine(x, (double[6]){ 1, shear, 0, 0, 1, 0 }, GV_BICUBIC, scratch, err);
    case SHEAR_Y: return affine(x, (double[6]){ 1, 0, 0, shear, 1, 0 }, GV_BICUBIC, scratch, err);
    case TRANSLATE_X: return affine(x, (double[6]){ 1, 0, shift * (double)f.w * sign, 0, 1, 0 }, GV_NEAREST, scratch, err);
    case TRANSLATE_Y: return affine(x, (double[6]){ 1, 0, 0, 0, 1, shift * (double)f.h * sign }, GV_NEAREST, scratch, err);
    case ROTATE:
        gv_paint(fill, f.c, paint);
        return gv_sample_rotate_pillow(x, degrees, paint, scratch, err);
    case EQUALIZE: return gv_colour_equalize(x, err);
    case CONTRAST: return gv_colour_contrast(x, factor, err);
    case COLOR: return gv_colour_saturation(x, factor, err);
    case SOLARIZE: return gv_colour_solarize(x, (int)ceil(between(256, 0, magnitude)), err);
    case BRIGHTNESS: return gv_colour_brightness(x, factor, err);
    }
    return gv_fail(err, GV_EINTERNAL, "there is no operation %d", op);
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct randaugment *o = params;
    struct { int op, magnitude; double sign; bool on; } plan[2];
    for (int i = 0; i < 2; i++) { /* both are drawn before either is applied: cutting out draws more */
        plan[i].op = (int)gv_rng_below(rng, OPS);
        plan[i].magnitude = 1 + (int)gv_rng_below(rng, 9);
        plan[i].sign = gv_rng_uniform(rng) < 0.5 ? -1 : 1;
        plan[i].on = gv_rng_uniform(rng) < o->p;
    }
    for (int i = 0; i < 2; i++) {
        int r = plan[i].on ? gv_randaugment_op(x, plan[i].op, plan[i].magnitude, plan[i].sign, rng, scratch, err) : GV_OK;
        if (r < 0)
            return r;
    }
    return GV_OK;
}

const gv_augment gv_augment_randaugment = {
    .name = "randaugment", .summary = "two random operations of fifteen",
    .fields = fields, .params_size = sizeof(struct randaugment), .apply = apply,
};
