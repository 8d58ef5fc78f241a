/* random_short_side: resize so that the shorter side has a random whole length from size to size * growth, the other in proportion.
 * Source: Simonyan & Zisserman 2014, arXiv:1409.1556, section 3.1; 256 to 320 as PyTorchVideo trains. */
#include "augment/augment.h"
#include <math.h>

struct random_short_side { int64_t size; double growth; int interpolation; };

static const gv_field fields[] = {
    GV_I64(struct random_short_side, size, 256, 1, GV_MAX_SIDE, "pixel", "least length of the shorter side"),
    GV_F64(struct random_short_side, growth, 1.25, 1, 16, "ratio", "greatest length over the least"),
    GV_ENUM(struct random_short_side, interpolation, GV_LINEAR, gv_interpolation_names, "linear is OpenCV's, bilinear and bicubic are Pillow's"),
    GV_END
};

static int64_t scaled(int64_t side, int64_t shorter, int64_t to)
{
    double v = rint((double)side * (double)to / (double)shorter);
    return v < 1 ? 1 : v > GV_MAX_SIDE ? GV_MAX_SIDE : (int64_t)v;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct random_short_side *o = params;
    gv_frames f;
    if (gv_sample_frames(x, &f, err) < 0)
        return GV_EDATA;
    int64_t most = (int64_t)((double)o->size * o->growth), shorter = f.h < f.w ? f.h : f.w;
    int64_t to = o->size + (int64_t)gv_rng_below(rng, (uint64_t)(most - o->size + 1));
    return gv_sample_resize(x, scaled(f.h, shorter, to), scaled(f.w, shorter, to), o->interpolation, scratch, err);
}

const gv_augment gv_augment_random_short_side = {
    .name = "random_short_side", .summary = "resize to a random shorter side",
    .fields = fields, .params_size = sizeof(struct random_short_side), .looks = true, .apply = apply,
};
