/* command: a data set that a program lists (data.command), in any language.
 *
 * The program writes a stream of sample records on its standard output: `id`; `path`, or `file` and `row`; `y` (a class, or a
 * list of numbers); and, where it wants them, `split` (train, val or test; train when it says nothing) and `group` (drawn folds
 * keep it whole). Its header may say class_names and native_size. Paths are relative to data_root_dir, which it finds in
 * GLOVITA_DATA_ROOT. It runs once for every strand, so its answer must not change from run to run. */
#include "data/internal.h"
#include "stream/stream.h"
#include <inttypes.h>

/* One value of `y`: a number, or entry i of a list or tensor. */
static bool value_of(const gv_record *rec, int64_t i, int64_t *n, double *out)
{
    const gv_item *y = gv_get(rec, "y"), *v = y;
    int64_t whole;
    *n = 1;
    if (y->type == GV_TENSOR_ITEM) {
        *n = gv_shape_count(y->tensor.shape, y->tensor.ndim);
        if (i < *n)
            gv_to_f64(y->tensor.dtype, (const char *)y->tensor.data + (size_t)i * gv_dtype_of(y->tensor.dtype)->size, out, 1);
        return i < *n;
    }
    if (y->type == GV_ARRAY) {
        *n = (int64_t)y->array.n;
        v = i < *n ? &y->array.v[i] : NULL;
    }
    gv_record one;
    gv_record_init(&one, GV_SAMPLE);
    if (!v || gv_set(&one, "v", *v, NULL) < 0)
        return false;
    if (gv_get_i64(&one, "v", &whole)) {
        *out = (double)whole;
        return true;
    }
    return gv_get_f64(&one, "v", out);
}

struct lists { gv_listing l[GV_SPLITS]; gv_buf values; };

static int label(gv_data *d, struct lists *k, const gv_record *rec, const char *id, gv_entry *e, gv_err *err)
{
    const gv_item *y = gv_get(rec, "y");
    int64_t n = 0, want = d->target == GV_TARGET_CLASS ? 1 : d->num_classes;
    e->label = -1;
    if (!y || y->type == GV_NIL)
        return GV_OK;
    int64_t row = (int64_t)(k->values.len / sizeof(float)) / want;
    for (int64_t i = 0; i < want; i++) {
        double v = NAN;
        if (!value_of(rec, i, &n, &v) || n != want || !isfinite(v))
            return gv_fail(err, GV_EDATA, "the 'y' of '%s' is not %" PRId64 " number%s", id, want, want > 1 ? "s" : "");
        if (d->target == GV_TARGET_CLASS) {
            if (v != floor(v) || v < -1 || v >= (double)d->num_classes)
                return gv_fail(err, GV_EUSAGE, "the class of '%s' is %g; data.num_classes %" PRId64 " allows 0 to %" PRId64, id, v, d->num_classes, d->num_classes - 1);
            e->label = (int64_t)v;
            return GV_OK;
        }
        float f = (float)v;
        if (gv_buf_add(&k->values, &f, sizeof f, err) < 0)
            return GV_ESYS;
    }
    e->label = row;
    return GV_OK;
}

static int take(gv_data *d, struct lists *k, const gv_record *rec, const gv_data_want *want, gv_arena *arena, gv_err *err)
{
    const char *id = gv_get_text(rec, "id"), *path = gv_get_text(rec, "path"), *file = gv_get_text(rec, "file"), *split = gv_get_text(rec, "split"), *group = gv_get_text(rec, "group");
    gv_entry e = { .row = -1 };
    int s = 0;
    if (!path && !file)
        return gv_fail(err, GV_EDATA, "'%s' has neither 'path' nor 'file' and 'row'", id ? id : "a record without id");
    if (file && !path && (!gv_get_i64(rec, "row", &e.row) || e.row < 0))
        return gv_fail(err, GV_EDATA, "'%s' has a 'file' but no 'row'", id ? id : file);
    while (split && gv_split_names[s] && strcmp(split, gv_split_names[s]))
        s++;
    if (s == GV_SPLITS)
        return gv_fail(err, GV_EDATA, "'%s' belongs to split '%s'; the splits are train, val and test", id ? id : path, split);
    if (!(e.path = gv_arena_strdup(arena, path ? path : file, err)))
        return GV_ESYS;
    e.id = id ? gv_arena_strdup(arena, id, err) : e.row < 0 ? e.path : gv_arena_printf(arena, err, "%s/%05" PRId64, e.path, e.row);
    if (!e.id || (group && !(e.group = gv_arena_strdup(arena, group, err))) || label(d, k, rec, e.id, &e, err) < 0)
        return err->code;
    if (e.label < 0 && !want->unlabelled && want->splits & ~want->optional & 1u << s)
        return gv_fail(err, GV_EUSAGE, "'%s' has no 'y'", e.id);
    return gv_listing_add(&k->l[s], &e, err);
}

static int header(gv_data *d, const gv_record *h, gv_arena *arena, gv_err *err)
{
    const gv_item *names = gv_get(h, "class_names");
    const char *content = gv_get_text(h, "content");
    (void)gv_get_i64(h, "native_size", &d->native_size);
    const gv_content *kind = gv_content_find(content ? content : "image");
    if (!kind)
        return gv_fail(err, GV_EDATA, "its header says content '%s'; known are image, volume, video, series, vector, bag", content);
    d->content = kind->name;
    if (!names || names->type != GV_ARRAY || (int64_t)names->array.n != d->num_classes)
        return GV_OK;
    if (!(d->class_names = gv_arena_alloc(arena, names->array.n * sizeof *d->class_names + 1, err)))
        return GV_ESYS;
    for (size_t i = 0; i < names->array.n; i++) {
        if (names->array.v[i].type != GV_TEXT)
            return gv_fail(err, GV_EDATA, "its header's class_names are not texts");
        if (!(d->class_names[i] = gv_arena_strdup(arena, names->array.v[i].text.s, err)))
            return GV_ESYS;
    }
    return GV_OK;
}

static int read_stream(gv_data *d, struct lists *k, int fd, const gv_data_want *want, gv_arena *arena, gv_err *err)
{
    gv_reader *in = NULL;
    gv_record rec;
    int r = gv_reader_open(&in, fd, "its output", err);
    if (r == GV_OK && gv_reader_header(in)->kind != GV_SAMPLE)
        r = gv_fail(err, GV_EDATA, "it writes %s records; sample records are wanted", gv_kind_name(gv_reader_header(in)->kind));
    if (r == GV_OK)
        r = header(d, gv_reader_header(in), arena, err);
    while (r == GV_OK && (r = gv_next(in, &rec, err)) > 0)
        r = rec.kind == GV_SAMPLE ? take(d, k, &rec, want, arena, err) : gv_fail(err, GV_EDATA, "it writes an error record");
    gv_reader_close(in);
    return r;
}

static int open_command(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    const char *command = c->data.command;
    struct lists k = { 0 };
    pid_t pid = 0;
    int fd = -1;
    if (!command)
        return gv_fail(err, GV_EUSAGE, "data.command is not given: the program that lists the samples (--data.command 'PROGRAM ARGS')");
    if (c->data.num_classes == GV_NONE_I64)
        return gv_fail(err, GV_EUSAGE, "data.num_classes is not given (--data.num_classes N)");
    d->root = c->data.data_root_dir ? gv_data_root(c, err) : ".";
    if (!d->root)
        return err->code;
    d->num_classes = c->data.num_classes;
    d->target = c->data.task == GV_TASK_REGRESSION ? GV_TARGET_REGRESSION : c->data.subtask == GV_SUBTASK_MULTILABEL ? GV_TARGET_MULTILABEL : GV_TARGET_CLASS;
    if (gv_shell_start(command, d->root, &pid, &fd, err) < 0)
        return err->code;
    int r = read_stream(d, &k, fd, want, arena, err);
    r = gv_shell_end(pid, r, err);
    float *values = r == GV_OK ? gv_arena_alloc(arena, k.values.len + 1, err) : NULL;
    if (r == GV_OK && !values)
        r = GV_ESYS;
    if (values && k.values.len)
        memcpy(values, k.values.data, k.values.len);
    d->values = values;
    for (int s = 0; s < GV_SPLITS; s++) {
        if (r == GV_OK && k.l[s].v.len)
            r = gv_listing_take(&k.l[s], arena, &d->split[s], err);
        gv_buf_release(&k.l[s].v);
    }
    d->fixed = d->split[GV_SPLIT_VAL].n >= 0;
    gv_buf_release(&k.values);
    return r < 0 ? gv_fail_in(err, "data.command '%s'", command) : GV_OK;
}

static const char *const required[] = { "command", "num_classes", NULL };
static const char *const defaults[] = { "augmentation.train_policy", "default_2d_2", "augmentation.test_policy", "shared_default_2d", NULL };

const gv_variant gv_dataset_variant_command = {
    .name = "command", .class_name = "CommandConfig", .summary = "a program of yours that writes sample records (--data.command)", .defaults = defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_command = {
    .name = "command", .variant = &gv_dataset_variant_command, .train_policy = "default_2d_2", .test_policy = "shared_default_2d", .open = open_command,
};
