/* acc: share of rows answered right; of several labels, share of labels answered right. A tie goes to the lowest class.
 * Source: torchmetrics, Accuracy(average="micro"). */
#include "metric/internal.h"

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    (void)state, (void)err;
    int64_t right = 0, wrong = 0;
    for (int64_t c = 0; c < d->classes; c++) {
        right += d->tp[c];
        wrong += d->fn[c];
        if (d->subtask == GV_METRIC_MULTILABEL) { /* what is no positive of any kind is a true negative */
            right += d->rows - d->tp[c] - d->fp[c] - d->fn[c];
            wrong += d->fp[c];
        }
    }
    *out = gv_ratio((double)right, (double)(right + wrong));
    return GV_OK;
}

static const char *const keys[] = { "Accuracy", NULL };

const gv_metric gv_metric_acc = {
    .name = "acc", .unit = "fraction", .higher_is_better = true,
    .summary = "share of rows answered right",
    .keys = keys, .tasks = GV_FOR_MULTICLASS | GV_FOR_MULTILABEL,
    .value = value,
};
