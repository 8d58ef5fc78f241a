/* item: get, set, compare and copy the fields of records. */
#include "stream/stream.h"
#include <inttypes.h>

static const struct { gv_kind kind; const char *name; } kinds[] = {
    { GV_SAMPLE, "sample" }, { GV_TENSOR, "tensor" }, { GV_BATCH, "batch" }, { GV_PREDICTION, "prediction" },
    { GV_FEATURE, "feature" }, { GV_METRIC, "metric" }, { GV_ERROR_RECORD, "error" },
};

const char *gv_kind_name(gv_kind k)
{
    for (size_t i = 0; i < GV_COUNT(kinds); i++)
        if (kinds[i].kind == k)
            return kinds[i].name;
    return "unknown";
}

gv_kind gv_kind_find(const char *name)
{
    for (size_t i = 0; i < GV_COUNT(kinds); i++)
        if (!strcmp(kinds[i].name, name))
            return kinds[i].kind;
    return 0;
}

const gv_item *gv_get(const gv_record *r, const char *key)
{
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->field[i].key, key))
            return &r->field[i].value;
    return NULL;
}

bool gv_item_i64_of(const gv_item *v, int64_t *out)
{
    if (!v)
        return false;
    if (v->type == GV_INT || (v->type == GV_UINT && v->u <= INT64_MAX)) {
        *out = v->type == GV_INT ? v->i : (int64_t)v->u;
        return true;
    }
    if (v->type != GV_TENSOR_ITEM || v->tensor.ndim)
        return false;
    switch (v->tensor.dtype) {
    case GV_U8: *out = *(const uint8_t *)v->tensor.data; return true;
    case GV_I8: *out = *(const int8_t *)v->tensor.data; return true;
    case GV_U16: *out = *(const uint16_t *)v->tensor.data; return true;
    case GV_I16: *out = *(const int16_t *)v->tensor.data; return true;
    case GV_U32: *out = *(const uint32_t *)v->tensor.data; return true;
    case GV_I32: *out = *(const int32_t *)v->tensor.data; return true;
    case GV_I64T: *out = *(const int64_t *)v->tensor.data; return true;
    case GV_U64T:
        if (*(const uint64_t *)v->tensor.data > INT64_MAX)
            return false;
        *out = *(const int64_t *)v->tensor.data;
        return true;
    default: return false;
    }
}

bool gv_item_f64_of(const gv_item *v, double *out)
{
    if (!v)
        return false;
    if (v->type == GV_FLOAT)
        *out = v->f;
    else if (v->type == GV_INT)
        *out = (double)v->i;
    else if (v->type == GV_UINT)
        *out = (double)v->u;
    else if (v->type == GV_TENSOR_ITEM && !v->tensor.ndim)
        gv_to_f64(v->tensor.dtype, v->tensor.data, out, 1);
    else
        return false;
    return true;
}

bool gv_get_i64(const gv_record *r, const char *key, int64_t *out)
{
    return gv_item_i64_of(gv_get(r, key), out);
}

bool gv_get_f64(const gv_record *r, const char *key, double *out)
{
    return gv_item_f64_of(gv_get(r, key), out);
}

const char *gv_get_text(const gv_record *r, const char *key)
{
    const gv_item *v = gv_get(r, key);
    return v && v->type == GV_TEXT ? v->text.s : NULL;
}

const gv_tensor *gv_get_tensor(const gv_record *r, const char *key)
{
    const gv_item *v = gv_get(r, key);
    return v && v->type == GV_TENSOR_ITEM ? &v->tensor : NULL;
}

void gv_record_init(gv_record *r, gv_kind k)
{
    r->kind = k;
    r->n = 0;
}

int gv_set(gv_record *r, const char *key, gv_item v, gv_err *err)
{
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->field[i].key, key)) {
            r->field[i].value = v;
            return GV_OK;
        }
    if (r->n == GV_MAX_FIELDS)
        return gv_fail(err, GV_EDATA, "no room for '%s': a record has at most %d fields", key, GV_MAX_FIELDS);
    r->field[r->n++] = (gv_pair){ key, v };
    return GV_OK;
}

int gv_set_i64(gv_record *r, const char *key, int64_t v, gv_err *err)
{
    return gv_set(r, key, gv_item_i64(v), err);
}

int gv_set_f64(gv_record *r, const char *key, double v, gv_err *err)
{
    return gv_set(r, key, gv_item_f64(v), err);
}

int gv_set_text(gv_record *r, const char *key, const char *s, gv_err *err)
{
    return gv_set(r, key, gv_item_text(s), err);
}

int gv_set_tensor(gv_record *r, const char *key, gv_dtype t, const int64_t *shape, int ndim, const void *data, gv_err *err)
{
    gv_item v = gv_item_tensor(t, shape, ndim, data);
    if (v.type != GV_TENSOR_ITEM)
        return gv_fail(err, GV_EDATA, "the shape of '%s' (%d dimensions) is not one of a tensor", key, ndim);
    return gv_set(r, key, v, err);
}

void gv_unset(gv_record *r, const char *key)
{
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->field[i].key, key)) {
            memmove(&r->field[i], &r->field[i + 1], (r->n - i - 1) * sizeof r->field[0]);
            r->n--;
            return;
        }
}

int gv_record_to_error(gv_record *r, const char *stage, gv_err *err, gv_arena *scratch)
{
    static const char *const kept[] = { "epoch", "pos", "index", "draw", "id", "path" };
    gv_err none = { 0 };
    char *reason = gv_arena_strdup(scratch, err->text[0] ? err->text : "unknown", &none);
    if (!reason)
        return gv_fail_in(err, "%s", none.text);
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < GV_COUNT(kept); k++)
            if (!strcmp(r->field[i].key, kept[k])) {
                r->field[n++] = r->field[i];
                break;
            }
    r->n = n;
    r->kind = GV_ERROR_RECORD;
    gv_err_clear(err);
    if (gv_set_text(r, "stage", stage, err) < 0 || gv_set_text(r, "reason", reason, err) < 0)
        return err->code;
    return GV_OK;
}

bool gv_item_equal(const gv_item *a, const gv_item *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case GV_NIL: return true;
    case GV_ITEM_BOOL: return a->b == b->b;
    case GV_INT: return a->i == b->i;
    case GV_UINT: return a->u == b->u;
    case GV_FLOAT: return !memcmp(&a->f, &b->f, sizeof a->f); /* NaN equals itself here */
    case GV_TEXT:
    case GV_BIN: return a->text.n == b->text.n && !memcmp(a->text.s, b->text.s, a->text.n);
    case GV_TENSOR_ITEM:
        return a->tensor.dtype == b->tensor.dtype && a->tensor.ndim == b->tensor.ndim &&
               !memcmp(a->tensor.shape, b->tensor.shape, (size_t)a->tensor.ndim * sizeof a->tensor.shape[0]) &&
               !memcmp(a->tensor.data, b->tensor.data, a->tensor.bytes);
    case GV_ARRAY:
        if (a->array.n != b->array.n)
            return false;
        for (size_t i = 0; i < a->array.n; i++)
            if (!gv_item_equal(&a->array.v[i], &b->array.v[i]))
                return false;
        return true;
    case GV_MAPPING:
        if (a->map.n != b->map.n)
            return false;
        for (size_t i = 0; i < a->map.n; i++)
            if (strcmp(a->map.v[i].key, b->map.v[i].key) || !gv_item_equal(&a->map.v[i].value, &b->map.v[i].value))
                return false;
        return true;
    }
    return false;
}

static int copy_item(gv_item *v, gv_arena *a, gv_err *err)
{
    switch (v->type) {
    case GV_TEXT:
    case GV_BIN:
        v->text.s = gv_arena_strndup(a, v->text.s, v->text.n, err);
        return v->text.s ? GV_OK : err->code;
    case GV_TENSOR_ITEM: {
        void *p = gv_arena_alloc_dirty(a, v->tensor.bytes, err);
        if (!p)
            return err->code;
        memcpy(p, v->tensor.data, v->tensor.bytes);
        v->tensor.data = p;
        return GV_OK;
    }
    case GV_ARRAY: {
        gv_item *p = gv_arena_alloc_dirty(a, v->array.n * sizeof *p, err);
        if (!p)
            return err->code;
        memcpy(p, v->array.v, v->array.n * sizeof *p);
        v->array.v = p;
        for (size_t i = 0; i < v->array.n; i++)
            if (copy_item(&p[i], a, err) < 0)
                return err->code;
        return GV_OK;
    }
    case GV_MAPPING: {
        gv_pair *p = gv_arena_alloc_dirty(a, v->map.n * sizeof *p, err);
        if (!p)
            return err->code;
        memcpy(p, v->map.v, v->map.n * sizeof *p);
        v->map.v = p;
        for (size_t i = 0; i < v->map.n; i++)
            if (!(p[i].key = gv_arena_strdup(a, p[i].key, err)) || copy_item(&p[i].value, a, err) < 0)
                return err->code;
        return GV_OK;
    }
    default: return GV_OK;
    }
}

int gv_record_copy(gv_record *dst, const gv_record *src, gv_arena *a, gv_err *err)
{
    gv_err mine = { 0 };
    err = err ? err : &mine;
    dst->kind = src->kind;
    dst->n = src->n;
    for (size_t i = 0; i < src->n; i++) {
        dst->field[i] = src->field[i];
        if (!(dst->field[i].key = gv_arena_strdup(a, src->field[i].key, err)) || copy_item(&dst->field[i].value, a, err) < 0)
            return err->code;
    }
    return GV_OK;
}

gv_item gv_item_text(const char *s)
{
    return (gv_item){ .type = GV_TEXT, .text = { s, strlen(s) } };
}

gv_item gv_item_i64(int64_t v)
{
    return v < 0 ? (gv_item){ .type = GV_INT, .i = v } : (gv_item){ .type = GV_UINT, .u = (uint64_t)v };
}

gv_item gv_item_f64(double v)
{
    return (gv_item){ .type = GV_FLOAT, .f = v };
}

gv_item gv_item_bool(bool v)
{
    return (gv_item){ .type = GV_ITEM_BOOL, .b = v };
}

gv_item gv_item_tensor(gv_dtype t, const int64_t *shape, int ndim, const void *data)
{
    gv_item v = { .type = GV_TENSOR_ITEM };
    int64_t count = ndim >= 0 && ndim <= GV_MAX_DIMS ? gv_shape_count(shape, ndim) : -1;
    if (count < 0 || gv_mul_size((size_t)count, gv_dtype_of(t)->size, &v.tensor.bytes) < 0)
        return (gv_item){ .type = GV_NIL };
    v.tensor.dtype = t;
    v.tensor.ndim = ndim;
    if (ndim)
        memcpy(v.tensor.shape, shape, (size_t)ndim * sizeof *shape);
    v.tensor.data = data;
    return v;
}

static gv_item array_of(size_t n, gv_arena *a, gv_err *err)
{
    gv_item v = { .type = GV_ARRAY };
    v.array.v = gv_arena_alloc(a, n * sizeof *v.array.v, err);
    v.array.n = n;
    return v.array.v ? v : (gv_item){ .type = GV_NIL };
}

gv_item gv_item_i64s(const int64_t *x, size_t n, gv_arena *a, gv_err *err)
{
    gv_item v = array_of(n, a, err);
    for (size_t i = 0; v.type == GV_ARRAY && i < n; i++)
        v.array.v[i] = gv_item_i64(x[i]);
    return v;
}

gv_item gv_item_f64s(const double *x, size_t n, gv_arena *a, gv_err *err)
{
    gv_item v = array_of(n, a, err);
    for (size_t i = 0; v.type == GV_ARRAY && i < n; i++)
        v.array.v[i] = gv_item_f64(x[i]);
    return v;
}

gv_item gv_item_texts(const char *const *x, size_t n, gv_arena *a, gv_err *err)
{
    gv_item v = array_of(n, a, err);
    for (size_t i = 0; v.type == GV_ARRAY && i < n; i++)
        v.array.v[i] = gv_item_text(x[i]);
    return v;
}
