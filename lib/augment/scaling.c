/* scaling: multiply each channel of a series by a normal number about 1, with chance p.
 * Draws: p, then one number a channel. Source: Um et al. 2017, arXiv:1706.00527, section 4; Iwana & Uchida 2021, arXiv:2007.15951, section 4.1.3. */
#include "augment/series.h"

struct scaling { double std, p; };

static const gv_field fields[] = {
    GV_F64(struct scaling, std, 0.1, 0, 1e6, "", "deviation of the factor about 1"),
    GV_F64(struct scaling, p, 0.5, 0, 1, "probability", "chance that a series is changed"),
    GV_END
};

static int apply(const void *params, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    const struct scaling *o = params;
    int r = gv_series_check(x, "scaling", err);
    if (r < 0 || gv_rng_uniform(rng) >= o->p)
        return r;
    double *factor = gv_arena_alloc(scratch, (size_t)x->shape[1] * sizeof *factor, err);
    if (!factor)
        return GV_ESYS;
    for (int64_t k = 0; k < x->shape[1]; k++)
        factor[k] = 1 + o->std * gv_rng_normal(rng);
    gv_series_scale(x, factor, false);
    return GV_OK;
}

const gv_augment gv_augment_scaling = {
    .name = "scaling", .summary = "multiply the channels of a series",
    .fields = fields, .params_size = sizeof(struct scaling), .apply = apply,
};
