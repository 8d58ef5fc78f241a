/* convert: items to JSON and back. */
#include "stage/convert.h"

static json_t *text_json(const char *s, size_t n)
{
    json_t *j = json_stringn(s, n);
    if (j)
        return j;
    char clean[1024]; /* not UTF-8: bytes above 127 are shown as '?' */
    size_t k = 0;
    for (; k < n && k < sizeof clean; k++)
        clean[k] = (unsigned char)s[k] < 0x80 ? s[k] : '?';
    return json_stringn(clean, k);
}

static json_t *number(const gv_tensor *t, int64_t i)
{
    const gv_dtype_info *info = gv_dtype_of(t->dtype);
    const char *p = (const char *)t->data + (size_t)i * info->size;
    double f;
    if (t->dtype == GV_BOOLT)
        return json_boolean(*p);
    if (t->dtype == GV_U64T || t->dtype == GV_I64T) {
        int64_t v;
        memcpy(&v, p, sizeof v);
        return json_integer(v); /* above 2^63 it would show as negative; no field of ours goes there */
    }
    gv_to_f64(t->dtype, p, &f, 1);
    if (t->dtype == GV_F16 || t->dtype == GV_BF16 || t->dtype == GV_F32T || t->dtype == GV_F64T)
        return isfinite(f) ? json_real(f) : json_null();
    return json_integer((json_int_t)f);
}

static json_t *nested(const gv_tensor *t, int dim, int64_t *at)
{
    if (dim == t->ndim)
        return number(t, (*at)++);
    json_t *a = json_array();
    for (int64_t i = 0; a && i < t->shape[dim]; i++)
        if (json_array_append_new(a, nested(t, dim + 1, at)) < 0) {
            json_decref(a);
            return NULL;
        }
    return a;
}

static json_t *tensor_json(const gv_tensor *t, int64_t inline_max)
{
    int64_t at = 0;
    if (gv_shape_count(t->shape, t->ndim) <= inline_max)
        return nested(t, 0, &at);
    json_t *shape = json_array(), *j = NULL;
    for (int i = 0; shape && i < t->ndim; i++)
        json_array_append_new(shape, json_integer(t->shape[i]));
    if (shape)
        j = json_pack("{s:s, s:o, s:I}", "dtype", gv_dtype_of(t->dtype)->name, "shape", shape, "bytes", (json_int_t)t->bytes);
    return j;
}

json_t *gv_json_of_item(const gv_item *v, int64_t inline_max)
{
    switch (v->type) {
    case GV_ITEM_BOOL: return json_boolean(v->b);
    case GV_INT: return json_integer(v->i);
    case GV_UINT: return v->u > INT64_MAX ? json_real((double)v->u) : json_integer((json_int_t)v->u);
    case GV_FLOAT: return isfinite(v->f) ? json_real(v->f) : json_null();
    case GV_TEXT: return text_json(v->text.s, v->text.n);
    case GV_BIN: return json_pack("{s:I}", "bytes", (json_int_t)v->text.n);
    case GV_TENSOR_ITEM: return tensor_json(&v->tensor, inline_max);
    case GV_ARRAY: {
        json_t *a = json_array();
        for (size_t i = 0; a && i < v->array.n; i++)
            json_array_append_new(a, gv_json_of_item(&v->array.v[i], inline_max));
        return a;
    }
    case GV_MAPPING: {
        json_t *o = json_object();
        for (size_t i = 0; o && i < v->map.n; i++)
            json_object_set_new_nocheck(o, v->map.v[i].key, gv_json_of_item(&v->map.v[i].value, inline_max));
        return o;
    }
    default: return json_null();
    }
}

json_t *gv_json_of_record(const gv_record *r, int64_t inline_max)
{
    json_t *o = json_object();
    if (o)
        json_object_set_new(o, "kind", json_string(gv_kind_name(r->kind)));
    for (size_t i = 0; o && i < r->n; i++)
        json_object_set_new_nocheck(o, r->field[i].key, gv_json_of_item(&r->field[i].value, inline_max));
    return o;
}

int gv_item_of_json(const json_t *j, gv_item *v, gv_arena *a, gv_err *err)
{
    *v = (gv_item){ .type = GV_NIL };
    if (json_is_boolean(j))
        *v = gv_item_bool(json_is_true(j));
    else if (json_is_integer(j))
        *v = gv_item_i64(json_integer_value(j));
    else if (json_is_real(j))
        *v = gv_item_f64(json_real_value(j));
    else if (json_is_string(j)) {
        const char *s = gv_arena_strdup(a, json_string_value(j), err);
        if (!s)
            return GV_ESYS;
        *v = gv_item_text(s);
    } else if (json_is_array(j)) {
        v->type = GV_ARRAY;
        v->array.n = json_array_size(j);
        if (!(v->array.v = gv_arena_alloc(a, v->array.n * sizeof *v->array.v, err)))
            return GV_ESYS;
        for (size_t i = 0; i < v->array.n; i++)
            if (gv_item_of_json(json_array_get(j, i), &v->array.v[i], a, err) < 0)
                return GV_ESYS;
    } else if (json_is_object(j)) {
        const char *key;
        json_t *x;
        size_t i = 0;
        v->type = GV_MAPPING;
        v->map.n = json_object_size(j);
        if (!(v->map.v = gv_arena_alloc(a, v->map.n * sizeof *v->map.v, err)))
            return GV_ESYS;
        json_object_foreach((json_t *)j, key, x) {
            if (!(v->map.v[i].key = gv_arena_strdup(a, key, err)) || gv_item_of_json(x, &v->map.v[i].value, a, err) < 0)
                return GV_ESYS;
            i++;
        }
    }
    return GV_OK;
}
