/* paths: from "model.encoder.type" to its row and its place in the config. */
#include "config/internal.h"

bool gv_path_normal(const char *path, size_t len, char out[GV_PATH_MAX])
{
    if (len >= GV_PATH_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = path[i] == '-' ? '_' : path[i];
    out[len] = 0;
    return true;
}

void gv_slot_path(const gv_block *b, const char *field, char out[GV_PATH_MAX])
{
    snprintf(out, GV_PATH_MAX, "%s%s%s", b->path, *b->path ? "." : "", field);
}

const gv_block *gv_block_find(const char *path, size_t len)
{
    for (size_t i = 0; gv_blocks[i]; i++)
        if (strlen(gv_blocks[i]->path) == len && !memcmp(gv_blocks[i]->path, path, len))
            return gv_blocks[i];
    return NULL;
}

void *gv_block_params(const gv_config *c, const gv_block *b)
{
    return (char *)(uintptr_t)c + b->offset;
}

const gv_variant *gv_union_chosen(const gv_config *c, const gv_block *b)
{
    return b->uni ? *(const gv_variant **)((char *)gv_block_params(c, b) + b->uni->chosen) : NULL;
}

void *gv_union_params(const gv_config *c, const gv_block *b)
{
    return b->uni ? *(void **)((char *)gv_block_params(c, b) + b->uni->params) : NULL;
}

const gv_variant *gv_union_find(const gv_union *u, const char *name)
{
    char a[GV_PATH_MAX];
    if (!gv_path_normal(name, strlen(name), a))
        return NULL;
    for (size_t i = 0; u->variants[i]; i++)
        if (!strcmp(u->variants[i]->name, a))
            return u->variants[i];
    return NULL;
}

bool gv_slot_find(const gv_config *c, const char *path, bool any, gv_slot *s)
{
    const char *dot = strrchr(path, '.'), *leaf = dot ? dot + 1 : path;
    const gv_block *b = gv_block_find(path, dot ? (size_t)(dot - path) : 0);
    if (!b || !*leaf)
        return false;
    *s = (gv_slot){ .block = b };
    if (b->uni && !strcmp(b->uni->field, leaf)) {
        s->uni = b->uni;
        return true;
    }
    if ((s->field = gv_field_find(b->fields, leaf, strlen(leaf)))) {
        s->params = gv_block_params(c, b);
        return true;
    }
    const gv_variant *chosen = gv_union_chosen(c, b);
    if (chosen && (s->field = gv_field_find(chosen->fields, leaf, strlen(leaf)))) {
        s->uni = b->uni;
        s->variant = chosen;
        s->params = gv_union_params(c, b);
        return true;
    }
    for (size_t i = 0; any && b->uni && b->uni->variants[i]; i++)
        if ((s->field = gv_field_find(b->uni->variants[i]->fields, leaf, strlen(leaf)))) {
            s->uni = b->uni;
            s->variant = b->uni->variants[i];
            return true;
        }
    return false;
}

bool gv_takes(const gv_command *cmd, const gv_block *b, const char *field)
{
    char path[GV_PATH_MAX];
    if (!cmd)
        return true;
    gv_slot_path(b, field ? field : "", path);
    size_t n = strlen(path);
    for (size_t i = 0; cmd->blocks[i]; i++) {
        const char *p = cmd->blocks[i];
        bool block = !strcmp(p, "root") || gv_block_find(p, strlen(p));
        if (!strcmp(p, *b->path ? b->path : "root") || (field && !block && !strcmp(p, path)))
            return true;
        if (!field && !block && !strncmp(p, path, n) && !strchr(p + n, '.'))
            return true; /* one of its fields */
    }
    return false;
}

bool gv_in_list(const char *const *list, const char *word)
{
    for (size_t i = 0; list && list[i]; i++)
        if (!strcmp(list[i], word))
            return true;
    return false;
}

bool gv_choice_built(const gv_built *list, const char *field, const char *value)
{
    for (size_t i = 0; list && list[i].field; i++)
        if (!strcmp(list[i].field, field))
            return gv_in_list(list[i].values, value);
    return true;
}

bool gv_slot_required(const gv_config *c, const gv_block *b, const char *field)
{
    const gv_variant *v = gv_union_chosen(c, b);
    if (b->uni && !strcmp(b->uni->field, field))
        return !b->uni->def;
    return v && gv_in_list(v->required, field);
}

void gv_subcommand_name(const char *s, char *out)
{
    for (size_t i = 0; s[i]; i++) {
        bool upper = s[i] >= 'A' && s[i] <= 'Z';
        bool after = i && ((s[i - 1] >= 'a' && s[i - 1] <= 'z') || (s[i - 1] >= '0' && s[i - 1] <= '9'));
        bool before = i && s[i + 1] >= 'a' && s[i + 1] <= 'z';
        if (upper && (after || before))
            *out++ = '-';
        *out++ = upper ? (char)(s[i] + 'a' - 'A') : s[i];
    }
    *out = 0;
}

const char *gv_config_program(const gv_config *c, const gv_command *cmd)
{
    cmd = cmd ? cmd : c->command;
    return cmd ? cmd->program : "glovita-run";
}
