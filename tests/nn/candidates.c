/*
 * Every kernel that may compute an op gives what the rules' choice gives: one training step of whole models with the k-th of the backend's
 * tables wherever it serves, with 2 threads and with 1, against the rules' choice with 2 threads.
 *
 * Tolerance, of the L2 norm of each tensor's change in the step (its gradient): float 1e-5, what another order of sums gives through some twenty
 * layers. bf16: results that differ in the last of 24 bits may round to other 8-bit neighbours, and a layer further down amplifies that; 2e-2 of each
 * parameter after the step (SGD, 0.01), which is what users keep; of the whole gradient no more than 1.25 times what lies between the rules' choice and
 * the step in float (a third of it with these few samples). The same choice gives the same bytes.
 */
#include "common/threads.h"
#include "nn/tune.h"
#include "tests/nn/network.h"
#include <math.h>

enum { MOST = 8 }; /* rows of the longest table */

static int different; /* plans whose kernels are not those of the rules */

/* Worst relative difference of a tensor "prefix…", and where; whole: of all of them together. */
static double worst(struct outcome *a, struct outcome *b, double lr, const char **where, double *whole)
{
    double most = 0, sum = 0, of = 0;
    *where = "";
    for (int i = 0; i < gv_param_count(a->g); i++) {
        const gv_param_info *p = gv_param_at(a->g, i);
        char name[300];
        snprintf(name, sizeof name, "grad.%s", p->name);
        const gv_stored *x = gv_store_find(a->s, name), *y = gv_store_find(b->s, name), *w = gv_store_find(a->s, p->name);
        double d = 0, n = 0;
        if (p->buffer || !x || !y)
            continue;
        for (size_t k = 0; k < x->bytes / sizeof(float); k++) {
            double u = ((const float *)x->data)[k], v = ((const float *)y->data)[k], q = lr > 0 ? ((const float *)w->data)[k] : 0, c = lr > 0 ? lr : 1;
            d += c * c * (u - v) * (u - v);
            n += (q - c * u) * (q - c * u);
            sum += (u - v) * (u - v);
            of += u * u;
        }
        double r = n > 0 ? sqrt(d / n) : d > 0;
        if (!(r <= most))
            most = r, *where = p->name;
    }
    *whole = of > 0 ? sqrt(sum / of) : 1;
    return most;
}

static void one(const char *name, gv_precision precision)
{
    bool bf16 = precision == GV_MIXED_BF16;
    struct network w = { .name = name, .phase = GV_TRAIN, .by_formula = true, .runs = 1 };
    gv_plan_options o = { .precision = precision, .backend = "onednn", .threads = 2, .keep_grads = true, .overwrite_grads = true, .grad_scale = 1 };
    struct outcome rules, other, again;
    const char *where;
    double whole, own = 1e-5 / 1.25; /* what bf16 itself changes */
    network_run(&rules, &w, &o);
    if (bf16) {
        o.precision = GV_FP32;
        network_run(&other, &w, &o);
        worst(&other, &rules, 0, &where, &own);
        network_drop(&other);
        o.precision = precision;
    }
    for (int k = 0; k <= MOST; k++)
        for (int threads = 2; threads >= 1; threads--) {
            if (!k && threads == 2)
                continue;
            o.threads = threads;
            o.candidate = k;
            network_run(&other, &w, &o);
            different += strcmp(rules.text.data, other.text.data) != 0;
            double change = worst(&rules, &other, bf16 ? 0.01 : 0, &where, &whole);
            ok(change <= (bf16 ? 2e-2 : 1e-5) && whole <= 1.25 * own, "%s %s, kernel %d, %d threads: each tensor within %.1e (%s), all of the gradient within %.1e of %.1e", name,
               bf16 ? "bf16" : "float", k, threads, change, where, whole, 1.25 * own);
            if (k == 1 && threads == 2) {
                network_run(&again, &w, &o);
                ok(worst(&other, &again, 0, &where, &whole) == 0, "… and the same choice gives the same bytes");
                network_drop(&again);
            }
            network_drop(&other);
        }
    o.candidate = 0;
    o.threads = 2;
    network_drop(&rules);
}

/* ---- the table ---- */

static int told_n, told_wrong;

static void told(void *arg, const char *key, const gv_tuned *v, int n)
{
    int rules = 0;
    (void)arg, (void)key;
    told_n++;
    for (int i = 0; i < n; i++) {
        rules += v[i].by_rules;
        told_wrong += i && v[i].ms < v[i - 1].ms;
        for (int k = 0; k < i; k++)
            told_wrong += !strcmp(v[i].name, v[k].name);
    }
    told_wrong += rules != 1 || n < 2;
}

static void table(void)
{
    struct network w = { .name = "resnet10t", .phase = GV_TRAIN, .by_formula = true, .runs = 1 };
    gv_plan_options o = { .precision = GV_FP32, .backend = "onednn", .threads = 2, .keep_grads = true, .overwrite_grads = true, .grad_scale = 1 };
    struct outcome a, b;
    gv_err err = { 0 };
    gv_buf text = { 0 }, again = { 0 };
    gv_tuning *t, *u;
    bool other;
    ok(gv_tuning_open(&t, "onednn", 2, &err) == GV_OK && !gv_tuning_count(t), "an empty table");
    o.tuning = t;
    network_run(&a, &w, &o);
    ok(!gv_tuning_count(t), "nothing is measured unless asked for");
    network_drop(&a);
    gv_tuning_measure(t, told, NULL);
    network_run(&a, &w, &o);
    ok(gv_tuning_count(t) > 0 && told_n == (int)gv_tuning_count(t) && !told_wrong, "%zu calls were measured: two kernels or more, names all different, best first, one of them the rules'", gv_tuning_count(t));
    ok(gv_tuning_text(t, &text, &err) == GV_OK, "the table as text");
    ok(gv_tuning_open(&u, "onednn", 2, &err) == GV_OK && gv_tuning_read(u, text.data, text.len, &other, &err) == GV_OK && !other && gv_tuning_text(u, &again, &err) == GV_OK &&
           text.len == again.len && !memcmp(text.data, again.data, text.len), "and back (%s)", err.text);
    o.tuning = u;
    network_run(&b, &w, &o);
    ok(!strcmp(a.text.data, b.text.data), "another process plans the same from it");
    gv_tuning_close(u);
    network_drop(&a);
    network_drop(&b);

    ok(gv_tuning_open(&u, "onednn", 1, &err) == GV_OK && gv_tuning_read(u, text.data, text.len, &other, &err) == GV_OK && other && !gv_tuning_count(u), "another number of threads: nothing is taken");
    gv_tuning_close(u);
    static const char *const bad[] = { "", "x", "glovita-kernels 1", "no kernels\n" };
    for (size_t i = 0; i < GV_COUNT(bad); i++)
        ok(gv_tuning_open(&u, "onednn", 2, &err) == GV_OK && gv_tuning_read(u, bad[i], strlen(bad[i]), &other, &err) == GV_EDATA, "'%s' is no table: %s", bad[i], err.text), gv_tuning_close(u), memset(&err, 0, sizeof err);
    static const char *const lines[] = { "key", "key\t", "\tname", "key\tname" /* cut: no end of line */, "key\t0123456789012345678901234567890123456789012345678901234567890123456789\n" };
    for (size_t i = 0; i < GV_COUNT(lines); i++) {
        gv_buf whole = { 0 };
        ok(gv_tuning_open(&u, "onednn", 2, &err) == GV_OK && gv_buf_printf(&whole, &err, "%s\n%s%s", gv_tuning_machine(u), lines[i], i < 3 ? "\n" : "") == GV_OK &&
               gv_tuning_read(u, whole.data, whole.len, &other, &err) == GV_EDATA && strstr(err.text, "line 2"), "a bad line is named: %s", err.text);
        gv_tuning_close(u);
        gv_buf_release(&whole);
        memset(&err, 0, sizeof err);
    }
    /* A name that no kernel has, as an older program may have left: the rules choose. */
    gv_buf renamed = { 0 };
    for (const char *p = text.data; *p; p++)
        if (gv_buf_add(&renamed, p, 1, &err) < 0 || (*p == '\t' && gv_buf_add(&renamed, "no-", 3, &err) < 0))
            break;
    ok(gv_tuning_open(&u, "onednn", 2, &err) == GV_OK && gv_tuning_read(u, renamed.data, renamed.len, &other, &err) == GV_OK, "a table of names that are no more");
    o.tuning = NULL;
    network_run(&a, &w, &o);
    o.tuning = u;
    network_run(&b, &w, &o);
    ok(!strcmp(a.text.data, b.text.data), "kernels nobody knows are passed over");
    network_drop(&a);
    network_drop(&b);
    gv_tuning_close(u);
    gv_tuning_close(t);
    gv_buf_release(&text);
    gv_buf_release(&again);
    gv_buf_release(&renamed);
}

int main(void)
{
    static const char *const models[] = { "resnet10t", "vit_tiny_patch16_224", "convnext_atto", NULL };
    const gv_backend *b = gv_backend_find("onednn");
    for (int i = 0; models[i]; i++) {
        one(models[i], GV_FP32);
        if (b->has_bf16())
            one(models[i], GV_MIXED_BF16);
    }
    ok(different > 0, "the tables hold choices (%d plans differ from the rules')", different);
    table();
    return done();
}
