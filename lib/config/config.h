/*
 * The typed schema: one table of fields for each block, and everything made from the tables: command line, --help,
 * config files, checks, dumps. Programs take a subset of the blocks; nobody else parses options.
 *
 *   gv_config c;
 *   gv_config_init(&c, arena, err);                                    // every default
 *   gv_config_parse(&c, gv_command_find("train"), argc, argv, err);    // or gv_config_parse_stage
 *   if (c.helped) return 0;                                            // --help, --version: the answer is on stdout
 *   gv_config_check(&c, err); gv_config_check_built(&c, err);
 *   ... c.training.epochs, c.data.dataset->name ...
 *   gv_config_release(&c);
 *
 * A union (data set, encoder, head, PEFT method, logger) is a choice of one gv_variant; its own fields live in `params`,
 * typed by the struct of that variant. `typed` remembers which fields the user gave: untouched defaults may be adapted
 * or ignored, typed values are honoured or refused by name. Paths are "training.epochs"; '-' and '_' are alike.
 * What is stored lives in the arena; add_log is a JSON value that gv_config_release frees.
 */
#ifndef GV_CONFIG_CONFIG_H
#define GV_CONFIG_CONFIG_H

#include "common/variant.h"
#include <jansson.h>

enum { GV_TASK_CLASSIFICATION, GV_TASK_REGRESSION };
enum { GV_SUBTASK_MULTICLASS, GV_SUBTASK_MULTILABEL, GV_SUBTASK_REGRESSION, GV_SUBTASK_FRAMEWISE };
/* How one answer is judged: those for frames are classes. */
static inline int gv_subtask_of_answers(int subtask) { return subtask == GV_SUBTASK_FRAMEWISE ? GV_SUBTASK_MULTICLASS : subtask; }

struct gv_data_config {
    const gv_variant *dataset; /* NULL until chosen */
    void *params;
    const char *data_root_dir; /* NULL: not given */
    int64_t num_classes;       /* GV_NONE_I64: not given */
    int task, subtask;         /* GV_TASK_*, GV_SUBTASK_* */
    double data_fraction;      /* NaN: all */
    const char *fold;
    bool stratified;
    const char *group_column;
    bool approximate_decode, eight_bit;
    int64_t max_sample;        /* MiB */
    const char *command;
    gv_dict dataset_kwargs;
};

struct gv_augmentation_config {
    const char *train_policy, *test_policy; /* NULL: the data set's */
    int64_t image_size, resize_size, crop_size, cutout_size; /* GV_NONE_I64: from policy and encoder */
    gv_ints patch_size;
    gv_f64s mean, std;
    gv_dict train_kwargs, test_kwargs;
};

struct gv_dataloading_config {
    int64_t batch_size, eval_batch_size, num_workers; /* eval_batch_size GV_NONE_I64: as batch_size */
    bool pin_memory, persistent_workers;
    int64_t prefetch_factor;
    double timeout;
    bool drop_last_train, drop_last_eval, shuffle_train, shuffle_eval, balanced_sampling, use_worker_init_fn;
};

enum { GV_AGGREGATE_CLS_TOKEN, GV_AGGREGATE_AVG, GV_AGGREGATE_SUM, GV_AGGREGATE_MEAN_ALL, GV_AGGREGATE_JOINT };
extern const char *const gv_aggregations[]; /* their names, NULL-terminated */

struct gv_model_config {
    int feature_aggregation_method; /* GV_AGGREGATE_* */
    const gv_variant *encoder;
    void *encoder_params;
    const gv_variant *head;
    void *head_params;
};

struct gv_peft_config {
    const char *adapter; /* or NULL */
    const gv_variant *method;
    void *params;
};

enum { /* GV_OPTIMIZER_SGD, …: those of nn/optim/optims.def, in its order; others are never run */
#define GV_OPTIM(name, n) GV_OPTIMIZER_##name,
#include "nn/optim/optims.def"
#undef GV_OPTIM
};
extern const char *const gv_optimizer_names[]; /* by that number */
enum { GV_SCHEDULER_NONE = -1, GV_SCHEDULER_COSINE_ANNEAL, GV_SCHEDULER_STEP, GV_SCHEDULER_MULTI_STEP };

struct gv_optimizer_config {
    int name;
    double lr, weight_decay;
    bool nesterov;
    double muon_momentum;
    gv_f64s muon_ns_coefficients;
    double muon_eps;
    int64_t muon_ns_steps;
    int muon_adjust_lr_fn;      /* -1: None */
    double layer_wise_lr_decay; /* NaN: off */
    bool undecay_norm;
    int scheduler;
    int64_t warmup_epochs;
};

enum { GV_PRECISION_NO, GV_PRECISION_FP16, GV_PRECISION_BF16, GV_PRECISION_FP64 };
enum { GV_CHECKPOINT_SAFETENSORS, GV_CHECKPOINT_PT };
enum { GV_BACKEND_AUTO, GV_BACKEND_REFERENCE, GV_BACKEND_ONEDNN, GV_BACKEND_CUDA };
enum { GV_RECOMPUTING_NO, GV_RECOMPUTING_AUTO, GV_RECOMPUTING_CHEAP, GV_RECOMPUTING_BLOCKS };

struct gv_training_config {
    int64_t epochs;
    int precision;
    int64_t gradient_accumulation_steps;
    double gradient_clip_val; /* NaN: off */
    uint64_t seed;            /* GV_NONE_U64: one is drawn */
    bool compile, enable_checkpointing;
    const char *best_checkpoint_metric; /* NULL: the first one */
    bool cluster_progress_bar;
    int64_t cv_folds, num_sanity_val_steps;
    bool ddp_find_unused_parameters;
    int64_t train_steps_per_epoch, val_steps_per_epoch; /* GV_NONE_I64: all */
    int64_t patience;                                   /* GV_NONE_I64: never stop early */
    const char *save_every;                             /* "5" steps, "30s" seconds; NULL: every epoch. gv_save_every reads it */
    int checkpoint_format;
    int64_t keep_epochs; /* GV_NONE_I64: all */
    const char *write_gradients;
    int backend;
    int64_t threads; /* GV_NONE_I64: the cores this process may use */
    int recompute;
};

enum { GV_METRICS_EPOCHWISE, GV_METRICS_STEPWISE };
enum { GV_RESULT_PLOT_NONE = -1, GV_RESULT_PLOT_VAL, GV_RESULT_PLOT_ALL };

struct gv_task_config {
    gv_strs metrics;
    int metric_computation_mode, result_plot;
    double label_smoothing;
    gv_strs class_weights; /* "auto", or a number a class */
    bool mixup;
    double mixup_alpha;
};

struct gv_logger_config {
    const gv_variant *backend;
    void *params;
    const char *group; /* NULL: made from time, encoder, head and method */
    gv_strs also;
};

/* What the chosen encoder says, whatever its kind; a member whose field it has not is at the value given here. */
typedef struct gv_encoder {
    const char *name;            /* its kind: model.encoder.encoder_type; NULL: none is chosen */
    const char *type;            /* the model; its kind's name where that is the only one */
    bool stored;                 /* no encoder: features as they are stored */
    bool pretrained;             /* false */
    const char *weights;         /* NULL */
    int64_t input_channels;      /* 3 */
    const gv_dict *model_kwargs; /* NULL */
    gv_ints input_shape;         /* sides of the samples it is built for; none */
    const void *params;          /* the struct of its own fields */
} gv_encoder;

/* Own fields of the variants that have an implementation, or are about to. */
struct gv_precomputed_features { const char *train_features_file, *val_features_file, *test_features_file; };
struct gv_precomputed_encoder { int64_t feature_dim; }; /* GV_NONE_I64: from the files */
struct gv_wandb_logger { const char *entity, *project; gv_strs tags; const char *name; bool offline; };
struct gv_mlflow_logger { const char *tracking_uri, *experiment_name, *run_name; gv_strs tags; };

/* Options of the driver: they steer a start and never enter a config. */
struct gv_driver_options {
    bool dry_run, print_pipeline, progress, profile, tune;
    gv_strs resume; /* v NULL: not given; n 0: bare; n 1: the run directory */
};

/* Own fields of the commands beside train. */
enum { GV_SPLIT_TRAIN, GV_SPLIT_VAL, GV_SPLIT_TEST };
enum { GV_LOAD_LAST, GV_LOAD_BEST };
enum { GV_COMPUTE_FP32, GV_COMPUTE_BF16, GV_COMPUTE_FP64 };
enum { GV_ON_ERROR_FAIL, GV_ON_ERROR_SKIP };
struct gv_infer_options {
    const char *exp_dir;
    gv_strs metrics;
    const char *fold;
    int checkpoint, split; /* GV_LOAD_*, GV_SPLIT_* */
    const char *pred_output, *attention;
    int compute_precision, on_error, backend;
    int64_t threads;
};
enum { GV_MAX_SHARDS = 100000 };
struct gv_extract_options {
    const char *checkpoint_path;
    int method;    /* GV_AGGREGATE_* */
    int split;     /* GV_SPLIT_*; -1: all */
    int precision; /* 0: 16 bits, 1: 32 */
    int64_t compression;
    const char *output_dir, *output_filename;
    const char *shard; /* "i/n" */
    int64_t merge;     /* GV_NONE_I64: nothing is merged */
    bool use_eval_transform_for_train;
    int compute_precision, on_error, backend;
    int64_t threads;
};
struct gv_umap_options {
    const char *h5_path, *title, *output_path;
    int64_t max_samples, max_per_class, seed, dpi, n_neighbors;
    double min_dist;
    int metric;
    bool legend, csv, html, quality;
    int64_t threads;
    bool thumbnails;        /* of the command */
    const char *pictures;   /* of the stage: a stream */
};
extern const char *const gv_umap_metrics[]; /* "euclidean" "cosine", NULL */
enum { GV_UMAP_EUCLIDEAN, GV_UMAP_COSINE };
/* The rows that glovita_plot_umap and glovita-umap share. */
#define GV_UMAP_ROWS \
    GV_OPT_STR(struct gv_umap_options, h5_path, "feature file of glovita_extract_features", .takes = GV_TAKES_FILE), \
    GV_OPT_STR(struct gv_umap_options, title, "title; None: the file's name"), \
    GV_OPT_STR(struct gv_umap_options, output_path, "picture, .png or .svg; None: umap_plots/single/NAME.png", .takes = GV_TAKES_FILE), \
    GV_I64(struct gv_umap_options, max_samples, 5000, 1, INT64_MAX, "sample", "largest number of samples"), \
    GV_I64(struct gv_umap_options, max_per_class, 200, 1, INT64_MAX, "sample", "largest number of samples of a class, when there are more than max_samples"), \
    GV_I64(struct gv_umap_options, seed, 42, 0, INT64_MAX, "", "seed of the choice and of UMAP"), \
    GV_I64(struct gv_umap_options, dpi, 200, 20, 2400, "dot/inch", "resolution of a PNG"), \
    GV_I64(struct gv_umap_options, n_neighbors, 15, 2, 1001, "", "neighbours of each sample"), \
    GV_F64(struct gv_umap_options, min_dist, 0.1, 0, 1000, "", "least distance of points"), \
    GV_ENUM(struct gv_umap_options, metric, GV_UMAP_EUCLIDEAN, gv_umap_metrics, "how far features are from each other"), \
    GV_BOOL(struct gv_umap_options, legend, true, "name the classes beside the points, up to 20"), \
    GV_BOOL(struct gv_umap_options, csv, true, "write the coordinates beside the picture, NAME.csv"), \
    GV_BOOL(struct gv_umap_options, html, true, "write a page to look around in beside the picture, NAME.html"), \
    GV_BOOL(struct gv_umap_options, quality, false, "print trustworthiness and recall of neighbours (15, or fewer of few samples)"), \
    GV_OPT_I64(struct gv_umap_options, threads, 1, 4096, "thread", "threads; None: the cores this process may use. The result is the same")

/* Words that complete a command line (complete.c). Those that do not begin as the word that is typed are passed over. */
typedef struct gv_words gv_words;
void gv_words_add(gv_words *w, const char *word, const char *help);
const char *gv_words_typed(const gv_words *w); /* what there is of the word */

typedef struct gv_command {
    const char *name;          /* "train" */
    const char *program;       /* "glovita_train": its name in messages */
    const char *summary;
    const char *const *blocks; /* paths of the blocks it takes; "root" is exp_dir and on_error */
    bool data_optional;        /* the data block may be left out */
    const gv_field *driver;    /* rows over gv_driver_options, or NULL */
    const gv_field *fields;    /* its own, spelt without a block: over gv_config.own; or NULL */
    size_t own_size;
    const char *const *required; /* own fields that must be given, or NULL */
    const struct gv_built *choices; /* which choices of its own fields have an implementation; or NULL */
    bool built;
} gv_command;

typedef struct gv_config {
    gv_arena *arena;
    struct gv_data_config data;
    struct gv_augmentation_config augmentation;
    struct gv_dataloading_config dataloading;
    struct gv_model_config model;
    struct gv_peft_config peft;
    struct gv_optimizer_config optimizer;
    struct gv_training_config training;
    struct gv_task_config task;
    struct gv_logger_config logger;
    const char *exp_dir;
    int on_error;        /* GV_ON_ERROR_* */
    json_t *add_log;     /* an object */
    gv_strs typed;       /* paths the user gave, in the order of first mention */
    size_t typed_cap;

    struct gv_driver_options driver;
    void *own;           /* the command's own fields (struct gv_infer_options, …), or the stage's own_params */
    const char *log;     /* --log LEVEL, or NULL */
    const char *config_file;
    uint32_t focus;      /* blocks (bit = place on the list) chosen by a subcommand: --help shows these */
    bool helped;         /* --help, --version, --describe or a completion was answered on stdout */

    /* Set before parsing a stage, for --help and --describe: */
    const char *summary, *reads, *writes, *positional;
    /* Set before parsing, for completion: adds the names a field of the kind GV_TAKES_NAME takes, or the keys of a dict; `path` as on
     * the command line, without dashes. NULL: none are known. */
    void (*names)(const struct gv_config *c, const char *path, gv_words *out);

    const gv_command *command; /* what is being parsed */
    gv_command stage;          /* the command of a stage, built by gv_config_parse_stage */
} gv_config;

/* Every default. The arena must outlive the config. */
int gv_config_init(gv_config *c, gv_arena *arena, gv_err *err) GV_MUST_USE;
void gv_config_release(gv_config *c);

/* train, infer, extract_features, plot_umap; by name or by program name ('-' and '_' alike); NULL: no such. */
const gv_command *gv_command_find(const char *name);
extern const gv_command *const gv_commands[]; /* NULL-terminated */

/* Parse argv[1..] over what c holds: --config first, then variants, then fields; adapts untouched defaults
 * (gv_config_settle). --help and --version print on stdout and set c->helped. cmd NULL: every block, no own fields.
 * Returns GV_OK; GV_EUSAGE naming the option, the value, what is allowed and the nearest name. */
int gv_config_parse(gv_config *c, const gv_command *cmd, int argc, char **argv, gv_err *err) GV_MUST_USE;

/* The same for a stage: `blocks` are paths of blocks or of single fields ("training.seed"), NULL-terminated; `own` are
 * its transport options, spelt without a block, over own_params (filled with defaults here). Repeated list options of
 * `own` add up. --describe prints JSON. Blocks the stage does not take are read from --config and otherwise refused. */
int gv_config_parse_stage(gv_config *c, const char *program, const char *const *blocks, const gv_field *own, void *own_params, int argc, char **argv, bool *helped, gv_err *err) GV_MUST_USE;

/* Completion: what argv asks, and the answer on stdout.
 *   --complete -- WORDS…        the lines "word TAB help" that the last word may go on to, or ":file", ":dir" for paths; ":help TAB text"
 *                               is about all of them. First on the line, WORDS without the program's name.
 *   --print_completion SHELL    the script for bash, zsh or fish that asks so; also as --tyro_print_completion
 *   --tyro_write_completion SHELL PATH
 * gv_completion_asked: 0 when it is none of them; parsing a command or stage answers by itself. */
int gv_completion_asked(int argc, char **argv);
int gv_completion_script(int argc, char **argv, gv_err *err) GV_MUST_USE;
/* The words of a program that is a list of commands: glovita-run. */
int gv_completion_commands(int argc, char **argv, gv_err *err) GV_MUST_USE;

gv_encoder gv_config_encoder(const gv_config *c);
void gv_config_no_weights(gv_config *c); /* all weights come from a checkpoint: forget the file given */

/* Set one field, or choose a variant ("data.dataset", {"cifar10"}). Choosing another variant resets the fields of the old
 * one, and the common fields it gave defaults to, unless typed. */
int gv_config_set(gv_config *c, const char *path, const char *const *words, size_t n, bool typed, gv_err *err) GV_MUST_USE;
bool gv_config_typed(const gv_config *c, const char *path);

/* The whole config in the original's nesting, with "typed"; NULL when it fails. The caller owns it. */
json_t *gv_config_json(const gv_config *c, gv_err *err) GV_MUST_USE;

/* Read a config file: ours, or one written by the Python original. Without "typed" every field in it counts as typed. */
int gv_config_load(gv_config *c, const char *path, gv_err *err) GV_MUST_USE;
int gv_config_load_json(gv_config *c, const json_t *j, const char *what, gv_err *err) GV_MUST_USE;

/* Append " --a.b V" words, quoted for the shell, of the fields in these blocks (or single fields) that differ from a
 * fresh config with the same variants; discriminators first, then the order of the tables. paths NULL: all. Give it the
 * `blocks` of a stage and the stage parses back the same values. */
int gv_config_args(const gv_config *c, const char *const *paths, gv_buf *out, gv_err *err) GV_MUST_USE;

/* The text of --help for the variants chosen now; cmd NULL: c->command, or every block. */
int gv_config_help(const gv_config *c, const gv_command *cmd, gv_buf *out, gv_err *err) GV_MUST_USE;
/* {name, version, summary, reads, writes, fields:[…]} of a command or stage. */
json_t *gv_config_describe(const gv_config *c, const gv_command *cmd, gv_err *err) GV_MUST_USE;

/* Adapt untouched defaults to what was typed: regression (subtask, one output, mse and mae, its head); stored features
 * (their encoder). Idempotent; parsing does it. */
int gv_config_settle(gv_config *c, gv_err *err) GV_MUST_USE;
/* Required fields, and fields that contradict each other. */
int gv_config_check(const gv_config *c, gv_err *err) GV_MUST_USE;
/* The one place that refuses typed values without an implementation. */
int gv_config_check_built(const gv_config *c, gv_err *err) GV_MUST_USE;

/* "5" -> 5 steps, "30s" -> 30 seconds; the other one is 0. NULL text: both 0. */
int gv_save_every(const char *text, int64_t *steps, double *seconds, gv_err *err) GV_MUST_USE;
/* "Cifar10Config" -> "cifar10-config": the subcommand's name, by tyro's rule. out holds 2 * strlen + 1. */
void gv_subcommand_name(const char *class_name, char *out);

#endif
