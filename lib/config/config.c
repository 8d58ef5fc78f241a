/* config: defaults, choosing variants, setting fields, and which of them were typed. */
#include "config/internal.h"
#include "common/log.h"
#include "json/json.h"

/* ---- typed ---- */

static size_t typed_at(const gv_config *c, const char *path)
{
    size_t i = 0;
    while (i < c->typed.n && strcmp(c->typed.v[i], path))
        i++;
    return i;
}

bool gv_config_typed(const gv_config *c, const char *path)
{
    return typed_at(c, path) < c->typed.n;
}

int gv_config_mark(gv_config *c, const char *path, gv_err *err)
{
    if (gv_config_typed(c, path))
        return GV_OK;
    if (c->typed.n == c->typed_cap) {
        size_t cap = c->typed_cap ? 2 * c->typed_cap : 32;
        const char **v = gv_arena_alloc(c->arena, cap * sizeof *v, err);
        if (!v)
            return GV_ESYS;
        if (c->typed.n)
            memcpy(v, c->typed.v, c->typed.n * sizeof *v);
        c->typed.v = v;
        c->typed_cap = cap;
    }
    const char *copy = gv_arena_strdup(c->arena, path, err);
    if (!copy)
        return GV_ESYS;
    c->typed.v[c->typed.n++] = copy;
    return GV_OK;
}

void gv_config_unmark(gv_config *c, const char *path)
{
    size_t i = typed_at(c, path);
    if (i == c->typed.n)
        return;
    memmove(c->typed.v + i, c->typed.v + i + 1, (c->typed.n - i - 1) * sizeof *c->typed.v);
    c->typed.n--;
}

/* ---- variants ---- */

gv_field gv_union_row(const gv_union *u, const char **choices, size_t cap)
{
    size_t n = 0;
    for (; u->variants[n] && n + 1 < cap; n++)
        choices[n] = u->variants[n]->name;
    choices[n] = NULL;
    return (gv_field){ .name = u->field, .type = GV_TYPE_ENUM, .choices = choices, .unit = "", .help = u->help };
}

/* A common field goes back to the default of its table. */
static int reset(gv_config *c, const gv_slot *s, gv_err *err)
{
    const gv_field one[] = { *s->field, GV_END };
    return gv_fields_default(one, s->params, c->arena, err);
}

/* Run over the pairs of a variant's defaults, for fields nobody typed: take them back, or set them. */
static int apply_pairs(gv_config *c, const gv_block *b, const gv_variant *v, bool set, gv_err *err)
{
    for (size_t i = 0; v->defaults && v->defaults[i]; i += 2) {
        char path[GV_PATH_MAX];
        gv_slot s;
        gv_slot_path(b, v->defaults[i], path);
        if (!gv_slot_find(c, path, false, &s) || !s.field)
            return gv_fail(err, GV_EINTERNAL, "variant '%s' gives a default for '%s', which does not exist", v->name, path);
        if (gv_config_typed(c, path))
            continue;
        int r = set ? gv_row_set(c, s.field, s.params, path, &v->defaults[i + 1], 1, false, err) : reset(c, &s, err);
        if (r < 0)
            return r;
    }
    return GV_OK;
}

static void drop_own(gv_config *c, const gv_block *b, const gv_variant *old, const gv_variant *v)
{
    for (const gv_field *f = old->fields; f && f->type != GV_TYPE_END; f++) {
        char path[GV_PATH_MAX];
        gv_slot_path(b, f->name, path);
        if (gv_config_typed(c, path)) {
            gv_log(GV_WARNING, "'%s' is dropped: it belongs to '%s', and '%s' is chosen now", path, old->name, v->name);
            gv_config_unmark(c, path);
        }
    }
}

int gv_union_choose(gv_config *c, const gv_block *b, const gv_variant *v, gv_err *err)
{
    const gv_variant **chosen = (const gv_variant **)((char *)gv_block_params(c, b) + b->uni->chosen), *old = *chosen;
    if (old == v)
        return GV_OK;
    if (old) {
        drop_own(c, b, old, v);
        int r = apply_pairs(c, b, old, false, err);
        if (r < 0)
            return r;
    }
    void *params = gv_arena_alloc(c->arena, v->params_size ? v->params_size : 1, err);
    if (!params || gv_fields_default(v->fields, params, c->arena, err) < 0)
        return GV_ESYS;
    *chosen = v;
    *(void **)((char *)gv_block_params(c, b) + b->uni->params) = params;
    return apply_pairs(c, b, v, true, err);
}

/* ---- fields ---- */

/* Pairs, or one JSON object, to canonical JSON values. */
static int set_dict(gv_config *c, const gv_field *f, void *params, const char *shown, const char *const *words, size_t n, gv_err *err)
{
    int r = GV_OK;
    if (n == 1 && *words[0] == '{') {
        gv_err why = { 0 };
        json_t *o = gv_json_parse(words[0], strlen(words[0]), shown, &why);
        r = o ? gv_field_set_json(f, params, shown, o, c->arena, err) : gv_fail(err, GV_EUSAGE, "%s", why.text);
        json_decref(o);
        return r;
    }
    r = gv_field_set(f, params, shown, words, n, c->arena, err);
    if (r < 0)
        return r;
    const gv_dict *d = (const gv_dict *)((char *)params + f->offset);
    json_t *o = json_object();
    for (size_t i = 0; i < d->n && r == GV_OK; i++) {
        json_t *v = json_loads(d->json[i], JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
        if (!v && strchr("[{\"", words[2 * i + 1][0]))
            r = gv_fail(err, GV_EUSAGE, "'%s': the value of '%s' is '%s', which is not JSON", shown, d->key[i], words[2 * i + 1]);
        if (!v && r == GV_OK) /* looked like a number and is none in JSON, as 007: a text */
            v = json_string(words[2 * i + 1]);
        if (r == GV_OK && (!v || json_object_set(o, d->key[i], v)))
            r = gv_fail(err, GV_EUSAGE, "'%s': '%s' is not UTF-8 text", shown, d->key[i]);
        json_decref(v);
    }
    r = r == GV_OK ? gv_field_set_json(f, params, shown, o, c->arena, err) : r;
    json_decref(o);
    return r;
}

int gv_row_set(gv_config *c, const gv_field *f, void *params, const char *shown, const char *const *words, size_t n, bool more, gv_err *err)
{
    if (f->type == GV_TYPE_DICT)
        return set_dict(c, f, params, shown, words, n, err);
    if (f->type != GV_TYPE_STRS)
        return gv_field_set(f, params, shown, words, n, c->arena, err);
    if (f->hi.i && n > (size_t)f->hi.i) /* the most words of a list, where there is a bound */
        return gv_fail(err, GV_EUSAGE, "'%s' takes at most %d value%s; %zu were given", shown, (int)f->hi.i, f->hi.i == 1 ? "" : "s", n);
    gv_strs *l = (gv_strs *)((char *)params + f->offset), old = *l;
    int r = gv_field_set(f, params, shown, words, n, c->arena, err);
    if (r < 0 || !more || !old.n)
        return r;
    const char **v = gv_arena_alloc(c->arena, (old.n + l->n + 1) * sizeof *v, err);
    if (!v)
        return GV_ESYS;
    memcpy(v, old.v, old.n * sizeof *v);
    if (l->n)
        memcpy(v + old.n, l->v, l->n * sizeof *v);
    *l = (gv_strs){ old.n + l->n, v };
    return GV_OK;
}

int gv_not_chosen(const gv_config *c, const gv_slot *s, const char *shown, gv_err *err)
{
    const gv_variant *chosen = gv_union_chosen(c, s->block);
    return gv_fail(err, GV_EUSAGE, "'%s' belongs to '--%s.%s %s', and %s%s%s is chosen", shown, s->block->path, s->uni->field, s->variant->name, chosen ? "'" : "", chosen ? chosen->name : "none", chosen ? "'" : "");
}

static int choose_by_name(gv_config *c, const gv_slot *s, const char *shown, const char *const *words, size_t n, gv_err *err)
{
    const char *choices[GV_VARIANTS_MAX];
    gv_field row = gv_union_row(s->uni, choices, GV_VARIANTS_MAX);
    int place = -1, r = gv_field_set(&row, &place, shown, words, n, c->arena, err); /* its messages name what is allowed */
    return r < 0 ? r : gv_union_choose(c, s->block, s->uni->variants[place], err);
}

int gv_config_set(gv_config *c, const char *path, const char *const *words, size_t n, bool typed, gv_err *err)
{
    char normal[GV_PATH_MAX], shown[GV_PATH_MAX + 2];
    gv_slot s;
    if (!gv_path_normal(path, strlen(path), normal) || !gv_slot_find(c, normal, true, &s))
        return gv_fail(err, GV_EUSAGE, "unknown field '%s'", path);
    snprintf(shown, sizeof shown, "--%s", normal);
    int r;
    if (!s.field)
        r = choose_by_name(c, &s, shown, words, n, err);
    else if (!s.params)
        r = gv_not_chosen(c, &s, shown, err);
    else
        r = gv_row_set(c, s.field, s.params, shown, words, n, false, err);
    return r == GV_OK && typed ? gv_config_mark(c, normal, err) : r;
}

int gv_config_init(gv_config *c, gv_arena *arena, gv_err *err)
{
    memset(c, 0, sizeof *c);
    c->arena = arena;
    c->driver.progress = true;
    if (!(c->add_log = json_object()))
        return gv_fail(err, GV_ESYS, "out of memory");
    for (size_t i = 0; gv_blocks[i]; i++) {
        const gv_block *b = gv_blocks[i];
        int r = gv_fields_default(b->fields, gv_block_params(c, b), arena, err);
        if (r == GV_OK && b->uni && b->uni->def)
            r = gv_union_choose(c, b, gv_union_find(b->uni, b->uni->def), err);
        if (r < 0)
            return r;
    }
    return GV_OK;
}

void gv_config_release(gv_config *c)
{
    json_decref(c->add_log);
    c->add_log = NULL;
}
