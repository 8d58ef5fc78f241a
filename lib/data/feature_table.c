/* feature_table: all points of a feature file, or a seeded choice of them, with classes and names. */
#include "data/feature_table.h"
#include "common/rng.h"
#include "data/hdf5.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 8 << 20, MOST_GROUPS = 1 << 20, SEVERAL = -2 };

static int open_file(gv_features_file *f, const char *path, gv_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        gv_fail_sys(err, "cannot open '%s'", path);
        if (missing)
            err->code = GV_EUSAGE;
        return err->code;
    }
    return gv_features_open(f, fd, path, err);
}

/* ---- labels ---- */

/* Bag of each point; NULL: points are rows. */
static int bags_of(const gv_features_file *f, int64_t n, int32_t **bag, gv_arena *arena, gv_err *err)
{
    *bag = NULL;
    if (!f->bags)
        return GV_OK;
    if (!(*bag = gv_arena_alloc(arena, (size_t)n * 4 + 4, err)))
        return GV_ESYS;
    for (int64_t b = 0; b < f->rows; b++)
        for (int64_t i = f->fixed ? b * f->fixed : f->begin[b], end = f->fixed ? i + f->fixed : f->begin[b + 1]; i < end; i++)
            (*bag)[i] = (int32_t)b;
    return GV_OK;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Classes by their labels: as they are where class_names tells how many there are, otherwise their places in the order of those that occur. */
static int group_labels(gv_feature_table *t, const int64_t *label, int64_t rows, const char **names, int64_t nnames, gv_arena *arena, gv_err *err)
{
    int64_t *sorted = gv_arena_alloc(arena, (size_t)rows * 8 + 8, err), kinds = 0, most = -1;
    if (!sorted)
        return GV_ESYS;
    for (int64_t i = 0; i < rows; i++)
        most = label[i] > most ? label[i] : most;
    memcpy(sorted, label, (size_t)rows * 8);
    qsort(sorted, (size_t)rows, sizeof *sorted, by_number);
    for (int64_t i = 0; i < rows; i++)
        if (sorted[i] != -1 && (!kinds || sorted[i] != sorted[kinds - 1]))
            sorted[kinds++] = sorted[i];
    bool named = names && most < nnames && (!kinds || sorted[0] >= SEVERAL);
    t->groups = named ? nnames + (kinds && sorted[0] == SEVERAL) : kinds;
    if (t->groups > MOST_GROUPS)
        return gv_fail(err, GV_EDATA, "'labels' has %" PRId64 " different values; at most %d are told apart", t->groups, MOST_GROUPS);
    if (!(t->name = gv_arena_alloc(arena, (size_t)t->groups * sizeof *t->name + 8, err)))
        return GV_ESYS;
    for (int64_t g = 0; g < t->groups; g++) {
        int64_t v = named ? g : sorted[g];
        bool several = named ? g == nnames : v == SEVERAL;
        t->name[g] = several ? "several" : named ? names[g] : gv_arena_printf(arena, err, "%" PRId64, v);
        if (!t->name[g])
            return GV_ESYS;
    }
    for (int64_t i = 0; i < t->n; i++) {
        int64_t v = label[t->group[i]]; /* group holds the row of labels until now */
        const int64_t *at = v == -1 || named ? NULL : bsearch(&v, sorted, (size_t)kinds, sizeof *sorted, by_number);
        t->group[i] = v == -1 ? -1 : named ? (int32_t)(v == SEVERAL ? nnames : v) : (int32_t)(at - sorted);
    }
    return GV_OK;
}

/* labels [R] whole numbers: classes; other numbers: a regression; [R,K] of 0 and 1: the one label that is set, or several. */
static int read_labels(const gv_features_file *f, int64_t rows, int64_t **label, float **value, gv_arena *arena, gv_err *err)
{
    double *v;
    int64_t shape[2];
    *label = NULL;
    *value = NULL;
    int r = gv_features_numbers(f, "labels", &v, shape, arena, err);
    if (r <= 0)
        return r;
    if (shape[0] != rows)
        return gv_fail(err, GV_EDATA, "'labels' has %" PRId64 " rows, 'features' has %" PRId64, shape[0], rows);
    bool whole = true;
    for (int64_t i = 0; i < rows * shape[1]; i++)
        whole &= v[i] == floor(v[i]) && fabs(v[i]) < 1e15 && (shape[1] == 1 || v[i] == 0 || v[i] == 1 || v[i] == -1);
    if (!whole && !(*value = gv_arena_alloc(arena, (size_t)rows * 4 + 4, err)))
        return GV_ESYS;
    if (whole && !(*label = gv_arena_alloc(arena, (size_t)rows * 8 + 8, err)))
        return GV_ESYS;
    for (int64_t i = 0; i < rows; i++) {
        if (!whole) {
            (*value)[i] = (float)v[i * shape[1]]; /* of several numbers the first */
            continue;
        }
        int64_t set = 0, which = -1;
        for (int64_t k = 0; k < shape[1]; k++)
            if (v[i * shape[1] + k] == 1)
                set++, which = k;
        (*label)[i] = shape[1] == 1 ? (int64_t)v[i] : set > 1 ? SEVERAL : which;
    }
    return 1;
}

/* ---- the choice ---- */

struct draw { uint64_t key; int64_t at; };

static int by_key(const void *a, const void *b)
{
    const struct draw *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->at > y->at) - (x->at < y->at);
}

/* Marks the points to take: each has a random key, the smallest keys win. label NULL: no classes. */
static int choose(const gv_feature_choice *c, int64_t all, const int64_t *label, const int32_t *bag, uint8_t *take, int64_t *n, gv_arena *arena, gv_err *err)
{
    *n = all;
    memset(take, 1, (size_t)all);
    if (!c->max_samples || all <= c->max_samples)
        return GV_OK;
    struct draw *d = gv_arena_alloc(arena, (size_t)all * sizeof *d, err);
    int64_t *seen = gv_arena_alloc(arena, (size_t)all * 2 * sizeof *seen, err), kinds = 0;
    if (!d || !seen)
        return GV_ESYS;
    for (int64_t i = 0; i < all; i++) {
        gv_rng r;
        gv_rng_init(&r, c->seed, GV_RNG_SPLIT, (uint64_t)i, 0, 0);
        d[i] = (struct draw){ gv_rng_u64(&r), i };
    }
    qsort(d, (size_t)all, sizeof *d, by_key);
    int64_t *count = seen + all;
    for (int64_t i = 0; i < all && label; i++)
        seen[i] = label[bag ? bag[i] : i];
    if (label)
        qsort(seen, (size_t)all, sizeof *seen, by_number);
    for (int64_t i = 0; i < all && label; i++)
        if (!i || seen[i] != seen[kinds - 1])
            seen[kinds++] = seen[i];
    *n = 0;
    for (int64_t t = 0; t < all; t++) {
        int64_t i = d[t].at;
        const int64_t *of = label ? bsearch(&label[bag ? bag[i] : i], seen, (size_t)kinds, sizeof *seen, by_number) : NULL;
        take[i] = *n < c->max_samples && (!of || !c->max_per_class || count[of - seen]++ < c->max_per_class);
        *n += take[i];
    }
    return GV_OK;
}

/* ---- numbers and names ---- */

static int read_points(gv_feature_table *t, const gv_features_file *f, const uint8_t *take, const char *path, gv_arena *arena, gv_err *err)
{
    int64_t rows = BLOCK_BYTES / (t->dim * 4), at = 0;
    rows = rows < 1 ? 1 : rows;
    size_t mark = arena->used;
    float *block = gv_arena_alloc_dirty(arena, (size_t)(rows * t->dim) * 4, err);
    if (!block)
        return GV_ESYS;
    for (int64_t from = 0; from < t->all; from += rows) {
        int64_t n = t->all - from < rows ? t->all - from : rows;
        size_t inner = arena->used;
        if (gv_features_instances(f, from, n, block, arena, err) < 0)
            return gv_fail_in(err, "'%s': rows %" PRId64 " to %" PRId64, path, from, from + n - 1);
        gv_arena_rewind(arena, inner);
        for (int64_t i = 0; i < n; i++) {
            if (!take[from + i])
                continue;
            const float *x = block + i * t->dim;
            for (int64_t k = 0; k < t->dim; k++)
                if (!isfinite(x[k]))
                    return gv_fail(err, GV_ENAN, "'%s': row %" PRId64 " (%s) holds %f in column %" PRId64 "; such points have no place", path, from + i, t->id[at], (double)x[k], k);
            memcpy(t->x + at++ * t->dim, x, (size_t)t->dim * 4);
        }
    }
    gv_arena_rewind(arena, mark);
    return GV_OK;
}

static int name_points(gv_feature_table *t, const gv_features_file *f, const uint8_t *take, const int32_t *bag, const char *path, gv_arena *arena, gv_err *err)
{
    const char **ids = NULL;
    int64_t nids = 0, at = 0;
    int r = gv_features_texts(f, "ids", &ids, &nids, arena, err);
    if (r > 0 && nids != f->rows && nids != t->all)
        r = gv_fail(err, GV_EDATA, "'ids' has %" PRId64 " rows, 'features' has %" PRId64, nids, f->rows);
    if (r < 0)
        return gv_fail_in(err, "'%s'", path);
    for (int64_t i = 0; i < t->all; i++) {
        if (!take[i])
            continue;
        if (ids && nids == t->all)
            t->id[at] = ids[i];
        else if (bag)
            t->id[at] = ids ? gv_arena_printf(arena, err, "%s/%" PRId64, ids[bag[i]], i - (f->fixed ? bag[i] * f->fixed : f->begin[bag[i]])) : gv_arena_printf(arena, err, "%05d/%" PRId64, bag[i], i - (f->fixed ? bag[i] * f->fixed : f->begin[bag[i]]));
        else
            t->id[at] = gv_arena_printf(arena, err, "%05" PRId64, i);
        if (!t->id[at++])
            return GV_ESYS;
    }
    return GV_OK;
}

static int classes(gv_feature_table *t, const gv_features_file *f, const uint8_t *take, const int32_t *bag, const int64_t *label, const float *value, gv_arena *arena, gv_err *err)
{
    const char **names = NULL;
    int64_t nnames = 0, at = 0;
    if (value && !(t->value = gv_arena_alloc(arena, (size_t)t->n * 4 + 4, err)))
        return GV_ESYS;
    if (label && !(t->group = gv_arena_alloc(arena, (size_t)t->n * 4 + 4, err)))
        return GV_ESYS;
    for (int64_t i = 0; i < t->all; i++)
        if (take[i]) {
            if (value)
                t->value[at] = value[bag ? bag[i] : i];
            if (label)
                t->group[at] = bag ? bag[i] : (int32_t)i;
            at++;
        }
    if (!label)
        return GV_OK;
    int r = gv_features_texts(f, "class_names", &names, &nnames, arena, err);
    r = r < 0 ? r : group_labels(t, label, f->rows, names, nnames, arena, err);
    uint8_t *seen = r == GV_OK ? gv_arena_alloc(arena, (size_t)t->groups + 1, err) : NULL;
    if (!seen)
        return r < 0 ? r : GV_ESYS;
    for (int64_t i = 0; i < t->n; i++)
        if (t->group[i] >= 0 && !seen[t->group[i]]) {
            seen[t->group[i]] = 1;
            t->seen++;
        }
    return GV_OK;
}

static int read_all(gv_feature_table *t, const gv_features_file *f, const char *path, const gv_feature_choice *choice, gv_arena *arena, gv_err *err)
{
    int64_t *label;
    float *value;
    int32_t *bag;
    *t = (gv_feature_table){ .all = gv_features_count(f), .dim = f->dim };
    if (t->all >= INT32_MAX)
        return gv_fail(err, GV_EDATA, "'%s' has %" PRId64 " points; at most %d are read", path, t->all, INT32_MAX - 1);
    uint8_t *take = gv_arena_alloc(arena, (size_t)t->all + 1, err);
    int r = take ? bags_of(f, t->all, &bag, arena, err) : GV_ESYS;
    r = r < 0 ? r : read_labels(f, f->rows, &label, &value, arena, err);
    if (r < 0)
        return gv_fail_in(err, "'%s'", path);
    r = choose(choice, t->all, label, bag, take, &t->n, arena, err);
    if (r < 0)
        return r;
    t->id = gv_arena_alloc(arena, (size_t)t->n * sizeof *t->id + 8, err);
    t->x = gv_arena_alloc_dirty(arena, (size_t)t->n * (size_t)t->dim * 4 + 4, err);
    if (!t->id || !t->x)
        return GV_ESYS;
    r = name_points(t, f, take, bag, path, arena, err);
    r = r < 0 ? r : classes(t, f, take, bag, label, value, arena, err);
    r = r < 0 ? r : read_points(t, f, take, path, arena, err);
    r = r < 0 ? r : gv_features_attribute(f, "data", &t->data, arena, err);
    r = r < 0 ? r : gv_features_attribute(f, "split", &t->split, arena, err);
    return r < 0 ? r : GV_OK;
}

int gv_feature_table_read(gv_feature_table *t, const char *path, const gv_feature_choice *choice, gv_arena *arena, gv_err *err)
{
    gv_features_file f;
    int r = open_file(&f, path, err);
    if (r < 0)
        return r;
    r = read_all(t, &f, path, choice, arena, err);
    gv_features_close(&f);
    return r;
}

int gv_feature_table_size(const char *path, int64_t *points, int64_t *dim, gv_err *err)
{
    gv_features_file f;
    int r = open_file(&f, path, err);
    if (r < 0)
        return r;
    *points = gv_features_count(&f);
    *dim = f.dim;
    gv_features_close(&f);
    return GV_OK;
}

int gv_feature_table_facts(const char *path, const char **data, const char **split, gv_arena *arena, gv_err *err)
{
    gv_features_file f;
    *data = *split = NULL;
    int r = open_file(&f, path, err);
    if (r < 0)
        return r;
    r = gv_features_attribute(&f, "data", data, arena, err);
    r = r < 0 ? r : gv_features_attribute(&f, "split", split, arena, err);
    gv_features_close(&f);
    return r < 0 ? r : GV_OK;
}
