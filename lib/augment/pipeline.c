/* pipeline: the list of units, and running a resolved policy on one sample. */
#include "augment/augment.h"
#include <inttypes.h>

static const gv_augment *const all[] = {
#define GV_AUGMENT(n) &gv_augment_##n,
#include "augment/augments.def"
#undef GV_AUGMENT
    NULL,
};

const gv_augment *const *gv_augments(void)
{
    return all;
}

const gv_augment *gv_augment_find(const char *name)
{
    for (size_t i = 0; all[i]; i++)
        if (!strcmp(all[i]->name, name))
            return all[i];
    return NULL;
}

static void draws(gv_rng *rng, uint64_t seed, int64_t epoch, int64_t index, int64_t draw, size_t step)
{
    gv_rng_init(rng, seed, GV_RNG_AUGMENT | (uint32_t)step << 8, (uint64_t)index, (uint32_t)epoch, (uint32_t)draw);
}

/* full: NULL, or height and width of the image the crop was drawn from and applied to while decoding. */
static int run(const gv_step *s, const int64_t *full, gv_sample *x, gv_rng *rng, gv_arena *scratch, gv_err *err)
{
    if (s->unit->crop) {
        gv_frames f;
        gv_region g;
        int r = gv_sample_frames(x, &f, err);
        if (r < 0)
            return r;
        /* A crop made while decoding is drawn all the same: apply may go on drawing from the same stream. */
        int some = s->unit->crop(s->params, full ? full[0] : f.h, full ? full[1] : f.w, rng, &g);
        if (full && (!some || g.h != f.h || g.w != f.w))
            return gv_fail(err, GV_EDATA, "the sample was cropped to %" PRId64 " x %" PRId64 " while decoding, which this policy and seed do not", f.h, f.w);
        if (some && !full && (r = gv_sample_crop(x, &g, scratch, err)) < 0)
            return r;
    } else if (full)
        return gv_fail(err, GV_EDATA, "the sample was cropped while decoding, but the policy does not begin with a crop");
    if (!s->unit->apply)
        return GV_OK;
    if (x->lent && !s->unit->looks) {
        gv_sample own;
        if (gv_sample_copy(x, &own, scratch, err) < 0)
            return err->code;
        *x = own;
    }
    return s->unit->apply(s->params, x, rng, scratch, err);
}

int gv_pipeline_apply_cropped(const gv_pipeline *p, const int64_t *full, gv_sample *x, uint64_t seed, int64_t epoch, int64_t index, int64_t draw, gv_arena *scratch, gv_err *err)
{
    for (size_t k = 0, next; k < p->n; k = next) {
        gv_rng rng;
        int64_t of = 0;
        draws(&rng, seed, epoch, index, draw, k);
        if (p->steps[k].unit->choose) { /* one of the steps behind it, and on behind the last of those */
            next = k + 1;
            k += 1 + (size_t)p->steps[k].unit->choose(p->steps[k].params, &rng, &of);
            draws(&rng, seed, epoch, index, draw, k);
            next += (size_t)of;
        } else
            next = k + 1;
        if (run(&p->steps[k], k ? NULL : full, x, &rng, scratch, err) < 0)
            return gv_fail_in(err, "%s", p->steps[k].unit->name);
    }
    return GV_OK;
}

int gv_pipeline_apply(const gv_pipeline *p, gv_sample *x, uint64_t seed, int64_t epoch, int64_t index, int64_t draw, gv_arena *scratch, gv_err *err)
{
    return gv_pipeline_apply_cropped(p, NULL, x, seed, epoch, index, draw, scratch, err);
}

int gv_pipeline_crop(const gv_pipeline *p, int64_t h, int64_t w, uint64_t seed, int64_t epoch, int64_t index, int64_t draw, gv_region *g)
{
    gv_rng rng;
    if (!p->n || !p->steps[0].unit->crop)
        return 0;
    draws(&rng, seed, epoch, index, draw, 0);
    if (!p->steps[0].unit->crop(p->steps[0].params, h, w, &rng, g))
        return 0;
    bool inside = g->y >= 0 && g->x >= 0 && g->h > 0 && g->w > 0 && g->h <= h - g->y && g->w <= w - g->x;
    return inside && (g->h < h || g->w < w);
}

int gv_pipeline_text(const gv_pipeline *p, gv_buf *out, gv_err *err)
{
    int r = gv_buf_printf(out, err, "%s:", p->policy->name);
    for (size_t i = 0; i < p->keys && r == GV_OK; i++)
        r = gv_buf_printf(out, err, "%s %s %s", i ? "," : "", p->key[i], p->value[i]);
    return r;
}
