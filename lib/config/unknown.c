/* unknown: what to say to an option nobody has: the nearest one, and whose it might be. */
#include "config/internal.h"

/* Names are gathered in a gv_buf as "name\0"; `leaf` of a path is behind its last dot. */
typedef struct names { gv_buf b; size_t n; } names;

static int add(names *l, const char *prefix, const char *name)
{
    int r = gv_buf_printf(&l->b, NULL, "%s%s", prefix, name);
    l->n++;
    return r == GV_OK ? gv_buf_add(&l->b, "", 1, NULL) : r;
}

static int add_row(names *l, const gv_block *b, const gv_field *f)
{
    char path[GV_PATH_MAX], no[GV_PATH_MAX + 4];
    gv_slot_path(b, f->name, path);
    int r = add(l, "--", path);
    snprintf(no, sizeof no, "no_%s", f->name);
    gv_slot_path(b, no, path);
    return r == GV_OK && f->type == GV_TYPE_BOOL ? add(l, "--", path) : r;
}

static int add_rows(names *l, const gv_command *cmd, const gv_block *b, const gv_field *f)
{
    int r = GV_OK;
    for (; f && f->type != GV_TYPE_END && r == GV_OK; f++)
        if (gv_takes(cmd, b, f->name))
            r = add_row(l, b, f);
    return r;
}

static int add_block(names *l, const gv_command *cmd, const gv_block *b)
{
    int r = add_rows(l, cmd, b, b->fields);
    if (b->uni && gv_takes(cmd, b, b->uni->field)) {
        char path[GV_PATH_MAX];
        gv_slot_path(b, b->uni->field, path);
        r = r == GV_OK ? add(l, "--", path) : r;
        for (size_t i = 0; b->uni->variants[i] && r == GV_OK; i++)
            r = add_rows(l, cmd, b, b->uni->variants[i]->fields);
    }
    return r;
}

static int add_all(names *l, const gv_command *cmd)
{
    int r = GV_OK;
    for (size_t i = 0; gv_blocks[i] && r == GV_OK; i++)
        r = add_block(l, cmd, gv_blocks[i]);
    const gv_field *own[] = { cmd ? cmd->fields : NULL, cmd ? cmd->driver : NULL, gv_front_fields };
    for (size_t i = 0; i < GV_COUNT(own) && r == GV_OK; i++)
        r = add_rows(l, NULL, &gv_block_root, own[i]);
    static const char *const always[] = { "help", "version", "describe" };
    for (size_t i = 0; i < GV_COUNT(always) && r == GV_OK; i++)
        r = add(l, "--", always[i]);
    return r;
}

/* In the option's own block the nearest leaf; else the same leaf in another block; else the nearest of all. */
static const char *nearest(const char *option, const char *const *all, size_t n, const char **local)
{
    const char *dot = strrchr(option, '.'), *leaf = dot ? dot + 1 : option + 2;
    size_t prefix = (size_t)(leaf - option), m = 0;
    for (size_t i = 0; i < n; i++)
        if (!strncmp(all[i], option, prefix) && !strchr(all[i] + prefix, '.'))
            local[m++] = all[i] + prefix;
    const char *near = gv_nearest(leaf, local, m);
    if (near)
        return near - prefix;
    for (size_t i = 0; i < n; i++) {
        dot = strrchr(all[i], '.');
        if (dot && !strcmp(dot + 1, leaf))
            return all[i];
    }
    return gv_nearest(option, all, n);
}

int gv_unknown_option(const gv_config *c, const char *program, const char *option, gv_err *err)
{
    names l = { 0 };
    const char *near = NULL;
    char normal[GV_PATH_MAX], full[GV_PATH_MAX + 2];
    gv_slot s;
    if (strlen(option) < 3 || !gv_path_normal(option + 2, strlen(option) - 2, normal))
        return gv_fail(err, GV_EUSAGE, "unknown option '%.100s'", option);
    snprintf(full, sizeof full, "--%s", normal);
    if (gv_slot_find(c, normal, true, &s) && !gv_takes(c->command, s.block, s.field ? s.field->name : s.uni->field))
        return gv_fail(err, GV_EUSAGE, "unknown option '%s': %s does not take it", option, program);
    const char **all = NULL;
    if (add_all(&l, c->command) == GV_OK && (all = gv_alloc(2 * l.n * sizeof *all, NULL))) {
        const char *p = l.b.data;
        for (size_t i = 0; i < l.n; i++, p += strlen(p) + 1)
            all[i] = p;
        near = nearest(full, all, l.n, all + l.n);
    }
    gv_fail(err, GV_EUSAGE, "unknown option '%s'%s%s%s", option, near ? " (did you mean '" : "", near ? near : "; see --help", near ? "'?)" : "");
    gv_free(all);
    gv_buf_release(&l.b);
    return GV_EUSAGE;
}
