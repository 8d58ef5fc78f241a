/* permutation: cut a series into 1 to `segments` nearly equal pieces and put them together in another order, with chance p.
 * Draws: p, the number of pieces, their order. Source: Um et al. 2017, arXiv:1706.00527, section 4; Iwana & Uchida 2021,
 * arXiv:2007.15951, section 4.2.1. */
#include "augment/series.h"

enum { MOST_SEGMENTS = 256 };

struct permutation { int64_t segments; double p; };

static const gv_field fields[] = {
    GV_I64(struct permutation, segments, 5, 1, MOST_SEGMENTS, "", "most pieces"),
    GV_F64(struct permutation, p, 0.2, 0, 1, "probability", "chance that a series is changed"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct permutation *o = params;
    int64_t order[MOST_SEGMENTS];
    int r = gv_series_check(x, "permutation", err);
    if (r < 0 || gv_rng_uniform(rng) >= o->p)
        return r;
    int64_t most = o->segments < x->shape[0] ? o->segments : x->shape[0], n = 1 + (int64_t)gv_rng_below(rng, (uint64_t)most);
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    gv_rng_permutation(rng, order, n);
    return gv_series_permute(x, order, n, scratch, err);
}

const gv_augment gv_augment_permutation = {
    .name = "permutation", .summary = "put pieces of a series in another order",
    .fields = fields, .params_size = sizeof(struct permutation), .apply = apply,
};
