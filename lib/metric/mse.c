/* mse: mean over rows and outputs of the squared difference. Source: torchmetrics, MeanSquaredError. */
#include "metric/internal.h"

static int value(const gv_metric_data *d, const void *state, double *out, gv_err *err)
{
    (void)state, (void)err;
    *out = d->squared / ((double)d->rows * (double)d->classes);
    return GV_OK;
}

static const char *const keys[] = { "MSE", NULL };

const gv_metric gv_metric_mse = {
    .name = "mse", .unit = "target units squared", .higher_is_better = false,
    .summary = "mean squared difference",
    .keys = keys, .tasks = GV_FOR_REGRESSION,
    .value = value,
};
