/* task: what is measured, and the losses' options. */
#include "config/internal.h"

const char *const gv_metric_names[] = {
#define GV_METRIC(n) #n,
#include "metric/metrics.def"
#undef GV_METRIC
    NULL
};
static const char *const modes[] = { "epochwise", "stepwise", NULL };
static const char *const plots[] = { "val", "all", NULL };

#define K struct gv_task_config
static const gv_field fields[] = {
    GV_STRS(K, metrics, "acc f1", gv_metric_names, "metrics of training and validation; untouched in regression: mse mae"),
    GV_ENUM(K, metric_computation_mode, GV_METRICS_EPOCHWISE, modes, "over all samples of an epoch, or batch by batch and averaged"),
    GV_OPT_ENUM(K, result_plot, plots, "picture of the results (confusion matrix, predicted against true) of validation or of all splits"),
    GV_F64(K, label_smoothing, 0.0, 0.0, GV_BELOW_1, "", "label smoothing of the cross-entropy"),
    GV_OPT_STRS(K, class_weights, NULL, "weight of each class in the training loss, in the order of their indices; auto: samples / (classes * samples of the class), of the training split"),
    GV_BOOL(K, mixup, false, "mix pairs of training samples and their labels"),
    GV_F64(K, mixup_alpha, 0.2, GV_ABOVE_0, INFINITY, "", "both parameters of mixup's Beta distribution"),
    GV_END
};

const gv_block gv_block_task = {
    .path = "task", .summary = "metrics and losses", .offset = offsetof(gv_config, task), .fields = fields,
};
