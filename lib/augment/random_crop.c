/* random_crop: keep a square at a random place of the image with `padding` zeros around it. An image that is smaller still
 * is centred on zeros.
 * Source: torchvision RandomCrop, albumentations RandomCrop: offset int((H + 2 padding - size + 1) u). */
#include "augment/augment.h"

struct random_crop { int64_t size, padding; };

static const gv_field fields[] = {
    GV_I64(struct random_crop, size, 224, 1, GV_MAX_SIDE, "pixel", "both sides of what is kept"),
    GV_I64(struct random_crop, padding, 0, 0, GV_MAX_SIDE, "pixel", "zeros put around the image first"),
    GV_END
};

static int64_t offset(int64_t side, const struct random_crop *o, gv_rng *rng)
{
    int64_t room = side + 2 * o->padding - o->size;
    double u = gv_rng_uniform(rng);
    return (room < 0 ? room / 2 : (int64_t)((double)(room + 1) * u)) - o->padding;
}

static int crop(const void *params, int64_t h, int64_t w, gv_rng *rng, gv_region *g)
{
    const struct random_crop *o = params;
    g->h = g->w = o->size;
    g->y = offset(h, o, rng);
    g->x = offset(w, o, rng);
    return 1;
}

const gv_augment gv_augment_random_crop = {
    .name = "random_crop", .summary = "keep a square at a random place",
    .fields = fields, .params_size = sizeof(struct random_crop), .crop = crop,
};
