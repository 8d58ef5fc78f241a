/* logger: where the metrics go beside the run directory, and the name of the group. */
#include "config/internal.h"

#define W struct gv_wandb_logger
static const gv_field wandb_fields[] = {
    GV_OPT_STR(W, entity, "entity or team"),
    GV_OPT_STR(W, project, "project; None: the data set's name"),
    GV_OPT_STRS(W, tags, NULL, "tags of the run"),
    GV_OPT_STR(W, name, "name of the run"),
    GV_BOOL(W, offline, false, "write an offline run directory"),
    GV_END
};
static const gv_variant wandb = {
    .name = "wandb", .class_name = "WandbLoggerConfig", .summary = "Weights & Biases",
    .fields = wandb_fields, .params_size = sizeof(W), .built = false,
};

#define M struct gv_mlflow_logger
static const gv_field mlflow_fields[] = {
    GV_OPT_STR(M, tracking_uri, "tracking server; None: MLFLOW_TRACKING_URI, or a folder under exp_dir"),
    GV_OPT_STR(M, experiment_name, "experiment; None: the data set's name"),
    GV_OPT_STR(M, run_name, "name of the run"),
    GV_OPT_STRS(M, tags, NULL, "tags of the run"),
    GV_END
};
static const gv_variant mlflow = {
    .name = "mlflow", .class_name = "MlflowLoggerConfig", .summary = "MLflow",
    .fields = mlflow_fields, .params_size = sizeof(M), .built = false,
};

static const gv_variant none = { .name = "none", .class_name = "NoLoggerConfig", .summary = "the run directory alone", .built = true };

static const gv_variant *const variants[] = { &wandb, &mlflow, &none, NULL };
static const gv_union uni = {
    .field = "backend", .help = "tracker; untouched, metrics are kept in the run directory and can be delivered later", .variants = variants, .def = "wandb",
    .chosen = offsetof(struct gv_logger_config, backend), .params = offsetof(struct gv_logger_config, params),
};

static const char *const sinks[] = { "wandb", "mlflow", "tensorboard", NULL };
static const char *const sinks_built[] = { NULL };
static const gv_field fields[] = {
    GV_OPT_STR(struct gv_logger_config, group, "name of the run's group, its folder under exp_dir/DATASET; None: time, encoder, head, method and a random part"),
    GV_OPT_STRS(struct gv_logger_config, also, sinks, "further trackers to deliver to"),
    GV_END
};
static const gv_built built[] = { { "also", sinks_built }, { NULL, NULL } };

const gv_block gv_block_logger = {
    .path = "logger", .summary = "tracker and name of the run", .offset = offsetof(gv_config, logger), .fields = fields, .uni = &uni, .built = built,
};
