/* f1: mean over classes of 2tp / (2tp + fp + fn). Source: torchmetrics, F1Score(average="macro"). */
#include "metric/internal.h"

static double f1(double tp, double fp, double fn)
{
    return gv_ratio(2 * tp, 2 * tp + fp + fn);
}

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    (void)state, (void)err;
    *out = gv_metric_macro(d, f1);
    return GV_OK;
}

static const char *const keys[] = { "F1", NULL };

const gv_metric gv_metric_f1 = {
    .name = "f1", .unit = "fraction", .higher_is_better = true,
    .summary = "harmonic mean of precision and recall, averaged over classes",
    .keys = keys, .tasks = GV_FOR_MULTICLASS | GV_FOR_MULTILABEL,
    .value = value,
};
