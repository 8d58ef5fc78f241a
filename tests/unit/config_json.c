/* JSON text, files and typed fields. */
#include "json/json.h"
#include "tests/unit/tap.h"
#include <unistd.h>

static gv_arena arena;

static bool text_is(const char *in, const char *want)
{
    gv_buf b = { 0 };
    gv_err e = { 0 };
    json_t *j = gv_json_parse(in, strlen(in), "test", &e);
    bool same = j && gv_json_text(j, &b, &e) == GV_OK && !strcmp(b.data, want);
    if (!same)
        printf("# %s -> %s (%s)\n", in, b.data ? b.data : "-", e.text);
    json_decref(j);
    gv_buf_release(&b);
    return same;
}

static bool refused(const char *in, const char *part)
{
    gv_err e = { 0 };
    json_t *j = gv_json_parse(in, strlen(in), "test", &e);
    bool good = !j && e.code == GV_EDATA && strstr(e.text, part);
    if (!good)
        printf("# %s -> %s\n", in, e.text);
    json_decref(j);
    return good;
}

struct all { bool b; int64_t i, oi; uint64_t u, ou; double f, of; const char *s, *os; int e, oe; gv_strs strs, ostrs; gv_ints ints; gv_f64s f64s; gv_dict d; };
static const char *const abc[] = { "a", "b", "c", NULL };
static const gv_field fields[] = {
    GV_BOOL(struct all, b, true, ""), GV_I64(struct all, i, 3, 0, 9, "", ""), GV_OPT_I64(struct all, oi, 0, 9, "", ""),
    GV_U64(struct all, u, UINT64_MAX, 0, UINT64_MAX, "", ""), GV_OPT_U64(struct all, ou, 0, UINT64_MAX - 1, "", ""), GV_F64(struct all, f, 3e-4, 0, 1, "", ""),
    GV_OPT_F64(struct all, of, GV_ABOVE_0, GV_BELOW_1, "", ""), GV_STR(struct all, s, "x", ""), GV_OPT_STR(struct all, os, ""), GV_ENUM(struct all, e, 1, abc, ""),
    GV_OPT_ENUM(struct all, oe, abc, ""), GV_STRS(struct all, strs, "a b", NULL, ""), GV_OPT_STRS(struct all, ostrs, abc, ""), GV_INTS(struct all, ints, "1 2", 0, 9, "", ""),
    GV_F64S(struct all, f64s, "0.1 1", 0, 9, "", ""), GV_DICT(struct all, d, ""), GV_END
};

static int set(struct all *p, const char *name, const char *text, gv_err *e)
{
    *e = (gv_err){ 0 };
    json_t *v = gv_json_parse(text, strlen(text), "test", e);
    int r = v ? gv_field_set_json(gv_field_find(fields, name, strlen(name)), p, name, v, &arena, e) : GV_EDATA;
    json_decref(v);
    return r;
}

static void test_fields(void)
{
    gv_err e = { 0 };
    struct all p, q;
    ok(gv_fields_default(fields, &p, &arena, &e) == GV_OK, "defaults");
    json_t *j = gv_fields_json(fields, &p, &e);
    gv_buf b = { 0 };
    ok(j && gv_json_text(j, &b, &e) == GV_OK && !strcmp(b.data, "{\"b\":true,\"i\":3,\"oi\":null,\"u\":\"18446744073709551615\",\"ou\":null,\"f\":0.0003,\"of\":null,\"s\":\"x\",\"os\":null,\"e\":\"b\",\"oe\":null,\"strs\":[\"a\",\"b\"],\"ostrs\":null,\"ints\":[1,2],\"f64s\":[0.1,1.0],\"d\":{}}"), "a table as an object: %s", b.data ? b.data : "-");
    gv_buf_release(&b);
    memset(&q, 0, sizeof q);
    bool same = true;
    for (const gv_field *f = fields; f->type != GV_TYPE_END; f++)
        same = gv_field_set_json(f, &q, f->name, json_object_get(j, f->name), &arena, &e) == GV_OK && gv_field_equal(f, &p, &q) && same;
    ok(same, "and back: every field is equal (%s)", e.text);
    json_decref(j);

    static const char *const bad[][3] = {
        { "b", "1", "true or false" }, { "b", "\"true\"", "true or false" }, { "i", "10", "range is 0 to 9" }, { "i", "1.5", "whole number" },
        { "i", "\"4\"", "whole number" }, { "i", "null", "whole number" }, { "i", "true", "whole number" }, { "u", "-1", "range is 0" }, { "f", "\"x\"", "number" },
        { "f", "2", "range is 0 to 1" }, { "of", "0", "above 0 to below 1" }, { "of", "1", "above 0 to below 1" }, { "s", "3", "text" }, { "s", "null", "text" },
        { "e", "\"d\"", "allowed are a, b, c" }, { "strs", "\"a\"", "list of texts" }, { "strs", "[1]", "list of texts" }, { "ostrs", "[\"q\"]", "allowed are" },
        { "ints", "[1,2.5]", "whole" }, { "ints", "[10]", "range" }, { "f64s", "[[1]]", "list of numbers" }, { "d", "[1]", "object" }, { "d", "null", "object" },
    };
    for (size_t i = 0; i < GV_COUNT(bad); i++)
        ok(set(&p, bad[i][0], bad[i][1], &e) == GV_EUSAGE && strstr(e.text, bad[i][2]) && strstr(e.text, bad[i][0]), "%s = %s is refused: %s", bad[i][0], bad[i][1], e.text);
    ok(set(&p, "os", "\"None\"", &e) == GV_OK && p.os && !strcmp(p.os, "None"), "the text None stays a text");
    ok(set(&p, "i", "4.0", &e) == GV_OK && p.i == 4, "a whole real is a whole number");
    ok(set(&p, "d", "{\"b\":[1, 2],\"a\":\"x y\",\"c\":null}", &e) == GV_OK && p.d.n == 3 && !strcmp(p.d.key[0], "b") && !strcmp(p.d.json[0], "[1,2]") && !strcmp(p.d.json[1], "\"x y\""), "a dict keeps its order and canonical values");
}

int main(void)
{
    gv_err e = { 0 };
    if (gv_arena_init(&arena, "run", 1 << 20, &e) < 0)
        return 1;
    ok(text_is("{ \"b\" : [ 1 , 2.50, 1e-7, true,null ], \"a\":{}, \"c\":[] }", "{\"b\":[1,2.5,1e-07,true,null],\"a\":{},\"c\":[]}"), "canonical text, keys in their order");
    ok(text_is("0.1", "0.1") && text_is("0.30000000000000004", "0.30000000000000004") && text_is("1.0", "1.0") && text_is("1e300", "1e+300"), "fewest digits, and reals stay reals");
    ok(text_is("\"a\\\"\\\\\\n\\u0001é\"", "\"a\\\"\\\\\\n\\u0001é\""), "strings are escaped");
    ok(refused("{\"a\":1,\"a\":2}", "duplicate") && refused("[1] x", "end of file expected") && refused("", "line") && refused("[NaN]", "line 1"), "duplicates, trailing text, nothing and NaN are refused");
    char path[64];
    snprintf(path, sizeof path, "/tmp/gv-json-%d", (int)getpid());
    json_t *j = json_pack("{s:[i,i],s:{s:f}}", "list", 1, 2, "in", "x", 0.1), *k = NULL;
    ok(gv_json_write(path, j, &e) == GV_OK && (k = gv_json_read(path, 1 << 20, &e)) && json_equal(j, k), "a file reads back (%s)", e.text);
    json_decref(k);
    e = (gv_err){ 0 };
    ok(!gv_json_read(path, 4, &e) && strstr(e.text, path), "a file above the cap is refused: %s", e.text);
    e = (gv_err){ 0 };
    ok(!gv_json_read("/nonexistent/x.json", 4, &e) && e.code != GV_OK, "a missing one too: %s", e.text);
    unlink(path);
    json_decref(j);
    test_fields();
    gv_arena_release(&arena);
    return done();
}
