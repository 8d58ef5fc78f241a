/* Every field of every block and variant: refused when wrong, kept through JSON, through a command line, and named by help. */
#include "config/internal.h"
#include "json/json.h"
#include "tests/unit/tap.h"

static gv_arena arena;

typedef struct field { const gv_block *b; const gv_variant *v; const gv_field *f; char path[GV_PATH_MAX]; } field;

/* Call fn for every row of the schema. */
static void each(void (*fn)(const field *))
{
    for (size_t i = 0; gv_blocks[i]; i++) {
        const gv_block *b = gv_blocks[i];
        field x = { .b = b };
        for (x.f = b->fields; x.f && x.f->type != GV_TYPE_END; x.f++) {
            gv_slot_path(b, x.f->name, x.path);
            fn(&x);
        }
        for (size_t k = 0; b->uni && b->uni->variants[k]; k++) {
            x.v = b->uni->variants[k];
            for (x.f = x.v->fields; x.f && x.f->type != GV_TYPE_END; x.f++) {
                gv_slot_path(b, x.f->name, x.path);
                fn(&x);
            }
        }
    }
}

/* Parse "--block.disc VARIANT" and the given words on a fresh config. */
static int parse(gv_config *c, const field *x, const char *option, const char *value, gv_err *e)
{
    char *argv[8] = { (char *)(uintptr_t)"p" }, disc[GV_PATH_MAX + 2];
    int argc = 1;
    *e = (gv_err){ 0 };
    if (x->v) {
        snprintf(disc, sizeof disc, "--%s.%s", x->b->path, x->b->uni->field);
        argv[argc++] = disc;
        argv[argc++] = (char *)(uintptr_t)x->v->name;
    }
    argv[argc++] = (char *)(uintptr_t)option;
    if (value)
        argv[argc++] = (char *)(uintptr_t)value;
    int r = gv_config_init(c, &arena, e);
    return r == GV_OK ? gv_config_parse(c, gv_command_find("train"), argc, argv, e) : r;
}

static bool refused(const field *x, const char *option, const char *value, const char *named)
{
    gv_config c;
    gv_err e;
    size_t mark = arena.used;
    int r = parse(&c, x, option, value, &e);
    bool good = r == GV_EUSAGE && strstr(e.text, named);
    if (!good)
        printf("# %s %s: status %d, %s\n", option, value ? value : "", r, e.text);
    gv_config_release(&c);
    gv_arena_rewind(&arena, mark);
    return good;
}

static size_t rows, bad_missing, bad_type, bad_range, bad_sibling, ranges, siblings;

static void refuse(const field *x)
{
    char option[GV_PATH_MAX + 8], named[GV_PATH_MAX + 8], wrong[48];
    const gv_field *f = x->f;
    bool list = f->type == GV_TYPE_STRS || f->type == GV_TYPE_INTS || f->type == GV_TYPE_F64S || f->type == GV_TYPE_DICT;
    snprintf(option, sizeof option, "--%s", x->path);
    rows++;
    if (f->type != GV_TYPE_BOOL && !list)
        bad_missing += !refused(x, option, NULL, option);
    if (f->type == GV_TYPE_DICT)
        bad_type += !refused(x, option, "odd", option);
    else if (f->type != GV_TYPE_STR && (f->type != GV_TYPE_STRS || f->choices))
        bad_type += !refused(x, option, "banana", f->type == GV_TYPE_BOOL ? "banana" : option);
    bool number = f->type == GV_TYPE_I64 || f->type == GV_TYPE_U64 || f->type == GV_TYPE_F64 || f->type == GV_TYPE_INTS || f->type == GV_TYPE_F64S;
    if (number && (f->type == GV_TYPE_F64 || f->type == GV_TYPE_F64S ? !isinf(f->lo.f) : true)) {
        if (f->type == GV_TYPE_F64 || f->type == GV_TYPE_F64S)
            snprintf(wrong, sizeof wrong, "%.17g", f->lo.f == GV_ABOVE_0 ? 0 : f->lo.f - 1);
        else
            snprintf(wrong, sizeof wrong, "%lld", (long long)(f->type == GV_TYPE_U64 ? -1 : f->lo.i - 1));
        ranges++;
        bad_range += !refused(x, option, wrong, option);
    }
    if (number && (f->type == GV_TYPE_F64 || f->type == GV_TYPE_F64S) && !isinf(f->hi.f)) {
        snprintf(wrong, sizeof wrong, "%.17g", f->hi.f == GV_BELOW_1 ? 1 : f->hi.f + 1);
        ranges++;
        bad_range += !refused(x, option, wrong, option);
    }
    /* Two letters changed places: the option is unknown, and another name of the same block is proposed. */
    char *leaf = strrchr(option, '.');
    leaf = leaf ? leaf + 1 : option + 2;
    if (strlen(leaf) > 3 && leaf[1] != leaf[2]) {
        char t = leaf[1];
        leaf[1] = leaf[2];
        leaf[2] = t;
        gv_slot s;
        gv_config c;
        gv_err e;
        if (gv_config_init(&c, &arena, &e) == GV_OK && !gv_slot_find(&c, option + 2, true, &s)) {
            snprintf(named, sizeof named, "(did you mean '--");
            siblings++;
            bad_sibling += !refused(x, option, "1", "unknown option") || !refused(x, option, "1", named);
        }
        gv_config_release(&c);
    }
    gv_arena_rewind(&arena, 0);
}

/* Another value than the default, in words; 0 when the type has none. */
static size_t other(const field *x, const char **w, char buf[64])
{
    const gv_field *f = x->f;
    switch (f->type) {
    case GV_TYPE_BOOL: w[0] = f->def.b ? "false" : "true"; return 1;
    case GV_TYPE_I64: snprintf(buf, 64, "%lld", (long long)(f->def.i == f->lo.i ? f->lo.i + 1 : f->lo.i)); w[0] = buf; return 1;
    case GV_TYPE_U64: w[0] = "18446744073709551614"; return 1;
    case GV_TYPE_F64: w[0] = isinf(f->lo.f) ? "-0.3" : "0.3"; return 1;
    case GV_TYPE_STR: w[0] = "it's a $x \"q\" -"; return 1;
    case GV_TYPE_ENUM: w[0] = f->choices[f->def.i == 0]; return 1;
    case GV_TYPE_STRS: w[0] = f->choices ? f->choices[0] : "a b"; w[1] = f->choices ? f->choices[1] : "c'd"; return 2;
    case GV_TYPE_INTS: w[0] = "7"; w[1] = "9"; return 2;
    case GV_TYPE_F64S: w[0] = "0.1"; w[1] = "0.30000000000000004"; return 2;
    case GV_TYPE_DICT: w[0] = "k"; w[1] = "{\"a\": [1, 0.1, \"x'y\"]}"; w[2] = "l m"; w[3] = "-2"; return 4;
    default: return 0;
    }
}

/* What a shell makes of the words: enough for the quoting of gv_shell_quote. */
static int split(char *text, char **argv)
{
    int argc = 1;
    char *out = text;
    argv[0] = (char *)(uintptr_t)"p";
    for (char *p = text; *p;) {
        p += strspn(p, " ");
        if (!*p)
            break;
        argv[argc++] = out;
        bool quoted = false;
        for (; *p && (quoted || *p != ' '); p++) {
            if (*p == '\'')
                quoted = !quoted;
            else if (*p == '\\' && !quoted)
                *out++ = *++p;
            else
                *out++ = *p;
        }
        p += *p == ' ';
        *out++ = 0;
    }
    return argc;
}

static size_t bad_json, bad_args, bad_load, empty_args;

static void round_trip(const field *x)
{
    gv_config c, d;
    gv_err e = { 0 };
    gv_buf text = { 0 };
    const char *w[4];
    char buf[64], disc[GV_PATH_MAX], *argv[64];
    size_t n = other(x, w, buf);
    int r = gv_config_init(&c, &arena, &e);
    if (r == GV_OK && x->v) {
        gv_slot_path(x->b, x->b->uni->field, disc);
        r = gv_config_set(&c, disc, &x->v->name, 1, true, &e);
    }
    if (r == GV_OK)
        r = gv_config_set(&c, x->path, w, n, true, &e);
    c.command = gv_command_find("train");
    json_t *j = r == GV_OK ? gv_config_json(&c, &e) : NULL, *k = NULL;
    if (r == GV_OK)
        r = gv_config_init(&d, &arena, &e);
    if (r == GV_OK && j) {
        d.command = c.command;
        bad_load += gv_config_load_json(&d, j, "test", &e) != GV_OK;
        k = gv_config_json(&d, &e);
    }
    if (!j || !k || !json_equal(j, k)) {
        bad_json++;
        printf("# json %s: %s\n", x->path, e.text);
    }
    json_decref(k);
    gv_config_release(&d);
    /* words of a command line, back through the parser; typed differs only by what was not a difference */
    if (gv_config_args(&c, NULL, &text, &e) == GV_OK && gv_config_init(&d, &arena, &e) == GV_OK) {
        empty_args += !strstr(text.data ? text.data : "", x->f->name);
        r = gv_config_parse(&d, c.command, split(text.data, argv), argv, &e);
        k = r == GV_OK ? gv_config_json(&d, &e) : NULL;
        json_object_del(j, "typed");
        if (k)
            json_object_del(k, "typed");
    }
    json_t *settled = NULL;
    if (gv_config_settle(&c, &e) == GV_OK && (settled = gv_config_json(&c, &e)))
        json_object_del(settled, "typed");
    if (!k || !json_equal(settled, k)) {
        bad_args++;
        printf("# args %s: %s (%s)\n", x->path, text.data, e.text);
    }
    json_decref(j);
    json_decref(k);
    json_decref(settled);
    gv_buf_release(&text);
    gv_config_release(&c);
    gv_config_release(&d);
    gv_arena_rewind(&arena, 0);
}

static size_t bad_help, bad_row;

static void help(const field *x)
{
    gv_config c;
    gv_err e = { 0 };
    gv_buf text = { 0 };
    char option[GV_PATH_MAX + 2], disc[GV_PATH_MAX];
    int r = gv_config_init(&c, &arena, &e);
    snprintf(option, sizeof option, "--%s", x->path);
    if (r == GV_OK && x->v) {
        gv_slot_path(x->b, x->b->uni->field, disc);
        r = gv_config_set(&c, disc, &x->v->name, 1, true, &e);
    }
    r = r == GV_OK ? gv_config_help(&c, gv_command_find("train"), &text, &e) : r;
    if (r < 0 || !strstr(text.data, option)) {
        bad_help++;
        printf("# %s is not in the help of %s\n", option, x->v ? x->v->name : "its block");
    }
    bad_row += !x->f->help || !*x->f->help || !x->f->unit;
    gv_buf_release(&text);
    gv_config_release(&c);
    gv_arena_rewind(&arena, 0);
}

/* The parser must know how many words an option takes before it knows the variant. */
static size_t bad_arity;
static void arity(const field *x)
{
    for (size_t k = 0; x->v && x->b->uni->variants[k]; k++) {
        const gv_field *g = gv_field_find(x->b->uni->variants[k]->fields, x->f->name, strlen(x->f->name));
        bool a = x->f->type >= GV_TYPE_STRS, b = g && g->type >= GV_TYPE_STRS;
        bad_arity += g && (a != b || (g->type == GV_TYPE_BOOL) != (x->f->type == GV_TYPE_BOOL));
        bad_arity += gv_field_find(x->b->fields, x->f->name, strlen(x->f->name)) != NULL;
    }
}

static void test_unions(void)
{
    size_t bad = 0, n = 0;
    for (size_t i = 0; gv_blocks[i]; i++) {
        const gv_union *u = gv_blocks[i]->uni;
        for (size_t k = 0; u && u->variants[k]; k++) {
            gv_config c;
            gv_err e = { 0 };
            char word[900], raw[600], *argv[] = { (char *)(uintptr_t)"p", word };
            gv_subcommand_name(u->variants[k]->class_name, raw);
            snprintf(word, sizeof word, "%s:%s", gv_blocks[i]->path, raw);
            bool good = gv_config_init(&c, &arena, &e) == GV_OK && gv_config_parse(&c, NULL, 2, argv, &e) == GV_OK;
            bad += !good || (gv_union_chosen(&c, gv_blocks[i]) != u->variants[k]);
            for (size_t m = 0; u->variants[k]->required && u->variants[k]->required[m]; m++) {
                char path[GV_PATH_MAX];
                gv_slot s;
                gv_slot_path(gv_blocks[i], u->variants[k]->required[m], path);
                bad += !gv_slot_find(&c, path, false, &s) || !s.field;
            }
            n++;
            gv_config_release(&c);
            gv_arena_rewind(&arena, 0);
        }
    }
    ok(!bad && n > 50, "each of %zu variants is chosen by its subcommand, and its defaults and required fields exist", n);
}

int main(void)
{
    gv_err e = { 0 };
    if (gv_arena_init(&arena, "run", 64 << 20, &e) < 0)
        return 1;
    each(arity);
    ok(!bad_arity, "a name takes the same number of words in every variant, and no variant hides a common field");
    test_unions();
    each(refuse);
    ok(rows > 200 && !bad_missing, "a missing value is refused (%zu fields)", rows);
    ok(!bad_type, "a wrong type is refused");
    ok(ranges > 100 && !bad_range, "values out of range are refused (%zu)", ranges);
    ok(siblings > 150 && !bad_sibling, "a misspelt name is refused and a known one proposed (%zu)", siblings);
    each(round_trip);
    ok(!bad_json && !bad_load, "config -> JSON -> config -> JSON is the same for a change of each field");
    ok(!bad_args && !empty_args, "config -> words -> config too");
    each(help);
    ok(!bad_help, "help names every field");
    ok(!bad_row, "every row has a help text and a unit");
    gv_arena_release(&arena);
    return done();
}
