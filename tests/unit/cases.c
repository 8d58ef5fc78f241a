/* cases: views and ensembles are averaged as NumPy averages them; rows find their case in any order. */
#include "json/json.h"
#include "metric/cases.h"
#include "stream/stream.h"
#include "tests/unit/tap.h"
#include <fcntl.h>

static gv_err err;

static int feed(gv_cases *c, int input, const char *path)
{
    gv_reader *r;
    gv_record rec;
    int e = gv_reader_open(&r, open(path, O_RDONLY), path, &err);
    while (e >= 0 && (e = gv_next(r, &rec, &err)) > 0) {
        int64_t index, y = GV_NO_LABEL;
        const gv_tensor *t = gv_get_tensor(&rec, "logits");
        (void)gv_get_i64(&rec, "y", &y);
        if (!gv_get_i64(&rec, "index", &index) || !t)
            e = -100;
        else {
            double x[3];
            gv_to_f64(t->dtype, t->data, x, 3);
            e = gv_cases_add(c, input, gv_get_text(&rec, "id"), index, x, y, NULL, &err);
        }
    }
    if (r)
        gv_reader_close(r);
    return e;
}

struct three { double v[3]; int n; };

static void take(void *arg, const char *key, double value, bool higher)
{
    struct three *g = arg;
    (void)key, (void)higher;
    if (g->n < 3)
        g->v[g->n++] = value;
}

static void compare(const json_t *golden, const char *name, const char *a, const char *b)
{
    gv_cases *c;
    const json_t *want = json_object_get(golden, name), *probs = json_object_get(want, "probs"), *metrics = json_object_get(want, "metrics");
    int e = gv_cases_open(&c, GV_METRIC_MULTICLASS, 3, &err);
    e = e < 0 ? e : feed(c, 0, a);
    e = e < 0 || !b ? e : feed(c, 1, b);
    ok(e == 0 && gv_cases_count(c) == (int64_t)json_array_size(probs), "%s: %zu cases (%s)", name, json_array_size(probs), err.text);
    const char *names[] = { "acc", "f1", "auroc" };
    gv_metric_set *m = NULL;
    e = gv_metric_set_open(&m, &(gv_strs){ 3, names }, GV_METRIC_MULTICLASS, 3, &err);
    double worst = 0;
    for (int64_t i = 0; e == GV_OK && i < gv_cases_count(c); i++) {
        double p[3];
        float x[3];
        const gv_case *v = gv_cases_at(c, i);
        gv_case_answer(c, v, p);
        gv_case_logits(c, v, x);
        for (int k = 0; k < 3; k++)
            worst = fmax(worst, fabs(p[k] - json_number_value(json_array_get(json_array_get(probs, (size_t)i), (size_t)k))));
        e = gv_metric_set_add(m, x, 1, &v->label, NULL, &err);
    }
    ok(worst < 1e-12, "%s: probabilities are those of NumPy (to %.1e)", name, worst);
    struct three got = { .n = 0 };
    e = e < 0 ? e : gv_metric_set_values(m, take, &got, &err);
    static const char *const keys[] = { "Accuracy", "F1", "AUROC" };
    for (int k = 0; k < 3; k++) {
        double w = json_number_value(json_object_get(metrics, keys[k]));
        ok(e == GV_OK && got.n == 3 && fabs(got.v[k] - w) < 1e-6, "%s: %s is %.6f", name, keys[k], w);
    }
    gv_metric_set_close(m);
    gv_cases_close(c);
}

static void test_ids(void)
{
    gv_cases *c;
    double a[2] = { 1, 0 }, b[2] = { 0, 3 }, p[2];
    if (!ok(gv_cases_open(&c, GV_METRIC_REGRESSION, 2, &err) == GV_OK, "a table opens"))
        return;
    int e = 0;
    for (int i = 0; i < 20000; i++) {
        char id[24];
        snprintf(id, sizeof id, "case %d", i * 7 % 20000);
        e |= gv_cases_add(c, 0, id, i, a, GV_NO_LABEL, NULL, &err);
    }
    ok(e == GV_OK && gv_cases_count(c) == 20000, "20000 cases are 20000 cases");
    for (int i = 0; i < 20000; i++) {
        char id[24];
        snprintf(id, sizeof id, "case %d", i);
        e |= gv_cases_add(c, 1, id, i, b, GV_NO_LABEL, NULL, &err); /* another index: the folds number rows on their own */
    }
    ok(e == GV_OK && gv_cases_count(c) == 20000, "found again by id, in another order and numbering");
    gv_case_answer(c, gv_cases_at(c, 777), p);
    ok(p[0] == 0.5 && p[1] == 1.5 && gv_cases_at(c, 777)->inputs == 2, "and averaged");
    e = gv_cases_add(c, 2, "twice", 1, a, GV_NO_LABEL, NULL, &err) | gv_cases_add(c, 2, "twice", 2, b, GV_NO_LABEL, NULL, &err);
    ok(e == GV_OK && gv_cases_count(c) == 20002, "one id with two indices in one input is two cases");
    e = gv_cases_add(c, 3, "l", 1, a, 1, NULL, &err);
    ok(e == GV_OK && gv_cases_add(c, 4, "l", 1, a, 0, NULL, &err) == GV_EDATA, "another label is an error: %s", err.text);
    gv_err_clear(&err);
    ok(gv_cases_fail(c, 0, "gone", 5, "decode", "no such file", &err) == GV_OK && !strcmp(gv_cases_at(c, gv_cases_count(c) - 1)->reason, "no such file"), "a failed case keeps its reason");
    gv_cases_close(c);
}

int main(void)
{
    json_t *golden = gv_json_read("tests/golden/eval.json", 1 << 20, &err);
    ok(golden, "golden values are read");
    compare(golden, "one", "tests/fixtures/pred_a.gv", NULL);
    compare(golden, "ensemble", "tests/fixtures/pred_a.gv", "tests/fixtures/pred_b.gv");
    compare(golden, "views", "tests/fixtures/pred_views.gv", NULL);
    json_decref(golden);
    test_ids();
    return done();
}
