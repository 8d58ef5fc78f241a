/* set: the metrics of a run; rows are looked at once for all of them. */
#include "metric/internal.h"
#include <strings.h>

#define GV_METRIC(n) extern const gv_metric gv_metric_##n;
#include "metric/metrics.def"
#undef GV_METRIC

#define GV_METRIC(n) &gv_metric_##n,
const gv_metric *const gv_metrics[] = {
#include "metric/metrics.def"
    NULL
};
#undef GV_METRIC

enum { MAX_METRICS = 32, MAX_CONFUSION = 1024, STATE_MAGIC = 0x316d7667 /* "gvm1" */ };

struct gv_metric_set {
    int n, subtask;
    const gv_metric *m[MAX_METRICS];
    void *state[MAX_METRICS];
    int64_t classes, rows;
    int64_t *counts;     /* tp, fp, fn: [3, classes] */
    int64_t *confusion;  /* [classes, classes], rows: truth; NULL above MAX_CONFUSION classes */
    bool keep_scores;
    gv_buf scores, truth;
    double squared, absolute;
};

static const char *const task_names[] = { "multiclass classification", "multilabel classification", "regression" };

static const gv_metric *find(const char *name)
{
    for (int i = 0; gv_metrics[i]; i++)
        if (!strcasecmp(gv_metrics[i]->name, name))
            return gv_metrics[i];
    return NULL;
}

static int unknown(const char *name, gv_err *err)
{
    const char *names[MAX_METRICS];
    char list[400] = "";
    size_t n = 0;
    for (; gv_metrics[n]; n++) {
        names[n] = gv_metrics[n]->name;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", n ? " " : "", names[n]);
    }
    const char *near = gv_nearest(name, names, n);
    if (near)
        return gv_fail(err, GV_EUSAGE, "'%s' is no metric (did you mean '%s'?); there are: %s", name, near, list);
    return gv_fail(err, GV_EUSAGE, "'%s' is no metric; there are: %s", name, list);
}

int gv_metric_set_open(gv_metric_set **out, const gv_strs *names, int subtask, int64_t classes, gv_err *err)
{
    *out = NULL;
    if (classes < 1 || classes > 1 << 24)
        return gv_fail(err, GV_EUSAGE, "metrics of %lld classes cannot be kept", (long long)classes);
    gv_metric_set *s = gv_alloc(sizeof *s, err);
    int r = s ? GV_OK : GV_ESYS;
    if (s) {
        s->subtask = subtask;
        s->classes = classes;
    }
    for (size_t i = 0; r == GV_OK && i < names->n; i++) {
        const gv_metric *m = find(names->v[i]);
        bool again = false;
        for (int k = 0; k < s->n; k++)
            again |= s->m[k] == m;
        if (!m)
            r = unknown(names->v[i], err);
        else if (!(m->tasks & 1u << subtask))
            r = gv_fail(err, GV_EUSAGE, "metric '%s' is not one of a %s", m->name, task_names[subtask]);
        else if (!again) {
            s->keep_scores |= (m->needs & GV_NEEDS_SCORES) != 0;
            if (m->state_size && !(s->state[s->n] = gv_alloc(m->state_size, err)))
                r = GV_ESYS;
            s->m[s->n++] = m;
        }
    }
    if (r == GV_OK && subtask != GV_METRIC_REGRESSION && !(s->counts = gv_alloc(3 * (size_t)classes * sizeof *s->counts, err)))
        r = GV_ESYS;
    if (r == GV_OK && subtask == GV_METRIC_MULTICLASS && classes <= MAX_CONFUSION &&
        !(s->confusion = gv_alloc((size_t)(classes * classes) * sizeof *s->confusion, err)))
        r = GV_ESYS;
    if (r < 0)
        gv_metric_set_close(s);
    else
        *out = s;
    return r;
}

void gv_metric_set_close(gv_metric_set *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n; i++)
        gv_free(s->state[i]);
    gv_free(s->counts);
    gv_free(s->confusion);
    gv_buf_release(&s->scores);
    gv_buf_release(&s->truth);
    gv_free(s);
}

void gv_metric_set_reset(gv_metric_set *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->state[i])
            memset(s->state[i], 0, s->m[i]->state_size);
    if (s->counts)
        memset(s->counts, 0, 3 * (size_t)s->classes * sizeof *s->counts);
    if (s->confusion)
        memset(s->confusion, 0, (size_t)(s->classes * s->classes) * sizeof *s->confusion);
    s->rows = 0;
    s->scores.len = s->truth.len = 0;
    s->squared = s->absolute = 0;
}

/* The first largest; a NaN is the largest, as in PyTorch. */
static int64_t argmax(const float *x, int64_t k)
{
    int64_t best = 0;
    for (int64_t c = 0; c < k; c++) {
        if (isnan(x[c]))
            return c;
        if (x[c] > x[best])
            best = c;
    }
    return best;
}

static float sigmoid(float x)
{
    return (float)(1 / (1 + exp(-(double)x)));
}

static int add_class(gv_metric_set *s, const float *x, int64_t label, gv_err *err)
{
    int64_t k = s->classes, answer = argmax(x, k);
    if (label >= k)
        return gv_fail(err, GV_EDATA, "label %lld where there are %lld classes", (long long)label, (long long)k);
    if (label < 0) /* -1: this row counts for nothing */
        return GV_OK;
    s->counts[label == answer ? label : k + answer]++;
    if (label != answer)
        s->counts[2 * k + label]++;
    if (s->confusion)
        s->confusion[label * k + answer]++;
    for (int i = 0; i < s->n; i++)
        if (s->m[i]->add)
            s->m[i]->add(s->state[i], x, k, label);
    s->rows++;
    if (!s->keep_scores)
        return GV_OK;
    int32_t l = (int32_t)label;
    if (gv_buf_add(&s->truth, &l, sizeof l, err) < 0 || gv_buf_reserve(&s->scores, (size_t)k * sizeof(float), err) < 0)
        return GV_ESYS;
    double sum = 0;
    for (int64_t c = 0; c < k; c++)
        sum += exp((double)x[c] - (double)x[answer]);
    for (int64_t c = 0; c < k; c++) {
        float p = (float)(exp((double)x[c] - (double)x[answer]) / sum);
        memcpy(s->scores.data + s->scores.len, &p, sizeof p);
        s->scores.len += sizeof p;
    }
    return GV_OK;
}

static int add_labels(gv_metric_set *s, const float *x, const float *y, gv_err *err)
{
    int64_t k = s->classes;
    if (s->keep_scores && (gv_buf_reserve(&s->scores, (size_t)k * sizeof(float), err) < 0 || gv_buf_reserve(&s->truth, (size_t)k, err) < 0))
        return GV_ESYS;
    for (int64_t c = 0; c < k; c++) {
        float p = sigmoid(x[c]);
        bool answer = p > 0.5f, truth = y[c] > 0.5f;
        if (answer || truth)
            s->counts[answer && truth ? c : answer ? k + c : 2 * k + c]++;
        if (s->keep_scores) {
            memcpy(s->scores.data + s->scores.len, &p, sizeof p);
            s->scores.len += sizeof p;
            s->truth.data[s->truth.len++] = truth;
        }
    }
    s->rows++;
    return GV_OK;
}

static void add_numbers(gv_metric_set *s, const float *x, const float *y)
{
    for (int64_t c = 0; c < s->classes; c++) {
        double d = (double)x[c] - (double)y[c];
        s->squared += d * d;
        s->absolute += fabs(d);
    }
    s->rows++;
}

int gv_metric_set_add(gv_metric_set *s, const float *logits, int64_t n, const int64_t *labels, const float *targets, gv_err *err)
{
    if (n && (s->subtask == GV_METRIC_MULTICLASS ? !labels : !targets))
        return gv_fail(err, GV_EDATA, "rows without targets cannot be scored");
    int r = GV_OK;
    for (int64_t i = 0; r == GV_OK && i < n; i++) {
        const float *x = logits + i * s->classes;
        if (s->subtask == GV_METRIC_MULTICLASS)
            r = add_class(s, x, labels[i], err);
        else if (s->subtask == GV_METRIC_MULTILABEL)
            r = add_labels(s, x, targets + i * s->classes, err);
        else
            add_numbers(s, x, targets + i * s->classes);
    }
    return r;
}

int gv_metric_set_merge(gv_metric_set *s, const gv_metric_set *o, gv_err *err)
{
    bool same = s->n == o->n && s->classes == o->classes && s->subtask == o->subtask;
    for (int i = 0; same && i < s->n; i++)
        same = s->m[i] == o->m[i];
    if (!same)
        return gv_fail(err, GV_EINTERNAL, "sets of different metrics cannot be merged");
    if (gv_buf_add(&s->scores, o->scores.data, o->scores.len, err) < 0 || gv_buf_add(&s->truth, o->truth.data, o->truth.len, err) < 0)
        return GV_ESYS;
    for (int i = 0; i < s->n; i++)
        if (s->m[i]->merge)
            s->m[i]->merge(s->state[i], o->state[i]);
    for (int64_t i = 0; s->counts && i < 3 * s->classes; i++)
        s->counts[i] += o->counts[i];
    for (int64_t i = 0; s->confusion && i < s->classes * s->classes; i++)
        s->confusion[i] += o->confusion[i];
    s->rows += o->rows;
    s->squared += o->squared;
    s->absolute += o->absolute;
    return GV_OK;
}

int64_t gv_metric_set_seen(const gv_metric_set *s)
{
    return s->rows;
}

const int64_t *gv_metric_set_confusion(const gv_metric_set *s)
{
    return s->confusion;
}

static int each_value(const gv_metric *m, const gv_metric_data *d, const void *state, gv_metric_each *each, void *arg, gv_err *err)
{
    size_t n = (size_t)d->classes > 4 ? (size_t)d->classes : 4;
    double *v = gv_alloc(n * sizeof *v, err);
    int r = v ? m->value(d, state, v, err) : GV_ESYS;
    int64_t at = 0;
    char key[64];
    for (int i = 0; r == GV_OK && m->keys[i]; i++) {
        size_t len = strlen(m->keys[i]);
        if (m->keys[i][len - 1] != '_') {
            each(arg, m->keys[i], d->rows ? v[at] : NAN, m->higher_is_better);
            at++;
            continue;
        }
        for (int64_t c = 0; c < d->classes; c++, at++) {
            snprintf(key, sizeof key, "%s%lld", m->keys[i], (long long)c);
            each(arg, key, d->rows ? v[at] : NAN, m->higher_is_better);
        }
    }
    gv_free(v);
    return r;
}

int gv_metric_set_values(const gv_metric_set *s, gv_metric_each *each, void *arg, gv_err *err)
{
    int64_t k = s->classes;
    const gv_metric_data d = {
        .subtask = s->subtask, .classes = k, .rows = s->rows, .tp = s->counts, .fp = s->counts ? s->counts + k : NULL,
        .fn = s->counts ? s->counts + 2 * k : NULL, .scores = (const float *)(const void *)s->scores.data,
        .labels = (const int32_t *)(const void *)s->truth.data, .positive = (const uint8_t *)s->truth.data, .squared = s->squared, .absolute = s->absolute,
    };
    for (int i = 0; i < s->n; i++) {
        int r = each_value(s->m[i], &d, s->state[i], each, arg, err);
        if (r < 0)
            return r;
    }
    return GV_OK;
}

/* The parts of a state that have a fixed size, in order. Returns their number. */
struct part { void *p; size_t n; };
static int parts(const gv_metric_set *s, struct part *p)
{
    int n = 0;
    p[n++] = (struct part){ (void *)&s->rows, sizeof s->rows };
    p[n++] = (struct part){ (void *)&s->squared, sizeof s->squared };
    p[n++] = (struct part){ (void *)&s->absolute, sizeof s->absolute };
    if (s->counts)
        p[n++] = (struct part){ s->counts, 3 * (size_t)s->classes * sizeof *s->counts };
    if (s->confusion)
        p[n++] = (struct part){ s->confusion, (size_t)(s->classes * s->classes) * sizeof *s->confusion };
    for (int i = 0; i < s->n; i++)
        if (s->state[i])
            p[n++] = (struct part){ s->state[i], s->m[i]->state_size };
    return n;
}

/* Bytes: magic, metrics, task, classes, the fixed parts, the kept scores, the kept targets. */
static void head_of(const gv_metric_set *s, uint64_t head[4])
{
    head[0] = STATE_MAGIC;
    head[1] = 0;
    for (int i = 0; i < s->n; i++)
        for (int k = 0; gv_metrics[k]; k++)
            if (gv_metrics[k] == s->m[i])
                head[1] = head[1] * 37 + (uint64_t)k + 1;
    head[2] = (uint64_t)s->subtask;
    head[3] = (uint64_t)s->classes;
}

int gv_metric_set_save(const gv_metric_set *s, gv_buf *out, gv_err *err)
{
    uint64_t head[4], lens[2] = { s->scores.len, s->truth.len };
    struct part p[5 + MAX_METRICS];
    head_of(s, head);
    int n = parts(s, p), r = gv_buf_add(out, head, sizeof head, err);
    for (int i = 0; r == GV_OK && i < n; i++)
        r = gv_buf_add(out, p[i].p, p[i].n, err);
    r = r < 0 ? r : gv_buf_add(out, lens, sizeof lens, err);
    r = r < 0 ? r : gv_buf_add(out, s->scores.data, s->scores.len, err);
    return r < 0 ? r : gv_buf_add(out, s->truth.data, s->truth.len, err);
}

int gv_metric_set_load(gv_metric_set *s, const void *bytes, size_t n, gv_err *err)
{
    const char *at = bytes;
    uint64_t want[4], head[4], lens[2];
    struct part p[5 + MAX_METRICS];
    int np = parts(s, p);
    size_t fixed = sizeof head + sizeof lens;
    for (int i = 0; i < np; i++)
        fixed += p[i].n;
    if (n < fixed)
        return gv_fail(err, GV_EDATA, "the saved metrics have %zu bytes; at least %zu are wanted", n, fixed);
    head_of(s, want);
    memcpy(head, at, sizeof head);
    at += sizeof head;
    if (memcmp(head, want, sizeof head))
        return gv_fail(err, GV_EDATA, "the saved metrics are of other metrics or another number of classes");
    memcpy(lens, (const char *)bytes + fixed - sizeof lens, sizeof lens);
    int64_t rows;
    memcpy(&rows, at, sizeof rows);
    size_t row = (size_t)s->classes * sizeof(float), truth = s->subtask == GV_METRIC_MULTICLASS ? sizeof(int32_t) : (size_t)s->classes;
    if (rows < 0 || lens[0] > n || lens[1] > n || fixed + lens[0] + lens[1] != n ||
        (s->keep_scores ? lens[0] != (uint64_t)rows * row || lens[1] != (uint64_t)rows * truth : lens[0] || lens[1]))
        return gv_fail(err, GV_EDATA, "the saved metrics do not have the bytes that %lld rows need", (long long)rows);
    s->scores.len = s->truth.len = 0;
    const char *kept = (const char *)bytes + fixed;
    if (gv_buf_add(&s->scores, kept, lens[0], err) < 0 || gv_buf_add(&s->truth, kept + lens[0], lens[1], err) < 0)
        return GV_ESYS;
    for (int i = 0; i < np; i++) {
        memcpy(p[i].p, at, p[i].n);
        at += p[i].n;
    }
    return GV_OK;
}

const char *gv_metric_first_key(const char *name)
{
    const gv_metric *m = find(name);
    if (!m)
        return NULL;
    return !strcmp(m->keys[0], "F1_class_") ? "F1_class_0" : m->keys[0];
}

const char *gv_metric_key(const char *name, bool *higher)
{
    static _Thread_local char per_class[64];
    if (!strncasecmp(name, "train_", 6))
        name += 6;
    else if (!strncasecmp(name, "val_", 4))
        name += 4;
    if (!strcasecmp(name, "loss")) {
        *higher = false;
        return "loss";
    }
    const gv_metric *m = find(name);
    if (m) {
        *higher = m->higher_is_better;
        return gv_metric_first_key(name);
    }
    for (int i = 0; gv_metrics[i]; i++)
        for (int k = 0; gv_metrics[i]->keys[k]; k++) {
            const char *key = gv_metrics[i]->keys[k];
            size_t n = strlen(key);
            *higher = gv_metrics[i]->higher_is_better;
            if (key[n - 1] != '_' && !strcasecmp(key, name))
                return key;
            if (key[n - 1] == '_' && !strncasecmp(key, name, n) && name[n] && strspn(name + n, "0123456789") == strlen(name + n) && strlen(name) < sizeof per_class) {
                snprintf(per_class, sizeof per_class, "%s%s", key, name + n);
                return per_class;
            }
        }
    return NULL;
}
