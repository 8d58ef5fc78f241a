/* metrics: torchmetrics' values; sets that merge, are saved and restored to the bit. */
#include "json/json.h"
#include "metric/metric.h"
#include "tests/unit/tap.h"
#include <math.h>

static const char *const class_names[] = { "acc", "balanced_acc", "f1", "f1_per_class", "pr", "auroc", "ap", "top5acc" };
static const char *const number_names[] = { "mse", "mae" };

struct got { int n; char key[64][32]; double value[64]; bool higher[64]; };

static void collect(void *arg, const char *key, double value, bool higher)
{
    struct got *g = arg;
    if (g->n == 64)
        return;
    snprintf(g->key[g->n], sizeof g->key[0], "%s", key);
    g->value[g->n] = value;
    g->higher[g->n++] = higher;
}

struct data { int subtask; int64_t n, k; float *x, *y; int64_t *labels; };

static int feed(gv_metric_set *s, const struct data *d, int64_t from, int64_t to, gv_err *err)
{
    return gv_metric_set_add(s, d->x + from * d->k, to - from, d->labels + from, d->y + from * d->k, err);
}

static bool same_bits(const struct got *a, const struct got *b)
{
    return a->n == b->n && !memcmp(a->value, b->value, (size_t)a->n * sizeof a->value[0]);
}

static void test_case(const json_t *j, gv_err *err)
{
    const char *name = json_string_value(json_object_get(j, "name")), *task = json_string_value(json_object_get(j, "task"));
    const json_t *x = json_object_get(j, "x"), *y = json_object_get(j, "y"), *values = json_object_get(j, "values"), *confusion = json_object_get(j, "confusion");
    struct data d = { .subtask = !strcmp(task, "multiclass") ? GV_METRIC_MULTICLASS : !strcmp(task, "multilabel") ? GV_METRIC_MULTILABEL : GV_METRIC_REGRESSION };
    d.k = json_integer_value(json_object_get(j, "classes"));
    d.n = (int64_t)json_array_size(x) / d.k;
    d.x = gv_alloc((size_t)(d.n * d.k) * sizeof *d.x, err);
    d.y = gv_alloc((size_t)(d.n * d.k) * sizeof *d.y, err);
    d.labels = gv_alloc((size_t)d.n * sizeof *d.labels, err);
    for (size_t i = 0; i < json_array_size(x); i++)
        d.x[i] = (float)json_number_value(json_array_get(x, i));
    for (size_t i = 0; i < json_array_size(y); i++) {
        d.y[i] = (float)json_number_value(json_array_get(y, i));
        if (d.subtask == GV_METRIC_MULTICLASS)
            d.labels[i] = json_integer_value(json_array_get(y, i));
    }
    gv_strs names = { d.subtask == GV_METRIC_REGRESSION ? 2 : d.subtask == GV_METRIC_MULTILABEL ? 7 : 8,
                      d.subtask == GV_METRIC_REGRESSION ? (const char **)number_names : (const char **)class_names };
    gv_metric_set *s = NULL, *t = NULL, *u = NULL;
    int r = gv_metric_set_open(&s, &names, d.subtask, d.k, err) | gv_metric_set_open(&t, &names, d.subtask, d.k, err) |
            gv_metric_set_open(&u, &names, d.subtask, d.k, err);
    if (!ok(r == GV_OK && feed(s, &d, 0, d.n, err) == GV_OK && gv_metric_set_seen(s) == d.n, "%s %s: %d rows are added (%s)", task, name, (int)d.n, err->text))
        return;
    struct got got = { 0 }, other = { 0 };
    r = gv_metric_set_values(s, collect, &got, err);
    size_t checked = 0, wrong = 0;
    for (int i = 0; i < got.n; i++) {
        const json_t *v = json_object_get(values, got.key[i]);
        if (!v)
            continue; /* torchmetrics has no top five of fewer classes */
        checked++;
        double want = json_is_null(v) ? NAN : json_number_value(v);
        if (isnan(want) ? !isnan(got.value[i]) : !(fabs(got.value[i] - want) <= 1e-6 * (1 + fabs(want)))) {
            wrong++;
            printf("# %s: %.9g, torchmetrics has %.9g\n", got.key[i], got.value[i], want);
        }
    }
    ok(r == GV_OK && !wrong && checked == json_object_size(values), "%s %s: %zu values are those of torchmetrics", task, name, checked);
    const int64_t *m = gv_metric_set_confusion(s);
    size_t cells = json_array_size(confusion), off = 0;
    for (size_t i = 0; m && i < cells; i++)
        off += m[i] != json_integer_value(json_array_get(confusion, i));
    if (confusion)
        ok(m && cells == (size_t)(d.k * d.k) && !off, "%s %s: so is the confusion matrix", task, name);

    /* Two halves merged, and one half saved, restored and gone on with. */
    r = feed(t, &d, 0, d.n / 2, err) | feed(u, &d, d.n / 2, d.n, err);
    gv_buf state = { 0 };
    r |= gv_metric_set_save(t, &state, err) | gv_metric_set_merge(t, u, err) | gv_metric_set_values(t, collect, &other, err);
    /* sums of doubles in another order may differ in the last bit; counts may not */
    bool close = got.n == other.n;
    for (int i = 0; close && i < got.n; i++)
        close = fabs(got.value[i] - other.value[i]) <= 1e-12 * fabs(got.value[i]) || (isnan(got.value[i]) && isnan(other.value[i]));
    ok(r == GV_OK && close, "%s %s: two halves merge to the same", task, name);
    gv_metric_set_reset(u);
    other.n = 0;
    r = gv_metric_set_load(u, state.data, state.len, err) | feed(u, &d, d.n / 2, d.n, err) | gv_metric_set_values(u, collect, &other, err);
    ok(r == GV_OK && same_bits(&got, &other), "%s %s: saved, restored and gone on, the same to the bit", task, name);
    gv_buf again = { 0 };
    gv_err bad = { 0 };
    r = gv_metric_set_load(u, state.data, state.len, err) | gv_metric_set_save(u, &again, err);
    ok(r == GV_OK && again.len == state.len && !memcmp(again.data, state.data, state.len), "%s %s: the same state, the same bytes", task, name);
    ok(gv_metric_set_load(u, state.data, state.len - 1, &bad) == GV_EDATA, "%s %s: a cut state is refused: %s", task, name, bad.text);
    gv_buf_release(&again);
    gv_buf_release(&state);
    gv_metric_set_close(s);
    gv_metric_set_close(t);
    gv_metric_set_close(u);
    gv_free(d.x);
    gv_free(d.y);
    gv_free(d.labels);
}

static void test_names(void)
{
    gv_err err = { 0 };
    gv_metric_set *s = NULL;
    bool higher = false;
    const char *one[] = { "auorc" };
    ok(gv_metric_set_open(&s, &(gv_strs){ 1, one }, GV_METRIC_MULTICLASS, 3, &err) == GV_EUSAGE && strstr(err.text, "did you mean 'auroc'"), "a misspelt one: %s", err.text);
    gv_err_clear(&err);
    one[0] = "top5acc";
    ok(gv_metric_set_open(&s, &(gv_strs){ 1, one }, GV_METRIC_REGRESSION, 1, &err) == GV_EUSAGE && !s, "one that does not go with the task: %s", err.text);
    gv_err_clear(&err);
    static const struct { const char *said, *key; bool higher; } said[] = {
        { "F1", "F1", true }, { "val_F1", "F1", true }, { "f1", "F1", true }, { "acc", "Accuracy", true }, { "ACCURACY", "Accuracy", true },
        { "train_mse", "MSE", false }, { "loss", "loss", false }, { "val_loss", "loss", false }, { "val_f1_class_3", "F1_class_3", true },
        { "recall", "Recall", true }, { "mae", "MAE", false }, { "top5acc", "Accuracy_top5", true }, { "nothing", NULL, false }, { "F1_class_", NULL, false },
    };
    for (size_t i = 0; i < GV_COUNT(said); i++) {
        const char *k = gv_metric_key(said[i].said, &higher);
        ok(said[i].key ? k && !strcmp(k, said[i].key) && higher == said[i].higher : !k, "'%s' means %s", said[i].said, said[i].key ? said[i].key : "nothing");
    }
    one[0] = "acc";
    ok(gv_metric_set_open(&s, &(gv_strs){ 1, one }, GV_METRIC_MULTICLASS, 3, &err) == GV_OK, "a set opens");
    float x[6] = { 1, 0, 0, 0, 1, 0 };
    struct got got = { 0 };
    ok(gv_metric_set_values(s, collect, &got, &err) == GV_OK && got.n == 1 && isnan(got.value[0]), "of nothing the value is NaN");
    ok(gv_metric_set_add(s, x, 2, (int64_t[]){ 0, -1 }, NULL, &err) == GV_OK && gv_metric_set_seen(s) == 1, "label -1 counts for nothing");
    ok(gv_metric_set_add(s, x, 1, (int64_t[]){ 3 }, NULL, &err) == GV_EDATA, "a label beyond the classes: %s", err.text);
    gv_metric_set_close(s);
}

int main(void)
{
    gv_err err = { 0 };
    json_t *all = gv_json_read("tests/golden/metrics.json", 1 << 20, &err);
    ok(json_array_size(all) >= 15, "golden values are read (%s)", err.text);
    for (size_t i = 0; i < json_array_size(all); i++)
        test_case(json_array_get(all, i), &err);
    json_decref(all);
    test_names();
    return done();
}
