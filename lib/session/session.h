/*
 * What training and prediction share: the facts of a batch stream, the network of a configuration, its weights and checkpoints.
 *
 *   gv_facts f;  gv_facts_read(&f, gv_reader_header(in), &err);
 *   gv_network *net;  gv_network_build(&net, config, &f, 32, GV_TRAIN, GV_NET_LOSS, &err);      // a graph, see nn.h
 *   gv_network_load(net, store, config, NULL, &err);                                            // pretrained, or initialised
 */
#ifndef GV_SESSION_SESSION_H
#define GV_SESSION_SESSION_H

#include "config/config.h"
#include "nn/models/models.h"
#include "nn/peft/peft.h"
#include "nn/nn.h"
#include "nn/tune.h"
#include "nn/optim/optim.h"
#include "stream/stream.h"
#include "weights/weights.h"

enum { GV_MAX_CHANNELS = 64 };

/* What a stream of batches says of itself: the same for every record. */
typedef struct gv_facts {
    int task, subtask;              /* GV_TASK_*, GV_SUBTASK_* of one answer */
    bool framewise;                 /* an answer for each frame: rows of labels and logits are frames, N shape[0] of them */
    int64_t num_classes;            /* or regression outputs */
    gv_dtype dtype;                 /* of x as stored */
    int ndim;                       /* of one element, channels last: [H,W,C], [D] */
    int64_t shape[GV_MAX_DIMS - 1]; /* bags [L,D]: L of the batch at hand, rounded up by gv_bucket */
    bool bags;                      /* samples are bags: batches differ in L and bring a mask */
    int channels;                   /* of mean and std; 0: none to apply */
    double mean[GV_MAX_CHANNELS], std[GV_MAX_CHANNELS];
    double scale;                   /* raw value * scale - mean, over std: 1/255 for bytes */
    const char *const *class_names; /* num_classes, or NULL; in the arena given */
} gv_facts;
int gv_facts_read(gv_facts *f, const gv_record *header, gv_arena *arena, gv_err *err) GV_MUST_USE;

enum { GV_NET_LOSS = 1, GV_NET_MIX = 2, GV_NET_FEATURES = 4 };

/* The graph of encoder, aggregation and head (and loss). Outputs: "logits" [N,K], with GV_NET_FEATURES instead "features" [N,D], with
 * GV_NET_LOSS "loss" [1]; what the head names beside them ("attention", "aux_loss": heads.h). Inputs: "x" [N,…] as stored, for bags "mask" U8
 * [N,L], "y" (I64 [N], or F32 [N,K]), with GV_NET_MIX "lam" F32 [1] and "perm" I32 [N]. */
typedef struct gv_network {
    gv_arena arena;
    gv_graph *graph;
    bool encoder;                 /* false: stored features */
    gv_model_ref model;
    const gv_peft *method;
    const void *method_params;
    gv_feature_kind kind;         /* of the encoder's features */
    int64_t grid[3];              /* of its tokens, 0 where unused */
    gv_aggregation aggregation;   /* the one used, of tokens */
    gv_val loss;
    int64_t features;             /* D */
    const char *classifier;       /* key of the head: "fc", "head" */
    bool own_head;                /* the head is below "head" whatever the classifier is called */
} gv_network;
int gv_network_build(gv_network **net, const gv_config *c, const gv_facts *f, int64_t batch, gv_phase phase, unsigned what, gv_err *err) GV_MUST_USE;
void gv_network_close(gv_network *net);
/* Append the backward pass for what the configured PEFT method trains. */
int gv_network_differentiate(gv_network *net, gv_err *err) GV_MUST_USE;
/* Parameters of the encoder, of the head, and those that train. */
void gv_network_count(const gv_network *net, int64_t *all, int64_t *trained);
gv_precision gv_session_precision(int training_precision);

/* The file of the initial weights a configuration asks for: given, in a cache, or (fetch) downloaded; NULL: none, they are drawn.
 * Without fetch only a given path is looked for. */
int gv_pretrained_find(const gv_config *c, const gv_model_ref *model, bool fetch, gv_arena *arena, const char **path, gv_err *err) GV_MUST_USE;

/* Make every parameter in the store, fill from init, then from the pretrained weights the config asks for (explicit path, caches,
 * download), adapted to channels and image size. note (may be NULL) gets a line on what was loaded. */
int gv_network_init(gv_network *net, gv_store *s, const gv_config *c, uint64_t seed, gv_buf *note, gv_err *err) GV_MUST_USE;

/* A checkpoint of this network: ours, or the original's with its aliased keys. Strict: what is missing or left over is named. */
int gv_checkpoint_load(gv_network *net, gv_store *s, const char *path, gv_err *err) GV_MUST_USE;
/* The encoder of a checkpoint; tensors of its head are left out. */
int gv_checkpoint_load_encoder(gv_network *net, gv_store *s, const char *path, gv_buf *note, gv_err *err) GV_MUST_USE;
/* The model alone, under published names (safetensors), or as the original's dictionary (pt, with the optimizer). */
int gv_checkpoint_write(const gv_network *net, gv_store *s, const char *path, int64_t epoch, int64_t step, gv_err *err) GV_MUST_USE;
int gv_checkpoint_write_pt(const gv_network *net, gv_store *s, const gv_optimizer *opt, const gv_config *c, const char *path, int64_t epoch, double lr, gv_err *err) GV_MUST_USE;
/* The folder of an adapter as the Python library peft keeps it (adapter_model.safetensors, adapter_config.json): what trains. Nothing is
 * written for a method without adapters. */
int gv_adapter_write(const gv_network *net, gv_store *s, const char *dir, gv_err *err) GV_MUST_USE;
/* --peft.adapter: method, fields and targets that nobody typed, from the folder's files. GV_EUSAGE: what is missing, or not built. */
int gv_adapter_resolve(gv_config *c, gv_err *err) GV_MUST_USE;
enum { GV_ADAPTER_PATH = 4400 };
int gv_adapter_file(const char *dir, char path[GV_ADAPTER_PATH], gv_err *err) GV_MUST_USE;
/* The name here of a tensor of a model that the library has wrapped. NULL: memory is out. */
const char *gv_adapter_name(const char *name, gv_arena *arena, gv_err *err);
/* --training.write_gradients: the gradients in the store, with the logits and loss that gave them, as a safetensors file. */
int gv_gradients_write(gv_store *s, const gv_plan *plan, const char *path, gv_err *err) GV_MUST_USE;
/* "checkpoints/last.safetensors" or ".pt" below a run; NULL-terminated into out. */
void gv_checkpoint_path(const gv_config *c, const char *run, const char *name, char *out, size_t size);

/* ---- kernels that were measured on this machine (--tune; nn/tune.h) ---- */

/* The table of this machine, from ${XDG_CACHE_HOME:-~/.cache}/glovita (GLOVITA_KERNELS names another file; empty: none); with `run`, a
 * directory, what its plan.json holds instead, so that a resumed run computes what it would have. A table that cannot be read is told and left. */
int gv_tuned_open(gv_tuning **t, const gv_plan_options *o, const char *run, gv_err *err) GV_MUST_USE;
/* Measure from now on, telling on stderr where another kernel than the rules' is the faster one. */
void gv_tuned_measure(gv_tuning *t);
/* Back into that file, with what it held when it was opened. */
int gv_tuned_save(const gv_tuning *t, gv_err *err) GV_MUST_USE;

/* ---- plans, one for each batch size (and length of bags) that occurs, sharing the store and its memory ---- */

enum { GV_PLANS = 16 };

typedef struct gv_plans {
    const gv_config *c;
    const gv_facts *f;
    gv_store *store;
    gv_phase phase;
    unsigned what;
    gv_plan_options options;
    struct gv_profile *profile; /* NULL: nothing is timed; nn/profile.h */
    gv_tuning *tuning;          /* NULL: kernels by the rules */
    int (*measured)(void *arg, gv_err *err); /* NULL, or called when a new plan has added to the table */
    void *measured_arg;
    struct { int64_t batch, length; uint64_t used; gv_network *net; gv_plan *plan; } v[GV_PLANS]; /* v[0] stays */
    int n;
    uint64_t clock;
} gv_plans;
/* The plan for that batch size and length of bags (0: samples are no bags), made when it is the first time, in the place of the one that was
 * not used for longest when there are GV_PLANS. Before the very first plan, `prepare` (may be NULL) fills the store. */
int gv_plans_for(gv_plans *p, int64_t batch, int64_t length, int (*prepare)(void *arg, gv_network *net, gv_err *err), void *arg, gv_network **net, gv_plan **plan, gv_err *err) GV_MUST_USE;
void gv_plans_close(gv_plans *p);
/* The table of p->profile, against a roof that is measured now (about a second). */
int gv_plans_profile_table(const gv_plans *p, gv_buf *text, gv_err *err) GV_MUST_USE;
/* Backend, threads and precision of a configuration. */
gv_plan_options gv_session_plan_options(const gv_config *c);

/* The feeds of one batch record: x, y, lam, perm as the plan wants them. Conversions live in scratch. */
typedef struct gv_batch {
    int64_t n, length;       /* samples; L of bags, rounded up, or 0 */
    int64_t rows;            /* of labels and logits: n, or the frames of n clips */
    gv_feed feed[5];         /* x, then for bags their mask, then the targets, then what mixes them */
    size_t row[2];           /* bytes of one sample in x and mask */
    int feeds;
    const gv_tensor *x, *y;
    const int64_t *labels;   /* class indices, or NULL */
    const float *targets;    /* [n,K] for multilabel and regression, or NULL */
    const gv_item *ids;      /* array of texts */
} gv_batch;
int gv_batch_read(gv_batch *b, const gv_record *rec, const gv_facts *f, bool mix, gv_arena *scratch, gv_err *err) GV_MUST_USE;
/* n rounded up to 1 … 8, 10, 12, 14, 16, 20, 24, 28, 32, …: four lengths from each power of two to the next, so that bags of any lengths need few plans. */
int64_t gv_bucket(int64_t n);
/* The first of its samples' ids, "'a', 'b' and 30 more", in ASCII. */
void gv_batch_name(const gv_batch *b, char *out, size_t size);
/* Fill shape and type of f from one sample's, or the first batch's. */
int gv_facts_sample(gv_facts *f, gv_dtype dtype, int ndim, const int64_t *shape, gv_err *err) GV_MUST_USE;
int gv_facts_from_batch(gv_facts *f, const gv_record *rec, gv_err *err) GV_MUST_USE;

/* ---- choices that follow from a configuration ---- */

double gv_session_lr_factor(const gv_config *c, int64_t epoch); /* of optimizer.lr */
int gv_session_draw_seed(uint32_t *seed, gv_err *err) GV_MUST_USE;
/* The key that decides which epoch is best, "val_F1": training.best_checkpoint_metric in any spelling, or the first metric. */
const char *gv_session_best_metric(const gv_config *c);
/* Is a larger value of that key better? */
bool gv_session_higher_is_better(const char *key);
/* task.class_weights as numbers in the arena; NULL: there are none. "auto" is made into numbers by the driver. */
int gv_session_class_weights(const gv_config *c, int64_t classes, gv_arena *arena, const double **w, gv_err *err) GV_MUST_USE;
/* Metrics and best_checkpoint_metric against the task, before anything runs. */
int gv_session_check(const gv_config *c, gv_err *err) GV_MUST_USE;

/* ---- the state of a training run (resume.safetensors) ---- */

typedef struct gv_train_state {
    uint64_t seed;
    int64_t epoch, pos;               /* the next sample */
    int64_t step, batch;              /* optimizer steps, batches done since the beginning */
    int64_t epoch_batches, epoch_seen;/* in the epoch under way */
    int64_t loss_batches;             /* of those, the ones with a finite loss */
    double loss_sum;                  /* of them */
    int64_t bad_losses, bad_steps;    /* losses, gradients in a row that were not finite */
    char bad[400];                    /* the first batch of that row, with its samples' ids */
    double best;                      /* NaN: none yet */
    int64_t best_epoch;               /* -1: none yet */
    int64_t stale_epochs;             /* since the best: for patience */
    int64_t skipped;                  /* samples left out */
    int64_t metrics_bytes;            /* of metrics.jsonl before `line` */
    bool epoch_end;                   /* saved at the end of an epoch: `line` is that epoch's, epoch - 1 its number */
    bool is_best;                     /* … and that epoch is the best so far */
    bool finished;
    bool validating;                  /* the epoch's training is done, its validation is not */
    gv_dtype dtype;                   /* of a sample */
    int ndim;
    int64_t shape[GV_MAX_DIMS - 1];
    char *line;                       /* gv_alloc'ed, or NULL */
    gv_buf accumulated;               /* state of the training metrics of the epoch under way */
    gv_buf results;                   /* of its confusion matrix or points, with result_plot all */
    gv_buf picture, train_picture;    /* confusion matrix or points of the last validation, of the last epoch's training, JSON */
} gv_train_state;

int gv_state_write(const gv_train_state *t, gv_store *s, const char *path, gv_err *err) GV_MUST_USE;
/* Fills the store's tensors (which must exist) and t. */
int gv_state_read(gv_train_state *t, gv_store *s, const char *path, gv_err *err) GV_MUST_USE;
/* The numbers alone: no tensors, no buffers. */
int gv_state_peek(gv_train_state *t, const char *path, gv_err *err) GV_MUST_USE;
void gv_state_release(gv_train_state *t);

/* For completion (gv_config.names): the models of the kind of encoder that is chosen, and behind a dot the weights published for one. */
void gv_session_names(const gv_config *c, const char *path, gv_words *out);

#endif
