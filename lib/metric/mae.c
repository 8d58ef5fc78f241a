/* mae: mean over rows and outputs of the absolute difference. Source: torchmetrics, MeanAbsoluteError. */
#include "metric/internal.h"

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    (void)state, (void)err;
    *out = d->absolute / ((double)d->rows * (double)d->classes);
    return GV_OK;
}

static const char *const keys[] = { "MAE", NULL };

const gv_metric gv_metric_mae = {
    .name = "mae", .unit = "target units", .higher_is_better = false,
    .summary = "mean absolute difference",
    .keys = keys, .tasks = GV_FOR_REGRESSION,
    .value = value,
};
