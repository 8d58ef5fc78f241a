/* f1_per_class: 2tp / (2tp + fp + fn) of every class. Source: torchmetrics, F1Score(average="none"). */
#include "metric/internal.h"

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    (void)state, (void)err;
    for (int64_t c = 0; c < d->classes; c++)
        out[c] = gv_ratio(2 * (double)d->tp[c], (double)(2 * d->tp[c] + d->fp[c] + d->fn[c]));
    return GV_OK;
}

static const char *const keys[] = { "F1_class_", NULL };

const gv_metric gv_metric_f1_per_class = {
    .name = "f1_per_class", .unit = "fraction", .higher_is_better = true,
    .summary = "harmonic mean of precision and recall of each class",
    .keys = keys, .tasks = GV_FOR_MULTICLASS | GV_FOR_MULTILABEL,
    .value = value,
};
