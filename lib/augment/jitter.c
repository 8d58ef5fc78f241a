/* jitter: add a normal number of one deviation to every value of a series, with chance p.
 * Draws: p, one that is not used, then the normals. Source: Um et al. 2017, arXiv:1706.00527, section 4; Iwana & Uchida 2021, arXiv:2007.15951, section 4.1.1. */
#include "augment/series.h"

struct jitter { double std, p; };

static const gv_field fields[] = {
    GV_F64(struct jitter, std, 0.03, 0, 1e6, "", "deviation of what is added, for values whose own is 1"),
    GV_F64(struct jitter, p, 0.5, 0, 1, "probability", "chance that a series is changed"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct jitter *o = params;
    int r = gv_series_check(x, "jitter", err);
    (void)scratch;
    if (r < 0 || gv_rng_uniform(rng) >= o->p)
        return r;
    double z[GV_RNG_MANY];
    float *v = x->data;
    (void)gv_rng_uniform(rng); /* two uniform numbers are one whole call of Philox, so that blocks can follow */
    for (int64_t i = 0, n = x->shape[0] * x->shape[1]; i < n; i += GV_RNG_MANY) {
        gv_rng_normals(rng, z);
        for (int64_t k = 0; k < GV_RNG_MANY && i + k < n; k++)
            v[i + k] = (float)((double)v[i + k] + o->std * z[k]);
    }
    return GV_OK;
}

const gv_augment gv_augment_jitter = {
    .name = "jitter", .summary = "add normal noise to a series",
    .fields = fields, .params_size = sizeof(struct jitter), .apply = apply,
};
