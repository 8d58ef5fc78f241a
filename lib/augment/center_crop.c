/* center_crop: keep the square in the middle, offset floor((H - size) / 2); a smaller image is centred on zeros. */
#include "augment/augment.h"

struct center_crop { int64_t size; };

static const gv_field fields[] = {
    GV_I64(struct center_crop, size, 224, 1, GV_MAX_SIDE, "pixel", "both sides of what is kept"),
    GV_END
};

static int64_t offset(int64_t side, int64_t size)
{
    return side >= size ? (side - size) / 2 : -((size - side) / 2);
}

static int crop(const void *params, int64_t h, int64_t w, gv_rng *rng, gv_region *g)
{
    const struct center_crop *o = params;
    (void)rng;
    *g = (gv_region){ .y = offset(h, o->size), .x = offset(w, o->size), .h = o->size, .w = o->size };
    return 1;
}

const gv_augment gv_augment_center_crop = {
    .name = "center_crop", .summary = "keep the square in the middle",
    .fields = fields, .params_size = sizeof(struct center_crop), .crop = crop,
};
