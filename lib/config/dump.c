/* dump: the config as JSON in the original's nesting, and as words of a command line. */
#include "config/internal.h"
#include "json/json.h"

/* The object at "model.encoder", made on the way. */
static json_t *object_at(json_t *root, const char *path)
{
    while (*path) {
        char part[GV_PATH_MAX];
        size_t n = strcspn(path, ".");
        memcpy(part, path, n);
        part[n] = 0;
        json_t *child = json_object_get(root, part);
        if (!child) {
            if (json_object_set_new(root, part, json_object()))
                return NULL;
            child = json_object_get(root, part);
        }
        root = child;
        path += n + (path[n] == '.');
    }
    return root;
}

static int put_rows(json_t *o, const gv_config *c, const gv_block *b, const gv_field *f, const void *params, gv_err *err)
{
    for (; f && f->type != GV_TYPE_END; f++) {
        if (b && !gv_takes(c->command, b, f->name))
            continue;
        json_t *v = gv_field_json(f, params, err);
        if (!v || json_object_set_new(o, f->name, v))
            return gv_fail(err, GV_ESYS, "out of memory");
    }
    return GV_OK;
}

static int put_block(json_t *root, const gv_config *c, const gv_block *b, gv_err *err)
{
    if (!gv_takes(c->command, b, NULL))
        return GV_OK;
    json_t *o = object_at(root, b->path);
    const gv_variant *v = gv_union_chosen(c, b);
    if (!o || (b->uni && json_object_set_new(o, b->uni->field, v ? json_string(v->name) : json_null())))
        return gv_fail(err, GV_ESYS, "out of memory");
    int r = put_rows(o, c, b, b->fields, gv_block_params(c, b), err);
    return r == GV_OK && v ? put_rows(o, c, b, v->fields, gv_union_params(c, b), err) : r;
}

json_t *gv_config_json(const gv_config *c, gv_err *err)
{
    json_t *root = json_object(), *typed = json_array();
    int r = root && typed ? GV_OK : gv_fail(err, GV_ESYS, "out of memory");
    for (size_t i = 0; gv_blocks[i] && r == GV_OK; i++)
        r = put_block(root, c, gv_blocks[i], err);
    if (r == GV_OK && c->command && c->command->own_size)
        r = put_rows(root, c, NULL, c->command->fields, c->own, err);
    if (r == GV_OK && json_object_set_new(root, "add_log", json_deep_copy(c->add_log)))
        r = gv_fail(err, GV_ESYS, "out of memory");
    for (size_t i = 0; i < c->typed.n && r == GV_OK; i++)
        if (json_array_append_new(typed, json_string(c->typed.v[i])))
            r = gv_fail(err, GV_ESYS, "out of memory");
    if (r == GV_OK && json_object_set(root, "typed", typed))
        r = gv_fail(err, GV_ESYS, "out of memory");
    json_decref(typed);
    if (r == GV_OK)
        return root;
    json_decref(root);
    return NULL;
}

/* " --a.b V"; a value that begins with '-' is glued with '=', so that it is never taken for an option. */
static int put_word(gv_buf *out, const char *path, const gv_field *f, const void *params, gv_err *err)
{
    const char *leaf = strrchr(path, '.');
    leaf = leaf ? leaf + 1 : path;
    const void *at = (const char *)params + f->offset;
    if (f->type == GV_TYPE_BOOL)
        return gv_buf_printf(out, err, " --%.*s%s%s", (int)(leaf - path), path, *(const bool *)at ? "" : "no_", leaf);
    gv_buf text = { 0 };
    int r = gv_field_text(f, params, &text, err);
    bool list = f->type == GV_TYPE_STRS || f->type == GV_TYPE_INTS || f->type == GV_TYPE_F64S || f->type == GV_TYPE_DICT;
    if (r == GV_OK)
        r = gv_buf_printf(out, err, " --%s%s%s", path, !text.len ? "" : text.data[0] == '-' && !list ? "=" : " ", text.len ? text.data : "");
    gv_buf_release(&text);
    return r;
}

static int put_changed(gv_buf *out, const gv_command *cmd, const gv_block *b, const gv_field *f, const void *now, const void *fresh, gv_err *err)
{
    int r = GV_OK;
    for (; f && f->type != GV_TYPE_END && r == GV_OK; f++) {
        char path[GV_PATH_MAX];
        gv_slot_path(b, f->name, path);
        if (gv_takes(cmd, b, f->name) && !gv_field_equal(f, now, fresh))
            r = put_word(out, path, f, now, err);
    }
    return r;
}

static int put_discriminators(const gv_config *c, const gv_command *cmd, gv_config *fresh, gv_buf *out, gv_err *err)
{
    int r = GV_OK;
    for (size_t i = 0; gv_blocks[i] && r == GV_OK; i++) {
        const gv_block *b = gv_blocks[i];
        const gv_variant *v = gv_union_chosen(c, b);
        /* a program that does not take the choice does not know the defaults it brings */
        if (!v || v == gv_union_chosen(fresh, b) || !gv_takes(cmd, b, b->uni->field))
            continue;
        r = gv_union_choose(fresh, b, v, err);
        if (r == GV_OK)
            r = gv_buf_printf(out, err, " --%s.%s %s", b->path, b->uni->field, v->name);
    }
    return r;
}

int gv_config_args(const gv_config *c, const char *const *paths, gv_buf *out, gv_err *err)
{
    gv_command only = { .blocks = paths };
    const gv_command *cmd = paths ? &only : NULL;
    size_t mark = c->arena->used;
    gv_config *fresh = gv_arena_alloc(c->arena, sizeof *fresh, err);
    if (!fresh)
        return GV_ESYS;
    int r = gv_config_init(fresh, c->arena, err);
    if (r == GV_OK)
        r = put_discriminators(c, cmd, fresh, out, err);
    for (size_t i = 0; gv_blocks[i] && r == GV_OK; i++) {
        const gv_block *b = gv_blocks[i];
        const gv_variant *v = gv_union_chosen(c, b);
        r = put_changed(out, cmd, b, b->fields, gv_block_params(c, b), gv_block_params(fresh, b), err);
        if (r == GV_OK && v && v == gv_union_chosen(fresh, b))
            r = put_changed(out, cmd, b, v->fields, gv_union_params(c, b), gv_union_params(fresh, b), err);
    }
    gv_config_release(fresh);
    gv_arena_rewind(c->arena, mark);
    return r;
}
