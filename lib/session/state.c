/* state: resume.safetensors, all that a training run needs to go on. No time, path or worker count enters it. */
#include "json/json.h"
#include "session/session.h"

enum { VERSION = 2, INTS = 11 };

/* The whole numbers by name. */
static void numbers(gv_train_state *t, const char **key, int64_t **v)
{
    const struct { const char *key; int64_t *v; } all[INTS] = {
        { "step", &t->step }, { "batch", &t->batch }, { "epoch_batches", &t->epoch_batches }, { "epoch_seen", &t->epoch_seen }, { "loss_batches", &t->loss_batches },
        { "bad_losses", &t->bad_losses }, { "bad_steps", &t->bad_steps }, { "best_epoch", &t->best_epoch }, { "stale_epochs", &t->stale_epochs }, { "skipped", &t->skipped },
        { "metrics_bytes", &t->metrics_bytes },
    };
    for (int i = 0; i < INTS; i++) {
        key[i] = all[i].key;
        v[i] = all[i].v;
    }
}

/* The buffers by name. */
enum { BUFFERS = 4 };
static void buffers(gv_train_state *t, const char **name, gv_buf **b)
{
    const struct { const char *name; gv_buf *b; } all[BUFFERS] = {
        { "state.accumulated", &t->accumulated }, { "state.results", &t->results }, { "state.picture", &t->picture }, { "state.train_picture", &t->train_picture },
    };
    for (int i = 0; i < BUFFERS; i++) {
        name[i] = all[i].name;
        b[i] = all[i].b;
    }
}

/* What a sample looks like, for a resume that has no batch to look at: at a validation, or at the end. */
static json_t *sample_json(const gv_train_state *t)
{
    json_t *shape = json_array();
    for (int i = 0; i < t->ndim; i++)
        json_array_append_new(shape, json_integer(t->shape[i]));
    return json_pack("{s:i,s:o}", "dtype", (int)t->dtype, "shape", shape);
}

static int sample_of(gv_train_state *t, const json_t *j, const char *path, gv_err *err)
{
    const json_t *shape = json_object_get(j, "shape"), *dtype = json_object_get(j, "dtype");
    size_t n = json_array_size(shape);
    bool ok = json_is_integer(dtype) && json_integer_value(dtype) >= 0 && json_integer_value(dtype) < GV_DTYPES && n > 0 && n < GV_MAX_DIMS;
    t->dtype = ok ? (gv_dtype)json_integer_value(dtype) : GV_U8;
    t->ndim = ok ? (int)n : 0;
    for (size_t i = 0; ok && i < n; i++) {
        t->shape[i] = json_integer_value(json_array_get(shape, i));
        ok = t->shape[i] > 0;
    }
    return ok ? GV_OK : gv_fail(err, GV_EDATA, "'%s' does not tell what its samples look like", path);
}

/* Numbers go through JSON; doubles that must come back exactly are written with 17 digits by the JSON writer, NaN as null. */
static json_t *to_json(const gv_train_state *t)
{
    json_t *j = json_object();
    if (!j)
        return NULL;
    int bad = 0;
    bad |= json_object_set_new(j, "version", json_integer(VERSION));
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->seed); /* JSON integers of jansson are signed */
    bad |= json_object_set_new(j, "seed", json_string(seed));
    bad |= json_object_set_new(j, "next", json_pack("[I,I]", (json_int_t)t->epoch, (json_int_t)t->pos));
    const char *key[INTS];
    int64_t *v[INTS];
    numbers((gv_train_state *)(uintptr_t)t, key, v);
    for (int i = 0; i < INTS; i++)
        bad |= json_object_set_new(j, key[i], json_integer(*v[i]));
    bad |= json_object_set_new(j, "bad", json_string(t->bad));
    bad |= json_object_set_new(j, "sample", sample_json(t));
    bad |= json_object_set_new(j, "validating", json_boolean(t->validating));
    bad |= json_object_set_new(j, "loss_sum", isfinite(t->loss_sum) ? json_real(t->loss_sum) : json_null());
    bad |= json_object_set_new(j, "best", isfinite(t->best) ? json_real(t->best) : json_null());
    bad |= json_object_set_new(j, "epoch_end", json_boolean(t->epoch_end));
    bad |= json_object_set_new(j, "is_best", json_boolean(t->is_best));
    bad |= json_object_set_new(j, "finished", json_boolean(t->finished));
    bad |= json_object_set_new(j, "line", t->line ? json_string(t->line) : json_null());
    if (bad) {
        json_decref(j);
        return NULL;
    }
    return j;
}

int gv_state_write(const gv_train_state *t, gv_store *s, const char *path, gv_err *err)
{
    json_t *j = to_json(t);
    gv_buf text = { 0 };
    int r = j ? gv_json_text(j, &text, err) : gv_fail(err, GV_ESYS, "out of memory");
    json_decref(j);
    int n = gv_store_count(s);
    gv_named *named = r == GV_OK ? gv_alloc((size_t)(n + BUFFERS) * sizeof *named, err) : NULL;
    if (!named) {
        gv_buf_release(&text);
        return err->code;
    }
    size_t k = 0;
    for (int i = 0; i < n; i++) {
        const gv_stored *t0 = gv_store_at(s, i);
        if (!strncmp(t0->name, "grad.", 5)) /* zero at a step's boundary */
            continue;
        named[k] = (gv_named){ t0->name, t0->dtype, t0->ndim, { 0 }, t0->data, t0->bytes };
        memcpy(named[k++].shape, t0->shape, sizeof t0->shape);
    }
    const char *name[BUFFERS];
    gv_buf *b[BUFFERS];
    buffers((gv_train_state *)(uintptr_t)t, name, b);
    for (int i = 0; i < BUFFERS; i++)
        named[k++] = (gv_named){ name[i], GV_U8, 1, { (int64_t)b[i]->len }, b[i]->data ? b[i]->data : "", b[i]->len };
    gv_meta meta = { "state", text.data };
    r = gv_safetensors_write(path, named, k, &meta, 1, err);
    gv_free(named);
    gv_buf_release(&text);
    return r;
}

static double real_or_nan(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static int from_json(gv_train_state *t, const json_t *j, const char *path, gv_err *err)
{
    if (json_integer_value(json_object_get(j, "version")) != VERSION)
        return gv_fail(err, GV_EDATA, "'%s' was written by another version of this program", path);
    const char *seed = json_string_value(json_object_get(j, "seed"));
    t->seed = seed ? strtoull(seed, NULL, 10) : 0;
    const json_t *next = json_object_get(j, "next");
    t->epoch = json_integer_value(json_array_get(next, 0));
    t->pos = json_integer_value(json_array_get(next, 1));
    const char *key[INTS];
    int64_t *number[INTS];
    numbers(t, key, number);
    for (int i = 0; i < INTS; i++) {
        const json_t *v = json_object_get(j, key[i]);
        if (!json_is_integer(v))
            return gv_fail(err, GV_EDATA, "'%s' lacks '%s'", path, key[i]);
        *number[i] = json_integer_value(v);
    }
    const char *bad = json_string_value(json_object_get(j, "bad"));
    snprintf(t->bad, sizeof t->bad, "%s", bad ? bad : "");
    t->validating = json_is_true(json_object_get(j, "validating"));
    if (sample_of(t, json_object_get(j, "sample"), path, err) < 0)
        return err->code;
    t->loss_sum = real_or_nan(j, "loss_sum");
    t->best = real_or_nan(j, "best");
    t->epoch_end = json_is_true(json_object_get(j, "epoch_end"));
    t->is_best = json_is_true(json_object_get(j, "is_best"));
    t->finished = json_is_true(json_object_get(j, "finished"));
    const char *line = json_string_value(json_object_get(j, "line"));
    if (line) {
        t->line = gv_alloc(strlen(line) + 1, err);
        if (!t->line)
            return GV_ESYS;
        memcpy(t->line, line, strlen(line));
    }
    return GV_OK;
}

static int read_numbers(gv_train_state *t, gv_weights *w, const char *path, gv_err *err)
{
    const char *text = gv_weights_meta(w, "state");
    json_t *j = text ? gv_json_parse(text, strlen(text), path, err) : NULL;
    int r = j ? from_json(t, j, path, err) : gv_fail(err, GV_EDATA, "'%s' holds no state to resume from", path);
    json_decref(j);
    return r;
}

int gv_state_peek(gv_train_state *t, const char *path, gv_err *err)
{
    memset(t, 0, sizeof *t);
    gv_weights *w;
    int r = gv_weights_open(&w, path, err);
    if (r < 0)
        return r;
    r = read_numbers(t, w, path, err);
    gv_weights_close(w);
    return r;
}

int gv_state_read(gv_train_state *t, gv_store *s, const char *path, gv_err *err)
{
    memset(t, 0, sizeof *t);
    gv_weights *w;
    int r = gv_weights_open(&w, path, err);
    if (r < 0)
        return r;
    r = read_numbers(t, w, path, err);
    for (int i = 0; i < gv_store_count(s) && r == GV_OK; i++) {
        gv_stored *to = gv_store_at(s, i);
        if (!strncmp(to->name, "grad.", 5))
            continue;
        const gv_named *from = gv_weights_find(w, to->name);
        if (!from || from->dtype != to->dtype || from->bytes != to->bytes)
            r = gv_fail(err, GV_EDATA, "'%s' has no tensor '%s' of %zu bytes: it is not of this run", path, to->name, to->bytes);
        else
            memcpy(to->data, from->data, to->bytes);
    }
    const char *name[BUFFERS];
    gv_buf *b[BUFFERS];
    buffers(t, name, b);
    for (int i = 0; i < BUFFERS && r == GV_OK; i++) {
        const gv_named *from = gv_weights_find(w, name[i]);
        r = from ? gv_buf_add(b[i], from->data, from->bytes, err) : gv_fail(err, GV_EDATA, "'%s' lacks '%s'", path, name[i]);
    }
    gv_weights_close(w);
    return r;
}

void gv_state_release(gv_train_state *t)
{
    gv_free(t->line);
    t->line = NULL;
    gv_buf_release(&t->accumulated);
    gv_buf_release(&t->results);
    gv_buf_release(&t->picture);
    gv_buf_release(&t->train_picture);
}
