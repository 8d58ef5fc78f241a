/* fields: typed rows to JSON and back, with the checks of the command line. */
#include "json/json.h"
#include <inttypes.h>

static const void *at(const gv_field *f, const void *params)
{
    return (const char *)params + f->offset;
}

static json_t *list(size_t n, const void *v, json_t *(*one)(const void *v, size_t i))
{
    json_t *a = json_array();
    for (size_t i = 0; a && i < n; i++)
        if (json_array_append_new(a, one(v, i))) {
            json_decref(a);
            return NULL;
        }
    return a;
}

static json_t *one_str(const void *v, size_t i) { return json_string(((const char *const *)v)[i]); }
static json_t *one_int(const void *v, size_t i) { return json_integer(((const int64_t *)v)[i]); }
static json_t *one_f64(const void *v, size_t i) { return json_real(((const double *)v)[i]); }

static json_t *dict(const gv_dict *d, gv_err *err)
{
    json_t *o = json_object();
    for (size_t i = 0; o && i < d->n; i++) {
        json_t *v = gv_json_parse(d->json[i], strlen(d->json[i]), d->key[i], err);
        if (!v || json_object_set_new(o, d->key[i], v)) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

/* 64-bit values above jansson's integers travel as text; reading takes both. */
static json_t *u64(uint64_t u)
{
    char s[24];
    if (u <= INT64_MAX)
        return json_integer((json_int_t)u);
    snprintf(s, sizeof s, "%" PRIu64, u);
    return json_string(s);
}

static json_t *value(const gv_field *f, const void *p, gv_err *err)
{
    switch (f->type) {
    case GV_TYPE_BOOL: return json_boolean(*(const bool *)p);
    case GV_TYPE_I64: return *(const int64_t *)p == GV_NONE_I64 ? json_null() : json_integer(*(const int64_t *)p);
    case GV_TYPE_U64: return f->optional && *(const uint64_t *)p == GV_NONE_U64 ? json_null() : u64(*(const uint64_t *)p);
    case GV_TYPE_F64: return isfinite(*(const double *)p) ? json_real(*(const double *)p) : json_null();
    case GV_TYPE_STR: return *(const char *const *)p ? json_string(*(const char *const *)p) : json_null();
    case GV_TYPE_ENUM: return *(const int *)p < 0 ? json_null() : json_string(f->choices[*(const int *)p]);
    case GV_TYPE_DICT: return dict(p, err);
    default: break;
    }
    const gv_strs *l = p; /* the three list types have the same shape */
    if (!l->v && f->optional)
        return json_null();
    return list(l->n, l->v, f->type == GV_TYPE_STRS ? one_str : f->type == GV_TYPE_INTS ? one_int : one_f64);
}

json_t *gv_field_json(const gv_field *f, const void *params, gv_err *err)
{
    json_t *v = value(f, at(f, params), err);
    if (!v)
        gv_fail(err, GV_EUSAGE, "'%s' cannot be written as JSON (its text must be UTF-8)", f->name);
    return v;
}

json_t *gv_fields_json(const gv_field *fields, const void *params, gv_err *err)
{
    json_t *o = json_object();
    for (const gv_field *f = fields; o && f && f->type != GV_TYPE_END; f++) {
        json_t *v = gv_field_json(f, params, err);
        if (!v || json_object_set_new(o, f->name, v)) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

/* The text of a JSON value for a message, cut to a readable length. */
static int wrong(const char *shown, const json_t *v, const char *wanted, gv_err *err)
{
    gv_buf b = { 0 };
    int r = gv_json_text(v, &b, err);
    if (r == GV_OK)
        gv_fail(err, GV_EUSAGE, "'%s' is %.60s%s; %s", shown, b.data, b.len > 60 ? "…" : "", wanted);
    gv_buf_release(&b);
    return r == GV_OK ? GV_EUSAGE : r;
}

static int set_dict(gv_dict *d, const char *shown, const json_t *v, gv_arena *arena, gv_err *err)
{
    if (!json_is_object(v))
        return wrong(shown, v, "an object is wanted", err);
    size_t n = json_object_size(v), i = 0;
    gv_dict made = { .n = n, .key = gv_arena_alloc(arena, (n + 1) * sizeof *made.key, err), .json = gv_arena_alloc(arena, (n + 1) * sizeof *made.json, err) };
    if (!made.key || !made.json)
        return GV_ESYS;
    int r = GV_OK;
    for (void *it = json_object_iter((json_t *)(uintptr_t)v); it && r == GV_OK; it = json_object_iter_next((json_t *)(uintptr_t)v, it), i++) {
        gv_buf b = { 0 };
        r = gv_json_text(json_object_iter_value(it), &b, err);
        if (r == GV_OK && !((made.key[i] = gv_arena_strdup(arena, json_object_iter_key(it), err)) && (made.json[i] = gv_arena_strndup(arena, b.data, b.len, err))))
            r = GV_ESYS;
        gv_buf_release(&b);
    }
    if (r == GV_OK)
        *d = made;
    return r;
}

/* The word a scalar would be on the command line; NULL when its type does not fit. */
static const char *word_of(const gv_field *f, const json_t *v, char buf[48])
{
    bool number = f->type == GV_TYPE_I64 || f->type == GV_TYPE_U64 || f->type == GV_TYPE_F64 || f->type == GV_TYPE_INTS || f->type == GV_TYPE_F64S;
    switch (json_typeof(v)) {
    case JSON_STRING: return f->type == GV_TYPE_BOOL || (number && f->type != GV_TYPE_U64) ? NULL : json_string_value(v);
    case JSON_TRUE: return f->type == GV_TYPE_BOOL ? "true" : NULL;
    case JSON_FALSE: return f->type == GV_TYPE_BOOL ? "false" : NULL;
    case JSON_INTEGER:
        snprintf(buf, 48, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        return number || f->type == GV_TYPE_ENUM ? buf : NULL;
    case JSON_REAL: {
        double d = json_real_value(v);
        bool whole = fabs(d) < 0x1p53 && d == (double)(int64_t)d;
        snprintf(buf, 48, whole ? "%.0f" : "%.17g", d);
        return number ? buf : NULL;
    }
    default: return NULL;
    }
}

static const char *wanted(const gv_field *f)
{
    switch (f->type) {
    case GV_TYPE_BOOL: return "true or false is wanted";
    case GV_TYPE_I64:
    case GV_TYPE_U64: return "a whole number is wanted";
    case GV_TYPE_F64: return "a number is wanted";
    case GV_TYPE_STR: return "a text is wanted";
    case GV_TYPE_ENUM: return "one of its choices is wanted, as a text";
    case GV_TYPE_STRS: return "a list of texts is wanted";
    case GV_TYPE_INTS: return "a list of whole numbers is wanted";
    default: return "a list of numbers is wanted";
    }
}

static int set_list(const gv_field *f, void *params, const char *shown, const json_t *v, gv_arena *arena, gv_err *err)
{
    if (!json_is_array(v))
        return wrong(shown, v, wanted(f), err);
    size_t n = json_array_size(v);
    const char **words = gv_arena_alloc(arena, (n + 1) * sizeof *words, err);
    if (!words)
        return GV_ESYS;
    for (size_t i = 0; i < n; i++) {
        char buf[48];
        const char *w = word_of(f, json_array_get(v, i), buf);
        if (!w)
            return wrong(shown, v, wanted(f), err);
        if (!(words[i] = gv_arena_strdup(arena, w, err)))
            return GV_ESYS;
    }
    return gv_field_set(f, params, shown, words, n, arena, err);
}

int gv_field_set_json(const gv_field *f, void *params, const char *shown, const json_t *v, gv_arena *arena, gv_err *err)
{
    char buf[48];
    const char *w = "None";
    if (json_is_null(v)) {
        if (!f->optional)
            return wrong(shown, v, f->type == GV_TYPE_DICT ? "an object is wanted" : wanted(f), err);
        return gv_field_set(f, params, shown, &w, 1, arena, err);
    }
    if (f->type == GV_TYPE_DICT)
        return set_dict((gv_dict *)(uintptr_t)at(f, params), shown, v, arena, err);
    if (f->type == GV_TYPE_STRS || f->type == GV_TYPE_INTS || f->type == GV_TYPE_F64S)
        return set_list(f, params, shown, v, arena, err);
    if (!(w = word_of(f, v, buf)))
        return wrong(shown, v, wanted(f), err);
    if (f->type == GV_TYPE_STR) { /* the text 'None' is a text here: null says none */
        const char *s = gv_arena_strdup(arena, w, err);
        if (!s)
            return GV_ESYS;
        *(const char **)((char *)params + f->offset) = s;
        return GV_OK;
    }
    return gv_field_set(f, params, shown, &w, 1, arena, err);
}
