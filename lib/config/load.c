/* load: config files, ours and those of the Python original, and add_log. */
#include "config/internal.h"
#include "common/log.h"
#include "json/json.h"

enum { FILE_CAP = 16 << 20 };

/* Keys of older files. to NULL: read over, nothing here depends on it. */
static const struct legacy { const char *from, *to; } legacy[] = {
    { "wandb", "logger" },
    { "encoder_preprocessing", NULL }, /* resolved_config.json tells it; its numbers stand in augmentation */
};

typedef struct reader {
    gv_config *c;
    bool mark; /* the file has no "typed": all it holds counts */
} reader;

static const char *renamed(const json_t *root, const char *path)
{
    for (size_t i = 0; i < GV_COUNT(legacy); i++)
        if (!strcmp(path, legacy[i].from) && !(legacy[i].to && json_object_get(root, legacy[i].to))) {
            gv_log(GV_DEBUG, "config file: '%s' is read as '%s'", path, legacy[i].to ? legacy[i].to : "nothing");
            return legacy[i].to;
        }
    return path;
}

static int unknown_key(const reader *rd, const char *path, gv_err *err)
{
    char option[GV_PATH_MAX + 2];
    gv_err near = { 0 };
    const gv_command *cmd = rd->c->command;
    rd->c->command = NULL; /* any field of the schema may be meant */
    snprintf(option, sizeof option, "--%s", path);
    gv_unknown_option(rd->c, "", option, &near);
    rd->c->command = cmd;
    const char *names[64], *block;
    size_t n = 0;
    for (size_t i = 0; gv_blocks[i] && n < 64; i++)
        names[n++] = gv_blocks[i]->path;
    const char *hint = strstr(near.text, " (did you mean '--");
    if (hint)
        return gv_fail(err, GV_EUSAGE, "unknown field '%s' (did you mean '%s", path, hint + strlen(" (did you mean '--"));
    if ((block = gv_nearest(path, names, n)) && *block)
        return gv_fail(err, GV_EUSAGE, "unknown field '%s' (did you mean '%s'?)", path, block);
    return gv_fail(err, GV_EUSAGE, "unknown field '%s'", path);
}

/* The commands beside train keep their own fields at the top of a file. */
static const gv_field *own_field(const gv_config *c, const char *path)
{
    return c->command && c->command->own_size && c->own ? gv_field_find(c->command->fields, path, strlen(path)) : NULL;
}

static int read_leaf(reader *rd, const char *path, const json_t *v, gv_err *err)
{
    gv_config *c = rd->c;
    const gv_field *own = own_field(c, path);
    gv_slot s;
    int r;
    if (own)
        r = gv_field_set_json(own, c->own, path, v, c->arena, err);
    else if (!gv_slot_find(c, path, true, &s))
        return unknown_key(rd, path, err);
    else if (!s.field)
        return GV_OK; /* discriminators were read first */
    else if (!s.params)
        return gv_not_chosen(c, &s, path, err);
    else
        r = gv_field_set_json(s.field, s.params, path, v, c->arena, err);
    return r == GV_OK && rd->mark ? gv_config_mark(c, path, err) : r;
}

static int read_add_log(reader *rd, const json_t *v, gv_err *err)
{
    json_t *copy = json_is_object(v) ? json_deep_copy(v) : NULL;
    if (!copy)
        return gv_fail(err, GV_EUSAGE, "'add_log' is not an object");
    json_decref(rd->c->add_log);
    rd->c->add_log = copy;
    return GV_OK;
}

/* Twice over the file: discriminators in the first pass, everything else in the second. */
static int read_object(reader *rd, const json_t *root, const json_t *o, const char *prefix, bool choose, gv_err *err)
{
    int r = GV_OK;
    for (void *it = json_object_iter((json_t *)(uintptr_t)o); it && r == GV_OK; it = json_object_iter_next((json_t *)(uintptr_t)o, it)) {
        const json_t *v = json_object_iter_value(it);
        const char *key = json_object_iter_key(it), *to;
        char path[GV_PATH_MAX];
        gv_slot s;
        if (snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", key) >= (int)sizeof path)
            return gv_fail(err, GV_EUSAGE, "unknown field '%.60s…'", path);
        if (!*prefix && !strcmp(key, "typed"))
            continue;
        if (!*prefix && !strcmp(key, "add_log")) {
            r = choose ? GV_OK : read_add_log(rd, v, err);
            continue;
        }
        if (!(to = *prefix ? path : renamed(root, path)))
            continue;
        if (*to && gv_block_find(to, strlen(to))) {
            if (!json_is_object(v))
                return gv_fail(err, GV_EUSAGE, "'%s' is not an object", to);
            r = read_object(rd, root, v, to, choose, err);
        } else if (!choose)
            r = read_leaf(rd, to, v, err);
        else if (gv_slot_find(rd->c, to, false, &s) && !s.field && !json_is_null(v)) {
            const char *word = json_string_value(v);
            if (!word)
                return gv_fail(err, GV_EUSAGE, "'%s' is not a text", to);
            r = gv_config_set(rd->c, to, &word, 1, rd->mark, err);
        }
    }
    return r;
}

static int read_typed(reader *rd, const json_t *typed, gv_err *err)
{
    int r = GV_OK;
    if (!json_is_array(typed))
        return gv_fail(err, GV_EUSAGE, "'typed' is not a list of field names");
    for (size_t i = 0; i < json_array_size(typed) && r == GV_OK; i++) {
        const char *path = json_string_value(json_array_get(typed, i));
        char normal[GV_PATH_MAX];
        gv_slot s;
        if (!path || !gv_path_normal(path, strlen(path), normal))
            return gv_fail(err, GV_EUSAGE, "'typed' is not a list of field names");
        if (gv_slot_find(rd->c, normal, false, &s) || own_field(rd->c, normal))
            r = gv_config_mark(rd->c, normal, err);
        else
            return unknown_key(rd, normal, err);
    }
    return r;
}

int gv_config_load_json(gv_config *c, const json_t *j, const char *what, gv_err *err)
{
    const json_t *typed = json_object_get(j, "typed");
    reader rd = { .c = c, .mark = !typed };
    if (!json_is_object(j))
        return gv_fail(err, GV_EUSAGE, "'%s' is not a JSON object", what);
    int r = read_object(&rd, j, j, "", true, err);
    if (r == GV_OK)
        r = read_object(&rd, j, j, "", false, err);
    if (r == GV_OK && typed)
        r = read_typed(&rd, typed, err);
    return r < 0 ? gv_fail_in(err, "%s", what) : GV_OK;
}

int gv_config_load(gv_config *c, const char *path, gv_err *err)
{
    gv_err why = { 0 };
    json_t *j = gv_json_read(path, FILE_CAP, &why);
    if (!j) /* whatever is wrong with it, it is the command line's file */
        return gv_fail(err, GV_EUSAGE, "%s", why.text);
    int r = gv_config_load_json(c, j, path, err);
    json_decref(j);
    return r;
}

/* true, false, none, null in any case; else JSON if it parses; else text. */
static json_t *add_log_value(const char *text)
{
    if (!strcasecmp(text, "true"))
        return json_true();
    if (!strcasecmp(text, "false"))
        return json_false();
    if (!strcasecmp(text, "none") || !strcasecmp(text, "null"))
        return json_null();
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    return v ? v : json_string(text);
}

/* path a.b.c: a scalar on the way becomes {"value": scalar}, and a value for an object goes to its "value". */
int gv_add_log_set(gv_config *c, const char *path, const char *value, gv_err *err)
{
    json_t *at = c->add_log, *v;
    const char *key = NULL;
    char part[GV_PATH_MAX];
    size_t n = 0, used = 0;
    for (const char *p = path; at && *p; p += n + (p[n] == '.')) {
        n = strcspn(p, ".");
        if (!n)
            continue;
        if (n >= sizeof part)
            return gv_fail(err, GV_EUSAGE, "'--add_log.%.40s…' is too long", path);
        if (key) {
            json_t *child = json_object_get(at, part);
            if (!child)
                json_object_set_new(at, part, json_object());
            else if (!json_is_object(child))
                json_object_set_new(at, part, json_pack("{s:O}", "value", child));
            at = json_object_get(at, part);
        }
        memcpy(part, p, n);
        part[n] = 0;
        key = part;
        if (++used > 64)
            return gv_fail(err, GV_EUSAGE, "'--add_log.%.40s…' is nested too deep", path);
    }
    if (!key)
        return gv_fail(err, GV_EUSAGE, "'--add_log' wants a name: --add_log.NAME VALUE");
    json_t *old = json_object_get(at, part);
    if (!at || !(v = add_log_value(value)))
        return gv_fail(err, GV_EUSAGE, "'--add_log.%s' is not UTF-8 text", path);
    if (json_object_set_new(json_is_object(old) ? old : at, json_is_object(old) ? "value" : part, v))
        return gv_fail(err, GV_EUSAGE, "'--add_log.%s' is not UTF-8 text", path);
    return GV_OK;
}
