/* smallest_max_size: resize so that the shorter side has the given length, the other in proportion, rounded half to even.
 * Source: albumentations SmallestMaxSize. */
#include "augment/augment.h"
#include <math.h>

struct smallest_max_size { int64_t size; int interpolation; };

static const gv_field fields[] = {
    GV_I64(struct smallest_max_size, size, 256, 1, GV_MAX_SIDE, "pixel", "length of the shorter side"),
    GV_ENUM(struct smallest_max_size, interpolation, GV_LINEAR, gv_interpolation_names, "linear is OpenCV's, bilinear and bicubic are Pillow's"),
    GV_END
};

static int64_t scaled(int64_t side, double scale)
{
    double v = rint((double)side * scale);
    return v < 1 ? 1 : v > GV_MAX_SIDE ? GV_MAX_SIDE : (int64_t)v;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct smallest_max_size *o = params;
    gv_frames f;
    (void)rng;
    if (gv_sample_frames(x, &f, err) < 0)
        return GV_EDATA;
    double scale = (double)o->size / (double)(f.h < f.w ? f.h : f.w);
    return gv_sample_resize(x, scaled(f.h, scale), scaled(f.w, scale), o->interpolation, scratch, err);
}

const gv_augment gv_augment_smallest_max_size = {
    .name = "smallest_max_size", .summary = "resize to a given shorter side",
    .fields = fields, .params_size = sizeof(struct smallest_max_size), .looks = true, .apply = apply,
};
