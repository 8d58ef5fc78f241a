/* ap: average precision, the sum of (R_n - R_n-1) P_n over groups of equal scores, averaged over classes. A class that never came
 * is NaN and left out; a label that never came is 0. Where torchmetrics sets recall to one (every target is 0: no positive of a
 * label, or class 0 alone in a multiclass set) the value is the precision at the highest score.
 * Source: torchmetrics, AveragePrecision(average="macro", thresholds=None). */
#include "metric/internal.h"

static double curve(const int64_t *pos, const int64_t *neg, int64_t groups, int64_t all_pos, int64_t all_neg, bool recall_is_one)
{
    (void)all_neg;
    if (!groups)
        return NAN;
    if (recall_is_one)
        return (double)pos[0] / (double)(pos[0] + neg[0]);
    if (!all_pos)
        return NAN;
    double sum = 0, tp = 0, fp = 0;
    for (int64_t g = 0; g < groups; g++) {
        tp += (double)pos[g];
        fp += (double)neg[g];
        sum += (double)pos[g] * (tp / (tp + fp));
    }
    return sum / (double)all_pos;
}

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    (void)state;
    return gv_metric_curves(d, curve, out, err);
}

static const char *const keys[] = { "AP", NULL };

const gv_metric gv_metric_ap = {
    .name = "ap", .unit = "fraction", .higher_is_better = true,
    .summary = "area under the precision-recall curve, one class against the rest",
    .keys = keys, .tasks = GV_FOR_MULTICLASS | GV_FOR_MULTILABEL, .needs = GV_NEEDS_SCORES,
    .value = value,
};
