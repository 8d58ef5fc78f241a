/* facts: what the header of a batch stream says. */
#include "session/session.h"

static int channel_list(const gv_record *h, const char *key, double *out, int *n, gv_err *err)
{
    const gv_item *i = gv_get(h, key);
    *n = 0;
    if (!i || i->type == GV_NIL)
        return GV_OK;
    if (i->type != GV_ARRAY || i->array.n < 1 || i->array.n > GV_MAX_CHANNELS)
        return gv_fail(err, GV_EDATA, "the stream's '%s' is no list of 1 to %d numbers", key, GV_MAX_CHANNELS);
    for (size_t k = 0; k < i->array.n; k++) {
        const gv_item *v = &i->array.v[k];
        double d = v->type == GV_FLOAT ? v->f : v->type == GV_INT ? (double)v->i : v->type == GV_UINT ? (double)v->u : NAN;
        if (!isfinite(d))
            return gv_fail(err, GV_EDATA, "the stream's '%s' has an entry that is no number", key);
        out[k] = d;
    }
    *n = (int)i->array.n;
    return GV_OK;
}

static int task_of(gv_facts *f, const gv_record *h, gv_err *err)
{
    static const char *const names[] = { "multiclass", "multilabel", "regression", "framewise" };
    const char *t = gv_get_text(h, "task");
    if (!t)
        t = "multiclass";
    for (int i = 0; i < (int)GV_COUNT(names); i++)
        if (!strcmp(t, names[i])) {
            f->subtask = gv_subtask_of_answers(i);
            f->framewise = i == GV_SUBTASK_FRAMEWISE;
            f->task = i == GV_SUBTASK_REGRESSION ? GV_TASK_REGRESSION : GV_TASK_CLASSIFICATION;
            return GV_OK;
        }
    return gv_fail(err, GV_EDATA, "the stream's task is '%s'; known are multiclass, multilabel, regression, framewise", t);
}

int gv_facts_read(gv_facts *f, const gv_record *h, gv_arena *arena, gv_err *err)
{
    memset(f, 0, sizeof *f);
    int r = task_of(f, h, err);
    if (r < 0)
        return r;
    if (!gv_get_i64(h, "num_classes", &f->num_classes))
        f->num_classes = 0;
    if (f->num_classes < 0 || f->num_classes > 1000000)
        return gv_fail(err, GV_EDATA, "the stream's num_classes is %lld; the range is 1 to 1000000", (long long)f->num_classes);
    int n_mean, n_std;
    if (channel_list(h, "mean", f->mean, &n_mean, err) < 0 || channel_list(h, "std", f->std, &n_std, err) < 0)
        return err->code;
    if (n_mean != n_std)
        return gv_fail(err, GV_EDATA, "the stream has %d means and %d standard deviations", n_mean, n_std);
    f->channels = n_mean;
    const char *content = gv_get_text(h, "content");
    f->bags = content && !strcmp(content, "bag");
    for (int i = 0; i < n_std; i++)
        if (f->std[i] <= 0)
            return gv_fail(err, GV_EDATA, "the stream's standard deviation of channel %d is %g", i, f->std[i]);
    const gv_item *names = gv_get(h, "class_names");
    if (names && names->type == GV_ARRAY && (int64_t)names->array.n == f->num_classes) {
        const char **v = gv_arena_alloc(arena, (names->array.n + 1) * sizeof *v, err);
        if (!v)
            return GV_ESYS;
        for (size_t i = 0; i < names->array.n; i++) {
            v[i] = names->array.v[i].type == GV_TEXT ? gv_arena_strdup(arena, names->array.v[i].text.s, err) : "?";
            if (!v[i])
                return GV_ESYS;
        }
        f->class_names = v;
    }
    return GV_OK;
}
