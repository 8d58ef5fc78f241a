/* crop_series: keep `size` points of a series, at a random place or in the middle; zeros around a shorter one. Size 0 keeps all.
 * Draws: the place, where it is random and there is room. */
#include "augment/series.h"

struct crop_series { int64_t size; bool random; };

static const gv_field fields[] = {
    GV_I64(struct crop_series, size, 0, 0, 1 << 28, "point", "how many are kept; 0: all"),
    GV_BOOL(struct crop_series, random, false, "at a random place"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct crop_series *o = params;
    int r = gv_series_check(x, "crop_series", err);
    int64_t room = r < 0 ? 0 : x->shape[0] - o->size;
    if (r < 0 || !o->size)
        return r;
    if (o->random && room > 0)
        return gv_series_part(x, (int64_t)gv_rng_below(rng, (uint64_t)(room + 1)), o->size, GV_PAD_ZERO, scratch, err);
    return gv_series_fit(x, o->size, GV_FIT_CENTER, GV_PAD_ZERO, scratch, err);
}

const gv_augment gv_augment_crop_series = {
    .name = "crop_series", .summary = "keep a part of a series",
    .fields = fields, .params_size = sizeof(struct crop_series), .apply = apply,
};
