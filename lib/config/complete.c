/* complete: what the last word of a command line may go on to, from the tables. `PROGRAM --complete -- WORDS…` prints a line for each,
 * "word TAB help"; ":file" and ":dir" stand for paths, which the shell completes better; ":help TAB text" tells what is wanted. Names
 * with dots and colons go level by level, as directories do: "--data." before its fields, "data:" before the data sets. What was
 * typed is kept as it was typed ('-' for '_'), so that any shell finds its prefix again. */
#include "config/internal.h"

struct gv_words {
    gv_buf out;
    const char *typed;  /* the part that is completed: behind '=' or the whole word */
    const char *before; /* what stands before it in the word: "--data.dataset=" */
    size_t before_len, n;
    bool loose;         /* '-' and '_' are alike, as in names of options and subcommands */
    const char *const *given; /* words of a list that stand there already */
    size_t ngiven;
};

/* Where the last word stands. */
struct place {
    gv_item option;     /* the option whose value it is, */
    bool value;         /* if it is one */
    bool only_words;    /* behind "--" */
    const char *const *given; /* further values of a list, before it */
    size_t ngiven;
};

/* ---- words ---- */

const char *gv_words_typed(const gv_words *w)
{
    return w->typed;
}

size_t gv_words_count(const gv_words *w)
{
    return w->n;
}

static bool begins(const gv_words *w, const char *word)
{
    for (size_t i = 0; w->typed[i]; i++) {
        char a = w->typed[i], b = word[i];
        if (a != b && !(w->loose && (a == '-' || a == '_') && (b == '-' || b == '_')))
            return false;
    }
    return true;
}

/* One line: no tab, no line break within. */
static void put_text(gv_buf *out, const char *s)
{
    for (; *s; s++)
        (void)!gv_buf_add(out, (unsigned char)*s < 32 ? " " : s, 1, NULL);
}

void gv_words_add(gv_words *w, const char *word, const char *help)
{
    for (const char *p = word; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127) /* a file's name that no line can hold */
            return;
    if (!begins(w, word) || (*word == ':' && !w->before_len))
        return;
    for (size_t i = 0; i < w->ngiven; i++)
        if (!strcmp(w->given[i], word))
            return;
    size_t n = strlen(w->typed);
    (void)!gv_buf_add(&w->out, w->before, w->before_len, NULL);
    (void)!gv_buf_add(&w->out, w->typed, n, NULL);
    (void)!gv_buf_printf(&w->out, NULL, "%s\t", word + n);
    put_text(&w->out, help);
    (void)!gv_buf_add(&w->out, "\n", 1, NULL);
    w->n++;
}

static void tell(gv_words *w, const char *what)
{
    (void)!gv_buf_printf(&w->out, NULL, "%s\n", what);
}

/* ---- names of options ---- */

static void add_row(gv_words *w, const char *prefix, const gv_field *f, const void *params, bool required, const gv_built *built)
{
    char word[GV_PATH_MAX + 8];
    gv_buf text = { 0 };
    if (gv_row_text(&text, f, params, required, built, NULL) == GV_OK) {
        snprintf(word, sizeof word, "--%s%s", prefix, f->name);
        gv_words_add(w, word, text.data);
        snprintf(word, sizeof word, "--%sno_%s", prefix, f->name);
        if (f->type == GV_TYPE_BOOL && strncmp(f->name, "no_", 3))
            gv_words_add(w, word, text.data);
    }
    gv_buf_release(&text);
}

static void add_rows(gv_words *w, const gv_config *c, const gv_command *cmd, const gv_block *b, const gv_field *f, const void *params)
{
    char prefix[GV_PATH_MAX];
    gv_slot_path(b, "", prefix);
    for (; f && f->type != GV_TYPE_END; f++)
        if (gv_takes(cmd, b, f->name))
            add_row(w, prefix, f, params, gv_slot_required(c, b, f->name), b->built);
}

static void add_block(gv_words *w, const gv_config *c, const gv_command *cmd, const gv_block *b)
{
    const gv_variant *chosen = gv_union_chosen(c, b);
    char word[GV_PATH_MAX + 2] = "--";
    if (b->uni && gv_takes(cmd, b, b->uni->field)) {
        gv_slot_path(b, b->uni->field, word + 2);
        gv_words_add(w, word, b->uni->help);
    }
    add_rows(w, c, cmd, b, b->fields, gv_block_params(c, b));
    if (chosen && gv_takes(cmd, b, b->uni->field))
        add_rows(w, c, cmd, b, chosen->fields, gv_union_params(c, b));
}

/* The levels below: "--data.", "--model.encoder.". */
static void add_levels(gv_words *w, const gv_command *cmd, const char *level)
{
    size_t n = strlen(level);
    for (size_t i = 0; gv_blocks[i]; i++) {
        const char *path = gv_blocks[i]->path;
        char word[GV_PATH_MAX + 4];
        if (strncmp(path, level, n) || !path[n] || !gv_takes(cmd, gv_blocks[i], NULL))
            continue;
        size_t len = n + strcspn(path + n, ".");
        bool seen = false;
        for (size_t k = 0; k < i; k++)
            seen = seen || (!strncmp(gv_blocks[k]->path, path, len) && (!gv_blocks[k]->path[len] || gv_blocks[k]->path[len] == '.') && gv_takes(cmd, gv_blocks[k], NULL));
        const gv_block *own = gv_block_find(path, len);
        snprintf(word, sizeof word, "--%.*s.", (int)len, path);
        if (!seen)
            gv_words_add(w, word, own ? own->summary : gv_blocks[i]->summary);
    }
}

static void add_bare(gv_words *w, const gv_config *c, const gv_command *cmd)
{
    struct gv_front front = { 0 };
    gv_words_add(w, "--help", "show the options; behind subcommands: theirs");
    gv_words_add(w, "--version", "show the version");
    gv_words_add(w, "--describe", "show all options as JSON");
    gv_words_add(w, "--print_completion", "print the script by which a shell completes what is typed");
    for (const gv_field *f = gv_front_fields; f->type != GV_TYPE_END; f++)
        add_row(w, "", f, &front, false, NULL);
    for (const gv_field *f = cmd ? cmd->driver : NULL; f && f->type != GV_TYPE_END; f++)
        add_row(w, "", f, &c->driver, false, NULL);
    for (const gv_field *f = cmd ? cmd->fields : NULL; f && f->type != GV_TYPE_END; f++)
        add_row(w, "", f, c->own, gv_in_list(cmd->required, f->name), cmd->choices);
    if (gv_takes(cmd, &gv_block_root, NULL)) {
        add_block(w, c, cmd, &gv_block_root);
        if (!cmd || gv_in_list(cmd->blocks, "root"))
            gv_words_add(w, "--add_log.", "note something in config.json and in trackers");
    }
}

static void add_options(gv_words *w, const gv_config *c, const gv_command *cmd)
{
    char level[GV_PATH_MAX];
    size_t n = strncmp(w->typed, "--", 2) ? 0 : strlen(w->typed) - 2;
    while (n && w->typed[n + 1] != '.') /* up to the last dot */
        n--;
    w->loose = true;
    if (!gv_path_normal(w->typed + 2, n, level))
        return;
    const gv_block *b = n ? gv_block_find(level, n - 1) : NULL;
    if (!n)
        add_bare(w, c, cmd);
    else if (b && gv_takes(cmd, b, NULL))
        add_block(w, c, cmd, b);
    add_levels(w, cmd, level);
}

/* Nothing begins so: the one option of a deeper level whose last part does, "--lr" for "--optimizer.lr". */
static void add_leaf(gv_words *w, const gv_config *c, const gv_command *cmd)
{
    const char *leaf = w->typed + 2;
    size_t n = strlen(leaf);
    gv_words all = { .typed = "--", .before = "", .loose = true };
    const char *only = NULL;
    int found = 0;
    if (n < 2 || strchr(leaf, '.'))
        return;
    for (size_t i = 1; gv_blocks[i]; i++)
        if (gv_takes(cmd, gv_blocks[i], NULL))
            add_block(&all, c, cmd, gv_blocks[i]);
    for (const char *p = all.out.data, *end; p && p < all.out.data + all.out.len; p = end + 1) {
        end = strchr(p, '\n');
        const char *tab = strchr(p, '\t'), *dot = tab;
        while (dot > p && dot[-1] != '.')
            dot--;
        if ((size_t)(tab - dot) >= n && !strncmp(dot, leaf, n)) {
            only = p;
            found++;
        }
    }
    if (found == 1) {
        (void)!gv_buf_add(&w->out, only, strcspn(only, "\n") + 1, NULL);
        w->n++;
    }
    gv_buf_release(&all.out);
}

/* ---- subcommands ---- */

/* "data:" before a colon is typed, the variants behind it. A union whose subcommand stands there already is left out. */
static void add_subcommands(gv_words *w, const gv_config *c, const gv_command *cmd)
{
    bool colon = strchr(w->typed, ':');
    w->loose = true;
    for (size_t i = 0; gv_blocks[i]; i++) {
        const gv_block *b = gv_blocks[i];
        char word[3 * GV_PATH_MAX], name[2 * GV_PATH_MAX];
        if (!b->uni || (c->focus >> i & 1) || !gv_takes(cmd, b, b->uni->field))
            continue;
        snprintf(word, sizeof word, "%s:", b->path);
        if (!colon)
            gv_words_add(w, word, b->summary);
        for (size_t k = 0; colon && b->uni->variants[k]; k++) {
            gv_subcommand_name(b->uni->variants[k]->class_name, name);
            snprintf(word, sizeof word, "%s:%s", b->path, name);
            if (b->uni->variants[k]->built)
                gv_words_add(w, word, b->uni->variants[k]->summary);
        }
    }
}

/* ---- values ---- */

static void add_paths(gv_words *w, const gv_config *c, gv_naming takes)
{
    if (takes == GV_TAKES_FILE)
        tell(w, ":file");
    else if (takes == GV_TAKES_DIR)
        tell(w, ":dir");
    if (takes != GV_TAKES_RUN && takes != GV_TAKES_RUNS && takes != GV_TAKES_CHECKPOINT)
        return;
    gv_words_runs(w, c->exp_dir, takes);
    if (!w->n)
        tell(w, takes == GV_TAKES_CHECKPOINT ? ":file" : ":dir");
}

static void add_choices(gv_words *w, const gv_field *f, const gv_built *built)
{
    for (size_t i = 0; f->choices && f->choices[i]; i++)
        if (gv_choice_built(built, f->name, f->choices[i]))
            gv_words_add(w, f->choices[i], "");
    if (f->choices && f->optional && f->type == GV_TYPE_ENUM)
        gv_words_add(w, "None", "");
}

static void add_names(gv_words *w, const gv_config *c, const gv_item *it)
{
    static const char *const levels[] = { "error", "warning", "info", "debug" };
    for (size_t i = 0; it->kind == GV_ITEM_FRONT && i < GV_COUNT(levels); i++)
        gv_words_add(w, levels[i], "");
    if (it->kind != GV_ITEM_FRONT && c->names)
        c->names(c, it->path, w);
}

static void add_help(gv_words *w, const gv_config *c, const gv_item *it, const gv_built *built)
{
    struct gv_front front = { 0 };
    const void *params = it->kind == GV_ITEM_FRONT ? (const void *)&front : it->kind == GV_ITEM_DRIVER ? (const void *)&c->driver : c->own;
    gv_slot s;
    gv_buf text = { 0 };
    if (it->kind == GV_ITEM_FIELD)
        params = gv_slot_find(c, it->path, true, &s) ? s.params : NULL;
    if (gv_row_text(&text, it->field, params, false, built, NULL) == GV_OK) {
        (void)!gv_buf_printf(&w->out, NULL, ":help\t");
        put_text(&w->out, text.data);
        (void)!gv_buf_add(&w->out, "\n", 1, NULL);
    }
    gv_buf_release(&text);
}

static void add_values(gv_words *w, const gv_config *c, const gv_command *cmd, const struct place *p)
{
    const gv_item *it = &p->option;
    if (it->kind == GV_ITEM_ADD_LOG)
        return;
    if (!it->field) {
        const gv_variant *const *v = it->block->uni->variants;
        for (size_t i = 0; v[i]; i++)
            if (v[i]->built)
                gv_words_add(w, v[i]->name, v[i]->summary);
        return;
    }
    const gv_built *built = it->kind == GV_ITEM_OWN ? cmd->choices : it->block ? it->block->built : NULL;
    add_help(w, c, it, built);
    w->given = p->given;
    w->ngiven = p->ngiven;
    add_choices(w, it->field, built);
    if (it->field->type == GV_TYPE_DICT ? p->ngiven % 2 == 0 : it->field->takes == GV_TAKES_NAME) /* keys of a dict, every other word */
        add_names(w, c, it);
    else
        add_paths(w, c, it->field->takes);
    w->ngiven = 0;
}

/* What a program takes beside its options: by the words of its usage. */
static void add_positional(gv_words *w, const gv_config *c)
{
    if (c->positional && strstr(c->positional, "RUN"))
        add_paths(w, c, GV_TAKES_RUN);
    else if (c->positional && (strstr(c->positional, "FILE") || strstr(c->positional, "PATH")))
        add_paths(w, c, GV_TAKES_FILE);
    else if (c->positional && strstr(c->positional, "DIR"))
        add_paths(w, c, GV_TAKES_DIR);
}

/* Behind --print_completion, which is no field: the shells. */
static bool add_shells(gv_words *w, const char *before)
{
    char path[GV_PATH_MAX];
    if (strncmp(before, "--", 2) || !gv_path_normal(before, strlen(before), path) || (strcmp(path, "__print_completion") && strcmp(path, "__tyro_print_completion")))
        return false;
    gv_words_add(w, "bash", "");
    gv_words_add(w, "zsh", "");
    gv_words_add(w, "fish", "");
    return true;
}

/* ---- the line ---- */

/* A word before the last one. */
static void pass(struct place *p, const gv_config *c, const gv_command *cmd, char **argv, int i, char path[GV_PATH_MAX])
{
    const char *word = argv[i];
    const gv_variant *v = NULL;
    bool negated;
    if (!strncmp(word, "--", 2)) {
        gv_item it;
        p->value = !strchr(word, '=') && gv_item_find(c, cmd, word, strlen(word), path, &it, &negated) && !(it.field && it.field->type == GV_TYPE_BOOL);
        p->ngiven = 0;
        p->given = (const char *const *)argv + i + 1;
        if (p->value)
            p->option = it;
    } else if (gv_subcommand_find(cmd, word, &v) && v)
        p->value = false;
    else if (p->value) {
        const gv_field *f = p->option.field;
        p->ngiven++;
        p->value = gv_takes_many(f) && !(f->type == GV_TYPE_STRS && f->hi.i && p->ngiven >= (size_t)f->hi.i);
    }
}

static void complete_last(gv_words *w, const gv_config *c, const gv_command *cmd, struct place *p)
{
    const char *word = w->typed, *eq = strchr(word, '=');
    char path[GV_PATH_MAX];
    bool negated, option = !strncmp(word, "--", 2) || !strcmp(word, "-");
    if (p->only_words)
        add_positional(w, c);
    else if (option && eq) {
        p->value = gv_item_find(c, cmd, word, (size_t)(eq - word), path, &p->option, &negated) && !negated;
        p->ngiven = 0;
        w->before = word;
        w->before_len = (size_t)(eq + 1 - word);
        w->typed = eq + 1;
        if (p->value && !(p->option.field && p->option.field->type == GV_TYPE_BOOL))
            add_values(w, c, cmd, p);
    } else if (option) {
        add_options(w, c, cmd);
        if (!w->n)
            add_leaf(w, c, cmd);
    } else {
        bool more = !p->value || (gv_takes_many(p->option.field) && p->option.field->type != GV_TYPE_DICT);
        if (p->value)
            add_values(w, c, cmd, p);
        more = more && !(p->value && w->n); /* values of a list come first */
        if (more)
            add_positional(w, c);
        if (more && cmd != &c->stage)
            add_subcommands(w, c, cmd);
        if (more && !*word && !c->positional)
            add_options(w, c, cmd);
    }
}

static int complete(gv_config *c, const gv_command *cmd, int argc, char **argv, gv_err *err)
{
    struct place p = { 0 };
    gv_words w = { .typed = argc > 1 ? argv[argc - 1] : "", .before = "" };
    char path[GV_PATH_MAX];
    int r = gv_config_parse_known(c, cmd, argc - 1, argv, err);
    if (r < 0)
        return r;
    for (int i = 1; i < argc - 1 && !p.only_words; i++)
        if (!strcmp(argv[i], "--"))
            p.only_words = true;
        else
            pass(&p, c, cmd, argv, i, path);
    if (argc < 3 || p.only_words || !add_shells(&w, argv[argc - 2]))
        complete_last(&w, c, cmd, &p);
    if (w.out.len)
        fwrite(w.out.data, 1, w.out.len, stdout);
    gv_buf_release(&w.out);
    return fflush(stdout) ? gv_fail_sys(err, "cannot write to stdout") : GV_OK;
}

int gv_completion_answer(gv_config *c, const gv_command *cmd, int what, int argc, char **argv, gv_err *err)
{
    c->helped = true;
    if (what != 'c')
        return gv_completion_script(argc, argv, err);
    return complete(c, cmd, argc - 2, argv + 2, err); /* "--" where the program's name stands in a line */
}

int gv_completion_commands(int argc, char **argv, gv_err *err)
{
    gv_words w = { .typed = argc > 3 ? argv[argc - 1] : "", .before = "", .loose = true };
    static const char *const options[][2] = { { "--help", "show the commands" }, { "--version", "show the version" }, { "--describe", "show the commands as JSON" },
                                              { "--share", "show the folder of the recipes and SLURM files" },
                                              { "--print_completion", "print the script by which a shell completes what is typed" } };
    bool first = argc <= 4;
    if (!first)
        add_shells(&w, argv[argc - 2]);
    for (int i = 0; first && gv_commands[i]; i++)
        if (gv_commands[i]->built)
            gv_words_add(&w, gv_commands[i]->name, gv_commands[i]->summary);
    for (size_t i = 0; first && i < GV_COUNT(options); i++)
        gv_words_add(&w, options[i][0], options[i][1]);
    if (w.out.len)
        fwrite(w.out.data, 1, w.out.len, stdout);
    gv_buf_release(&w.out);
    return fflush(stdout) ? gv_fail_sys(err, "cannot write to stdout") : GV_OK;
}
