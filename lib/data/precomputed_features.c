/* precomputed_features: vectors or bags from HDF5 files, one file a split; see hdf5.h for what they hold. Rows are read when
 * they are decoded. A label of -1 is none. */
#include "data/hdf5.h"
#include "data/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

static const char *file_of(const struct gv_precomputed_features *o, int split)
{
    const char *const files[] = { o->train_features_file, o->val_features_file, o->test_features_file };
    return files[split];
}

static int one_label(gv_data *d, const char *file, const double *y, int64_t row, bool unlabelled, gv_entry *e, float *values, gv_err *err)
{
    if (d->target != GV_TARGET_CLASS) {
        for (int64_t k = 0; k < d->num_classes; k++) {
            double v = y[row * d->num_classes + k];
            if (!isfinite(v) || (d->target == GV_TARGET_MULTILABEL && v != 0 && v != 1))
                return gv_fail(err, GV_EDATA, "'%s': label %" PRId64 " of row %" PRId64 " is %g", file, k, row, v);
            values[k] = (float)v;
        }
        return GV_OK;
    }
    e->label = (int64_t)y[row];
    if (y[row] == -1 && unlabelled)
        return GV_OK;
    if (y[row] != floor(y[row]) || y[row] < 0 || y[row] >= (double)d->num_classes)
        return gv_fail(err, GV_EUSAGE, "'%s': the label of row %" PRId64 " is %g; data.num_classes %" PRId64 " allows 0 to %" PRId64, file, row, y[row], d->num_classes, d->num_classes - 1);
    return GV_OK;
}

static int fill(gv_data *d, gv_features_file *f, const char *file, int split, int64_t *values_at, float *values, const gv_data_want *want, gv_arena *arena, gv_err *err)
{
    double *y = NULL;
    const char **ids = NULL;
    int64_t shape[2] = { 0, 1 }, n;
    int labels = gv_features_numbers(f, "labels", &y, shape, arena, err);
    bool unlabelled = want->unlabelled || want->optional & 1u << split;
    if (labels == 0 && !unlabelled)
        return gv_fail(err, GV_EDATA, "'%s' has no data set 'labels'", file);
    if (labels < 0 || gv_features_texts(f, "ids", &ids, &n, arena, err) < 0)
        return gv_fail_in(err, "'%s'", file);
    int64_t width = d->target == GV_TARGET_CLASS ? 1 : d->num_classes;
    if (labels && (shape[0] != f->rows || shape[1] != width))
        return gv_fail(err, GV_EDATA, "'%s' has %" PRId64 " samples, but labels [%" PRId64 ",%" PRId64 "]; %" PRId64 " a sample are wanted", file, f->rows, shape[0], shape[1], width);
    if (ids && n != f->rows)
        return gv_fail(err, GV_EDATA, "'%s' has %" PRId64 " samples and %" PRId64 " ids", file, f->rows, n);
    gv_listing l = { 0 };
    const char *path = gv_data_path_below(d, file, arena, err);
    uint8_t *none = path ? gv_alloc((size_t)f->rows + 1, err) : NULL;
    int r = none ? gv_listing_rows(&l, gv_split_names[split], 0, path, 0, none, f->rows, arena, err) : err->code;
    gv_free(none);
    if (r == GV_OK)
        r = gv_listing_take(&l, arena, &d->split[split], err);
    gv_buf_release(&l.v);
    for (int64_t i = 0; i < f->rows && r == GV_OK; i++) {
        gv_entry *e = &d->split[split].v[i];
        if (ids)
            e->id = ids[i];
        e->label = labels ? *values_at : -1;
        if (labels)
            r = one_label(d, file, y, i, unlabelled, e, values + *values_at * width, err);
        *values_at += labels && d->target != GV_TARGET_CLASS;
    }
    return r;
}

static int read_file(gv_data *d, gv_features_file *f, const char *file, gv_arena *arena, gv_err *err)
{
    const char **names;
    int64_t n;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        gv_fail(err, GV_EUSAGE, "the features '%s' cannot be read: %s", file, strerror(errno));
        return GV_EUSAGE;
    }
    if (gv_features_open(f, fd, file, err) < 0)
        return err->code;
    if (d->content && (d->feature_dim != f->dim || f->bags != !strcmp(d->content, "bag")))
        return gv_fail(err, GV_EDATA, "'%s' holds %s of %" PRId64 " numbers, another split %ss of %" PRId64, file, f->bags ? "bags" : "vectors", f->dim, d->content, d->feature_dim);
    d->feature_dim = f->dim;
    d->content = f->bags ? "bag" : "vector";
    int r = d->class_names ? 0 : gv_features_texts(f, "class_names", &names, &n, arena, err);
    if (r > 0 && n == d->num_classes)
        d->class_names = names;
    return r < 0 ? r : GV_OK;
}

static int open_precomputed(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    const struct gv_precomputed_features *o = c->data.params;
    gv_features_file f[GV_SPLITS];
    int64_t rows = 0, at = 0;
    int r = GV_OK;
    if (c->data.num_classes == GV_NONE_I64)
        return gv_fail(err, GV_EUSAGE, "data.num_classes is not given (--data.num_classes N)");
    d->num_classes = c->data.num_classes;
    d->target = c->data.task == GV_TASK_REGRESSION ? GV_TARGET_REGRESSION : c->data.subtask == GV_SUBTASK_MULTILABEL ? GV_TARGET_MULTILABEL : GV_TARGET_CLASS;
    d->fixed = true;
    for (int s = 0; s < GV_SPLITS; s++)
        f[s] = (gv_features_file){ .file = -1, .features = -1, .half = -1 };
    for (int s = 0; s < GV_SPLITS && r == GV_OK; s++) {
        bool stands_in = s == GV_SPLIT_VAL && !o->test_features_file && want->splits & 1u << GV_SPLIT_TEST;
        if (!file_of(o, s) || !(want->splits & 1u << s || stands_in))
            continue;
        r = read_file(d, &f[s], file_of(o, s), arena, err);
        rows += f[s].rows;
    }
    float *values = r == GV_OK && d->target != GV_TARGET_CLASS ? gv_arena_alloc(arena, (size_t)(rows * d->num_classes) * sizeof *values + 1, err) : NULL;
    if (r == GV_OK && d->target != GV_TARGET_CLASS && !values)
        r = GV_ESYS;
    d->values = values;
    for (int s = 0; s < GV_SPLITS && r == GV_OK; s++)
        if (f[s].file >= 0)
            r = fill(d, &f[s], file_of(o, s), s, &at, values, want, arena, err);
    for (int s = 0; s < GV_SPLITS; s++)
        gv_features_close(&f[s]);
    return r;
}

const gv_dataset gv_dataset_precomputed_features = { .name = "precomputed_features", .variant = &gv_dataset_variant_precomputed_features, .open = open_precomputed };
