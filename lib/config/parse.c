/* parse: the command line. Words are gathered into items first, because an option may stand before the discriminator that
 * gives it meaning; then the config file is read, variants are chosen, and fields are set in the order they came. */
#include "config/internal.h"
#include "common/log.h"

typedef struct scan {
    gv_config *c;
    const gv_command *cmd;
    int argc;
    char **argv;
    gv_item *items;
    size_t n;
} scan;

static const char *const yes[] = { "true" }, *const no[] = { "false" };

/* ---- words ---- */

static const gv_variant *variant_of_class(const gv_union *u, const char *name)
{
    char a[GV_PATH_MAX], b[GV_PATH_MAX], raw[2 * GV_PATH_MAX];
    if (!gv_path_normal(name, strlen(name), a))
        return NULL;
    for (size_t i = 0; u->variants[i]; i++) {
        gv_subcommand_name(u->variants[i]->class_name, raw);
        if (gv_path_normal(raw, strlen(raw), b) && !strcmp(a, b))
            return u->variants[i];
    }
    return NULL;
}

const gv_block *gv_subcommand_find(const gv_command *cmd, const char *word, const gv_variant **v)
{
    const char *colon = *word == '-' ? NULL : strchr(word, ':');
    char path[GV_PATH_MAX];
    if (!colon || !gv_path_normal(word, (size_t)(colon - word), path))
        return NULL;
    const gv_block *b = gv_block_find(path, strlen(path));
    if (!b || !b->uni || !gv_takes(cmd, b, b->uni->field))
        return NULL;
    *v = variant_of_class(b->uni, colon + 1);
    return b;
}

static bool ends_values(const gv_command *cmd, const char *word)
{
    const gv_variant *v = NULL;
    return !strncmp(word, "--", 2) || !strcmp(word, "-h") || (gv_subcommand_find(cmd, word, &v) && v);
}

/* ---- options ---- */

static bool find_path(const gv_config *c, const gv_command *cmd, const char *path, gv_item *it)
{
    gv_slot slot;
    size_t n = strlen(path);
    it->path = path;
    if (cmd && (it->field = gv_field_find(cmd->fields, path, n)))
        it->kind = GV_ITEM_OWN;
    else if (cmd && (it->field = gv_field_find(cmd->driver, path, n)))
        it->kind = GV_ITEM_DRIVER;
    else if ((it->field = gv_field_find(gv_front_fields, path, n)))
        it->kind = GV_ITEM_FRONT;
    else if (gv_slot_find(c, path, true, &slot) && gv_takes(cmd, slot.block, slot.field ? slot.field->name : slot.uni->field)) {
        it->kind = GV_ITEM_FIELD;
        it->field = slot.field;
        it->block = slot.block;
    } else
        return false;
    return true;
}

/* The same without "no_" on the leaf, for booleans. */
static bool find_negated(const gv_config *c, const gv_command *cmd, char *path, gv_item *it)
{
    char *leaf = strrchr(path, '.');
    leaf = leaf ? leaf + 1 : path;
    if (strncmp(leaf, "no_", 3))
        return false;
    memmove(leaf, leaf + 3, strlen(leaf + 3) + 1);
    return find_path(c, cmd, path, it) && it->field && it->field->type == GV_TYPE_BOOL;
}

bool gv_item_find(const gv_config *c, const gv_command *cmd, const char *word, size_t len, char path[GV_PATH_MAX], gv_item *it, bool *negated)
{
    *it = (gv_item){ 0 };
    *negated = false;
    if (!gv_path_normal(word + 2, len - 2, path))
        return false;
    if ((!strncmp(path, "add_log.", 8) || !strcmp(path, "add_log")) && (!cmd || gv_in_list(cmd->blocks, "root"))) {
        it->kind = GV_ITEM_ADD_LOG;
        it->path = path;
        return true;
    }
    return find_path(c, cmd, path, it) || (*negated = find_negated(c, cmd, path, it));
}

bool gv_takes_many(const gv_field *f)
{
    return f && (f->type == GV_TYPE_STRS || f->type == GV_TYPE_INTS || f->type == GV_TYPE_F64S || f->type == GV_TYPE_DICT);
}

/* The words behind an option: those after '=', none for a boolean, one, or all up to the next option for a list. */
static int take_words(scan *s, int *i, gv_item *it, const char *name, const char *eq, gv_err *err)
{
    const char **one = gv_arena_alloc(s->c->arena, sizeof *one, err);
    if (!one)
        return GV_ESYS;
    it->words = one;
    if (eq) {
        *one = eq + 1;
        it->n = 1;
        return GV_OK;
    }
    if (it->field && it->field->type == GV_TYPE_BOOL) {
        it->words = yes;
        it->n = 1;
        return GV_OK;
    }
    int from = *i + 1, to = from;
    while (to < s->argc && !ends_values(s->cmd, s->argv[to]) && (gv_takes_many(it->field) || to == from))
        to++;
    if (to == from && !gv_takes_many(it->field))
        return gv_fail(err, GV_EUSAGE, "'%s' wants a value%s", name, from < s->argc && !strncmp(s->argv[from], "--", 2) ? ", and an option follows (a value that begins with '--' is written behind '=')" : "");
    it->words = (const char *const *)(s->argv + from);
    it->n = (size_t)(to - from);
    *i = to - 1;
    return GV_OK;
}

static int scan_option(scan *s, int *i, gv_err *err)
{
    const char *arg = s->argv[*i], *eq = strchr(arg, '=');
    size_t len = eq ? (size_t)(eq - arg) : strlen(arg);
    char *name = gv_arena_strndup(s->c->arena, arg, len, err), *path = gv_arena_alloc(s->c->arena, GV_PATH_MAX, err);
    gv_item *it = &s->items[s->n];
    if (!name || !path)
        return GV_ESYS;
    if (len - 2 >= GV_PATH_MAX)
        return gv_fail(err, GV_EUSAGE, "unknown option '%.60s…'", name);
    bool negated;
    if (!gv_item_find(s->c, s->cmd, name, len, path, it, &negated))
        return gv_unknown_option(s->c, gv_config_program(s->c, s->cmd), name, err);
    if (negated && eq)
        return gv_fail(err, GV_EUSAGE, "'%s' takes no value", name);
    if (it->kind == GV_ITEM_ADD_LOG)
        it->path = len > 10 ? name + 10 : ""; /* keys stay as typed */
    if (negated) {
        it->words = no;
        it->n = 1;
        s->n++;
        return GV_OK;
    }
    int r = take_words(s, i, it, name, eq, err);
    s->n += r == GV_OK;
    return r;
}

static int scan_subcommand(scan *s, const char *word, const gv_block *b, const gv_variant *v, gv_err *err)
{
    if (v) {
        s->items[s->n++] = (gv_item){ .kind = GV_ITEM_SUBCOMMAND, .block = b, .words = &v->name, .n = 1 };
        return GV_OK;
    }
    const char *names[GV_VARIANTS_MAX];
    size_t n = 0;
    for (; b->uni->variants[n] && n < GV_VARIANTS_MAX; n++) {
        char raw[2 * GV_PATH_MAX];
        gv_subcommand_name(b->uni->variants[n]->class_name, raw);
        if (!(names[n] = gv_arena_printf(s->c->arena, err, "%s:%s", b->path, raw)))
            return GV_ESYS;
    }
    const char *near = gv_nearest(word, names, n);
    return gv_fail(err, GV_EUSAGE, "unknown subcommand '%s'%s%s%s; '--help' lists those of '%s'", word, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "", b->path);
}

static int scan_positional(scan *s, const char *word, gv_err *err)
{
    const gv_item *last = s->n ? &s->items[s->n - 1] : NULL;
    if (last && last->words == yes)
        return gv_fail(err, GV_EUSAGE, "unexpected argument '%s' ('--%s' takes no value; its opposite has 'no_' before the last part of the name)", word, last->path);
    return gv_fail(err, GV_EUSAGE, "unexpected argument '%s'%s", word, *word == '-' && word[1] ? " (options have two dashes)" : "");
}

/* The word at *i, and those that belong to it. */
static int scan_word(scan *s, int *i, gv_err *err)
{
    const char *word = s->argv[*i];
    const gv_variant *v = NULL;
    if (!strncmp(word, "--", 2))
        return scan_option(s, i, err);
    const gv_block *b = gv_subcommand_find(s->cmd, word, &v);
    return b ? scan_subcommand(s, word, b, v, err) : scan_positional(s, word, err);
}

static int scan_all(scan *s, gv_err *err)
{
    int r = GV_OK;
    if (!(s->items = gv_arena_alloc(s->c->arena, ((size_t)s->argc + 1) * sizeof *s->items, err)))
        return GV_ESYS;
    for (int i = 1; i < s->argc && r == GV_OK; i++) {
        if (!strcmp(s->argv[i], "--"))
            return i + 1 < s->argc ? scan_positional(s, s->argv[i + 1], err) : GV_OK;
        r = scan_word(s, &i, err);
    }
    return r;
}

/* ---- values ---- */

static int set_discriminator(scan *s, const gv_item *it, gv_err *err)
{
    char path[GV_PATH_MAX];
    if (it->kind != GV_ITEM_SUBCOMMAND && (it->kind != GV_ITEM_FIELD || it->field))
        return GV_OK;
    gv_slot_path(it->block, it->block->uni->field, path);
    int r = gv_config_set(s->c, path, it->words, it->n, true, err);
    for (size_t k = 0; it->kind == GV_ITEM_SUBCOMMAND && gv_blocks[k]; k++)
        if (gv_blocks[k] == it->block)
            s->c->focus |= 1u << k;
    return r;
}

static int set_discriminators(scan *s, gv_err *err)
{
    int r = GV_OK;
    for (size_t i = 0; i < s->n && r == GV_OK; i++)
        r = set_discriminator(s, &s->items[i], err);
    return r;
}

/* Lists of a stage's own options add up ('--input a --input b'): true from the second mention on. */
static bool mentioned(const scan *s, const gv_item *it)
{
    for (const gv_item *p = s->items; p < it; p++)
        if (p->kind == it->kind && p->field == it->field)
            return true;
    return false;
}

static int set_item(scan *s, const gv_item *it, struct gv_front *front, gv_err *err)
{
    gv_config *c = s->c;
    char shown[GV_PATH_MAX + 2];
    snprintf(shown, sizeof shown, "--%s", it->path ? it->path : "");
    switch (it->kind) {
    case GV_ITEM_FRONT: return gv_row_set(c, it->field, front, shown, it->words, it->n, false, err);
    case GV_ITEM_DRIVER: return gv_row_set(c, it->field, &c->driver, shown, it->words, it->n, false, err);
    case GV_ITEM_ADD_LOG: return gv_add_log_set(c, it->path, it->words[0], err);
    case GV_ITEM_FIELD: return it->field ? gv_config_set(c, it->path, it->words, it->n, true, err) : GV_OK;
    case GV_ITEM_OWN: {
        int r = gv_row_set(c, it->field, c->own, shown, it->words, it->n, c->command == &c->stage && mentioned(s, it), err);
        return r == GV_OK && c->command != &c->stage ? gv_config_mark(c, it->field->name, err) : r;
    }
    default: return GV_OK;
    }
}

static int set_kinds(scan *s, bool front, struct gv_front *f, gv_err *err)
{
    int r = GV_OK;
    for (size_t i = 0; i < s->n && r == GV_OK; i++)
        if ((s->items[i].kind == GV_ITEM_FRONT) == front)
            r = set_item(s, &s->items[i], f, err);
    return r;
}

static int apply(scan *s, gv_err *err)
{
    gv_config *c = s->c;
    struct gv_front front = { 0 };
    static const char *const levels[] = { "error", "warning", "info", "debug", NULL };
    int r = set_kinds(s, true, &front, err);
    if (r == GV_OK && front.log) {
        size_t n = strcspn(front.log, ",=");
        bool good = front.log[n] == '=';
        for (size_t i = 0; levels[i]; i++)
            good = good || (strlen(levels[i]) == n && !strncmp(front.log, levels[i], n));
        if (!good)
            r = gv_fail(err, GV_EUSAGE, "'--log' is '%s'; allowed are error, warning, info, debug", front.log);
        c->log = front.log;
    }
    /* The command line's choices come first, for files that make none, and again, because they win. */
    if (r == GV_OK)
        r = set_discriminators(s, err);
    if (r == GV_OK && front.config) {
        c->config_file = front.config;
        r = gv_config_load(c, front.config, err);
        if (r == GV_OK)
            r = set_discriminators(s, err);
    }
    if (r == GV_OK)
        r = set_kinds(s, false, &front, err);
    return r == GV_OK ? gv_config_settle(c, err) : r;
}

/* ---- --help, --version, --describe ---- */

static int asked(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return 'h';
        if (!strcmp(argv[i], "--version"))
            return 'v';
        if (!strcmp(argv[i], "--describe"))
            return 'd';
    }
    return 0;
}

/* Take out the word, so that the rest of the line parses. */
static int without(scan *s, gv_err *err)
{
    static const char *const flags[] = { "--help", "-h", "--version", "--describe", NULL };
    char **kept = gv_arena_alloc(s->c->arena, ((size_t)s->argc + 1) * sizeof *kept, err);
    int n = 0;
    if (!kept)
        return GV_ESYS;
    for (int i = 0; i < s->argc; i++)
        if (!gv_in_list(flags, s->argv[i]))
            kept[n++] = s->argv[i];
    s->argv = kept;
    s->argc = n;
    return GV_OK;
}

static int answer(scan *s, int what, gv_err *err)
{
    gv_config *c = s->c;
    gv_buf out = { 0 };
    gv_err ignored = { 0 }; /* help comes whatever else is wrong with the line */
    int r = without(s, err);
    if (r == GV_OK && what != 'v' && (scan_all(s, &ignored) == GV_OK || s->n))
        (void)!set_discriminators(s, &ignored);
    if (r == GV_OK && what == 'v')
        r = gv_buf_printf(&out, err, "%s (GloViTa) %s\n", gv_config_program(c, s->cmd), GV_VERSION);
    else if (r == GV_OK && what == 'h')
        r = gv_config_help(c, s->cmd, &out, err);
    else if (r == GV_OK) {
        json_t *j = gv_config_describe(c, s->cmd, err);
        char *text = j ? json_dumps(j, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
        r = text ? gv_buf_printf(&out, err, "%s\n", text) : gv_fail(err, GV_ESYS, "out of memory");
        free(text);
        json_decref(j);
    }
    if (r == GV_OK && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout)))
        r = gv_fail_sys(err, "cannot write to stdout");
    gv_buf_release(&out);
    c->helped = r == GV_OK;
    return r;
}

int gv_config_parse_known(gv_config *c, const gv_command *cmd, int argc, char **argv, gv_err *err)
{
    scan s = { .c = c, .cmd = cmd, .argc = argc, .argv = argv };
    struct gv_front front = { 0 };
    gv_err ignored = { 0 };
    c->command = cmd;
    if (!(s.items = gv_arena_alloc(c->arena, ((size_t)argc + 1) * sizeof *s.items, err)))
        return GV_ESYS;
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        (void)!scan_word(&s, &i, &ignored);
    for (int pass = 0; pass < 2; pass++) { /* around a configuration file, as in apply() */
        for (size_t i = 0; i < s.n; i++)
            (void)!set_discriminator(&s, &s.items[i], &ignored);
        for (size_t i = 0; i < s.n && !pass; i++)
            if (s.items[i].kind == GV_ITEM_FRONT)
                (void)!set_item(&s, &s.items[i], &front, &ignored);
        if (!pass && front.config)
            (void)!gv_config_load(c, front.config, &ignored);
    }
    for (size_t i = 0; i < s.n; i++)
        if (s.items[i].block == &gv_block_root || (s.items[i].field && (s.items[i].field->takes == GV_TAKES_NAME || s.items[i].field->takes == GV_TAKES_DIR)))
            (void)!set_item(&s, &s.items[i], &front, &ignored);
    (void)!gv_config_settle(c, &ignored);
    return GV_OK;
}

static int parse(gv_config *c, const gv_command *cmd, int argc, char **argv, gv_err *err)
{
    scan s = { .c = c, .cmd = cmd, .argc = argc, .argv = argv };
    c->command = cmd;
    int what = gv_completion_asked(argc, argv);
    if (what)
        return gv_completion_answer(c, cmd, what, argc, argv, err);
    what = asked(argc, argv);
    if (what)
        return answer(&s, what, err);
    int r = scan_all(&s, err);
    return r == GV_OK ? apply(&s, err) : r;
}

int gv_config_parse(gv_config *c, const gv_command *cmd, int argc, char **argv, gv_err *err)
{
    if (cmd && cmd->own_size) {
        c->own = gv_arena_alloc(c->arena, cmd->own_size, err);
        if (!c->own || gv_fields_default(cmd->fields, c->own, c->arena, err) < 0)
            return GV_ESYS;
    }
    return parse(c, cmd, argc, argv, err);
}

int gv_config_parse_stage(gv_config *c, const char *program, const char *const *blocks, const gv_field *own, void *own_params, int argc, char **argv, bool *helped, gv_err *err)
{
    static const char *const none[] = { NULL };
    c->stage = (gv_command){ .name = program, .program = program, .summary = c->summary, .blocks = blocks ? blocks : none, .fields = own, .data_optional = true, .built = true };
    c->own = own_params;
    int r = gv_fields_default(own, own_params, c->arena, err);
    if (r == GV_OK)
        r = parse(c, &c->stage, argc, argv, err);
    *helped = c->helped;
    return r;
}
