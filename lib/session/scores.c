/* scores: a metric set over all samples, or batch by batch with the means kept beside it. */
#include "session/scores.h"
#include <math.h>

enum { MAGIC = 0x31737667 /* "gvs1" */ };

struct gv_scores {
    gv_metric_set *set;
    bool stepwise;
    int64_t n; /* keys */
    struct mean { double sum; int64_t count; } *mean;
};

static void count_key(void *arg, const char *key, double value, bool higher)
{
    (void)key, (void)value, (void)higher;
    ++*(int64_t *)arg;
}

int gv_scores_open(gv_scores **out, const gv_config *c, int subtask, int64_t classes, gv_err *err)
{
    *out = NULL;
    gv_scores *s = gv_alloc(sizeof *s, err);
    if (!s)
        return GV_ESYS;
    s->stepwise = c->task.metric_computation_mode == GV_METRICS_STEPWISE;
    int r = gv_metric_set_open(&s->set, &c->task.metrics, subtask, classes, err);
    if (r == GV_OK && s->stepwise)
        r = gv_metric_set_values(s->set, count_key, &s->n, err);
    if (r == GV_OK && s->stepwise && !(s->mean = gv_alloc((size_t)(s->n + 1) * sizeof *s->mean, err)))
        r = GV_ESYS;
    if (r < 0)
        gv_scores_close(s);
    else
        *out = s;
    return r;
}

void gv_scores_close(gv_scores *s)
{
    if (!s)
        return;
    gv_metric_set_close(s->set);
    gv_free(s->mean);
    gv_free(s);
}

void gv_scores_reset(gv_scores *s)
{
    gv_metric_set_reset(s->set);
    if (s->mean)
        memset(s->mean, 0, (size_t)s->n * sizeof *s->mean);
}

struct adding { gv_scores *s; int64_t at; };

static void add_mean(void *arg, const char *key, double value, bool higher)
{
    (void)key, (void)higher;
    struct adding *a = arg;
    struct mean *m = &a->s->mean[a->at++];
    if (!isfinite(value))
        return;
    m->sum += value;
    m->count++;
}

int gv_scores_add(gv_scores *s, const float *logits, int64_t n, const int64_t *labels, const float *targets, gv_err *err)
{
    if (s->stepwise)
        gv_metric_set_reset(s->set);
    int r = gv_metric_set_add(s->set, logits, n, labels, targets, err);
    return r == GV_OK && s->stepwise ? gv_metric_set_values(s->set, add_mean, &(struct adding){ s, 0 }, err) : r;
}

struct telling { const gv_scores *s; gv_metric_each *each; void *arg; int64_t at; };

static void tell_mean(void *arg, const char *key, double value, bool higher)
{
    (void)value;
    struct telling *t = arg;
    const struct mean *m = &t->s->mean[t->at++];
    t->each(t->arg, key, m->count ? m->sum / (double)m->count : NAN, higher);
}

int gv_scores_values(const gv_scores *s, gv_metric_each *each, void *arg, gv_err *err)
{
    if (!s->stepwise)
        return gv_metric_set_values(s->set, each, arg, err);
    return gv_metric_set_values(s->set, tell_mean, &(struct telling){ s, each, arg, 0 }, err);
}

struct finding { const char *key; double value; };

static void find_key(void *arg, const char *key, double value, bool higher)
{
    (void)higher;
    struct finding *f = arg;
    if (!strcmp(f->key, key))
        f->value = value;
}

double gv_scores_value(const gv_scores *s, const char *key)
{
    struct finding f = { key, NAN };
    gv_err quiet = { 0 };
    return gv_scores_values(s, find_key, &f, &quiet) == GV_OK ? f.value : NAN;
}

int gv_scores_save(const gv_scores *s, gv_buf *out, gv_err *err)
{
    if (!s->stepwise)
        return gv_metric_set_save(s->set, out, err);
    uint64_t head[2] = { MAGIC, (uint64_t)s->n };
    int r = gv_buf_add(out, head, sizeof head, err);
    return r == GV_OK ? gv_buf_add(out, s->mean, (size_t)s->n * sizeof *s->mean, err) : r;
}

int gv_scores_load(gv_scores *s, const void *bytes, size_t n, gv_err *err)
{
    if (!s->stepwise)
        return gv_metric_set_load(s->set, bytes, n, err);
    uint64_t head[2];
    size_t all = (size_t)s->n * sizeof *s->mean;
    if (n != sizeof head + all)
        return gv_fail(err, GV_EDATA, "the saved means of metrics have %zu bytes; %zu are wanted", n, sizeof head + all);
    memcpy(head, bytes, sizeof head);
    if (head[0] != MAGIC || head[1] != (uint64_t)s->n)
        return gv_fail(err, GV_EDATA, "the saved means are of other metrics");
    memcpy(s->mean, (const char *)bytes + sizeof head, all);
    return GV_OK;
}
