/* commands: the names the driver answers to, the blocks each takes, and their own fields. */
#include "config/internal.h"

#define V struct gv_driver_options
#define DRIVER_ROWS \
    GV_BOOL(V, dry_run, false, "resolve and check everything, print what would run, and stop"), \
    GV_BOOL(V, print_pipeline, false, "print the shell pipeline that would run, and stop"), \
    GV_BOOL(V, progress, true, "show progress")
#define PROFILE_ROW GV_BOOL(V, profile, false, "time every node of the network's graph and print a table at the end: milliseconds, bytes, multiply-adds, share of the machine's measured roof")
#define TUNE_ROW GV_BOOL(V, tune, false, "measure which kernels are fastest on this machine first, and keep the answers for later runs (results change by rounding)")
static const gv_field driver_fields[] = { DRIVER_ROWS, GV_END }, driver_engine_fields[] = { DRIVER_ROWS, PROFILE_ROW, TUNE_ROW, GV_END };
/* hi bounds the number of words: `--resume` alone, or with the directory. */
static const gv_field driver_train_fields[] = {
    { .name = "resume", .type = GV_TYPE_STRS, .optional = true, .offset = GV_FIELD_OF(V, resume, gv_strs), .hi.i = 1, .unit = "", .takes = GV_TAKES_RUN, .help = "go on with the run in this directory; bare: with the newest unfinished run of the same config" },
    DRIVER_ROWS, PROFILE_ROW, TUNE_ROW, GV_END
};

static const char *const train_blocks[] = {
    "root", "data", "data.augmentation", "model", "model.encoder", "model.head", "peft", "task", "training", "dataloading", "optimizer", "logger", NULL
};
static const gv_command train = {
    .name = "train", .program = "glovita_train", .summary = "train a model, and keep its checkpoints and metrics", .blocks = train_blocks, .driver = driver_train_fields, .built = true,
};

static const char *const loads[] = { "last", "best", NULL };
static const char *const splits[] = { "train", "val", "test", NULL };
static const char *const computes[] = { "fp32", "bf16", "fp64", NULL };

#define ENGINE_ROWS(T) \
    GV_ENUM(T, compute_precision, GV_COMPUTE_FP32, computes, "precision of the model: float, bf16 mixed, or double (reference backend)"), \
    GV_ENUM(T, on_error, GV_ON_ERROR_FAIL, gv_on_error_names, "a sample that cannot be read stops the run, or is passed over, counted and reported"), \
    GV_ENUM(T, backend, GV_BACKEND_AUTO, gv_backend_names, "what computes"), \
    GV_OPT_I64(T, threads, 1, 4096, "thread", "threads of the engine; None: the cores this process may use")

static const gv_built engine_built[] = { { "backend", gv_backends_built }, { NULL, NULL } };

#define I struct gv_infer_options
static const gv_field infer_fields[] = {
    GV_STR(I, exp_dir, "./experiments", "run directory: a folder with checkpoints/, or one with a folder for each fold, which are then averaged", .takes = GV_TAKES_RUNS),
    GV_STRS(I, metrics, "acc f1", gv_metric_names, "metrics; untouched: those of the run"),
    GV_OPT_STR(I, fold, "this fold only; None: all folds found"),
    GV_ENUM(I, checkpoint, GV_LOAD_LAST, loads, "which checkpoint"),
    GV_ENUM(I, split, GV_SPLIT_TEST, splits, "which split"),
    GV_OPT_STR(I, pred_output, "write predictions and case ids here (.csv or .json; other endings: both)", .takes = GV_TAKES_FILE),
    GV_OPT_STR(I, attention, "write the attention of a bag head here, a CSV file: id, instance, x, y, score, one row an instance", .takes = GV_TAKES_FILE),
    ENGINE_ROWS(I), GV_END
};
static const char *const infer_blocks[] = { "data", "data.augmentation", "dataloading", NULL };
static const gv_command infer = {
    .name = "infer", .program = "glovita_infer", .summary = "score a trained run, or an ensemble of its folds", .blocks = infer_blocks, .data_optional = true,
    .driver = driver_engine_fields, .fields = infer_fields, .own_size = sizeof(I), .choices = engine_built, .built = true,
};

#define X struct gv_extract_options
static const char *const widths[] = { "16", "32", NULL };
static const gv_field extract_fields[] = {
    GV_OPT_STR(X, checkpoint_path, "checkpoint of a run; data and model are then those of the run", .takes = GV_TAKES_CHECKPOINT),
    GV_ENUM(X, method, GV_AGGREGATE_JOINT, gv_aggregations, "how tokens become one vector; joint: class token and mean of the patches"),
    GV_OPT_ENUM(X, split, splits, "this split only; None: train, val and test"),
    GV_ENUM(X, precision, 0, widths, "bits of a stored number"),
    GV_I64(X, compression, 4, 0, 9, "", "gzip level of the file; 0: none"),
    GV_STR(X, output_dir, "./precomputed_features", "folder of the files", .takes = GV_TAKES_DIR),
    GV_OPT_STR(X, output_filename, "name of the file with {method} {model} {dataset} {split} {imgsize} {precision} {checkpoint}"),
    GV_OPT_STR(X, shard, "of each split the i-th of n parts alone, given as i/n with i from 0; it becomes STEM.shard-i-of-n.gv, in the place of STEM.h5"),
    GV_OPT_I64(X, merge, 1, GV_MAX_SHARDS, "shard", "put the parts together that --shard 0/n to (n-1)/n made: the file is that of a run without --shard"),
    GV_BOOL(X, use_eval_transform_for_train, true, "use the test policy for the training split too"),
    ENGINE_ROWS(X), GV_END
};
static const char *const extract_blocks[] = { "data", "data.augmentation", "model", "model.encoder", "model.head", "peft", "dataloading", NULL };
static const gv_command extract = {
    .name = "extract_features", .program = "glovita_extract_features", .summary = "write an encoder's features to HDF5 files", .blocks = extract_blocks, .data_optional = true,
    .driver = driver_engine_fields, .fields = extract_fields, .own_size = sizeof(X), .choices = engine_built, .built = true,
};

#define U struct gv_umap_options
const char *const gv_umap_metrics[] = { "euclidean", "cosine", NULL };
static const gv_field umap_fields[] = {
    GV_UMAP_ROWS,
    GV_BOOL(U, thumbnails, true, "put small pictures into the page, where the file says which data set it is of, and the data is at hand"),
    GV_END
};
static const char *const umap_blocks[] = { "data", NULL };
static const char *const umap_required[] = { "h5_path", NULL };
static const gv_command plot_umap = {
    .name = "plot_umap", .program = "glovita_plot_umap", .summary = "draw a feature file with UMAP", .blocks = umap_blocks, .data_optional = true,
    .driver = driver_fields, .fields = umap_fields, .own_size = sizeof(U), .required = umap_required, .built = true,
};

const gv_command *const gv_commands[] = { &train, &infer, &extract, &plot_umap, NULL };

const gv_command *gv_command_find(const char *name)
{
    char a[GV_PATH_MAX], b[GV_PATH_MAX];
    if (!gv_path_normal(name, strlen(name), a))
        return NULL;
    for (size_t i = 0; gv_commands[i]; i++)
        if (!strcmp(a, gv_commands[i]->name) || (gv_path_normal(gv_commands[i]->program, strlen(gv_commands[i]->program), b) && !strcmp(a, b)))
            return gv_commands[i];
    return NULL;
}

const gv_field gv_front_fields[] = {
    GV_OPT_STR(struct gv_front, config, "read fields from this JSON file first; a run's config.json reproduces the run", .takes = GV_TAKES_FILE),
    GV_OPT_STR(struct gv_front, log, "level of messages: error, warning, info, debug", .takes = GV_TAKES_NAME),
    GV_END
};
