/* Names, texts and addresses as MLflow takes them. */
#include "tests/unit/tap.h"
#include "track/mlflow.h"
#include "track/web.h"

static bool key_is(const char *key, const char *want)
{
    char out[256];
    gv_mlflow_key(key, out);
    if (strcmp(out, want))
        printf("# '%s' -> '%s'\n", key, out);
    return !strcmp(out, want);
}

static bool text_is(const char *text, size_t max, const char *want)
{
    gv_buf b = { 0 };
    gv_mlflow_text(text, max, &b);
    bool same = b.len && !strcmp(b.data, want) && strlen(b.data) <= max;
    gv_buf_release(&b);
    return same;
}

static void keys(void)
{
    char long_one[600], a[256], b[256];
    ok(key_is("val_F1", "val_F1") && key_is("system/cpu", "system/cpu") && key_is("a b.c-d_e", "a b.c-d_e"), "names that may stay do");
    ok(key_is("model.encoder[0]", "model.encoder_0_") && key_is("a:b", "a_b") && key_is("a\"b\n", "a_b_"), "other characters become _");
    ok(key_is("/a", "_a") && key_is("a/", "a_") && key_is("a//b", "a_/b") && key_is("", "_"), "a name is no path from the root, and has no empty part");
    ok(key_is("..", "_.") && key_is("a/../b", "a/_./b") && key_is(".", "_") && key_is("./a", "_/a") && key_is("a/.hidden", "a/.hidden") && key_is("...", "..."), "nor one that goes up");
    gv_mlflow_key("F1_\303\244", a);
    gv_mlflow_key("F1_\303\266", b);
    ok(strcmp(a, b) && !strncmp(a, "F1___-", 6) && strlen(a) == 14, "two that lose different letters stay two");
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = 0;
    gv_mlflow_key(long_one, a);
    long_one[598] = 'y';
    gv_mlflow_key(long_one, b);
    ok(strlen(a) == 250 && strlen(b) == 250 && strcmp(a, b), "and two that differ behind 250 characters");
    memset(long_one, '\303', sizeof long_one - 1);
    gv_mlflow_key(long_one, a);
    ok(strlen(a) == 250, "no name is longer");
}

static void texts(void)
{
    ok(text_is("short", 10, "short") && text_is("tencharact", 10, "tencharact"), "a text that fits stays");
    ok(text_is("eleven char", 10, "eleven \342\200\246"), "one that does not is cut, with a sign");
    ok(text_is("abcdef\303\244\303\244x", 10, "abcdef\342\200\246"), "between characters");
}

static void logins(void)
{
    gv_mlflow_account a;
    setenv("HOME", "/nowhere", 1);
    unsetenv("MLFLOW_TRACKING_USERNAME");
    unsetenv("MLFLOW_TRACKING_PASSWORD");
    gv_mlflow_login("https://me:a%40b%3a@host:5000/pre/fix", &a);
    ok(!strcmp(a.base, "https://host:5000/pre/fix") && !strcmp(a.host, "https://host:5000") && !strcmp(a.user, "me") && !strcmp(a.password, "a@b:"), "name and password of an address");
    gv_mlflow_login("http://host", &a);
    ok(!strcmp(a.base, "http://host") && !strcmp(a.host, "http://host") && !*a.user && !*a.password, "an address without");
    gv_mlflow_login("http://me@host/a@b:c", &a);
    ok(!strcmp(a.base, "http://host/a@b:c") && !strcmp(a.host, "http://host") && !strcmp(a.user, "me") && !*a.password, "a name alone, and signs behind the host");
    gv_mlflow_login("http://[::1]:5000", &a);
    ok(!strcmp(a.host, "http://[::1]:5000") && !*a.user, "an address of numbers");
    setenv("MLFLOW_TRACKING_USERNAME", "env", 1);
    setenv("MLFLOW_TRACKING_PASSWORD", "word", 1);
    gv_mlflow_login("http://host", &a);
    ok(!strcmp(a.user, "env") && !strcmp(a.password, "word"), "the variables");
    char out[8];
    gv_mlflow_unescape("a%2Fb%", 6, out, sizeof out);
    ok(!strcmp(out, "a/b%"), "percent signs");
    gv_mlflow_unescape("0123456789", 10, out, sizeof out);
    ok(!strcmp(out, "0123456"), "no more than there is room for");
}

int main(void)
{
    gv_buf b = { 0 };
    keys();
    texts();
    logins();
    ok(gv_web_escape(&b, "a b/\303\244?", "/", NULL) == GV_OK && gv_buf_add(&b, "", 1, NULL) == GV_OK && !strcmp(b.data, "a%20b/%C3%A4%3F"), "an address is encoded");
    gv_buf_release(&b);
    return done();
}
