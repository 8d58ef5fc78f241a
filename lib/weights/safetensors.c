/* safetensors: the reader. A length, a JSON header, one run of bytes that the tensors cover without holes or overlap.
 * Source: the format's description in safetensors' README, and the checks its library makes. */
#include "weights/internal.h"
#include <jansson.h>

enum { HEADER_MOST = 100000000 };

struct entry { gv_named t; size_t begin, end; };

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end); /* empty tensors first */
}

static int read_shape(const json_t *shape, gv_named *t, gv_err *err)
{
    if (!json_is_array(shape))
        return gv_fail(err, GV_EDATA, "the tensor '%s' has no shape", t->name);
    if (json_array_size(shape) > GV_MAX_DIMS)
        return gv_fail(err, GV_EDATA, "the tensor '%s' has %zu dimensions; at most %d are read", t->name, json_array_size(shape), GV_MAX_DIMS);
    t->ndim = (int)json_array_size(shape);
    for (int i = 0; i < t->ndim; i++) {
        const json_t *d = json_array_get(shape, (size_t)i);
        if (!json_is_integer(d) || json_integer_value(d) < 0)
            return gv_fail(err, GV_EDATA, "dimension %d of the tensor '%s' is not a size", i, t->name);
        t->shape[i] = json_integer_value(d);
    }
    return GV_OK;
}

static int read_entry(const char *name, const json_t *j, size_t room, struct entry *e, gv_err *err)
{
    gv_named *t = &e->t;
    t->name = name;
    const char *dtype = json_string_value(json_object_get(j, "dtype"));
    if (!dtype)
        return gv_fail(err, GV_EDATA, "the tensor '%s' has no dtype", name);
    int known = gv_dtype_from_safetensors(dtype);
    if (known < 0)
        return gv_fail(err, GV_EDATA, "the tensor '%s' has dtype '%.20s', which is not read: convert it to F32 or BF16 first", name, dtype);
    t->dtype = (gv_dtype)known;
    if (read_shape(json_object_get(j, "shape"), t, err) < 0)
        return GV_EDATA;
    const json_t *offsets = json_object_get(j, "data_offsets"), *b = json_array_get(offsets, 0), *f = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(b) || !json_is_integer(f))
        return gv_fail(err, GV_EDATA, "the tensor '%s' has no pair of data_offsets", name);
    json_int_t begin = json_integer_value(b), end = json_integer_value(f);
    if (begin < 0 || end < begin || (uint64_t)end > room)
        return gv_fail(err, GV_EDATA, "the tensor '%s' claims bytes %lld to %lld of %zu", name, (long long)begin, (long long)end, room);
    int64_t count = gv_shape_count(t->shape, t->ndim);
    if (count < 0 || gv_mul_size((size_t)count, gv_dtype_of(t->dtype)->size, &t->bytes) < 0)
        return gv_fail(err, GV_EDATA, "the shape of the tensor '%s' overflows", name);
    if (t->bytes != (size_t)(end - begin))
        return gv_fail(err, GV_EDATA, "the tensor '%s' needs %zu bytes by its shape and has %lld", name, t->bytes, (long long)(end - begin));
    e->begin = (size_t)begin;
    e->end = (size_t)end;
    return GV_OK;
}

static int read_metadata(gv_weights *w, json_t *meta, gv_err *err)
{
    if (!json_is_object(meta))
        return gv_fail(err, GV_EDATA, "__metadata__ is not an object");
    const char *key;
    json_t *v;
    json_object_foreach(meta, key, v) {
        if (!json_is_string(v))
            return gv_fail(err, GV_EDATA, "'%s' in __metadata__ is not a text", key);
        int r = gv_weights_add_meta(w, key, json_string_value(v), err);
        if (r < 0)
            return r;
    }
    return GV_OK;
}

/* Entries in the order of their bytes: each begins where the one before ended, and the last ends the file. */
static int place(gv_weights *w, struct entry *e, size_t n, const unsigned char *data, size_t room, gv_err *err)
{
    size_t at = 0;
    qsort(e, n, sizeof *e, by_place);
    for (size_t i = 0; i < n; i++) {
        gv_named *t = &e[i].t;
        if (e[i].begin != at)
            return gv_fail(err, GV_EDATA, "the tensor '%s' begins at byte %zu, %s", t->name, e[i].begin, e[i].begin < at ? "inside the one before it" : "behind a hole");
        at = e[i].end;
        t->data = data + e[i].begin;
        if ((uintptr_t)t->data % gv_dtype_of(t->dtype)->size) { /* a header of odd length: such files are allowed */
            void *copy = gv_weights_copy_space(w, t->bytes, t->name, err);
            if (!copy)
                return GV_ESYS;
            memcpy(copy, t->data, t->bytes);
            t->data = copy;
        }
        int r = gv_weights_add(w, t, err);
        if (r < 0)
            return r;
    }
    if (at != room)
        return gv_fail(err, GV_EDATA, "the tensors end at byte %zu of %zu", at, room);
    return GV_OK;
}

int gv_safetensors_read(gv_weights *w, gv_err *err)
{
    w->format = "safetensors";
    if (w->size < 8)
        return gv_fail(err, GV_EDATA, "the file has %zu bytes, too few for a header", w->size);
    uint64_t header = GV_LE64(w->map);
    if (header > HEADER_MOST)
        return gv_fail(err, GV_EDATA, "the header claims %llu bytes; at most %d are read", (unsigned long long)header, HEADER_MOST);
    if (header > w->size - 8)
        return gv_fail(err, GV_EDATA, "the header claims %llu bytes and the file has %zu: it is cut", (unsigned long long)header, w->size);
    json_error_t why;
    json_t *root = json_loadb((const char *)w->map + 8, (size_t)header, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return gv_fail(err, GV_EDATA, "the header is not JSON (byte %d): %s", why.position, why.text);
    int r = GV_OK;
    struct entry *e = NULL;
    size_t n = 0, room = w->size - 8 - (size_t)header;
    if (!json_is_object(root))
        r = gv_fail(err, GV_EDATA, "the header is not a JSON object");
    else if (!(e = gv_alloc((json_object_size(root) + 1) * sizeof *e, err)))
        r = GV_ESYS;
    const char *name;
    json_t *v;
    if (r == GV_OK) {
        json_object_foreach(root, name, v) {
            r = strcmp(name, "__metadata__") ? read_entry(name, v, room, &e[n++], err) : read_metadata(w, v, err);
            if (r < 0)
                break;
        }
    }
    if (r == GV_OK)
        r = place(w, e, n, w->map + 8 + header, room, err);
    w->nmodel = n;
    gv_free(e);
    json_decref(root);
    return r;
}
