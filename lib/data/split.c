/* Fractions of the training split, and folds. Both are drawn with a seed of their own (42), not the run's: two runs with
 * different seeds train on the same samples.
 *
 * The stratified fraction is scikit-learn's StratifiedShuffleSplit(train_size=f, random_state=42), draw for draw: the shares
 * of the classes are rounded down, the largest remainders get one more (ties by a permutation), then each class is permuted. */
#include "data/internal.h"
#include "common/rng.h"
#include <inttypes.h>

enum { SEED = 42, DECILES = 10 };

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int by_double_down(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* How many of each class make `want` in all. n classes; out[n]. */
static int shares(gv_mt *mt, const int64_t *count, int64_t n, int64_t want, int64_t *out, gv_arena *a, gv_err *err)
{
    double *rest = gv_arena_alloc(a, (size_t)n * sizeof *rest, err), *sorted = gv_arena_alloc(a, (size_t)n * sizeof *sorted, err);
    int64_t *tied = gv_arena_alloc(a, (size_t)n * sizeof *tied, err), *order = gv_arena_alloc(a, (size_t)n * sizeof *order, err);
    int64_t all = 0, given = 0;
    if (!rest || !sorted || !tied || !order)
        return GV_ESYS;
    for (int64_t i = 0; i < n; i++)
        all += count[i];
    for (int64_t i = 0; i < n; i++) {
        double exact = (double)count[i] / (double)all * (double)want;
        out[i] = (int64_t)floor(exact);
        sorted[i] = rest[i] = exact - floor(exact);
        given += out[i];
    }
    qsort(sorted, (size_t)n, sizeof *sorted, by_double_down);
    for (int64_t i = 0; i < n && given < want; i++) {
        int64_t k = 0;
        if (i && sorted[i] == sorted[i - 1])
            continue;
        for (int64_t j = 0; j < n; j++)
            if (rest[j] == sorted[i])
                tied[k++] = j;
        gv_mt_permutation(mt, order, k);
        for (int64_t j = 0; j < k && given < want; j++, given++)
            out[tied[order[j]]]++;
    }
    return GV_OK;
}

/* Positions of the split's samples by class, in their order: where[start[c] … start[c+1]) for class c. Classes nobody has are
 * left out. */
static int64_t by_class(const gv_split *s, int64_t num_classes, int64_t **where, int64_t **count, gv_arena *a, gv_err *err)
{
    int64_t classes = num_classes + 1, present = 0; /* one more: the unlabelled */
    int64_t *at = gv_arena_alloc(a, (size_t)(classes + 1) * sizeof *at, err);
    *where = gv_arena_alloc(a, (size_t)s->n * sizeof **where + 1, err);
    *count = gv_arena_alloc(a, (size_t)classes * sizeof **count, err);
    if (!at || !*where || !*count)
        return GV_ESYS;
    for (int64_t i = 0; i < s->n; i++)
        at[(s->v[i].label < 0 ? num_classes : s->v[i].label) + 1]++;
    for (int64_t c = 0; c < classes; c++) {
        if (at[c + 1])
            (*count)[present++] = at[c + 1];
        at[c + 1] += at[c];
    }
    for (int64_t i = 0; i < s->n; i++)
        (*where)[at[s->v[i].label < 0 ? num_classes : s->v[i].label]++] = i;
    return present;
}

static int64_t stratified_fraction(gv_data *d, int64_t want, int64_t *keep, gv_arena *a, gv_err *err)
{
    const gv_split *s = &d->split[GV_SPLIT_TRAIN];
    int64_t *where, *count, kept = 0, start = 0;
    int64_t n = by_class(s, d->num_classes, &where, &count, a, err);
    if (n < 0)
        return n;
    for (int64_t c = 0; c < n; c++)
        if (count[c] < 2)
            return gv_fail(err, GV_EUSAGE, "data.data_fraction cannot be stratified: a class has one training sample; at least 2 are needed (use --data.no_stratified)");
    if (want < n || s->n - want < n)
        return gv_fail(err, GV_EUSAGE, "data.data_fraction leaves %" PRId64 " of %" PRId64 " samples for %" PRId64 " classes; a stratified fraction needs one of each on both sides (use --data.no_stratified)", want, s->n, n);
    gv_mt mt;
    gv_mt_init(&mt, SEED);
    int64_t *in = gv_arena_alloc(a, (size_t)n * 3 * sizeof *in, err), *perm = gv_arena_alloc(a, (size_t)s->n * sizeof *perm, err);
    if (!in || !perm || shares(&mt, count, n, want, in, a, err) < 0)
        return GV_ESYS;
    int64_t *left = in + n, *out = in + 2 * n;
    for (int64_t c = 0; c < n; c++)
        left[c] = count[c] - in[c];
    if (shares(&mt, left, n, s->n - want, out, a, err) < 0) /* drawn by the original for its other side; keeps the stream in step */
        return GV_ESYS;
    for (int64_t c = 0; c < n; start += count[c++]) {
        gv_mt_permutation(&mt, perm, count[c]);
        for (int64_t i = 0; i < in[c]; i++)
            keep[kept++] = where[start + perm[i]];
    }
    return kept;
}

int gv_split_fraction(gv_data *d, double fraction, bool stratified, gv_arena *arena, gv_err *err)
{
    gv_split *s = &d->split[GV_SPLIT_TRAIN];
    int64_t want = (int64_t)floor(fraction * (double)s->n), kept;
    if (want < 1)
        return gv_fail(err, GV_EUSAGE, "data.data_fraction %g of %" PRId64 " training samples is none", fraction, s->n);
    int64_t *keep = gv_arena_alloc(arena, (size_t)s->n * sizeof *keep, err);
    if (!keep)
        return GV_ESYS;
    if (stratified && d->target == GV_TARGET_CLASS && want < s->n) {
        if ((kept = stratified_fraction(d, want, keep, arena, err)) < 0)
            return (int)kept;
    } else {
        gv_mt mt;
        gv_mt_init(&mt, SEED);
        gv_mt_permutation(&mt, keep, s->n);
        kept = want;
    }
    qsort(keep, (size_t)kept, sizeof *keep, by_number); /* the data set's own order: unshuffled reading stays sequential */
    for (int64_t i = 0; i < kept; i++)
        s->v[i] = s->v[keep[i]];
    s->n = kept;
    d->fraction_applied = true;
    return GV_OK;
}

/* ---- folds ---- */

/* Strata of the pool: the class, or the decile of the first output; -1 (unlabelled) becomes the last one. */
static int64_t strata(const gv_data *d, bool stratified, int32_t *of, gv_arena *a, gv_err *err)
{
    int64_t n = d->pool.n;
    if (!stratified)
        return 1;
    if (d->target != GV_TARGET_REGRESSION) {
        int64_t k = d->target == GV_TARGET_CLASS ? d->num_classes : 0;
        for (int64_t i = 0; i < n; i++)
            of[i] = (int32_t)(d->target == GV_TARGET_CLASS && d->pool.v[i].label >= 0 ? d->pool.v[i].label : k);
        return k + 1;
    }
    double *v = gv_arena_alloc(a, (size_t)n * sizeof *v, err);
    if (!v)
        return GV_ESYS;
    for (int64_t i = 0; i < n; i++)
        v[i] = d->pool.v[i].label < 0 ? 0 : d->values[d->pool.v[i].label * d->num_classes];
    double *sorted = gv_arena_alloc(a, (size_t)n * sizeof *v, err);
    if (!sorted)
        return GV_ESYS;
    memcpy(sorted, v, (size_t)n * sizeof *v);
    qsort(sorted, (size_t)n, sizeof *v, by_double_down);
    for (int64_t i = 0; i < n; i++)
        for (int q = 1; q < DECILES && v[i] <= sorted[n * q / DECILES]; q++)
            of[i] = q;
    return DECILES;
}

/* Groups of the pool, numbered by first appearance. */
static int64_t groups(const gv_data *d, int32_t *of, gv_err *err)
{
    gv_textmap m = { 0 };
    int64_t n = 0, r = 0;
    for (int64_t i = 0; i < d->pool.n && r == 0; i++) {
        int64_t g;
        const char *name = d->pool.v[i].group;
        if (name && gv_textmap_get(&m, name, &g)) {
            of[i] = (int32_t)g;
            continue;
        }
        if (name)
            r = gv_textmap_set(&m, name, n, err);
        of[i] = (int32_t)n++;
    }
    gv_textmap_release(&m);
    return r < 0 ? r : n;
}

struct spread { double deviation; int64_t tie, group; };

static int by_spread(const void *a, const void *b)
{
    const struct spread *x = a, *y = b;
    if (x->deviation != y->deviation)
        return x->deviation < y->deviation ? 1 : -1;
    return (x->tie > y->tie) - (x->tie < y->tie);
}

static double deviation(const double *v, int64_t n)
{
    double mean = 0, sum = 0;
    for (int64_t i = 0; i < n; i++)
        mean += v[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        sum += (v[i] - mean) * (v[i] - mean);
    return sqrt(sum / (double)n);
}

/* Whole groups, the most uneven first, each into the fold where the classes then stay most even over the folds (as
 * scikit-learn's StratifiedGroupKFold does); equal groups come in a shuffled order. */
static int deal_groups(int64_t n, int64_t s, int k, const int64_t *count, const int64_t *order, int32_t *fold, gv_arena *a, gv_err *err)
{
    struct spread *g = gv_arena_alloc(a, (size_t)n * sizeof *g, err);
    double *held = gv_arena_alloc(a, (size_t)(s * k) * sizeof *held, err), *row = gv_arena_alloc(a, (size_t)(s + k) * sizeof *row, err);
    double *total = gv_arena_alloc(a, (size_t)s * sizeof *total, err);
    if (!g || !held || !row || !total)
        return GV_ESYS;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < s; c++) {
            row[c] = (double)count[i * s + c];
            total[c] += row[c];
        }
        g[i] = (struct spread){ deviation(row, s), order[i], i };
    }
    qsort(g, (size_t)n, sizeof *g, by_spread);
    for (int64_t i = 0; i < n; i++) {
        const int64_t *mine = count + g[i].group * s;
        double least = INFINITY, fewest = INFINITY;
        int best = 0;
        for (int f = 0; f < k; f++) {
            double uneven = 0, size = 0;
            for (int64_t c = 0; c < s; c++) {
                size += held[f * s + c];
                if (!mine[c])
                    continue; /* a class the group does not have is as even in every fold */
                for (int h = 0; h < k; h++)
                    row[s + h] = (held[h * s + c] + (h == f ? (double)mine[c] : 0)) / total[c];
                uneven += deviation(row + s, k);
            }
            if (uneven < least - 1e-12 || (uneven < least + 1e-12 && size < fewest)) {
                least = uneven;
                fewest = size;
                best = f;
            }
        }
        fold[g[i].group] = best;
        for (int64_t c = 0; c < s; c++)
            held[best * s + c] += (double)mine[c];
    }
    return GV_OK;
}

int gv_folds_draw(gv_data *d, int k, bool stratified, gv_arena *arena, gv_err *err)
{
    int64_t n = d->pool.n, s, ng, next = 0;
    int32_t *stratum = gv_arena_alloc(arena, (size_t)n * sizeof *stratum + 1, err), *group = gv_arena_alloc(arena, (size_t)n * sizeof *group + 1, err);
    int32_t *fold = gv_arena_alloc(arena, (size_t)n * sizeof *fold + 1, err);
    int64_t *order = gv_arena_alloc(arena, (size_t)n * sizeof *order + 1, err);
    if (!stratum || !group || !fold || !order)
        return GV_ESYS;
    if ((s = strata(d, stratified, stratum, arena, err)) < 0 || (ng = groups(d, group, err)) < 0)
        return err->code;
    if (ng < k)
        return gv_fail(err, GV_EUSAGE, "training.cv_folds is %d, but there are only %" PRId64 " %s to draw folds from", k, ng, ng == n ? "samples" : "groups");
    gv_rng rng;
    gv_rng_init(&rng, SEED, GV_RNG_FOLD, 0, 0, 0);
    gv_rng_permutation(&rng, order, ng);
    if (ng == n) { /* no groups: each stratum is dealt round, starting where the last one stopped */
        for (int64_t c = 0; c < s; c++)
            for (int64_t i = 0; i < n; i++)
                if (stratum[order[i]] == c)
                    fold[order[i]] = (int32_t)(next++ % k);
    } else {
        int64_t *count = gv_arena_alloc(arena, (size_t)(ng * s) * sizeof *count, err);
        int32_t *of = gv_arena_alloc(arena, (size_t)ng * sizeof *of, err);
        if (!count || !of)
            return GV_ESYS;
        for (int64_t i = 0; i < n; i++)
            count[group[i] * s + stratum[i]]++;
        if (deal_groups(ng, s, k, count, order, of, arena, err) < 0)
            return err->code;
        for (int64_t i = 0; i < n; i++)
            fold[i] = of[group[i]];
    }
    d->fold_of = fold;
    d->folds_drawn = true;
    d->nfolds = (size_t)k;
    d->fold_names = gv_arena_alloc(arena, (size_t)k * sizeof *d->fold_names, err);
    for (int i = 0; d->fold_names && i < k; i++)
        if (!(d->fold_names[i] = gv_arena_printf(arena, err, "%d", i)))
            return GV_ESYS;
    return d->fold_names ? GV_OK : GV_ESYS;
}

int gv_folds_choose(gv_data *d, int fold, gv_arena *arena, gv_err *err)
{
    for (int side = GV_SPLIT_TRAIN; side <= GV_SPLIT_VAL; side++) {
        gv_split *s = &d->split[side];
        s->n = 0;
        if (!(s->v = gv_arena_alloc(arena, (size_t)d->pool.n * sizeof *s->v + 1, err)))
            return GV_ESYS;
        for (int64_t i = 0; i < d->pool.n; i++)
            if ((d->fold_of[i] == fold) == (side == GV_SPLIT_VAL))
                s->v[s->n++] = d->pool.v[i];
    }
    d->fold = d->fold_names[fold];
    return GV_OK;
}

json_t *gv_folds_json(const gv_data *d, gv_err *err)
{
    json_t *all = json_object();
    for (size_t f = 0; all && f < d->nfolds; f++) {
        json_t *fold = json_object(), *side[2] = { json_array(), json_array() };
        int bad = !fold || json_object_set_new(fold, "train", side[0]) || json_object_set_new(fold, "val", side[1]) || json_object_set_new(all, d->fold_names[f], fold);
        for (int64_t i = 0; !bad && i < d->pool.n; i++)
            bad = json_array_append_new(side[d->fold_of[i] == (int32_t)f], json_string(d->pool.v[i].id));
        if (bad) {
            json_decref(all);
            all = NULL;
        }
    }
    if (!all)
        gv_fail(err, GV_ESYS, "out of memory for the folds' %" PRId64 " names", d->pool.n);
    return all;
}
