/* resize: to a square of the given side, whatever the proportions were. */
#include "augment/augment.h"

struct resize { int64_t size; int interpolation; };

static const gv_field fields[] = {
    GV_I64(struct resize, size, 224, 1, GV_MAX_SIDE, "pixel", "both sides"),
    GV_ENUM(struct resize, interpolation, GV_BILINEAR, gv_interpolation_names, "linear is OpenCV's, bilinear and bicubic are Pillow's"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct resize *o = params;
    (void)rng;
    return gv_sample_resize(x, o->size, o->size, o->interpolation, scratch, err);
}

const gv_augment gv_augment_resize = {
    .name = "resize", .summary = "resize to a square",
    .fields = fields, .params_size = sizeof(struct resize), .looks = true, .apply = apply,
};
