/* index: list the samples of a split in the order they are used, epoch after epoch, or every n-th of them.
 *
 * Balanced (dataloading.balanced_sampling, of the training split where it is shuffled): an epoch draws as many samples as there are, with
 * replacement: a class, each with the same chance, then one of its samples. `draw` counts the earlier occurrences of a sample in its epoch, so
 * that it is augmented anew.
 *
 * The order of an epoch is a permutation drawn from (seed, epoch) alone, so a strand (--shard i/n: the positions with
 * pos mod n = i) and a resumed run (--start epoch:pos) continue the same sequence without reading what came before. */
#include "common/rng.h"
#include "data/clips.h"
#include "data/data.h"
#include "data/scan.h"
#include "stage/stage.h"
#include <inttypes.h>

enum { ALL = GV_SPLITS, AS_CONFIGURED = -1 };

struct index { int split; const char *shard, *start; int64_t epochs, limit; bool shuffle, no_shuffle, unlabelled; };

static const char *const splits[] = { "train", "val", "test", "all", NULL };
static const gv_field fields[] = {
    GV_ENUM(struct index, split, GV_SPLIT_TRAIN, splits, "the split to list; all: one after the other"),
    GV_STR(struct index, shard, "0/1", "i/n: the positions whose remainder by n is i"),
    GV_STR(struct index, start, "0:0", "epoch:position to begin at"),
    GV_I64(struct index, epochs, 1, 0, INT64_MAX, "epoch", "epochs to list, the one begun at --start included"),
    GV_I64(struct index, limit, 0, 0, INT64_MAX, "sample", "list only so many of an epoch, the first in its order; 0: all"),
    GV_BOOL(struct index, shuffle, false, "draw a new order for every epoch; not given: dataloading.shuffle_train or shuffle_eval"),
    GV_BOOL(struct index, no_shuffle, false, "the data set's own order in every epoch"),
    GV_BOOL(struct index, unlabelled, false, "list samples without a label too"),
    GV_END
};

struct run { const gv_data *d; const struct index *o; int64_t n, count, shard, shards, epoch, pos; bool shuffle, balanced; uint64_t seed; };

static bool two(const char *text, char between, int64_t *a, int64_t *b)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    *a = strtoll(text, &end, 10);
    if (*end != between || end[1] < '0' || end[1] > '9')
        return false;
    *b = strtoll(end + 1, &end, 10);
    return !*end;
}

/* Sample `index` counted over the splits that are listed. */
static const gv_entry *entry_of(const struct run *r, int64_t index, int *split)
{
    for (*split = r->o->split == ALL ? 0 : r->o->split;; ++*split) {
        const gv_split *s = &r->d->split[*split];
        if (index < s->n)
            return &s->v[index];
        index -= s->n > 0 ? s->n : 0;
    }
}

static int set_target(gv_record *rec, const gv_data *d, const gv_entry *e, uint8_t *bits, gv_err *err)
{
    if (e->label < 0)
        return GV_OK;
    if (d->target == GV_TARGET_CLASS)
        return gv_set_i64(rec, "y", e->label, err);
    if (d->target == GV_TARGET_FRAMEWISE)
        return gv_set_tensor(rec, "y", GV_I64T, &d->frames[e->label].n, 1, d->frames[e->label].v, err);
    const float *v = d->values + e->label * d->num_classes;
    if (d->target == GV_TARGET_REGRESSION)
        return gv_set_tensor(rec, "y", GV_F32T, &d->num_classes, 1, v, err);
    for (int64_t k = 0; k < d->num_classes; k++)
        bits[k] = v[k] > 0;
    return gv_set_tensor(rec, "y", GV_U8, &d->num_classes, 1, bits, err);
}

static int put(gv_stage_ctx *st, const struct run *r, int64_t epoch, int64_t pos, int64_t index, int64_t draw, uint8_t *bits, gv_err *err)
{
    gv_record rec;
    int split;
    const gv_entry *e = entry_of(r, index, &split);
    gv_record_init(&rec, GV_SAMPLE);
    if (gv_set_i64(&rec, "epoch", epoch, err) < 0 || gv_set_i64(&rec, "pos", pos, err) < 0 || gv_set_i64(&rec, "index", index, err) < 0 ||
        gv_set_i64(&rec, "draw", draw, err) < 0 || gv_set_text(&rec, "id", e->id, err) < 0)
        return err->code;
    if (e->row < 0 ? gv_set_text(&rec, "path", e->path, err) < 0 : gv_set_text(&rec, "file", e->path, err) < 0 || gv_set_i64(&rec, "row", e->row, err) < 0)
        return err->code;
    if (r->o->split == ALL && gv_set_text(&rec, "split", gv_split_names[split], err) < 0)
        return err->code;
    if (set_target(&rec, r->d, e, bits, err) < 0 || gv_put(st->out, &rec, err) < 0)
        return err->code;
    gv_stage_done(st, 1);
    return GV_OK;
}

/* Samples by class: those of class c are by_class[first[c]] … by_class[first[c + 1] - 1]; only classes with samples are counted. */
struct classes { int64_t n, *first, *by_class; };

static int sort_classes(gv_stage_ctx *st, const struct run *r, struct classes *k, gv_err *err)
{
    int64_t all = r->d->num_classes, *at = gv_arena_alloc(&st->run, (size_t)(all + 2) * sizeof *at, err);
    int split;
    k->first = at ? gv_arena_alloc(&st->run, (size_t)(all + 2) * sizeof *k->first, err) : NULL;
    k->by_class = k->first ? gv_arena_alloc(&st->run, (size_t)r->n * sizeof *k->by_class + 1, err) : NULL;
    if (!k->by_class)
        return GV_ESYS;
    for (int64_t i = 0; i < r->n; i++) {
        int64_t y = entry_of(r, i, &split)->label;
        if (y >= 0)
            at[y + 1]++;
    }
    for (int64_t c = 0; c < all; c++)
        at[c + 1] += at[c];
    for (int64_t c = 0; c < all; c++)
        if (at[c + 1] > at[c])
            k->first[k->n++] = at[c];
    k->first[k->n] = at[all];
    for (int64_t i = 0; i < r->n; i++) {
        int64_t y = entry_of(r, i, &split)->label;
        if (y >= 0)
            k->by_class[at[y]++] = i;
    }
    return k->n ? GV_OK : gv_fail(err, GV_EUSAGE, "'--dataloading.balanced_sampling': no sample has a class");
}

/* One epoch's draws; a position's depends on (seed, epoch, position) alone. */
static void draw_epoch(const struct run *r, const struct classes *k, int64_t epoch, int64_t *order, int64_t *draw, int64_t *seen)
{
    memset(seen, 0, (size_t)r->n * sizeof *seen);
    for (int64_t pos = 0; pos < r->count; pos++) {
        gv_rng rng;
        gv_rng_init(&rng, r->seed, GV_RNG_BALANCE, (uint64_t)pos, (uint32_t)epoch, 0);
        int64_t c = (int64_t)gv_rng_below(&rng, (uint64_t)k->n), size = k->first[c + 1] - k->first[c];
        order[pos] = k->by_class[k->first[c] + (int64_t)gv_rng_below(&rng, (uint64_t)size)];
        draw[pos] = seen[order[pos]]++;
    }
}

static int list(gv_stage_ctx *st, const struct run *r, gv_err *err)
{
    int64_t *order = gv_arena_alloc(&st->run, (size_t)r->n * sizeof *order + 1, err), pos = r->pos;
    int64_t *draw = gv_arena_alloc(&st->run, (size_t)r->n * sizeof *draw + 1, err), *seen = gv_arena_alloc(&st->run, (size_t)r->n * sizeof *seen + 1, err);
    uint8_t *bits = gv_arena_alloc(&st->run, (size_t)r->d->num_classes + 1, err);
    struct classes k = { 0 };
    if (!order || !bits || !draw || !seen)
        return GV_ESYS;
    if (r->balanced && sort_classes(st, r, &k, err) < 0)
        return err->code;
    for (int64_t i = 0; i < r->n; i++)
        order[i] = i;
    for (int64_t e = 0; e < r->o->epochs; e++, pos = 0) {
        if (r->balanced)
            draw_epoch(r, &k, r->epoch + e, order, draw, seen);
        else if (r->shuffle) {
            gv_rng rng;
            gv_rng_init(&rng, r->seed, GV_RNG_SHUFFLE, (uint64_t)(r->epoch + e), 0, 0);
            gv_rng_permutation(&rng, order, r->n);
        }
        for (pos += (r->shard - pos % r->shards + r->shards) % r->shards; pos < r->count; pos += r->shards)
            if (put(st, r, r->epoch + e, pos, order[pos], draw[pos], bits, err) < 0)
                return err->code;
    }
    return GV_OK;
}

static int facts(gv_stage_ctx *st, const struct run *r, gv_err *err)
{
    static const char *const tasks[] = { "multiclass", "multilabel", "regression", "framewise" };
    const gv_data *d = r->d;
    gv_writer *w = st->out;
    if (gv_writer_fact(w, "data_set", gv_item_text(d->set->name), err) < 0 || gv_writer_fact(w, "split", gv_item_text(splits[r->o->split]), err) < 0 ||
        gv_writer_fact(w, "task", gv_item_text(tasks[d->target]), err) < 0 || gv_writer_fact(w, "num_classes", gv_item_i64(d->num_classes), err) < 0 ||
        gv_writer_fact(w, "count", gv_item_i64(r->count), err) < 0 || gv_writer_fact(w, "shuffle", gv_item_bool(r->shuffle), err) < 0 ||
        gv_writer_fact(w, "content", gv_item_text(d->content), err) < 0)
        return err->code;
    if (d->class_names) {
        gv_item names = gv_item_texts(d->class_names, (size_t)d->num_classes, &st->run, err);
        if (names.type == GV_NIL || gv_writer_fact(w, "class_names", names, err) < 0)
            return err->code;
    }
    if (d->clips) {
        gv_item clips = gv_clip_plan_item(&d->clips[0], &d->clips[1], &st->run, err);
        if (clips.type == GV_NIL || gv_writer_fact(w, "clips", clips, err) < 0)
            return err->code;
    }
    gv_item plan = { .type = GV_NIL };
    if (d->volume && ((plan = gv_scan_plan_item(d->volume, &st->run, err)).type == GV_NIL || gv_writer_fact(w, "volume", plan, err) < 0))
        return err->code;
    if (d->native_size && gv_writer_fact(w, "native_size", gv_item_i64(d->native_size), err) < 0)
        return err->code;
    if (d->feature_dim && gv_writer_fact(w, "feature_dim", gv_item_i64(d->feature_dim), err) < 0)
        return err->code;
    if (d->fold && gv_writer_fact(w, "fold", gv_item_text(d->fold), err) < 0)
        return err->code;
    if (d->root && gv_writer_fact(w, "data_root", gv_item_text(d->root), err) < 0)
        return err->code;
    return gv_stage_start(st, err);
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    const struct index *o = st->params;
    const gv_config *c = st->config;
    struct run r = { .o = o, .seed = c->training.seed == GV_NONE_U64 ? 0 : c->training.seed };
    gv_arena arena = { 0 };
    gv_data d;
    if (!two(o->shard, '/', &r.shard, &r.shards) || r.shard >= r.shards)
        return gv_fail(err, GV_EUSAGE, "'--shard' is '%s'; it is i/n with i from 0 to n-1", o->shard);
    if (!two(o->start, ':', &r.epoch, &r.pos))
        return gv_fail(err, GV_EUSAGE, "'--start' is '%s'; it is epoch:position", o->start);
    if (o->shuffle && o->no_shuffle)
        return gv_fail(err, GV_EUSAGE, "'--shuffle' and '--no_shuffle' contradict each other");
    r.shuffle = o->shuffle || (!o->no_shuffle && (o->split == GV_SPLIT_TRAIN ? c->dataloading.shuffle_train : c->dataloading.shuffle_eval));
    r.balanced = r.shuffle && o->split == GV_SPLIT_TRAIN && c->dataloading.balanced_sampling;
    unsigned want = o->split == ALL ? 7 : 1u << o->split;
    if (gv_arena_init(&arena, "listing", 16ull << 30, err) < 0 || gv_data_open(c, &(gv_data_want){ want, o->unlabelled }, &arena, &d, err) < 0)
        goto out;
    if (o->split == ALL && d.test_is_val)
        d.split[GV_SPLIT_TEST].n = 0; /* the same samples: once is enough */
    for (int s = 0; s < GV_SPLITS; s++)
        if (want & 1u << s && d.split[s].n > 0)
            r.n += d.split[s].n;
    r.d = &d;
    r.count = o->limit && o->limit < r.n ? o->limit : r.n;
    if (r.pos > r.count) {
        gv_fail(err, GV_EUSAGE, "'--start' is '%s', but an epoch has %" PRId64 " samples", o->start, r.count);
        goto out;
    }
    if (facts(st, &r, err) == GV_OK)
        (void)list(st, &r, err);
out:
    gv_arena_release(&arena);
    return err->code;
}

static const char *const blocks[] = { "data", "training.seed", "training.cv_folds", "dataloading.shuffle_train", "dataloading.shuffle_eval", "dataloading.balanced_sampling", NULL };

const gv_stage gv_this_stage = {
    .name = "index", .summary = "list the samples of a split in their order",
    .writes = GV_SAMPLE, .blocks = blocks, .fields = fields, .params_size = sizeof(struct index), .names = gv_data_names_below, .run = run,
};
