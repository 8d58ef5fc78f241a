/* The registry, and what every data set shares: folds, fractions, checks, counts. */
#include "data/internal.h"
#include <inttypes.h>
#include <libgen.h>

const char *const gv_split_names[] = { "train", "val", "test", NULL };

static const gv_dataset *const datasets[] = {
#define GV_DATASET(n) &gv_dataset_##n,
#include "data/datasets.def"
#undef GV_DATASET
};

const gv_dataset *gv_dataset_find(const char *name)
{
    for (size_t i = 0; i < GV_COUNT(datasets); i++)
        if (!strcmp(datasets[i]->name, name))
            return datasets[i];
    return NULL;
}

static const gv_dataset *chosen(const gv_config *c, gv_err *err)
{
    const gv_dataset *set = c->data.dataset ? gv_dataset_find(c->data.dataset->name) : NULL;
    if (!c->data.dataset)
        gv_fail(err, GV_EUSAGE, "data.dataset is not given (--data.dataset NAME)");
    else if (!set)
        gv_fail(err, GV_EUSAGE, "data set '%s' is not built yet", c->data.dataset->name);
    return set;
}

int gv_dataset_missing(const gv_config *c, gv_arena *arena, const gv_archive **list, size_t *n, gv_err *err)
{
    const gv_dataset *set = chosen(c, err);
    const char *root = c->data.data_root_dir;
    *list = NULL;
    *n = 0;
    if (!set)
        return err->code;
    if (!set->missing || !root)
        return GV_OK;
    if (!gv_is_dir(root)) { /* a new directory in an old one is meant; deeper, it is a misspelt path */
        char *copy = gv_arena_strdup(arena, root, err);
        if (!copy || !gv_is_dir(dirname(copy)))
            return copy ? GV_OK : GV_ESYS;
    }
    return set->missing(c, arena, list, n, err);
}

/* The fold the config asks for, the first one when it names none. */
static int fold_index(const gv_config *c, const gv_data *d, gv_err *err)
{
    if (!c->data.fold)
        return 0;
    for (size_t i = 0; i < d->nfolds; i++)
        if (!strcmp(d->fold_names[i], c->data.fold))
            return (int)i;
    return gv_fail(err, GV_EUSAGE, "data.fold is '%s'; the folds are '%s' to '%s'", c->data.fold, d->fold_names[0], d->fold_names[d->nfolds - 1]);
}

static int choose_fold(const gv_config *c, gv_arena *arena, gv_data *d, gv_err *err)
{
    int64_t k = c->training.cv_folds;
    if (d->nfolds) {
        if (k > (int64_t)d->nfolds)
            return gv_fail(err, GV_EUSAGE, "training.cv_folds is %" PRId64 ", but the splits hold %zu folds", k, d->nfolds);
        return GV_OK;
    }
    if (k <= 1 && c->data.fold)
        return gv_fail(err, GV_EUSAGE, "data.fold is '%s', but data set '%s' has no folds here (training.cv_folds K draws them where there is no validation split)", c->data.fold, d->set->name);
    if (k <= 1)
        return GV_OK;
    if (d->fixed)
        return gv_fail(err, GV_EUSAGE, "training.cv_folds is %" PRId64 ", but data set '%s' comes with one fixed split", k, d->set->name);
    if (k > 1000)
        return gv_fail(err, GV_EUSAGE, "training.cv_folds is %" PRId64 "; at most 1000 folds are drawn", k);
    d->pool = d->split[GV_SPLIT_TRAIN];
    if (gv_folds_draw(d, (int)k, c->data.stratified, arena, err) < 0)
        return err->code;
    int f = fold_index(c, d, err);
    return f < 0 ? f : gv_folds_choose(d, f, arena, err);
}

int gv_data_open(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *out, gv_err *err)
{
    const gv_dataset *set = chosen(c, err);
    gv_data_want w = *want;
    if (!set)
        return err->code;
    if (c->data.dataset_kwargs.n)
        return gv_fail(err, GV_EUSAGE, "data.dataset_kwargs has '%s', which data set '%s' does not take", c->data.dataset_kwargs.key[0], set->name);
    bool folded = c->training.cv_folds > 1, drawn = folded && want->splits & (1u << GV_SPLIT_TRAIN | 1u << GV_SPLIT_VAL);
    for (;; drawn = true) {
        if (drawn)
            w.splits |= 1u << GV_SPLIT_TRAIN; /* folds are drawn from all of it */
        *out = (gv_data){ .set = set, .content = set->content, .split = { { .n = -1 }, { .n = -1 }, { .n = -1 } } };
        if (set->open(c, &w, arena, out, err) < 0)
            return err->code;
        if (drawn || !folded || out->nfolds || out->split[GV_SPLIT_TEST].n >= 0)
            break; /* a test split of its own needs no other split on this machine */
    }
    if ((drawn || !folded || out->nfolds) && choose_fold(c, arena, out, err) < 0)
        return err->code;
    if (out->split[GV_SPLIT_TEST].n < 0) {
        out->split[GV_SPLIT_TEST] = out->split[GV_SPLIT_VAL];
        out->test_is_val = true;
    }
    for (int s = 0; s < GV_SPLITS; s++)
        if (want->splits & ~want->optional & 1u << s && out->split[s].n <= 0)
            return gv_fail(err, GV_EUSAGE, "data set '%s' in '%s' has no %s samples%s", set->name, out->root ? out->root : "", gv_split_names[s],
                s == GV_SPLIT_VAL && out->split[s].n < 0 ? " (training.cv_folds K draws K folds from the training split)" : "");
    out->train_whole = out->split[GV_SPLIT_TRAIN].n;
    if (!isnan(c->data.data_fraction) && c->data.data_fraction < 1 && want->splits & 1u << GV_SPLIT_TRAIN)
        return gv_split_fraction(out, c->data.data_fraction, c->data.stratified, arena, err);
    return GV_OK;
}

int64_t *gv_data_counts(const gv_data *d, int split, gv_arena *arena, gv_err *err)
{
    const gv_split *s = &d->split[split];
    int64_t *n = gv_arena_alloc(arena, (size_t)(d->num_classes + 1) * sizeof *n, err);
    for (int64_t i = 0; n && i < s->n; i++) {
        if (s->v[i].label < 0)
            n[d->num_classes]++;
        else if (d->target == GV_TARGET_CLASS)
            n[s->v[i].label]++;
        else if (d->target == GV_TARGET_FRAMEWISE)
            for (int64_t k = 0; k < d->frames[s->v[i].label].n; k++) {
                int64_t label = d->frames[s->v[i].label].v[k];
                n[label < 0 ? d->num_classes : label]++;
            }
        else if (d->target == GV_TARGET_MULTILABEL)
            for (int64_t k = 0; k < d->num_classes; k++)
                n[k] += d->values[s->v[i].label * d->num_classes + k] > 0;
    }
    return n;
}

static int describe_classes(const gv_data *d, int split, gv_arena *a, gv_buf *out, gv_err *err)
{
    enum { SHOWN = 20 };
    int64_t *n = gv_data_counts(d, split, a, err), least = INT64_MAX, most = 0;
    if (!n || gv_buf_printf(out, err, "%s per class:", gv_split_names[split]) < 0)
        return GV_ESYS;
    for (int64_t k = 0; k < d->num_classes; k++) {
        least = n[k] < least ? n[k] : least;
        most = n[k] > most ? n[k] : most;
        if (d->num_classes > SHOWN)
            continue;
        int r = d->class_names ? gv_buf_printf(out, err, " %s %" PRId64, d->class_names[k], n[k]) : gv_buf_printf(out, err, " %" PRId64 ": %" PRId64, k, n[k]);
        if (r < 0 || (k + 1 < d->num_classes && gv_buf_add(out, ",", 1, err) < 0))
            return GV_ESYS;
    }
    if (d->num_classes > SHOWN && gv_buf_printf(out, err, " %" PRId64 " to %" PRId64 " in %" PRId64 " classes", least, most, d->num_classes) < 0)
        return GV_ESYS;
    if (n[d->num_classes] && gv_buf_printf(out, err, ", unlabelled %" PRId64, n[d->num_classes]) < 0)
        return GV_ESYS;
    return gv_buf_add(out, "\n", 1, err);
}

int gv_data_describe(const gv_data *d, gv_buf *out, gv_err *err)
{
    const gv_split *s = d->split;
    gv_arena a = { 0 };
    const char *sep = "";
    for (int i = 0; i < GV_SPLITS; i++) {
        if (s[i].n < 0)
            continue; /* was not asked for */
        if (gv_buf_printf(out, err, "%s%s %" PRId64, sep, gv_split_names[i], s[i].n) < 0)
            return GV_ESYS;
        sep = ", ";
        if (i == GV_SPLIT_TRAIN && gv_buf_printf(out, err, " of %" PRId64, d->train_whole) < 0)
            return GV_ESYS;
        if (i == GV_SPLIT_TEST && d->test_is_val && gv_buf_printf(out, err, " (val)") < 0)
            return GV_ESYS;
    }
    if (d->nfolds && gv_buf_printf(out, err, ", fold %s of %zu%s", d->fold, d->nfolds, d->folds_drawn ? " drawn" : "") < 0)
        return GV_ESYS;
    if (d->skipped && gv_buf_printf(out, err, ", left out %" PRId64 " without file or label", d->skipped) < 0)
        return GV_ESYS;
    if (gv_buf_add(out, "\n", 1, err) < 0 || gv_arena_init(&a, "counts", 1u << 30, err) < 0)
        return GV_ESYS;
    int r = GV_OK;
    for (int i = 0; d->target != GV_TARGET_REGRESSION && r == GV_OK && i < GV_SPLITS; i++)
        if (s[i].n > 0 && !(i == GV_SPLIT_TEST && d->test_is_val))
            r = describe_classes(d, i, &a, out, err);
    gv_arena_release(&a);
    return r;
}
