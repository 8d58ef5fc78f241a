/* augmentation: the policies with every number in them, from data set, encoder and fields; passed on as train_kwargs and
 * test_kwargs, which name every key of the policy, so that a stage derives nothing. */
#include "augment/augment.h"
#include "run/run.h"
#include <inttypes.h>

static void from_encoder(const gv_resolved *r, gv_policy_request *q)
{
    gv_encoder e = gv_config_encoder(&r->c);
    if (r->has_model)
        q->encoder.patch_size = e.input_shape;
    if (!r->has_model || !r->model.cfg)
        return;
    if (!e.pretrained) /* the original: only the patch size is taken over */
        return;
    const gv_pretrained_cfg *f = r->model.cfg;
    q->encoder.image_size = f->input_size;
    q->encoder.resize_size = (int64_t)(f->input_size / f->crop_pct + 0.5);
    q->encoder.mean = (gv_f64s){ 3, (double *)(uintptr_t)f->mean };
    q->encoder.std = (gv_f64s){ 3, (double *)(uintptr_t)f->std };
    q->encoder.interpolation = f->interpolation;
}

/* Every resolved key as a kwarg. */
static int to_kwargs(const gv_pipeline *p, gv_dict *d, gv_arena *arena, gv_err *err)
{
    d->n = p->keys;
    d->key = gv_arena_alloc(arena, (p->keys + 1) * sizeof *d->key, err);
    d->json = gv_arena_alloc(arena, (p->keys + 1) * sizeof *d->json, err);
    if (!d->key || !d->json)
        return GV_ESYS;
    for (size_t i = 0; i < p->keys; i++) {
        const char *v = p->value[i];
        bool numeric = *v && strspn(v, "0123456789+-.e,") == strlen(v), list = strchr(v, ',') != NULL;
        d->key[i] = p->key[i];
        d->json[i] = gv_arena_printf(arena, err, numeric ? (list ? "[%s]" : "%s") : "\"%s\"", v);
        if (!d->json[i])
            return GV_ESYS;
    }
    return GV_OK;
}

int gv_resolve_augmentation(gv_resolved *r, gv_arena *arena, gv_err *err)
{
    struct gv_augmentation_config *a = &r->c.augmentation;
    const char *policies[2] = { a->test_policy ? a->test_policy : r->data.set->test_policy, a->train_policy ? a->train_policy : r->data.set->train_policy };
    const gv_pipeline *last = NULL;
    for (int train = 1; train >= 0; train--) {
        gv_policy_request q = {
            .dataset = r->c.data.dataset->name, .own = r->data.set->policies, .train = train, .policy = policies[train], .other_policy = policies[!train],
            .image_size = a->image_size, .resize_size = a->resize_size, .crop_size = a->crop_size, .cutout_size = a->cutout_size,
            .patch_size = a->patch_size, .mean = a->mean, .std = a->std, .kwargs = train ? a->train_kwargs : a->test_kwargs,
            .native_size = r->data.native_size, .spatial_dims = gv_content_find(r->data.content)->policy_dims,
        };
        if (r->data.mean && !a->mean.v) { /* of the data set's own */
            q.encoder.mean = (gv_f64s){ 3, (double *)(uintptr_t)r->data.mean };
            q.encoder.std = (gv_f64s){ 3, (double *)(uintptr_t)r->data.std };
        }
        from_encoder(r, &q);
        if (r->has_model)
            q.channels = gv_config_encoder(&r->c).input_channels;
        gv_pipeline *p;
        int code = gv_policy_resolve(&q, &p, arena, err);
        if (code == GV_OK)
            code = gv_buf_printf(&r->notes, err, "%s", train ? "train        " : "test         ");
        if (code == GV_OK)
            code = gv_pipeline_text(p, &r->notes, err);
        if (code == GV_OK)
            code = gv_buf_add(&r->notes, "\n", 1, err);
        if (code == GV_OK)
            code = to_kwargs(p, train ? &a->train_kwargs : &a->test_kwargs, arena, err);
        if (code < 0)
            return code;
        last = p;
    }
    /* The original keeps a policy's or encoder's resize_size beside a small image_size: a crop of a few pixels of a large picture. */
    if (a->image_size != GV_NONE_I64 && last->resize_size > 2 * last->image_size &&
        gv_buf_printf(&r->notes, err, "crop         %" PRId64 " of %" PRId64 " pixels a side, %.0f %% of the picture; --data.augmentation.resize_size %" PRId64 " shows nearly all of it\n", last->image_size,
                      last->resize_size, 100.0 * (double)(last->image_size * last->image_size) / (double)(last->resize_size * last->resize_size), last->image_size * 8 / 7) < 0)
        return err->code;
    a->train_policy = policies[1];
    a->test_policy = policies[0];
    /* For the record: what comes out of the test policy. */
    a->image_size = last->image_size > 0 ? last->image_size : GV_NONE_I64;
    if (last->axes > 0 && last->image_size == 0) {
        a->patch_size = (gv_ints){ (size_t)last->axes, gv_arena_alloc(arena, (size_t)last->axes * sizeof *last->side, err) };
        if (!a->patch_size.v)
            return GV_ESYS;
        memcpy(a->patch_size.v, last->side, (size_t)last->axes * sizeof *last->side);
    }
    a->mean = last->mean;
    a->std = last->std;
    return GV_OK;
}
