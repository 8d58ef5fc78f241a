/* cutout: paint a square with its centre anywhere in the image, clipped to the image, in the mean colour of ImageNet.
 * Source: DeVries & Taylor 2017, arXiv:1708.04552; the colour is that of Cubuk et al.'s AutoAugment. */
#include "augment/paint.h"

struct cutout { int64_t size; };

static const gv_field fields[] = {
    GV_I64(struct cutout, size, 16, 0, GV_MAX_SIDE, "pixel", "side of the square"),
    GV_END
};

int gv_paint_square(gv_sample *x, int64_t size, gv_rng *rng, gv_err *err)
{
    static const uint8_t colour[3] = { 125, 122, 113 };
    gv_frames f;
    if (gv_sample_frames(x, &f, err) < 0)
        return GV_EDATA;
    double cx = (double)f.w * gv_rng_uniform(rng), cy = (double)f.h * gv_rng_uniform(rng), half = (double)size / 2;
    gv_region g = { .y = (int64_t)(cy > half ? cy - half : 0), .x = (int64_t)(cx > half ? cx - half : 0), .h = size, .w = size };
    uint8_t paint[GV_MAX_CHANNELS];
    gv_paint(colour, f.c, paint);
    return gv_sample_fill(x, &g, paint, err);
}

void gv_paint(const uint8_t rgb[3], int64_t channels, uint8_t *out)
{
    uint8_t grey = (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 32768u) >> 16);
    for (int64_t i = 0; i < channels; i++)
        out[i] = channels == 3 ? rgb[i] : grey;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct cutout *o = params;
    (void)scratch;
    return o->size ? gv_paint_square(x, o->size, rng, err) : GV_OK;
}

const gv_augment gv_augment_cutout = {
    .name = "cutout", .summary = "paint over a random square",
    .fields = fields, .params_size = sizeof(struct cutout), .apply = apply,
};
