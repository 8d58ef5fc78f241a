/* batch: merge strands in order and put samples together.
 *
 * A batch never crosses an epoch; `next` is the place of the sample after it, so a resumed run starts its index there, and
 * `ends_epoch` marks the last one of an epoch. x [N,…] has the type and shape of its samples; bags [n,D] are padded to the
 * longest, with `mask` [N,n] and, where all bags tell them, `coords` [N,n,2]; views [V,…] become V rows each. What is done with error records is decided here alone. */
#include "common/log.h"
#include "common/rng.h"
#include "data/data.h"
#include "stage/stage.h"
#include "stream/lend.h"
#include <inttypes.h>
#include <unistd.h>

enum { MAX_INPUTS = 1024, LEND_LEAST = 256 << 10, LEND_MOST = 64 << 20 };

struct batch { gv_strs input; const char *output; int split; bool pass_errors; };

static const char *const kinds[] = { "train", "eval", NULL };
static const gv_field fields[] = {
    GV_STRS(struct batch, input, "", NULL, "stream to read: a path, - or fd:N; several are strands of one, in their order; none: stdin", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct batch, output, "stream to write: a path (it appears when it is whole), - or fd:N; None: stdout", .takes = GV_TAKES_FILE),
    GV_ENUM(struct batch, split, 0, kinds, "train: batch_size, drop_last_train, mixing; eval: eval_batch_size, drop_last_eval"),
    GV_BOOL(struct batch, pass_errors, false, "pass error records on in their place instead of ending or skipping"),
    GV_END
};

/* A batch being filled. Rows are copied in, since a record is lent until the next one is read. */
struct fill {
    gv_arena *arena;
    gv_pages pages; /* where x lies, unless it is large */
    int64_t n, epoch, first, last; /* rows; of samples: epoch, first and last pos */
    int64_t skipped;               /* samples left out before or between them */
    gv_dtype dtype;
    int ndim;                      /* of one row */
    int64_t shape[GV_MAX_DIMS];    /* of one row; for bags shape[0] is the longest so far */
    size_t bytes;                  /* of one row */
    uint8_t *x;
    const uint8_t **bag;           /* bags: each in its own length */
    int64_t *length;
    const int64_t **coords;        /* bags: [length,2], NULL where there are none */
    const char **id;
    int64_t *index;
    const gv_tensor **y;           /* NULL: unlabelled */
    double *place[2];              /* spacing [3] and affine [4,4] of volumes, a row each */
    int64_t placed[2];             /* rows that have one */
    const gv_tensor **frames;      /* framewise: the numbers of the frames in their video */
};
static const struct { const char *key; int64_t n; } places[] = { { "spacing", 3 }, { "affine", 16 } };

struct run {
    gv_stage_ctx *st;
    const struct batch *o;
    gv_merge *in;
    int64_t size, count, views; /* count: samples of an epoch, -1 unknown */
    bool framewise;             /* targets are labels of frames */
    bool drop_last, mix, bags, skip;
    const char *task;
    int64_t num_classes;
    uint64_t seed, skipped;
    gv_arena spare;
    struct fill now, held;      /* held: full, and kept until it is known whether it ends the epoch (drop_last) */
};

static const char *shape_text(int ndim, const int64_t *shape, char *to, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < ndim && at < size; i++)
        at += (size_t)snprintf(to + at, size - at, "%s%" PRId64, i ? " x " : "", shape[i]);
    return to;
}

/* ---- filling ---- */

static int begin(struct run *r, int64_t epoch, int64_t pos, gv_err *err)
{
    struct fill *f = &r->now;
    size_t n = (size_t)r->size;
    gv_arena_reset(f->arena);
    *f = (struct fill){ .arena = f->arena, .pages = f->pages, .epoch = epoch, .first = pos, .skipped = f->skipped };
    f->id = gv_arena_alloc(f->arena, n * sizeof *f->id, err);
    f->index = gv_arena_alloc(f->arena, n * sizeof *f->index, err);
    f->y = gv_arena_alloc(f->arena, n * sizeof *f->y, err);
    f->frames = gv_arena_alloc(f->arena, n * sizeof *f->frames, err);
    f->bag = gv_arena_alloc(f->arena, n * sizeof *f->bag, err);
    f->length = gv_arena_alloc(f->arena, n * sizeof *f->length, err);
    f->coords = gv_arena_alloc(f->arena, n * sizeof *f->coords, err);
    return f->id && f->index && f->y && f->frames && f->bag && f->length && f->coords ? GV_OK : GV_ESYS;
}

/* For the samples, side by side: pages that the pipe takes as they are, which costs a second batch in memory while the first is read. A small batch is copied into
 * the writer's ring. */
static uint8_t *room(struct fill *f, size_t n, gv_err *err)
{
    if (n < LEND_LEAST || n > LEND_MOST || n > f->arena->size - f->arena->used)
        return gv_arena_alloc_dirty(f->arena, n, err);
    return gv_pages_fresh(&f->pages, n, NULL, 0, err) < 0 ? NULL : (uint8_t *)f->pages.buf;
}

/* The shape of the rows, from the first sample; others must be the same (bags: but for their length). */
static int agree(struct run *r, const char *id, gv_dtype dtype, int ndim, const int64_t *shape, gv_err *err)
{
    struct fill *f = &r->now;
    char a[128], b[128];
    if (!f->n) {
        f->dtype = dtype;
        f->ndim = ndim;
        memcpy(f->shape, shape, (size_t)ndim * sizeof *shape);
        f->bytes = (size_t)gv_shape_count(shape, ndim) * gv_dtype_of(dtype)->size;
        if (!r->bags) {
            size_t all;
            if (gv_mul_size(f->bytes, (size_t)r->size, &all) < 0 || !(f->x = room(f, all, err)))
                return gv_fail(err, GV_ESYS, "a batch of %" PRId64 " samples of %s does not fit", r->size, shape_text(ndim, shape, a, sizeof a));
        }
        return GV_OK;
    }
    bool same = f->dtype == dtype && f->ndim == ndim;
    for (int i = r->bags ? 1 : 0; same && i < ndim; i++)
        same = f->shape[i] == shape[i];
    if (!same)
        return gv_fail(err, GV_EDATA, "samples of one batch differ: '%s' is %s %s, '%s' is %s %s (%s)", f->id[0], gv_dtype_of(f->dtype)->name,
            shape_text(f->ndim, f->shape, a, sizeof a), id, gv_dtype_of(dtype)->name, shape_text(ndim, shape, b, sizeof b),
            f->dtype == dtype ? "the policy must give one size" : "--data.eight_bit brings 16-bit images to 8 bits");
    if (r->bags && shape[0] > f->shape[0])
        f->shape[0] = shape[0];
    return GV_OK;
}

static int classes_within(const gv_tensor *y, const char *id, int64_t classes, gv_err *err)
{
    const int64_t *v = y->data;
    for (int64_t i = 0; i < y->shape[0]; i++)
        if (v[i] < -1 || v[i] >= classes)
            return gv_fail(err, GV_EDATA, "the class of frame %" PRId64 " of '%s' is %" PRId64 "; the classes are 0 to %" PRId64, i, id, v[i], classes - 1);
    return GV_OK;
}

/* What a record says of each frame of one view's clip: int64 [T], or [V,T]. */
static int of_frames(struct run *r, const gv_record *rec, const char *key, const char *id, int64_t view, const gv_tensor **out, gv_err *err)
{
    const gv_tensor *y = gv_get_tensor(rec, key);
    int64_t t = r->now.ndim > 1 ? r->now.shape[0] : 0, views = r->views ? r->views : 1;
    *out = NULL;
    if (!y)
        return GV_OK;
    if (y->dtype != GV_I64T || y->ndim != (r->views ? 2 : 1) || gv_shape_count(y->shape, y->ndim) != views * t)
        return gv_fail(err, GV_EDATA, "the '%s' of '%s' is not int64 with one number for each of its %" PRId64 " frames", key, id, t);
    gv_tensor *one = gv_arena_alloc(r->now.arena, sizeof *one, err);
    void *data = gv_arena_alloc(r->now.arena, (size_t)t * sizeof(int64_t), err);
    if (!one || !data)
        return GV_ESYS;
    memcpy(data, (const int64_t *)y->data + view * t, (size_t)t * sizeof(int64_t));
    *one = (gv_tensor){ .dtype = GV_I64T, .ndim = 1, .shape = { t }, .data = data, .bytes = (size_t)t * sizeof(int64_t) };
    *out = one;
    return r->num_classes > 0 && !strcmp(key, "y") ? classes_within(one, id, r->num_classes, err) : GV_OK;
}

/* The target as a tensor in the arena: i8 [] for a class, i8 [T] for those of frames (of that view), u1 or f4 [K]. NULL in *out: none. */
static int target(struct run *r, const gv_record *rec, const char *id, int64_t view, const gv_tensor **out, gv_err *err)
{
    gv_arena *a = r->now.arena;
    const gv_item *item = gv_get(rec, "y");
    *out = NULL;
    if (!item || item->type == GV_NIL)
        return GV_OK;
    if (r->framewise)
        return of_frames(r, rec, "y", id, view, out, err);
    gv_tensor *t = gv_arena_alloc(a, sizeof *t, err);
    if (!t)
        return GV_ESYS;
    bool multilabel = !strcmp(r->task, "multilabel"), classes = !multilabel && strcmp(r->task, "regression");
    t->dtype = classes ? GV_I64T : multilabel ? GV_U8 : GV_F32T;
    int64_t k = classes ? 1 : r->num_classes > 0 ? r->num_classes : item->type == GV_TENSOR_ITEM ? gv_shape_count(item->tensor.shape, item->tensor.ndim) : 1;
    int64_t have = 1, whole;
    double *v = gv_arena_alloc(a, (size_t)k * sizeof *v, err);
    if (!v)
        return GV_ESYS;
    if (item->type == GV_TENSOR_ITEM) {
        have = gv_shape_count(item->tensor.shape, item->tensor.ndim);
        if (have == k)
            gv_to_f64(item->tensor.dtype, item->tensor.data, v, (size_t)k);
    } else if (gv_get_i64(rec, "y", &whole))
        v[0] = (double)whole;
    else if (!gv_get_f64(rec, "y", &v[0]))
        have = 0;
    if (have != k)
        return gv_fail(err, GV_EDATA, "the target of '%s' has %" PRId64 " values; the task (%s) has %" PRId64, id, have, r->task, k);
    if (classes && (v[0] != floor(v[0]) || v[0] < -1 || (r->num_classes > 0 && v[0] >= (double)r->num_classes)))
        return gv_fail(err, GV_EDATA, "the class of '%s' is %g; the classes are 0 to %" PRId64, id, v[0], r->num_classes - 1);
    t->ndim = classes ? 0 : 1;
    t->shape[0] = k;
    t->bytes = (size_t)k * gv_dtype_of(t->dtype)->size;
    void *data = gv_arena_alloc(a, t->bytes, err);
    if (!data)
        return GV_ESYS;
    gv_from_f64(t->dtype, v, data, (size_t)k);
    t->data = data;
    *out = t;
    return GV_OK;
}

/* Where the sample lies, for as long as all of a batch know it. */
static int keep_place(struct fill *f, int64_t most, const gv_record *rec, gv_err *err)
{
    for (size_t k = 0; k < GV_COUNT(places); k++) {
        const gv_tensor *t = gv_get_tensor(rec, places[k].key);
        size_t n = (size_t)places[k].n, bytes = n * sizeof(double);
        if (!t || t->dtype != GV_F64T || t->bytes != bytes || f->placed[k] != f->n)
            continue;
        if (!f->place[k] && !(f->place[k] = gv_arena_alloc(f->arena, (size_t)most * bytes, err)))
            return GV_ESYS;
        memcpy(f->place[k] + (size_t)f->n * n, t->data, bytes);
        f->placed[k]++;
    }
    return GV_OK;
}

/* Places of a bag's instances, kept beside it. */
static int add_coords(struct fill *f, const gv_record *rec, int64_t n, gv_err *err)
{
    const gv_tensor *c = gv_get_tensor(rec, "coords");
    if (!c)
        return GV_OK;
    if (c->ndim != 2 || c->shape[0] != n || c->shape[1] != 2 || c->dtype != GV_I64T)
        return gv_fail(err, GV_EDATA, "the 'coords' of '%s' are not int64 [%" PRId64 ",2]", f->id[f->n], n);
    int64_t *v = gv_arena_alloc_dirty(f->arena, c->bytes + 1, err);
    if (!v)
        return GV_ESYS;
    memcpy(v, c->data, c->bytes);
    f->coords[f->n] = v;
    return GV_OK;
}

/* One sample of `views` rows. */
static int add(struct run *r, const gv_record *rec, int64_t pos, gv_err *err)
{
    struct fill *f = &r->now;
    const gv_tensor *x = gv_get_tensor(rec, "x"), *y;
    const char *id = gv_get_text(rec, "id");
    int64_t index = pos, v = r->views ? r->views : 1;
    int skip = r->views ? 1 : 0;
    if (!id && !(id = gv_arena_printf(f->arena, err, "%" PRId64, pos)))
        return GV_ESYS;
    if (!x)
        return gv_fail(err, GV_EDATA, "'%s' has no tensor 'x'", id);
    if (x->ndim >= GV_MAX_DIMS - 1 || x->ndim < skip + (r->bags ? 2 : 0) || (skip && x->shape[0] != v))
        return gv_fail(err, GV_EDATA, "the 'x' of '%s' has %d dimensions%s", id, x->ndim, skip ? ", not the views the header tells" : "");
    (void)gv_get_i64(rec, "index", &index);
    for (int64_t i = 0; i < v; i++, f->n++) {
        if (agree(r, id, x->dtype, x->ndim - skip, x->shape + skip, err) < 0 || target(r, rec, id, i, &y, err) < 0 || keep_place(f, r->size, rec, err) < 0)
            return err->code;
        if (r->framewise && of_frames(r, rec, "frames", id, i, &f->frames[f->n], err) < 0)
            return err->code;
        size_t bytes = r->bags ? x->bytes : f->bytes;
        uint8_t *to = r->bags ? gv_arena_alloc_dirty(f->arena, bytes + 1, err) : f->x + (size_t)f->n * f->bytes;
        if (!to || !(f->id[f->n] = i ? f->id[f->n - 1] : gv_arena_strdup(f->arena, id, err)))
            return GV_ESYS;
        if (bytes)
            memcpy(to, (const uint8_t *)x->data + (size_t)i * bytes, bytes);
        f->bag[f->n] = to;
        f->length[f->n] = r->bags ? x->shape[0] : 0;
        if (r->bags && add_coords(f, rec, x->shape[0], err) < 0)
            return err->code;
        f->index[f->n] = index;
        f->y[f->n] = y;
    }
    f->last = pos;
    return GV_OK;
}

/* ---- writing ---- */

/* The numbers of the frames [N,T], where every clip has them. */
static int put_frames(struct fill *f, gv_record *rec, gv_err *err)
{
    int64_t shape[2] = { f->n, f->frames[0] ? f->frames[0]->shape[0] : 0 };
    for (int64_t i = 0; i < f->n; i++)
        if (!f->frames[i])
            return GV_OK;
    int64_t *all = gv_arena_alloc(f->arena, (size_t)(shape[0] * shape[1]) * sizeof *all, err);
    if (!all)
        return GV_ESYS;
    for (int64_t i = 0; i < f->n; i++)
        memcpy(all + i * shape[1], f->frames[i]->data, f->frames[i]->bytes);
    return gv_set_tensor(rec, "frames", GV_I64T, shape, 2, all, err);
}

static int put_targets(struct run *r, struct fill *f, gv_record *rec, gv_err *err)
{
    const gv_tensor *one = NULL;
    for (int64_t i = 0; i < f->n && !one; i++)
        one = f->y[i];
    if (!one)
        return GV_OK;
    int64_t shape[2] = { f->n, one->shape[0] };
    uint8_t *y = gv_arena_alloc(f->arena, (size_t)f->n * one->bytes, err);
    if (!y)
        return GV_ESYS;
    for (int64_t i = 0; i < f->n; i++) {
        uint8_t *to = y + (size_t)i * one->bytes;
        if (f->y[i])
            memcpy(to, f->y[i]->data, one->bytes);
        else if (one->dtype == GV_I64T)
            memset(to, 0xff, one->bytes); /* -1: ignored */
        else
            return gv_fail(err, GV_EDATA, "'%s' has no target, but others of its batch have (%s)", f->id[i], r->task);
    }
    return gv_set_tensor(rec, "y", one->dtype, shape, one->ndim ? 2 : 1, y, err);
}

/* Coordinates of all bags, where all of them have some: [N,longest,2]. */
static int put_coords(struct fill *f, gv_record *rec, int64_t longest, gv_err *err)
{
    for (int64_t i = 0; i < f->n; i++)
        if (!f->coords[i])
            return GV_OK;
    int64_t shape[3] = { f->n, longest, 2 }, *to = gv_arena_alloc(f->arena, (size_t)(f->n * longest) * 16, err);
    if (!to)
        return GV_ESYS;
    for (int64_t i = 0; i < f->n; i++)
        memcpy(to + i * longest * 2, f->coords[i], (size_t)f->length[i] * 16);
    return gv_set_tensor(rec, "coords", GV_I64T, shape, 3, to, err);
}

/* Bags of different lengths as one block, zeros behind the shorter ones. */
static int put_bags(struct fill *f, gv_record *rec, gv_err *err)
{
    int64_t longest = f->shape[0] > 0 ? f->shape[0] : 1, shape[GV_MAX_DIMS] = { f->n, longest };
    size_t row = gv_dtype_of(f->dtype)->size, all;
    for (int i = 1; i < f->ndim; i++) {
        shape[i + 1] = f->shape[i];
        row *= (size_t)f->shape[i];
    }
    if (gv_mul_size(row, (size_t)(longest * f->n), &all) < 0)
        return gv_fail(err, GV_ESYS, "a batch of %" PRId64 " bags of %" PRId64 " does not fit", f->n, longest);
    uint8_t *x = gv_arena_alloc(f->arena, all, err), *mask = gv_arena_alloc(f->arena, (size_t)(longest * f->n), err);
    if (!x || !mask)
        return GV_ESYS;
    for (int64_t i = 0; i < f->n; i++) {
        memcpy(x + (size_t)(i * longest) * row, f->bag[i], (size_t)f->length[i] * row);
        memset(mask + i * longest, 1, (size_t)f->length[i]);
    }
    if (gv_set_tensor(rec, "x", f->dtype, shape, f->ndim + 1, x, err) < 0 || put_coords(f, rec, longest, err) < 0)
        return err->code;
    return gv_set_tensor(rec, "mask", GV_U8, shape, 2, mask, err);
}

static int put_mix(struct run *r, struct fill *f, gv_record *rec, gv_err *err)
{
    gv_rng rng;
    float *lam = gv_arena_alloc(f->arena, sizeof *lam, err);
    int32_t *perm = gv_arena_alloc(f->arena, (size_t)f->n * sizeof *perm, err);
    int64_t *order = gv_arena_alloc(f->arena, (size_t)f->n * sizeof *order, err);
    if (!lam || !perm || !order)
        return GV_ESYS;
    gv_rng_init(&rng, r->seed, GV_RNG_MIX, (uint64_t)f->first, (uint32_t)f->epoch, 0);
    *lam = (float)gv_rng_beta(&rng, r->st->config->task.mixup_alpha, r->st->config->task.mixup_alpha);
    gv_rng_permutation(&rng, order, f->n);
    for (int64_t i = 0; i < f->n; i++)
        perm[i] = (int32_t)order[i];
    if (gv_set_tensor(rec, "lam", GV_F32T, NULL, 0, lam, err) < 0)
        return err->code;
    return gv_set_tensor(rec, "perm", GV_I32, &f->n, 1, perm, err);
}

static int put(struct run *r, struct fill *f, bool ends, gv_err *err)
{
    gv_record rec;
    int64_t shape[GV_MAX_DIMS] = { f->n }, next[2] = { ends ? f->epoch + 1 : f->epoch, ends ? 0 : f->last + 1 };
    gv_record_init(&rec, GV_BATCH);
    gv_item ids = gv_item_texts(f->id, (size_t)f->n, f->arena, err), place = gv_item_i64s(next, 2, f->arena, err);
    if (err->code != GV_OK || gv_set_i64(&rec, "epoch", f->epoch, err) < 0 || gv_set_i64(&rec, "pos", f->first, err) < 0)
        return err->code;
    memcpy(shape + 1, f->shape, (size_t)f->ndim * sizeof *shape);
    int code = r->bags ? put_bags(f, &rec, err) : gv_set_tensor(&rec, "x", f->dtype, shape, f->ndim + 1, f->x, err);
    if (code < 0 || put_targets(r, f, &rec, err) < 0 || gv_set_tensor(&rec, "index", GV_I64T, &f->n, 1, f->index, err) < 0 || gv_set(&rec, "id", ids, err) < 0)
        return err->code;
    for (size_t k = 0; k < GV_COUNT(places); k++)
        if (f->placed[k] == f->n && gv_set_tensor(&rec, places[k].key, GV_F64T, places[k].n == 3 ? (int64_t[]){ f->n, 3 } : (int64_t[]){ f->n, 4, 4 }, places[k].n == 3 ? 2 : 3, f->place[k], err) < 0)
            return err->code;
    if (r->framewise && put_frames(f, &rec, err) < 0)
        return err->code;
    if (r->mix && put_mix(r, f, &rec, err) < 0)
        return err->code;
    if (f->skipped && gv_set_i64(&rec, "skipped", f->skipped, err) < 0)
        return err->code;
    if (gv_set(&rec, "next", place, err) < 0 || gv_set(&rec, "ends_epoch", gv_item_bool(ends), err) < 0)
        return err->code;
    gv_writer_source(r->st->out, &f->pages);
    code = gv_put(r->st->out, &rec, err) < 0 || gv_writer_flush(r->st->out, err) < 0 ? err->code : GV_OK;
    gv_writer_source(r->st->out, NULL);
    if (code < 0)
        return code;
    gv_stage_done(r->st, 1);
    f->n = f->skipped = 0;
    return GV_OK;
}

/* The batch in hand is complete: full, or the last of its epoch. With drop_last a full one waits in `held` until the next one is
 * full or the epoch ends, because only then is it known whether it is the last. */
static int complete(struct run *r, bool ends, gv_err *err)
{
    bool full = r->now.n >= r->size;
    if (!r->drop_last)
        return r->now.n ? put(r, &r->now, ends, err) : GV_OK;
    if (!full && r->held.n) { /* no batch comes behind the held one: it tells what was skipped since */
        r->held.skipped += r->now.skipped;
        r->now.skipped = 0;
    }
    if (r->held.n && put(r, &r->held, ends && !full, err) < 0)
        return err->code;
    if (!full) {
        r->now.n = 0; /* the short rest */
        return GV_OK;
    }
    if (ends)
        return put(r, &r->now, true, err);
    struct fill t = r->held;
    r->held = r->now;
    r->now = t;
    return GV_OK;
}

/* ---- errors ---- */

static int refuse(struct run *r, const gv_record *rec, gv_err *err)
{
    const char *id = gv_get_text(rec, "id"), *path = gv_get_text(rec, "path"), *stage = gv_get_text(rec, "stage"), *why = gv_get_text(rec, "reason");
    int64_t epoch = 0, pos = 0;
    (void)gv_get_i64(rec, "epoch", &epoch);
    (void)gv_get_i64(rec, "pos", &pos);
    if (r->o->pass_errors) {
        if (gv_put(r->st->out, rec, err) < 0)
            return err->code;
        gv_stage_done(r->st, 1);
        return GV_OK;
    }
    if (!r->skip)
        return gv_fail(err, GV_EDATA, "sample '%s'%s%s%s (epoch %" PRId64 ", position %" PRId64 "): %s%s%s; '--on_error skip' goes on without it", id ? id : "?", path && (!id || strcmp(id, path)) ? " (" : "",
            path && (!id || strcmp(id, path)) ? path : "", path && (!id || strcmp(id, path)) ? ")" : "", epoch, pos, stage ? stage : "", stage ? ": " : "", why ? why : "no reason given");
    char name[512], text[2048];
    r->now.skipped++;
    if (r->now.n) /* a resumed run does not meet it again */
        r->now.last = pos;
    if (!r->skipped++)
        gv_log(GV_WARNING, "sample '%s' is left out: %s", id ? id : "?", why ? why : "no reason given");
    gv_event("warning", "\"what\":\"skipped\",\"id\":%s,\"text\":%s", gv_event_quote(name, sizeof name, id ? id : ""), gv_event_quote(text, sizeof text, why ? why : ""));
    return GV_OK;
}

/* ---- the stage ---- */

static int sample(struct run *r, const gv_record *rec, gv_err *err)
{
    int64_t epoch = 0, pos = r->now.last + 1;
    (void)gv_get_i64(rec, "epoch", &epoch);
    (void)gv_get_i64(rec, "pos", &pos);
    bool other = (r->now.n && r->now.epoch != epoch) || (r->held.n && r->held.epoch != epoch);
    if (other && complete(r, true, err) < 0)
        return err->code;
    if (rec->kind == GV_ERROR_RECORD) {
        if (refuse(r, rec, err) < 0)
            return err->code;
    } else {
        if (r->now.n + (r->views ? r->views : 1) > r->size && complete(r, false, err) < 0)
            return err->code;
        if (!r->now.n && begin(r, epoch, pos, err) < 0)
            return err->code;
        if (add(r, rec, pos, err) < 0)
            return err->code;
    }
    if (pos + 1 == r->count) /* nothing else comes in this epoch: it need not wait */
        return complete(r, true, err);
    return GV_OK;
}

static int setup(struct run *r, gv_err *err)
{
    const gv_config *c = r->st->config;
    const gv_record *h = gv_merge_header(r->in);
    const gv_content *content = gv_content_find(gv_get_text(h, "content"));
    bool train = r->o->split == 0;
    r->size = train || c->dataloading.eval_batch_size == GV_NONE_I64 ? c->dataloading.batch_size : c->dataloading.eval_batch_size;
    r->drop_last = train ? c->dataloading.drop_last_train : c->dataloading.drop_last_eval;
    r->mix = train && c->task.mixup;
    r->skip = c->on_error == GV_ON_ERROR_SKIP;
    r->seed = c->training.seed == GV_NONE_U64 ? 0 : c->training.seed;
    r->bags = content && content->ragged;
    r->count = -1;
    (void)gv_get_i64(h, "count", &r->count);
    (void)gv_get_i64(h, "views", &r->views);
    (void)gv_get_i64(h, "num_classes", &r->num_classes);
    r->task = gv_get_text(h, "task");
    if (!r->task)
        r->task = "multiclass";
    r->framewise = !strcmp(r->task, "framewise");
    if (r->views < 0 || r->views > r->size)
        return gv_fail(err, GV_EUSAGE, "the stream has %" PRId64 " views of a sample; a batch of %" PRId64 " must hold all of them", r->views, r->size);
    if (r->drop_last && r->count >= 0 && r->count < r->size)
        return gv_fail(err, GV_EUSAGE, "dataloading.drop_last_%s leaves no batch: an epoch has %" PRId64 " samples, a batch %" PRId64, train ? "train" : "eval", r->count, r->size);
    if (h->kind != GV_TENSOR)
        return gv_fail(err, GV_EDATA, "the input holds %s records; glovita-batch reads tensor", gv_kind_name(h->kind));
    if (gv_open_output(r->o->output, GV_BATCH, &r->st->out, err) < 0 || gv_writer_inherit(r->st->out, h, err) < 0)
        return err->code;
    if (gv_writer_fact(r->st->out, "batch_size", gv_item_i64(r->size), err) < 0)
        return err->code;
    gv_merge_tie(r->in, r->st->out);
    return gv_stage_start(r->st, err);
}

static int open_inputs(struct run *r, gv_err *err)
{
    static gv_reader *in[MAX_INPUTS];
    static int fd[MAX_INPUTS];
    const gv_strs *names = &r->o->input;
    size_t n = names->n ? names->n : 1, opened = 0, i = 0;
    if (n > MAX_INPUTS)
        return gv_fail(err, GV_EUSAGE, "%zu inputs; at most %d are merged", n, MAX_INPUTS);
    while (opened < n && gv_open_input_fd(names->n ? names->v[opened] : NULL, &fd[opened], err) == GV_OK)
        opened++;
    if (opened == n)
        while (i < n && gv_reader_open(&in[i], fd[i], names->n && strcmp(names->v[i], "-") ? names->v[i] : "stdin", err) == GV_OK)
            i++;
    if (i == n)
        return gv_merge_open(&r->in, in, (int)n, err);
    for (size_t k = opened == n ? i + 1 : 0; k < opened; k++) /* a reader that fails has closed its own */
        close(fd[k]);
    while (i--)
        gv_reader_close(in[i]);
    return err->code;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    struct run r = { .st = st, .o = st->params };
    gv_record rec;
    int got = gv_arena_init(&r.spare, "batch 2", st->batch.size, err);
    r.now.arena = &st->batch;
    r.held.arena = &r.spare;
    r.now.pages.shown = r.held.pages.shown = true;
    if (got == GV_OK && (got = open_inputs(&r, err)) == GV_OK && (got = setup(&r, err)) == GV_OK)
        while ((got = gv_merge_next(r.in, &rec, err)) > 0)
            if ((got = sample(&r, &rec, err)) < 0)
                break;
    if (got == 0)
        got = complete(&r, true, err);
    if (got == 0 && r.skipped) {
        gv_log(GV_WARNING, "%" PRIu64 " sample%s left out (on_error skip)", r.skipped, r.skipped == 1 ? " was" : "s were");
        gv_event("warning", "\"what\":\"skipped_total\",\"count\":%" PRIu64, r.skipped);
    }
    gv_merge_close(r.in);
    gv_arena_release(&r.spare);
    gv_pages_release(&r.now.pages);
    gv_pages_release(&r.held.pages);
    return got;
}

static const char *const blocks[] = {
    "dataloading.batch_size", "dataloading.eval_batch_size", "dataloading.drop_last_train", "dataloading.drop_last_eval", "task.mixup", "task.mixup_alpha", "training.seed", "on_error", NULL
};

const gv_stage gv_this_stage = {
    .name = "batch", .summary = "merge strands and put samples together",
    .reads = GV_TENSOR, .writes = GV_BATCH, .blocks = blocks, .fields = fields, .params_size = sizeof(struct batch), .manual_streams = true, .run = run,
};
