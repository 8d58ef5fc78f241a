/* build: a gv_record from the msgpack map that was scanned and unpacked. */
#include "stream/internal.h"
#include <inttypes.h>

static int build(gv_item *v, const msgpack_object *o, gv_arena *a, gv_err *err);

static int text_of(const msgpack_object *o, const char *what, const char **s, gv_err *err)
{
    if (o->type != MSGPACK_OBJECT_STR)
        return gv_fail(err, GV_EDATA, "%s is not a str", what);
    if (!o->via.str.size) { /* msgpack-c gives no pointer then */
        *s = "";
        return GV_OK;
    }
    if (memchr(o->via.str.ptr, 0, o->via.str.size))
        return gv_fail(err, GV_EDATA, "%s holds a NUL byte", what);
    ((char *)o->via.str.ptr)[o->via.str.size] = 0; /* the next value's tag, or the spare byte: both read already */
    *s = o->via.str.ptr;
    return GV_OK;
}

/* msgpack-numpy: {b"nd": true, b"type": str, b"kind": b"", b"shape": [..], b"data": bin}, and for scalars
 * {b"nd": false, b"type": str, b"data": bin}. Keys in any order; str keys beside them are ours ("dtype": "bf16"). */
static int build_tensor(gv_item *v, const msgpack_object_map *m, gv_err *err)
{
    const msgpack_object *nd = NULL, *type = NULL, *kind = NULL, *shape = NULL, *data = NULL, *dtype = NULL;
    for (uint32_t i = 0; i < m->size; i++) {
        const msgpack_object *k = &m->ptr[i].key, *val = &m->ptr[i].val, **slot;
        uint32_t n = k->via.bin.size;
        const char *s = k->via.bin.ptr;
#define IS(name) (n == sizeof name - 1 && !memcmp(s, name, sizeof name - 1))
        if (k->type == MSGPACK_OBJECT_STR && IS("dtype"))
            slot = &dtype;
        else if (k->type != MSGPACK_OBJECT_BIN)
            continue;
        else if (IS("nd"))
            slot = &nd;
        else if (IS("type"))
            slot = &type;
        else if (IS("kind"))
            slot = &kind;
        else if (IS("shape"))
            slot = &shape;
        else if (IS("data"))
            slot = &data;
        else
            continue;
#undef IS
        if (*slot)
            return gv_fail(err, GV_EDATA, "a tensor key occurs twice");
        *slot = val;
    }
    if (kind && (kind->type != MSGPACK_OBJECT_BIN || kind->via.bin.size))
        return gv_fail(err, GV_EDATA, "a NumPy object or structured array is not a tensor");
    if (!nd || nd->type != MSGPACK_OBJECT_BOOLEAN || !type || !data || data->type != MSGPACK_OBJECT_BIN || (nd->via.boolean && !shape))
        return gv_fail(err, GV_EDATA, "a tensor needs nd, type, shape and data");
    const char *t = "", *mark = NULL;
    if (text_of(type, "the tensor's type", &t, err) < 0 || (dtype && text_of(dtype, "the tensor's dtype", &mark, err) < 0))
        return GV_EDATA;
    int known = gv_dtype_from_numpy(t);
    if (known < 0)
        return gv_fail(err, GV_EDATA, "the tensor's type '%.20s' is not read (little-endian numbers and |b1 are)", t);
    if (mark && !strcmp(mark, "bf16")) {
        if (known != GV_U16)
            return gv_fail(err, GV_EDATA, "a bf16 tensor has type '<u2', not '%s'", t);
        known = GV_BF16;
    } else if (mark)
        return gv_fail(err, GV_EDATA, "the tensor's dtype '%.20s' is unknown", mark);
    v->type = GV_TENSOR_ITEM;
    v->tensor.dtype = (gv_dtype)known;
    v->tensor.ndim = 0;
    if (nd->via.boolean) {
        if (shape->type != MSGPACK_OBJECT_ARRAY || shape->via.array.size > GV_MAX_DIMS)
            return gv_fail(err, GV_EDATA, "the tensor's shape is not an array of at most %d sizes", GV_MAX_DIMS);
        v->tensor.ndim = (int)shape->via.array.size;
        for (int i = 0; i < v->tensor.ndim; i++) {
            const msgpack_object *d = &shape->via.array.ptr[i];
            if (d->type != MSGPACK_OBJECT_POSITIVE_INTEGER || d->via.u64 > INT64_MAX)
                return gv_fail(err, GV_EDATA, "size %d of the tensor's shape is not a count", i);
            v->tensor.shape[i] = (int64_t)d->via.u64;
        }
    }
    size_t size = gv_dtype_of(v->tensor.dtype)->size, bytes;
    int64_t count = gv_shape_count(v->tensor.shape, v->tensor.ndim);
    if (count < 0 || gv_mul_size((size_t)count, size, &bytes) < 0 || bytes != data->via.bin.size)
        return gv_fail(err, GV_EDATA, "the tensor's data has %" PRIu32 " bytes; its shape wants %" PRId64 " values of %zu", data->via.bin.size, count, size);
    if (!bytes) { /* no pointer from msgpack-c */
        static const double aligned;
        v->tensor.data = &aligned;
        v->tensor.bytes = 0;
        return GV_OK;
    }
    char *p = (char *)data->via.bin.ptr;
    size_t off = (uintptr_t)p % size; /* at most 7; the key "data" and the length, at least 8 bytes, stand before it */
    if (off)
        memmove(p - off, p, bytes);
    v->tensor.data = p - off;
    v->tensor.bytes = bytes;
    return GV_OK;
}

static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Quadratic for the usual few keys, sorted for many. */
static int check_duplicates(const gv_pair *v, size_t n, gv_arena *a, gv_err *err)
{
    if (n <= 32) {
        for (size_t i = 1; i < n; i++)
            for (size_t k = 0; k < i; k++)
                if (!strcmp(v[i].key, v[k].key))
                    return gv_fail(err, GV_EDATA, "key '%.100s' occurs twice", v[i].key);
        return GV_OK;
    }
    size_t mark = a->used;
    const char **keys = gv_arena_alloc_dirty(a, n * sizeof *keys, err);
    if (!keys)
        return GV_ESYS;
    for (size_t i = 0; i < n; i++)
        keys[i] = v[i].key;
    qsort(keys, n, sizeof *keys, by_name);
    int r = GV_OK;
    for (size_t i = 1; i < n && r == GV_OK; i++)
        if (!strcmp(keys[i - 1], keys[i]))
            r = gv_fail(err, GV_EDATA, "key '%.100s' occurs twice", keys[i]);
    gv_arena_rewind(a, mark);
    return r;
}

static int build_pair(gv_pair *p, const msgpack_object_kv *kv, gv_arena *a, gv_err *err)
{
    if (text_of(&kv->key, "a key", &p->key, err) < 0)
        return GV_EDATA;
    int r = build(&p->value, &kv->val, a, err);
    return r < 0 && err ? gv_fail_in(err, "key '%.100s'", p->key) : r;
}

static int build(gv_item *v, const msgpack_object *o, gv_arena *a, gv_err *err)
{
    switch (o->type) {
    case MSGPACK_OBJECT_NIL: v->type = GV_NIL; return GV_OK;
    case MSGPACK_OBJECT_BOOLEAN: *v = gv_item_bool(o->via.boolean); return GV_OK;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: v->type = GV_UINT; v->u = o->via.u64; return GV_OK;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: v->type = GV_INT; v->i = o->via.i64; return GV_OK;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: *v = gv_item_f64(o->via.f64); return GV_OK;
    case MSGPACK_OBJECT_STR:
        v->type = GV_TEXT;
        v->text.n = o->via.str.size;
        return text_of(o, "a text", &v->text.s, err);
    case MSGPACK_OBJECT_BIN:
        v->type = GV_BIN;
        v->text.s = o->via.bin.size ? o->via.bin.ptr : "";
        v->text.n = o->via.bin.size;
        return GV_OK;
    case MSGPACK_OBJECT_ARRAY: {
        size_t n = o->via.array.size;
        gv_item *p = gv_arena_alloc_dirty(a, n * sizeof *p, err);
        if (!p)
            return GV_ESYS;
        v->type = GV_ARRAY;
        v->array.v = p;
        v->array.n = n;
        for (size_t i = 0; i < n; i++) {
            int r = build(&p[i], &o->via.array.ptr[i], a, err);
            if (r < 0)
                return r;
        }
        return GV_OK;
    }
    case MSGPACK_OBJECT_MAP: {
        size_t n = o->via.map.size;
        for (size_t i = 0; i < n; i++)
            if (o->via.map.ptr[i].key.type == MSGPACK_OBJECT_BIN)
                return build_tensor(v, &o->via.map, err);
        gv_pair *p = gv_arena_alloc_dirty(a, n * sizeof *p, err);
        if (!p)
            return GV_ESYS;
        v->type = GV_MAPPING;
        v->map.v = p;
        v->map.n = n;
        for (size_t i = 0; i < n; i++) {
            int r = build_pair(&p[i], &o->via.map.ptr[i], a, err);
            if (r < 0)
                return r;
        }
        return check_duplicates(p, n, a, err);
    }
    default: return gv_fail(err, GV_EDATA, "it holds a msgpack extension, which streams do not use");
    }
}

int gv_record_build(gv_record *rec, const msgpack_object *map, gv_arena *a, gv_err *err)
{
    const char *kind = NULL;
    rec->kind = 0;
    rec->n = 0;
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        gv_pair p;
        int r = build_pair(&p, &map->via.map.ptr[i], a, err);
        if (r < 0)
            return r;
        if (!strcmp(p.key, "kind")) {
            if (kind)
                return gv_fail(err, GV_EDATA, "key 'kind' occurs twice");
            if (p.value.type != GV_TEXT)
                return gv_fail(err, GV_EDATA, "its 'kind' is not a str");
            kind = p.value.text.s;
        } else if (rec->n == GV_MAX_FIELDS)
            return gv_fail(err, GV_EDATA, "it has more than %d fields", GV_MAX_FIELDS);
        else
            rec->field[rec->n++] = p;
    }
    if (!kind)
        return gv_fail(err, GV_EDATA, "it has no 'kind'");

    rec->kind = gv_kind_find(kind);
    if (!rec->kind) {
        if (!strcmp(kind, "header"))
            rec->kind = GV_KIND_HEADER;
        else if (!strcmp(kind, "end"))
            rec->kind = GV_KIND_END;
        else
            return gv_fail(err, GV_EDATA, "its kind '%.40s' is unknown", kind);
    }
    return check_duplicates(rec->field, rec->n, a, err);
}
