/* stored_samples: images that were decoded once, in files of tensor records, one a split: a pipeline that ends in > train.gv. Ids, labels and
 * class names are those of the records. Rows are read when they are decoded, in any order. */
#include "data/internal.h"
#include "stream/file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

struct stored_samples { const char *train_file, *val_file, *test_file; };

static const gv_field fields[] = {
    GV_OPT_STR(struct stored_samples, train_file, "stream of tensor records to train on", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct stored_samples, val_file, "stream of tensor records to validate on", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct stored_samples, test_file, "stream of tensor records to test on", .takes = GV_TAKES_FILE),
    GV_END
};

struct listing {
    gv_data *d;
    const gv_data_want *want;
    gv_arena *arena;
    const char *file, *path;
    int split;
    gv_listing l;
    gv_buf *values;
};

static int several(struct listing *k, const gv_tensor *y, gv_entry *e, gv_err *err)
{
    int64_t n = k->d->num_classes;
    if (gv_shape_count(y->shape, y->ndim) != n)
        return gv_fail(err, GV_EDATA, "its y has %" PRId64 " values; %" PRId64 " are wanted", gv_shape_count(y->shape, y->ndim), n);
    e->label = (int64_t)(k->values->len / sizeof(float)) / n;
    if (gv_buf_reserve(k->values, (size_t)n * sizeof(float), err) < 0)
        return GV_ESYS;
    gv_to_f32(y->dtype, y->data, (float *)(void *)(k->values->data + k->values->len), (size_t)n);
    k->values->len += (size_t)n * sizeof(float);
    return GV_OK;
}

static int each(void *arg, const gv_record *header, int64_t row, const gv_record *rec, gv_err *err)
{
    struct listing *k = arg;
    gv_data *d = k->d;
    const char *id = gv_get_text(rec, "id");
    const gv_tensor *y = gv_get_tensor(rec, "y");
    gv_entry e = { .path = k->path, .row = row, .label = -1 };
    double one;
    if (header->kind != GV_TENSOR)
        return gv_fail(err, GV_EDATA, "it is of a stream of %s records; decoded samples are tensors", gv_kind_name(header->kind));
    if (!(e.id = id ? gv_arena_strdup(k->arena, id, err) : gv_arena_printf(k->arena, err, "%s/%05" PRId64, k->path, row)))
        return GV_ESYS;
    if (d->target == GV_TARGET_CLASS) {
        if (gv_get_i64(rec, "y", &e.label) && (e.label < -1 || e.label >= d->num_classes))
            return gv_fail(err, GV_EUSAGE, "its class is %" PRId64 "; data.num_classes %" PRId64 " allows 0 to %" PRId64, e.label, d->num_classes, d->num_classes - 1);
    } else if (y && y->ndim) {
        if (several(k, y, &e, err) < 0)
            return err->code;
    } else if (gv_get_f64(rec, "y", &one) && d->num_classes == 1) {
        float f = (float)one;
        e.label = (int64_t)(k->values->len / sizeof(float));
        if (gv_buf_add(k->values, &f, sizeof f, err) < 0)
            return GV_ESYS;
    }
    if (e.label < 0 && rec->kind != GV_ERROR_RECORD && !k->want->unlabelled && k->want->splits & ~k->want->optional & 1u << k->split)
        return gv_fail(err, GV_EUSAGE, "'%s' has no label", e.id);
    return gv_listing_add(&k->l, &e, err);
}

/* What the header says of all samples. */
static int header(struct listing *k, const gv_record *h, gv_err *err)
{
    const char *content = gv_get_text(h, "content");
    const gv_item *names = gv_get(h, "class_names");
    int64_t n;
    if (content && strcmp(content, "image"))
        return gv_fail(err, GV_EDATA, "'%s' holds samples of content '%s'; images are read from streams", k->file, content);
    if (gv_get_i64(h, "num_classes", &n) && n != k->d->num_classes)
        return gv_fail(err, GV_EUSAGE, "'%s' is of %" PRId64 " classes; data.num_classes is %" PRId64, k->file, n, k->d->num_classes);
    if (k->d->class_names || !names || names->type != GV_ARRAY || (int64_t)names->array.n != k->d->num_classes)
        return GV_OK;
    if (!(k->d->class_names = gv_arena_alloc(k->arena, names->array.n * sizeof *k->d->class_names + 1, err)))
        return GV_ESYS;
    for (size_t i = 0; i < names->array.n; i++)
        if (!(k->d->class_names[i] = gv_arena_strdup(k->arena, names->array.v[i].type == GV_TEXT ? names->array.v[i].text.s : "?", err)))
            return GV_ESYS;
    return GV_OK;
}

static int read_file(struct listing *k, gv_err *err)
{
    gv_stream_file *f;
    int fd = open(k->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return gv_fail(err, GV_EUSAGE, "the samples '%s' cannot be read: %s", k->file, strerror(errno));
    if (!(k->path = gv_data_path_below(k->d, k->file, k->arena, err))) {
        close(fd);
        return err->code;
    }
    int r = gv_stream_file_open(&f, fd, k->file, each, k, err);
    if (r == GV_OK)
        r = header(k, gv_stream_file_header(f), err);
    gv_stream_file_close(f);
    if (r == GV_OK)
        r = gv_listing_take(&k->l, k->arena, &k->d->split[k->split], err);
    gv_buf_release(&k->l.v);
    return r;
}

static int open_stored(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    const struct stored_samples *o = c->data.params;
    const char *const files[GV_SPLITS] = { o->train_file, o->val_file, o->test_file };
    gv_buf values = { 0 };
    int r = GV_OK;
    if (!o->train_file && want->splits & ~want->optional & 1u << GV_SPLIT_TRAIN)
        return gv_fail(err, GV_EUSAGE, "data.train_file is not given: the stream of decoded samples (--data.train_file FILE)");
    if (c->data.num_classes == GV_NONE_I64)
        return gv_fail(err, GV_EUSAGE, "data.num_classes is not given (--data.num_classes N)");
    d->num_classes = c->data.num_classes;
    d->target = c->data.task == GV_TASK_REGRESSION ? GV_TARGET_REGRESSION : c->data.subtask == GV_SUBTASK_MULTILABEL ? GV_TARGET_MULTILABEL : GV_TARGET_CLASS;
    d->fixed = o->val_file != NULL;
    for (int s = 0; s < GV_SPLITS && r == GV_OK; s++) {
        bool stands_in = s == GV_SPLIT_VAL && !o->test_file && want->splits & 1u << GV_SPLIT_TEST;
        struct listing k = { .d = d, .want = want, .arena = arena, .file = files[s], .split = s, .values = &values };
        if (files[s] && (want->splits & 1u << s || stands_in))
            r = read_file(&k, err);
    }
    float *all = r == GV_OK && values.len ? gv_arena_alloc(arena, values.len, err) : NULL;
    if (all)
        memcpy(all, values.data, values.len);
    if (r == GV_OK && values.len && !all)
        r = GV_ESYS;
    d->values = all;
    gv_buf_release(&values);
    return r;
}

static const char *const required[] = { "num_classes", "train_file", NULL };
static const char *const defaults[] = { "augmentation.train_policy", "default_2d_2", "augmentation.test_policy", "shared_default_2d", NULL };

const gv_variant gv_dataset_variant_stored_samples = {
    .name = "stored_samples", .class_name = "StoredSamplesConfig", .summary = "images that were decoded once, in streams of tensor records",
    .fields = fields, .params_size = sizeof(struct stored_samples), .defaults = defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_stored_samples = {
    .name = "stored_samples", .content = "image", .variant = &gv_dataset_variant_stored_samples, .train_policy = "default_2d_2", .test_policy = "shared_default_2d", .open = open_stored,
};
