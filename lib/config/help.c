/* help: the text of --help, made from the tables. On a terminal it is as wide as that, and headings are bold. */
#include "config/internal.h"
#include "common/log.h"
#include <limits.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH = 110, NARROW = 40, INDENT = 34, INDENT_NARROW = 10 };

/* How stdout is written to, asked once in gv_config_help. */
static struct look { int width, indent, left; bool bold; } look = { WIDTH, INDENT, INT_MAX, false };

static struct look look_of_stdout(void)
{
    struct winsize ws = { 0 };
    struct look l = { WIDTH, INDENT, INT_MAX, gv_colour(STDOUT_FILENO) };
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || !ws.ws_col)
        return l;
    l.width = ws.ws_col > WIDTH ? WIDTH : ws.ws_col < NARROW ? NARROW : ws.ws_col;
    l.indent = l.width < 2 * INDENT ? INDENT_NARROW : INDENT;
    l.left = l.width;
    return l;
}

static int put(gv_buf *out, const char *s, gv_err *err)
{
    return gv_buf_add(out, s, strlen(s), err);
}

static int put_bold(gv_buf *out, const char *s, gv_err *err)
{
    size_t n = strspn(s, "\n");
    return gv_buf_printf(out, err, look.bold ? "%.*s\033[1m%s\033[0m" : "%.*s%s", (int)n, s, s + n);
}

/* An option and its choices; on a terminal that is too narrow for them, broken behind commas. *at: the column behind it. */
static int put_left(gv_buf *out, const char *left, int *at, gv_err *err)
{
    int r = put(out, "  ", err);
    *at = 2;
    while (*left && r == GV_OK) {
        int n = (int)strcspn(left, ", ");
        n += left[n] ? 1 : 0; /* the comma or blank stays with what it ends */
        if (*at > 2 && *at + n > look.left) {
            r = put(out, "\n      ", err);
            *at = 6;
        }
        r = r == GV_OK ? gv_buf_add(out, left, (size_t)n, err) : r;
        *at += n;
        left += n;
    }
    return r;
}

/* "  left      text", the text wrapped and indented; a long left side has a line of its own. */
static int put_line(gv_buf *out, const char *left, const char *text, gv_err *err)
{
    int at, r = put_left(out, left, &at, err);
    if (r == GV_OK && at + 2 > look.indent) {
        r = put(out, "\n", err);
        at = 0;
    }
    bool first = true;
    while (*text && r == GV_OK) {
        int n = (int)strcspn(text, " ");
        bool wrap = !first && at + 1 + n > look.width;
        if (first || wrap) {
            r = wrap ? put(out, "\n", err) : r;
            r = r == GV_OK ? gv_buf_printf(out, err, "%*s", look.indent - (wrap ? 0 : at), "") : r;
            at = look.indent;
        } else {
            r = put(out, " ", err);
            at++;
        }
        r = r == GV_OK ? gv_buf_add(out, text, (size_t)n, err) : r;
        at += n;
        text += n;
        text += strspn(text, " ");
        first = false;
    }
    return r == GV_OK ? put(out, "\n", err) : r;
}

static int put_choices(gv_buf *b, const gv_field *f, gv_err *err)
{
    int r = put(b, "{", err);
    for (size_t i = 0; f->choices[i] && r == GV_OK; i++)
        r = gv_buf_printf(b, err, "%s%s", i ? "," : "", f->choices[i]);
    if (r == GV_OK && f->optional && f->type == GV_TYPE_ENUM)
        r = put(b, ",None", err);
    return r == GV_OK ? put(b, "}", err) : r;
}

static int put_metavar(gv_buf *b, const gv_field *f, gv_err *err)
{
    switch (f->type) {
    case GV_TYPE_BOOL: return GV_OK;
    case GV_TYPE_I64:
    case GV_TYPE_U64: return put(b, f->optional ? " {INT,None}" : " INT", err);
    case GV_TYPE_F64: return put(b, f->optional ? " {FLOAT,None}" : " FLOAT", err);
    case GV_TYPE_STR: return put(b, f->optional ? " {STR,None}" : " STR", err);
    case GV_TYPE_ENUM: {
        int r = put(b, " ", err);
        return r == GV_OK ? put_choices(b, f, err) : r;
    }
    case GV_TYPE_STRS: {
        if (!f->choices)
            return put(b, f->hi.i == 1 ? " [STR]" : " [STR [STR ...]]", err);
        int r = put(b, " [", err);
        r = r == GV_OK ? put_choices(b, f, err) : r;
        return r == GV_OK ? put(b, " ...]", err) : r;
    }
    case GV_TYPE_INTS: return put(b, " [INT [INT ...]]", err);
    case GV_TYPE_F64S: return put(b, " [FLOAT [FLOAT ...]]", err);
    case GV_TYPE_DICT: return put(b, " [KEY VALUE ...]", err);
    default: return GV_OK;
    }
}

static int put_unbuilt(gv_buf *b, const gv_field *f, const gv_built *built, gv_err *err)
{
    int r = GV_OK;
    bool any = false;
    for (size_t i = 0; f->choices && f->choices[i] && r == GV_OK; i++)
        if (!gv_choice_built(built, f->name, f->choices[i])) {
            r = gv_buf_printf(b, err, "%s%s", any ? ", " : "; not built yet: ", f->choices[i]);
            any = true;
        }
    return r;
}

/* "(default: 3; the range is 0 to 9; epoch)" behind the help. */
static int put_facts(gv_buf *b, const gv_field *f, const void *params, bool required, const gv_built *built, gv_err *err)
{
    gv_buf text = { 0 }, range = { 0 };
    int r = params ? gv_field_text(f, params, &text, err) : GV_OK;
    if (r == GV_OK)
        r = gv_field_range(f, &range, err);
    bool bounded = range.len && f->type != GV_TYPE_U64 && !(f->type == GV_TYPE_I64 && f->hi.i >= 1 << 16 && f->lo.i <= 0);
    if (r == GV_OK)
        r = required ? put(b, " (required", err) : gv_buf_printf(b, err, " (default: %s", text.len ? text.data : "empty");
    if (r == GV_OK && bounded)
        r = gv_buf_printf(b, err, "; %s", range.data);
    if (r == GV_OK && *f->unit)
        r = gv_buf_printf(b, err, "; unit: %s", f->unit);
    if (r == GV_OK)
        r = put_unbuilt(b, f, built, err);
    gv_buf_release(&text);
    gv_buf_release(&range);
    return r == GV_OK ? put(b, ")", err) : r;
}

int gv_row_text(gv_buf *out, const gv_field *f, const void *params, bool required, const gv_built *built, gv_err *err)
{
    int r = put(out, f->help, err);
    return r == GV_OK ? put_facts(out, f, params, required, built, err) : r;
}

static int put_row(gv_buf *out, const char *path, const gv_field *f, const void *params, bool required, const gv_built *built, gv_err *err)
{
    gv_buf left = { 0 }, text = { 0 };
    const char *leaf = strrchr(path, '.');
    leaf = leaf ? leaf + 1 : path;
    int r = gv_buf_printf(&left, err, "--%s", path);
    if (r == GV_OK && f->type == GV_TYPE_BOOL && strncmp(leaf, "no_", 3)) /* some stages have a row of that name */
        r = gv_buf_printf(&left, err, ", --%.*sno_%s", (int)(leaf - path), path, leaf);
    if (r == GV_OK)
        r = put_metavar(&left, f, err);
    if (r == GV_OK)
        r = gv_row_text(&text, f, params, required, built, err);
    if (r == GV_OK)
        r = put_line(out, left.data, text.data, err);
    gv_buf_release(&left);
    gv_buf_release(&text);
    return r;
}

static int put_rows(gv_buf *out, const gv_config *c, const gv_command *cmd, const gv_block *b, const gv_field *f, const void *params, gv_err *err)
{
    int r = GV_OK;
    for (; f && f->type != GV_TYPE_END && r == GV_OK; f++) {
        char path[GV_PATH_MAX];
        gv_slot_path(b, f->name, path);
        if (gv_takes(cmd, b, f->name))
            r = put_row(out, path, f, params, gv_slot_required(c, b, f->name), b->built, err);
    }
    return r;
}

static int put_union(gv_buf *out, const gv_config *c, const gv_block *b, gv_err *err)
{
    const char *choices[GV_VARIANTS_MAX];
    gv_field row = gv_union_row(b->uni, choices, GV_VARIANTS_MAX);
    char path[GV_PATH_MAX];
    int place = -1;
    for (size_t i = 0; b->uni->variants[i]; i++)
        if (b->uni->variants[i] == gv_union_chosen(c, b))
            place = (int)i;
    gv_slot_path(b, b->uni->field, path);
    return put_row(out, path, &row, &place, !b->uni->def && place < 0, NULL, err);
}

static int put_block(gv_buf *out, const gv_config *c, const gv_command *cmd, const gv_block *b, gv_err *err)
{
    const gv_variant *v = gv_union_chosen(c, b);
    char title[GV_PATH_MAX + 16];
    snprintf(title, sizeof title, "\n%s options:", b->path);
    int r = *b->path ? put_bold(out, title, err) : GV_OK;
    if (r == GV_OK && *b->path)
        r = gv_buf_printf(out, err, " %s\n", b->summary);
    if (r == GV_OK && b->uni && gv_takes(cmd, b, b->uni->field))
        r = put_union(out, c, b, err);
    if (r == GV_OK)
        r = put_rows(out, c, cmd, b, b->fields, gv_block_params(c, b), err);
    if (r == GV_OK && v && v->fields && gv_takes(cmd, b, b->uni->field)) {
        r = gv_buf_printf(out, err, "  of '%s':\n", v->name);
        r = r == GV_OK ? put_rows(out, c, cmd, b, v->fields, gv_union_params(c, b), err) : r;
    }
    return r;
}

static int put_subcommands(gv_buf *out, const gv_config *c, const gv_block *b, gv_err *err)
{
    const gv_variant *chosen = gv_union_chosen(c, b);
    char name[2 * GV_PATH_MAX], left[3 * GV_PATH_MAX];
    snprintf(left, sizeof left, "\n%s subcommands", b->path);
    int r = put_bold(out, left, err);
    if (r == GV_OK && !chosen)
        r = put(out, " (required)\n", err);
    if (r == GV_OK && chosen) {
        gv_subcommand_name(chosen->class_name, name);
        r = gv_buf_printf(out, err, " (default: %s:%s)\n", b->path, name);
    }
    for (size_t i = 0; b->uni->variants[i] && r == GV_OK; i++) {
        const gv_variant *v = b->uni->variants[i];
        gv_buf text = { 0 };
        gv_subcommand_name(v->class_name, name);
        snprintf(left, sizeof left, "%s:%s", b->path, name);
        r = gv_buf_printf(&text, err, "%s%s", v->summary, v->built ? "" : " (not built yet)");
        r = r == GV_OK ? put_line(out, left, text.data, err) : r;
        gv_buf_release(&text);
    }
    return r;
}

/* Options without a block: those every program has, the driver's, the command's own, the root's. */
static int put_bare(gv_buf *out, const gv_config *c, const gv_command *cmd, gv_err *err)
{
    struct gv_front front = { 0 };
    struct gv_driver_options driver = { .progress = true };
    int r = put_bold(out, "\noptions", err);
    r = r == GV_OK ? put(out, "\n", err) : r;
    r = r == GV_OK ? put_line(out, "-h, --help", "show this text; behind subcommands: their options", err) : r;
    r = r == GV_OK ? put_line(out, "--version", "show the version", err) : r;
    if (r == GV_OK)
        r = put_line(out, "--describe", "show all options as JSON", err);
    for (const gv_field *f = gv_front_fields; f->type != GV_TYPE_END && r == GV_OK; f++)
        r = put_row(out, f->name, f, &front, false, NULL, err);
    for (const gv_field *f = cmd ? cmd->driver : NULL; f && f->type != GV_TYPE_END && r == GV_OK; f++)
        r = put_row(out, f->name, f, &driver, false, NULL, err);
    for (const gv_field *f = cmd ? cmd->fields : NULL; f && f->type != GV_TYPE_END && r == GV_OK; f++)
        r = put_row(out, f->name, f, c->own, gv_in_list(cmd->required, f->name), cmd->choices, err);
    if (r == GV_OK && gv_takes(cmd, &gv_block_root, NULL)) {
        r = put_block(out, c, cmd, &gv_block_root, err);
        if (r == GV_OK && (!cmd || gv_in_list(cmd->blocks, "root")))
            r = put_line(out, "--add_log.NAME VALUE", "note something in config.json and in trackers; it never changes the run. NAME may have parts: a.b", err);
    }
    return r;
}

/* With subcommands given, only their blocks and the blocks inside them are shown. */
static bool in_focus(const gv_config *c, const gv_block *b)
{
    for (size_t i = 0; gv_blocks[i]; i++) {
        size_t n = strlen(gv_blocks[i]->path);
        if ((c->focus >> i & 1) && !strncmp(gv_blocks[i]->path, b->path, n) && (!b->path[n] || b->path[n] == '.'))
            return true;
    }
    return !c->focus;
}

static int put_usage(gv_buf *out, const gv_config *c, const gv_command *cmd, gv_err *err)
{
    int r = put_bold(out, "usage:", err);
    if (r == GV_OK)
        r = gv_buf_printf(out, err, " %s [-h] [OPTIONS]", gv_config_program(c, cmd));
    if (r == GV_OK && cmd == &c->stage && c->positional)
        r = gv_buf_printf(out, err, " %s", c->positional);
    for (size_t i = 0; gv_blocks[i] && r == GV_OK; i++) {
        const gv_block *b = gv_blocks[i];
        if (!b->uni || !gv_takes(cmd, b, b->uni->field))
            continue;
        r = put(out, " [", err);
        for (const char *p = b->path; *p && r == GV_OK; p++)
            r = gv_buf_printf(out, err, "%c", *p >= 'a' && *p <= 'z' ? *p - 32 : *p);
        r = r == GV_OK ? put(out, "]", err) : r;
    }
    return r == GV_OK ? put(out, "\n", err) : r;
}

int gv_config_help(const gv_config *c, const gv_command *cmd, gv_buf *out, gv_err *err)
{
    cmd = cmd ? cmd : c->command;
    look = look_of_stdout();
    int r = put_usage(out, c, cmd, err);
    if (r == GV_OK && cmd && cmd->summary)
        r = gv_buf_printf(out, err, "\n%s%s\n", cmd->summary, cmd->built ? "" : " (not built yet)");
    if (r == GV_OK && cmd == &c->stage && c->reads)
        r = gv_buf_printf(out, err, "reads %s, writes %s\n", c->reads, c->writes ? c->writes : "nothing");
    if (r == GV_OK && !c->focus)
        r = put_bare(out, c, cmd, err);
    for (size_t i = 1; gv_blocks[i] && r == GV_OK; i++)
        if (gv_takes(cmd, gv_blocks[i], NULL) && in_focus(c, gv_blocks[i]))
            r = put_block(out, c, cmd, gv_blocks[i], err);
    for (size_t i = 0; gv_blocks[i] && r == GV_OK; i++) {
        const gv_block *b = gv_blocks[i];
        if (b->uni && gv_takes(cmd, b, b->uni->field) && cmd != &c->stage && !(c->focus >> i & 1))
            r = put_subcommands(out, c, b, err);
    }
    return r;
}
