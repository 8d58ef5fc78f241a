/*
 * clam_dataset: bags in the folders that CLAM's tools leave: below data_root_dir h5_files/SLIDE.h5 (features [N,D], coords [N,2]) or
 * pt_files/SLIDE.pt (a tensor [N,D]), a table case_id,slide_id,label, and a folder of splits_K.csv with the columns train, val and test, each
 * a list of slides with holes at its end. Fold K is splits_K.csv. Slides of one case_id are one group.
 * Layout: Lu et al. 2021, arXiv:2004.09666, as their public tools document it.
 */
#include "data/clam_dataset.h"
#include "data/internal.h"
#include "data/rows.h"
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CAP = 1 << 28, PATH = 4096, MOST_FOLDS = 1000 };

typedef struct slide { const char *label, *group; int64_t class; } slide;

typedef struct reading {
    const struct gv_clam_dataset *o;
    const gv_data_want *want;
    gv_arena *arena;
    gv_data *d;
    const char *root;
    char labels[PATH], splits[PATH];
    int slide_at, case_at, label_at;    /* columns */
    int split_at[GV_SPLITS];
    gv_buf slides;                      /* of struct slide */
    gv_textmap by_id;
    gv_listing list[GV_SPLITS];
} reading;

static int column(char **cell, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(cell[i], name))
            return (int)i;
    return -1;
}

/* ---- labels ---- */

static int label_line(void *arg, char **cell, size_t n, size_t line, gv_err *err)
{
    reading *r = arg;
    if (line == 1) {
        r->slide_at = column(cell, n, "slide_id");
        r->case_at = column(cell, n, "case_id");
        r->label_at = column(cell, n, r->o->label_column);
        if (r->slide_at < 0 || r->label_at < 0)
            return gv_fail(err, GV_EDATA, "'%s' has no column '%s'", r->labels, r->slide_at < 0 ? "slide_id" : r->o->label_column);
        return GV_OK;
    }
    size_t last = (size_t)(r->slide_at > r->label_at ? r->slide_at : r->label_at);
    if (n <= last)
        return n == 1 && !*cell[0] ? GV_OK : gv_fail(err, GV_EDATA, "'%s' line %zu has %zu cells", r->labels, line, n);
    slide s = { .class = -1 };
    const char *id = gv_arena_strdup(r->arena, cell[r->slide_at], err);
    int64_t there;
    s.label = *cell[r->label_at] ? gv_arena_strdup(r->arena, cell[r->label_at], err) : NULL;
    s.group = r->case_at >= 0 && (size_t)r->case_at < n && *cell[r->case_at] ? gv_arena_strdup(r->arena, cell[r->case_at], err) : NULL;
    if (err->code)
        return err->code;
    if (gv_textmap_get(&r->by_id, id, &there)) {
        const char *before = ((slide *)(void *)r->slides.data)[there].label;
        if (!before || !s.label || strcmp(before, s.label))
            return gv_fail(err, GV_EDATA, "'%s' line %zu: slide '%s' has another label above", r->labels, line, id);
        return GV_OK;
    }
    int code = gv_textmap_set(&r->by_id, id, (int64_t)(r->slides.len / sizeof s), err);
    return code == GV_OK ? gv_buf_add(&r->slides, &s, sizeof s, err) : code;
}

static int by_label(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    char *xe, *ye;
    double u = strtod(x, &xe), v = strtod(y, &ye);
    if (*x && *y && !*xe && !*ye && (u < v || u > v))
        return u < v ? -1 : 1;
    return strcmp(x, y);
}

/* Class names and the class of every slide. */
static int classes(reading *r, gv_err *err)
{
    slide *s = (slide *)(void *)r->slides.data;
    size_t n = r->slides.len / sizeof *s, k = r->o->class_names.n;
    gv_textmap index = { 0 };
    const char **names = gv_arena_alloc(r->arena, (n + k + 1) * sizeof *names, err);
    int code = names ? GV_OK : GV_ESYS;
    int64_t at;
    if (code == GV_OK && r->o->class_names.v)
        memcpy(names, r->o->class_names.v, k * sizeof *names);
    for (size_t i = 0; code == GV_OK && !r->o->class_names.v && i < n; i++)
        if (s[i].label && !gv_textmap_get(&index, s[i].label, &at)) {
            names[k++] = s[i].label;
            code = gv_textmap_set(&index, s[i].label, 0, err);
        }
    if (code == GV_OK && !r->o->class_names.v && k)
        qsort(names, k, sizeof *names, by_label);
    for (size_t i = 0; code == GV_OK && i < k; i++)
        code = gv_textmap_set(&index, names[i], (int64_t)i, err);
    for (size_t i = 0; code == GV_OK && i < n; i++) {
        if (s[i].label && !gv_textmap_get(&index, s[i].label, &s[i].class))
            code = gv_fail(err, GV_EUSAGE, "'%s': label '%s' is not in data.class_names", r->labels, s[i].label);
    }
    gv_textmap_release(&index);
    r->d->num_classes = (int64_t)k;
    r->d->class_names = names;
    return code == GV_OK && !k ? gv_fail(err, GV_EDATA, "'%s' holds no label", r->labels) : code;
}

/* ---- splits ---- */

static bool is_file(const reading *r, const char *path)
{
    char full[2 * PATH];
    struct stat st;
    snprintf(full, sizeof full, "%s/%s", r->root, path);
    return stat(full, &st) == 0 && S_ISREG(st.st_mode);
}

/* The file of a slide's features below the root; false: there is none. Tables often name the slide with the ending of its picture. */
static bool find_features(const reading *r, const char *id, char out[PATH])
{
    static const char *const form[] = { "h5_files/%.*s.h5", "pt_files/%.*s.pt" };
    const char *dot = strrchr(id, '.');
    int whole = (int)strlen(id), stem = dot && dot > id ? (int)(dot - id) : whole;
    for (int len = whole;; len = stem) {
        for (int k = 0; k < 2; k++) {
            bool wanted = r->o->features == GV_CLAM_FILES_AUTO || r->o->features == (k ? GV_CLAM_FILES_PT : GV_CLAM_FILES_H5);
            if (wanted && snprintf(out, PATH, form[k], len, id) < PATH && is_file(r, out))
                return true;
        }
        if (len == stem)
            return false;
    }
}

static int add_slide(reading *r, int split, const char *id, gv_err *err)
{
    char path[PATH];
    int64_t at;
    bool known = gv_textmap_get(&r->by_id, id, &at), there = find_features(r, id, path);
    const slide *s = known ? (const slide *)(const void *)r->slides.data + at : NULL;
    bool labelled = s && s->class >= 0, needed = !r->want->unlabelled && !(r->want->optional & 1u << split);
    if (!there || (!labelled && needed)) {
        r->d->skipped++;
        if (!r->o->strict)
            return GV_OK;
        return gv_fail(err, GV_EUSAGE, there ? "slide '%s' of '%s' has no label in '%s' (data.no_strict leaves it out)" : "slide '%s' of '%s' has no features in h5_files/ or pt_files/ below '%s' (data.no_strict leaves it out)",
                       id, r->splits, there ? r->labels : r->root);
    }
    gv_entry e = { .row = -1, .label = labelled ? s->class : -1, .group = s ? s->group : NULL };
    e.id = gv_arena_strdup(r->arena, id, err);
    e.path = gv_arena_strdup(r->arena, path, err);
    return err->code ? err->code : gv_listing_add(&r->list[split], &e, err);
}

static int split_line(void *arg, char **cell, size_t n, size_t line, gv_err *err)
{
    reading *r = arg;
    if (line == 1) {
        for (int s = 0; s < GV_SPLITS; s++)
            r->split_at[s] = column(cell, n, gv_split_names[s]);
        return r->split_at[GV_SPLIT_TRAIN] < 0 ? gv_fail(err, GV_EDATA, "'%s' has no column 'train'", r->splits) : GV_OK;
    }
    for (int s = 0; s < GV_SPLITS; s++) {
        const char *id = r->split_at[s] >= 0 && (size_t)r->split_at[s] < n ? cell[r->split_at[s]] : "";
        bool stands_in = s == GV_SPLIT_VAL && r->split_at[GV_SPLIT_TEST] < 0 && r->want->splits & 1u << GV_SPLIT_TEST;
        if (*id && strcasecmp(id, "nan") && (r->want->splits & 1u << s || stands_in) && add_slide(r, s, id, err) < 0)
            return gv_fail_in(err, "line %zu", line);
    }
    return GV_OK;
}

/* splits_0.csv, splits_1.csv, …: the folds, and the one that is wanted. */
static int find_fold(reading *r, const char *dir, const char *want, gv_err *err)
{
    gv_data *d = r->d;
    d->fold_names = gv_arena_alloc(r->arena, MOST_FOLDS * sizeof *d->fold_names, err);
    if (!d->fold_names)
        return GV_ESYS;
    for (size_t k = 0; k < MOST_FOLDS; k++) {
        snprintf(r->splits, sizeof r->splits, "%.3000s/splits_%zu.csv", dir, k);
        if (access(r->splits, F_OK) < 0)
            break;
        if (!(d->fold_names[d->nfolds++] = gv_arena_printf(r->arena, err, "%zu", k)))
            return GV_ESYS;
    }
    if (!d->nfolds)
        return gv_fail(err, GV_EUSAGE, "'%s' holds no splits_0.csv (data.splits_dir)", dir);
    for (size_t k = 0; k < d->nfolds && !d->fold; k++)
        if (!want || !strcmp(want, d->fold_names[k]))
            d->fold = d->fold_names[k];
    if (!d->fold)
        return gv_fail(err, GV_EUSAGE, "data.fold is '%s'; the folds in '%s' are '0' to '%s'", want, dir, d->fold_names[d->nfolds - 1]);
    snprintf(r->splits, sizeof r->splits, "%.3000s/splits_%s.csv", dir, d->fold);
    return GV_OK;
}

/* The length of an instance, from the first bag that there is. */
static int look_inside(reading *r, gv_err *err)
{
    for (int s = 0; s < GV_SPLITS; s++) {
        char full[2 * PATH];
        gv_arena scratch = { 0 };
        gv_sample x;
        gv_rows *rows;
        for (int64_t i = 0; i < r->d->split[s].n && i < 16; i++) {
            snprintf(full, sizeof full, "%s/%s", r->root, r->d->split[s].v[i].path);
            int fd = open(full, O_RDONLY | O_CLOEXEC);
            int code = fd < 0 ? gv_fail_sys(err, "cannot read '%s'", full) : gv_rows_open(&rows, fd, full, err);
            if (code == GV_OK) {
                if ((code = gv_arena_init(&scratch, "bag", (size_t)2 << 30, err)) == GV_OK)
                    code = gv_rows_bag(rows, &x, &scratch, err);
                gv_rows_close(rows);
                gv_arena_release(&scratch);
            }
            if (code == GV_OK) {
                r->d->feature_dim = x.shape[1];
                return GV_OK;
            }
            gv_err_clear(err); /* it is told where it is used */
        }
    }
    return r->d->split[0].n > 0 || r->d->split[1].n > 0 || r->d->split[2].n > 0 ? gv_fail(err, GV_EDATA, "none of the first bags of '%s' can be read", r->root) : GV_OK;
}

static int open_clam(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    reading r = { .o = c->data.params, .want = want, .arena = arena, .d = d, .root = gv_data_root(c, err) };
    char dir[PATH];
    if (!r.root)
        return err->code;
    if (c->data.subtask != GV_SUBTASK_MULTICLASS || c->data.task != GV_TASK_CLASSIFICATION)
        return gv_fail(err, GV_EUSAGE, "clam_dataset has one class a slide; for other targets put the bags into files of precomputed_features");
    d->root = r.root;
    d->fixed = true;
    snprintf(r.labels, sizeof r.labels, *r.o->labels_file == '/' ? "%s%s" : "%.2000s/%.2000s", *r.o->labels_file == '/' ? "" : r.root, r.o->labels_file);
    snprintf(dir, sizeof dir, *r.o->splits_dir == '/' ? "%s%s" : "%.2000s/%.2000s", *r.o->splits_dir == '/' ? "" : r.root, r.o->splits_dir);
    int code = access(r.labels, R_OK) < 0 ? gv_fail(err, GV_EUSAGE, "the labels '%s' cannot be read (data.labels_file)", r.labels) : gv_csv_read(r.labels, CAP, label_line, &r, err);
    if (code == GV_OK)
        code = classes(&r, err);
    if (code == GV_OK)
        code = find_fold(&r, dir, c->data.fold, err);
    if (code == GV_OK && (code = gv_csv_read(r.splits, CAP, split_line, &r, err)) < 0)
        gv_fail_in(err, "'%s'", r.splits);
    for (int s = 0; s < GV_SPLITS; s++) {
        if (code == GV_OK && r.list[s].v.len)
            code = gv_listing_take(&r.list[s], arena, &d->split[s], err);
        gv_buf_release(&r.list[s].v);
    }
    if (code == GV_OK)
        code = look_inside(&r, err);
    gv_textmap_release(&r.by_id);
    gv_buf_release(&r.slides);
    return code;
}

const gv_dataset gv_dataset_clam_dataset = { .name = "clam_dataset", .variant = &gv_dataset_variant_clam_dataset, .content = "bag", .open = open_clam };
