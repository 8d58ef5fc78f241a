/* auroc: area under the curve of true against false positive rate, one class against the rest, averaged over classes; exact, by
 * trapezoids over groups of equal scores. A class without positives or without negatives has 0, and counts.
 * Source: torchmetrics, AUROC(average="macro", thresholds=None). */
#include "metric/internal.h"

static double curve(const int64_t *pos, const int64_t *neg, int64_t groups, int64_t all_pos, int64_t all_neg, bool recall_is_one)
{
    (void)recall_is_one;
    if (!all_pos || !all_neg)
        return 0;
    double area = 0, tp = 0;
    for (int64_t g = 0; g < groups; g++) {
        area += (double)neg[g] * (tp + (double)pos[g] / 2);
        tp += (double)pos[g];
    }
    return area / (double)all_pos / (double)all_neg;
}

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    (void)state;
    return gv_metric_curves(d, curve, out, err);
}

static const char *const keys[] = { "AUROC", NULL };

const gv_metric gv_metric_auroc = {
    .name = "auroc", .unit = "fraction", .higher_is_better = true,
    .summary = "area under the ROC curve, one class against the rest",
    .keys = keys, .tasks = GV_FOR_MULTICLASS | GV_FOR_MULTILABEL, .needs = GV_NEEDS_SCORES,
    .value = value,
};
