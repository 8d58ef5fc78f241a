/* augment: change each sample by the train or the test policy; labels and order stay as they came.
 *
 * The draws come from (seed, epoch, index, draw), so the same sample is changed alike by any worker, in any order. Mean and
 * deviation are not applied here: they go into the header, and the engine applies them. */
#include "data/data.h"
#include "data/policy.h"
#include "stage/stage.h"
#include <inttypes.h>

struct augment { int split; };

static const char *const kinds[] = { "train", "test", NULL };
static const gv_field fields[] = {
    GV_ENUM(struct augment, split, 0, kinds, "the policy: data.augmentation.train_policy or test_policy"),
    GV_END
};

/* 1 when decoding has applied the leading crop: the size of the whole image. */
static int cropped_from(const gv_record *rec, int64_t full[2], gv_err *err)
{
    const gv_item *f = gv_get(rec, "full");
    if (!f || !gv_get(rec, "region"))
        return 0;
    if (f->type == GV_ARRAY && f->array.n == 2 && f->array.v[0].type == GV_UINT && f->array.v[1].type == GV_UINT) {
        for (int i = 0; i < 2; i++)
            full[i] = (int64_t)(f->array.v[i].u & INT64_MAX);
        return 1;
    }
    return gv_fail(err, GV_EDATA, "'full' is not the height and width of an image");
}

static int change(gv_stage_ctx *st, const gv_pipeline *p, uint64_t seed, gv_record *rec, gv_err *err)
{
    const gv_tensor *t = gv_get_tensor(rec, "x");
    int64_t epoch = 0, index = 0, draw = 0;
    if (!t || t->ndim < 2)
        return gv_fail(err, GV_EDATA, "the record has no image 'x'");
    gv_sample seen = { .dtype = t->dtype, .ndim = t->ndim, .data = (void *)(uintptr_t)t->data }, x;
    memcpy(seen.shape, t->shape, sizeof seen.shape);
    (void)gv_get_i64(rec, "epoch", &epoch);
    (void)gv_get_i64(rec, "index", &index);
    (void)gv_get_i64(rec, "draw", &draw);
    int64_t full[2];
    int cropped = cropped_from(rec, full, err);
    x = seen; /* a step that works in place gets a copy first, of bytes that lie where they were written, and of wider elements, which may not be aligned */
    x.lent = t->dtype == GV_U8;
    if (!x.lent && gv_sample_copy(&seen, &x, &st->scratch, err) < 0)
        return err->code;
    if (cropped < 0 || gv_pipeline_apply_cropped(p, cropped ? full : NULL, &x, seed, epoch, index, draw, &st->scratch, err) < 0)
        return err->code;
    gv_unset(rec, "region");
    gv_unset(rec, "full");
    return gv_set_tensor(rec, "x", x.dtype, x.shape, x.ndim, x.data, err);
}

static int facts(gv_stage_ctx *st, const gv_pipeline *p, gv_err *err)
{
    gv_item mean = gv_item_f64s(p->mean.v, p->mean.n, &st->run, err), std = gv_item_f64s(p->std.v, p->std.n, &st->run, err);
    int64_t shape[GV_MAX_DIMS + 1];
    memcpy(shape, p->side, sizeof p->side);
    shape[p->axes] = gv_config_encoder(st->config).input_channels;
    gv_item size = gv_item_i64s(shape, (size_t)p->axes + 1, &st->run, err);
    if (err->code != GV_OK)
        return err->code;
    if (p->mean.n && (gv_writer_fact(st->out, "mean", mean, err) < 0 || gv_writer_fact(st->out, "std", std, err) < 0))
        return err->code;
    if (p->axes > 0 && gv_writer_fact(st->out, "shape", size, err) < 0)
        return err->code;
    if (p->image_size > 0 && gv_writer_fact(st->out, "image_size", gv_item_i64(p->image_size), err) < 0)
        return err->code;
    return gv_stage_start(st, err);
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    const struct augment *o = st->params;
    uint64_t seed = st->config->training.seed == GV_NONE_U64 ? 0 : st->config->training.seed;
    gv_pipeline *p;
    gv_record rec;
    int got;
    if (gv_stage_policy(st->config, gv_reader_header(st->in), o->split == 0, &p, &st->run, err) < 0 || facts(st, p, err) < 0)
        return err->code;
    while ((got = gv_next(st->in, &rec, err)) > 0) {
        gv_arena_reset(&st->scratch);
        if (rec.kind == GV_TENSOR && change(st, p, seed, &rec, err) < 0 && gv_record_to_error(&rec, "augment", err, &st->scratch) < 0)
            return err->code;
        if (gv_put(st->out, &rec, err) < 0)
            return err->code;
        gv_stage_done(st, 1);
    }
    return got;
}

static const char *const blocks[] = { "data.dataset", "data.augmentation", "model.encoder", "training.seed", NULL };

const gv_stage gv_this_stage = {
    .name = "augment", .summary = "change samples by a train or test policy",
    .reads = GV_TENSOR, .writes = GV_TENSOR, .blocks = blocks, .fields = fields, .params_size = sizeof(struct augment), .names = gv_data_names, .run = run,
};
