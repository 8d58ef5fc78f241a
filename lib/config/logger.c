/* logger: where the metrics go beside the run directory, and the name of the group. The trackers are those of track/sinks.def. */
#include "config/internal.h"

#define W struct gv_wandb_logger
static const gv_field wandb_fields[] = {
    GV_OPT_STR(W, entity, "entity or team; None: WANDB_ENTITY"),
    GV_OPT_STR(W, project, "project; None: WANDB_PROJECT, or the data set's name"),
    GV_OPT_STRS(W, tags, NULL, "tags of the run"),
    GV_OPT_STR(W, name, "name of the run; None: WANDB_NAME, or the group and the fold"),
    GV_BOOL(W, offline, false, "write the offline run directory alone, also where an API key is known"),
    GV_END
};
enum { wandb_size = sizeof(W) };

#define M struct gv_mlflow_logger
static const gv_field mlflow_fields[] = {
    GV_OPT_STR(M, tracking_uri, "tracking server, http or https; None: MLFLOW_TRACKING_URI, or a local store under exp_dir/mlflow"),
    GV_OPT_STR(M, experiment_name, "experiment; None: MLFLOW_EXPERIMENT_NAME, or the data set's name"),
    GV_OPT_STR(M, run_name, "name of the run; None: the group and the fold"),
    GV_OPT_STRS(M, tags, NULL, "tags of the run, each NAME or NAME=VALUE"),
    GV_END
};
enum { mlflow_size = sizeof(M) };

#define plain_fields NULL
enum { plain_size = 0 };

#define GV_SINK(n, class, options, about) \
    static const gv_variant n##_variant = { .name = #n, .class_name = #class, .summary = about, .fields = options##_fields, .params_size = options##_size, .built = true };
#include "track/sinks.def"
#undef GV_SINK

#define GV_SINK(n, ...) &n##_variant,
static const gv_variant *const variants[] = {
#include "track/sinks.def"
    NULL
};
#undef GV_SINK
static const gv_union uni = {
    .field = "backend", .help = "tracker; untouched, an offline run of W&B is written", .variants = variants, .def = "wandb",
    .chosen = offsetof(struct gv_logger_config, backend), .params = offsetof(struct gv_logger_config, params),
};

#define GV_SINK(n, ...) #n,
static const char *const sinks[] = {
#include "track/sinks.def"
    NULL
};
#undef GV_SINK
static const gv_field fields[] = {
    GV_OPT_STR(struct gv_logger_config, group, "name of the run's group, its folder under exp_dir/DATASET; None: time, encoder, head, method and a random part"),
    GV_OPT_STRS(struct gv_logger_config, also, sinks, "further trackers to deliver to"),
    GV_END
};

const gv_block gv_block_logger = {
    .path = "logger", .summary = "tracker and name of the run", .offset = offsetof(gv_config, logger), .fields = fields, .uni = &uni,
};
