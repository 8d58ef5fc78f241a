/* pr: precision and recall, averaged over classes. Source: torchmetrics, Precision and Recall(average="macro"). */
#include "metric/internal.h"

static double precision(double tp, double fp, double fn)
{
    (void)fn;
    return gv_ratio(tp, tp + fp);
}

static double recall(double tp, double fp, double fn)
{
    (void)fp;
    return gv_ratio(tp, tp + fn);
}

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    (void)state, (void)err;
    out[0] = gv_metric_macro(d, precision);
    out[1] = gv_metric_macro(d, recall);
    return GV_OK;
}

static const char *const keys[] = { "Precision", "Recall", NULL };

const gv_metric gv_metric_pr = {
    .name = "pr", .unit = "fraction", .higher_is_better = true,
    .summary = "precision and recall, averaged over classes",
    .keys = keys, .tasks = GV_FOR_MULTICLASS | GV_FOR_MULTILABEL,
    .value = value,
};
