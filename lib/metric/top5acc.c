/* top5acc: share of rows whose label is among the five largest logits (all of them, where there are fewer classes). Among equal
 * logits the lower class is the larger. Source: torchmetrics, Accuracy(average="micro", top_k=5). */
#include "metric/internal.h"

struct top5 { int64_t right, seen; };

static void add(void *state, const float *logits, int64_t classes, int64_t label)
{
    struct top5 *s = state;
    int64_t larger = 0;
    for (int64_t c = 0; c < classes; c++)
        larger += logits[c] > logits[label] || (logits[c] == logits[label] && c < label) || (isnan(logits[c]) && c != label);
    s->right += larger < 5 && !isnan(logits[label]);
    s->seen++;
}

static void merge(void *state, const void *other)
{
    struct top5 *s = state;
    const struct top5 *o = other;
    s->right += o->right;
    s->seen += o->seen;
}

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    const struct top5 *s = state;
    (void)d, (void)err;
    *out = gv_ratio((double)s->right, (double)s->seen);
    return GV_OK;
}

static const char *const keys[] = { "Accuracy_top5", NULL };

const gv_metric gv_metric_top5acc = {
    .name = "top5acc", .unit = "fraction", .higher_is_better = true,
    .summary = "share of rows whose label is among the five best answers",
    .keys = keys, .tasks = GV_FOR_MULTICLASS,
    .state_size = sizeof(struct top5), .add = add, .merge = merge, .value = value,
};
