/* json: reading with a cap, writing whole files, numbers with the fewest digits that read back. */
#include "json/json.h"
#include "common/file.h"
#include <inttypes.h>

enum { MAX_DEPTH = 2048 }; /* jansson's own limit for what it reads */

json_t *gv_json_parse(const char *text, size_t n, const char *what, gv_err *err)
{
    json_error_t e;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!j)
        gv_fail(err, GV_EDATA, "cannot read '%s' as JSON: line %d, column %d: %s", what, e.line, e.column, e.text);
    return j;
}

json_t *gv_json_read(const char *path, size_t cap, gv_err *err)
{
    gv_buf b = { 0 };
    json_t *j = NULL;
    if (gv_file_read(path, cap, &b, err) == GV_OK)
        j = gv_json_parse(b.data ? b.data : "", b.len, path, err);
    gv_buf_release(&b);
    return j;
}

static int put(gv_buf *out, const char *s, gv_err *err)
{
    return gv_buf_add(out, s, strlen(s), err);
}

static int put_string(gv_buf *out, const char *s, size_t n, gv_err *err)
{
    int r = put(out, "\"", err);
    for (size_t i = 0; i < n && r == GV_OK; i++) {
        unsigned char c = (unsigned char)s[i];
        const char *esc = c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
        if (esc)
            r = put(out, esc, err);
        else if (c < 32 || c == 127)
            r = gv_buf_printf(out, err, "\\u%04x", c);
        else
            r = gv_buf_add(out, s + i, 1, err);
    }
    return r == GV_OK ? put(out, "\"", err) : r;
}

static int put_real(gv_buf *out, double v, gv_err *err)
{
    char s[40];
    if (!isfinite(v))
        return put(out, "null", err);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (strtod(s, NULL) == v)
            break;
    }
    int r = put(out, s, err);
    return r == GV_OK && !strpbrk(s, ".e") ? put(out, ".0", err) : r; /* a real stays a real */
}

/* indent < 0: one line without blanks. */
static int put_value(gv_buf *out, const json_t *j, int indent, int depth, gv_err *err);

static int put_break(gv_buf *out, int indent, int depth, gv_err *err)
{
    if (indent < 0)
        return GV_OK;
    int r = put(out, "\n", err);
    for (int i = 0; i < indent * depth && r == GV_OK; i++)
        r = put(out, " ", err);
    return r;
}

static int put_array(gv_buf *out, const json_t *j, int indent, int depth, gv_err *err)
{
    bool flat = true; /* numbers and words of a list share a line */
    for (size_t i = 0; i < json_array_size(j); i++)
        flat = flat && !json_is_object(json_array_get(j, i)) && !json_is_array(json_array_get(j, i));
    int r = put(out, "[", err);
    for (size_t i = 0; i < json_array_size(j) && r == GV_OK; i++) {
        r = i ? put(out, flat && indent >= 0 ? ", " : ",", err) : GV_OK;
        if (r == GV_OK && !flat)
            r = put_break(out, indent, depth + 1, err);
        if (r == GV_OK)
            r = put_value(out, json_array_get(j, i), indent, depth + 1, err);
    }
    if (r == GV_OK && !flat)
        r = put_break(out, indent, depth, err);
    return r == GV_OK ? put(out, "]", err) : r;
}

static int put_object(gv_buf *out, const json_t *j, int indent, int depth, gv_err *err)
{
    int r = put(out, "{", err);
    bool first = true;
    for (void *it = json_object_iter((json_t *)(uintptr_t)j); it && r == GV_OK; it = json_object_iter_next((json_t *)(uintptr_t)j, it)) {
        r = first ? GV_OK : put(out, ",", err);
        first = false;
        if (r == GV_OK)
            r = put_break(out, indent, depth + 1, err);
        if (r == GV_OK)
            r = put_string(out, json_object_iter_key(it), strlen(json_object_iter_key(it)), err);
        if (r == GV_OK)
            r = put(out, indent < 0 ? ":" : ": ", err);
        if (r == GV_OK)
            r = put_value(out, json_object_iter_value(it), indent, depth + 1, err);
    }
    if (r == GV_OK && !first)
        r = put_break(out, indent, depth, err);
    return r == GV_OK ? put(out, "}", err) : r;
}

static int put_value(gv_buf *out, const json_t *j, int indent, int depth, gv_err *err)
{
    if (depth > MAX_DEPTH)
        return gv_fail(err, GV_EDATA, "cannot write JSON nested deeper than %d", MAX_DEPTH);
    switch (json_typeof(j)) {
    case JSON_OBJECT: return put_object(out, j, indent, depth, err);
    case JSON_ARRAY: return put_array(out, j, indent, depth, err);
    case JSON_STRING: return put_string(out, json_string_value(j), json_string_length(j), err);
    case JSON_INTEGER: return gv_buf_printf(out, err, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
    case JSON_REAL: return put_real(out, json_real_value(j), err);
    case JSON_TRUE: return put(out, "true", err);
    case JSON_FALSE: return put(out, "false", err);
    default: return put(out, "null", err);
    }
}

int gv_json_text(const json_t *j, gv_buf *out, gv_err *err)
{
    return put_value(out, j, -1, 0, err);
}

int gv_json_pretty(const json_t *j, gv_buf *out, gv_err *err)
{
    int r = put_value(out, j, 2, 0, err);
    return r == GV_OK ? put(out, "\n", err) : r;
}

int gv_json_write(const char *path, const json_t *j, gv_err *err)
{
    gv_buf b = { 0 };
    int r = gv_json_pretty(j, &b, err);
    if (r == GV_OK)
        r = gv_file_write(path, b.data, b.len, err);
    gv_buf_release(&b);
    return r;
}
