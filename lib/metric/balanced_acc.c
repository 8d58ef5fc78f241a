/* balanced_acc: mean recall of the classes; of several labels, the mean over labels of (recall + specificity) / 2.
 * A class that never came but was answered counts with recall 0; one that neither came nor was answered is left out.
 * Source: torchmetrics, Accuracy(average="macro"); GloViTa's own multilabel form. */
#include "metric/internal.h"

static double recall(double tp, double fp, double fn)
{
    (void)fp;
    return gv_ratio(tp, tp + fn);
}

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    (void)state, (void)err;
    *out = gv_metric_macro(d, recall);
    if (d->subtask == GV_METRIC_MULTILABEL) {
        const double eps = 1e-8; /* GloViTa's: a label without positives has recall 0, not NaN */
        *out = 0;
        for (int64_t c = 0; c < d->classes; c++) {
            double tp = (double)d->tp[c], fp = (double)d->fp[c], fn = (double)d->fn[c], tn = (double)d->rows - tp - fp - fn;
            *out += (tp / (tp + fn + eps) + tn / (tn + fp + eps)) / 2 / (double)d->classes;
        }
    }
    return GV_OK;
}

static const char *const keys[] = { "Balanced_Accuracy", NULL };

const gv_metric gv_metric_balanced_acc = {
    .name = "balanced_acc", .unit = "fraction", .higher_is_better = true,
    .summary = "mean recall of the classes",
    .keys = keys, .tasks = GV_FOR_MULTICLASS | GV_FOR_MULTILABEL,
    .value = value,
};
