/* mlflow_names: a run's configuration and names as parameters and tags. */
#include "track/mlflow.h"
#include <inttypes.h>
#include <pwd.h>
#include <unistd.h>
#include <xxhash.h>

enum { KEY_MAX = 250, PARAM_MAX = 6000, TAG_MAX = 5000 };

/* Letters and digits of ASCII, / _ . - and blank may stay; the name is a path that is its own shortest form. Names that lose a letter,
 * or their end, get digits of their own, so that two of them stay two. */
void gv_mlflow_key(const char *key, char out[256])
{
    size_t n = 0;
    bool lost = strlen(key) > KEY_MAX;
    for (const char *s = key; *s && n < KEY_MAX; s++) {
        bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("_.- ", *s);
        lost |= (unsigned char)*s >= 0x80;
        if (*s == '/' && n && s[1] && out[n - 1] != '/' && s[1] != '/')
            plain = true;
        out[n++] = (char)(plain ? *s : '_');
    }
    for (size_t i = 0; i < n; i++) /* "." and ".." are no names of a path */
        if (out[i] == '.' && (!i || out[i - 1] == '/')) {
            size_t k = i;
            while (k < n && out[k] == '.')
                k++;
            if (k - i <= 2 && (k == n || out[k] == '/'))
                out[i] = '_';
        }
    if (!n)
        out[n++] = '_';
    out[n] = 0;
    if (lost) {
        n = n > KEY_MAX - 9 ? KEY_MAX - 9 : n;
        snprintf(out + n, 256 - n, "-%08" PRIx32, (uint32_t)XXH3_64bits(key, strlen(key)));
    }
}

void gv_mlflow_text(const char *text, size_t max, gv_buf *out)
{
    static const char mark[] = "\342\200\246"; /* … */
    size_t n = strlen(text), keep = n;
    out->len = 0;
    if (n > max) {
        keep = max - (sizeof mark - 1);
        while (keep && ((unsigned char)text[keep] & 0xc0) == 0x80)
            keep--;
    }
    if (gv_buf_add(out, text, keep, NULL) < 0 || (keep < n && gv_buf_add(out, mark, sizeof mark - 1, NULL) < 0) || gv_buf_add(out, "", 1, NULL) < 0)
        out->len = 0;
}

int gv_mlflow_pair(json_t *list, const char *key, const char *value, size_t max, gv_err *err)
{
    char name[256];
    gv_buf text = { 0 };
    if (!value || !*value)
        return GV_OK;
    gv_mlflow_key(key, name);
    gv_mlflow_text(value, max, &text);
    json_t *o = text.len ? json_pack("{s:s, s:s}", "key", name, "value", text.data) : NULL;
    int r = o && json_array_append_new(list, o) == 0 ? GV_OK : gv_fail(err, GV_ESYS, "cannot keep '%s' (is it UTF-8?)", key);
    gv_buf_release(&text);
    return r;
}

/* One leaf: texts as they are, the rest as JSON, nulls too. */
static int param(void *self, const char *path, const json_t *v, gv_err *err)
{
    gv_buf text = { 0 };
    int r = json_is_string(v) ? GV_OK : gv_json_text(v, &text, err);
    r = r == GV_OK && text.data ? gv_buf_add(&text, "", 1, err) : r;
    if (r == GV_OK)
        r = gv_mlflow_pair(self, path, json_is_string(v) ? json_string_value(v) : text.data, PARAM_MAX, err);
    gv_buf_release(&text);
    return r;
}

static const char *const not_params[] = { "typed", NULL };

int gv_mlflow_params(const gv_run_facts *f, json_t *params, gv_err *err)
{
    json_t *from = json_object_size(f->resolved) ? f->resolved : f->config, *o = json_copy(from), *extra = json_object_get(f->config, "add_log");
    int r = o ? GV_OK : gv_fail(err, GV_ESYS, "out of memory");
    for (int i = 0; o && not_params[i]; i++)
        json_object_del(o, not_params[i]);
    if (o && json_is_object(extra) && json_object_size(extra) && !json_object_get(o, "add_log") && json_object_set(o, "add_log", extra) < 0)
        r = gv_fail(err, GV_ESYS, "out of memory");
    r = r == GV_OK ? gv_json_leaves(o, param, params, err) : r;
    json_decref(o);
    return r;
}

const char *gv_mlflow_user(void)
{
    static const char *const names[] = { "LOGNAME", "USER", "LNAME", "USERNAME" };
    for (size_t i = 0; i < GV_COUNT(names); i++) {
        const char *s = getenv(names[i]);
        if (s && *s)
            return s;
    }
    const struct passwd *p = getpwuid(getuid());
    return p && p->pw_name ? p->pw_name : "";
}

static int tag(json_t *tags, const char *key, const char *value, gv_err *err)
{
    return gv_mlflow_pair(tags, key, value, TAG_MAX, err);
}

/* "NAME" or "NAME=VALUE"; and all of them in one, as they were typed. */
static int typed_tags(const gv_run_facts *f, json_t *tags, gv_err *err)
{
    gv_buf all = { 0 };
    int r = GV_OK;
    for (size_t i = 0; r == GV_OK && i < json_array_size(f->tags); i++) {
        const char *s = json_string_value(json_array_get(f->tags, i));
        if (!s)
            continue;
        const char *eq = strchr(s, '=');
        char name[300];
        snprintf(name, sizeof name, "%.*s", (int)(eq ? (eq - s > 290 ? 290 : eq - s) : 290), s);
        r = tag(tags, name, eq ? eq + 1 : "true", err);
        r = r == GV_OK ? gv_buf_printf(&all, err, "%s%s", all.len ? "," : "", s) : r;
    }
    if (r == GV_OK && all.len)
        r = tag(tags, "tags", all.data, err);
    gv_buf_release(&all);
    return r;
}

/* Each text of --add_log. */
static int extra(void *self, const char *path, const json_t *v, gv_err *err)
{
    char name[300];
    snprintf(name, sizeof name, "extra.%.280s", path);
    return json_is_string(v) ? tag(self, name, json_string_value(v), err) : GV_OK;
}

int gv_mlflow_tags(const gv_run_facts *f, json_t *tags, gv_err *err)
{
    const char *argv0 = json_string_value(json_array_get(json_object_get(f->runtime, "argv"), 0));
    const json_t *add = json_object_get(f->config, "add_log");
    const char *note = json_string_value(json_object_get(add, "comment"));
    int r = tag(tags, "mlflow.source.name", argv0 ? argv0 : "glovita_train", err);
    r = r == GV_OK ? tag(tags, "mlflow.source.type", "LOCAL", err) : r;
    r = r == GV_OK ? tag(tags, "mlflow.user", gv_mlflow_user(), err) : r;
    r = r == GV_OK ? tag(tags, "mlflow.note.content", note, err) : r;
    r = r == GV_OK ? tag(tags, "group", f->group, err) : r;
    r = r == GV_OK ? tag(tags, "dataset", f->dataset, err) : r;
    r = r == GV_OK ? tag(tags, "fold", f->fold, err) : r;
    r = r == GV_OK ? tag(tags, "glovita.version", json_string_value(json_object_get(f->runtime, "version")), err) : r;
    r = r == GV_OK ? typed_tags(f, tags, err) : r;
    return r == GV_OK && json_is_object(add) ? gv_json_leaves(add, extra, tags, err) : r;
}
