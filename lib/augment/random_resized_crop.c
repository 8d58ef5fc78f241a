/* random_resized_crop: keep a part of random area and proportions at a random place, and resize it to a square.
 *
 * Ten tries: an area of scale[0] … scale[1] of the image and a proportion (width over height) of ratio[0] … ratio[1],
 * uniform in its logarithm; the first that fits is placed uniformly. If none fits, the largest central part whose
 * proportion is within the bounds. The part is cut out before it is resized, so no pixel outside it counts.
 * Source: Szegedy et al. 2014, arXiv:1409.4842, section 6; torchvision's and albumentations' RandomResizedCrop. */
#include "augment/random_resized_crop.h"
#include <math.h>

static const gv_field fields[] = {
    GV_I64(gv_random_resized_crop, size, 224, 1, GV_MAX_SIDE, "pixel", "both sides of what comes out"),
    GV_F64(gv_random_resized_crop, scale_min, 0.08, 0, 1, "fraction", "smallest area kept, of the image's"),
    GV_F64(gv_random_resized_crop, scale_max, 1, 0, 1, "fraction", "largest area kept"),
    GV_F64(gv_random_resized_crop, ratio_min, 3.0 / 4, 0.01, 100, "ratio", "smallest width over height"),
    GV_F64(gv_random_resized_crop, ratio_max, 4.0 / 3, 0.01, 100, "ratio", "largest width over height"),
    GV_ENUM(gv_random_resized_crop, interpolation, GV_BILINEAR, gv_interpolation_names, "linear is OpenCV's, bilinear and bicubic are Pillow's"),
    GV_END
};

static double between(double lo, double hi, double u)
{
    return lo + (hi - lo) * u;
}

/* 0 … n-1. */
static int64_t place(int64_t n, double u)
{
    int64_t i = (int64_t)((double)n * u);
    return i < n ? i : n - 1;
}

static int64_t at_least_one(double v)
{
    return v < 1 ? 1 : (int64_t)v;
}

static void centre(const gv_random_resized_crop *o, int64_t h, int64_t w, gv_region *g)
{
    double shape = (double)w / (double)h;
    g->h = h;
    g->w = w;
    if (shape < o->ratio_min)
        g->h = at_least_one(rint((double)w / o->ratio_min));
    else if (shape > o->ratio_max)
        g->w = at_least_one(rint((double)h * o->ratio_max));
    g->y = (h - g->h) / 2;
    g->x = (w - g->w) / 2;
}

void gv_random_resized_crop_place(const gv_random_resized_crop *o, int64_t h, int64_t w, double (*uniform)(void *), void *arg, gv_region *g)
{
    double lo = log(o->ratio_min), hi = log(o->ratio_max), all = (double)h * (double)w;
    for (int i = 0; i < 10; i++) {
        double area = all * between(o->scale_min, o->scale_max, uniform(arg)), shape = exp(between(lo, hi, uniform(arg)));
        double wide = rint(sqrt(area * shape)), high = rint(sqrt(area / shape));
        if (wide >= 1 && high >= 1 && wide <= (double)w && high <= (double)h) {
            g->h = (int64_t)high;
            g->w = (int64_t)wide;
            g->y = place(h - g->h + 1, uniform(arg));
            g->x = place(w - g->w + 1, uniform(arg));
            return;
        }
    }
    centre(o, h, w, g);
}

static double draw(void *rng)
{
    return gv_rng_uniform(rng);
}

static int crop(const void *params, int64_t h, int64_t w, gv_rng *rng, gv_region *g)
{
    gv_random_resized_crop_place(params, h, w, draw, rng, g);
    return 1;
}

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const gv_random_resized_crop *o = params;
    (void)rng;
    return gv_sample_resize(x, o->size, o->size, (gv_interpolation)o->interpolation, scratch, err);
}

const gv_augment gv_augment_random_resized_crop = {
    .name = "random_resized_crop", .summary = "keep a part of random area and proportions, resized",
    .fields = fields, .params_size = sizeof(gv_random_resized_crop), .crop = crop, .looks = true, .apply = apply,
};
