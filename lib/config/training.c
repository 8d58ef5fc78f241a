/* training: how long, how exact, what is kept. */
#include "config/internal.h"

static const char *const precisions[] = { "no", "fp16", "bf16", "fp64", NULL };
static const char *const precisions_built[] = { "no", "bf16", "fp64", NULL };
static const char *const checkpoint_formats[] = { "safetensors", "pt", NULL };
static const char *const recomputes[] = { "no", "auto", "cheap", "blocks", NULL };
const char *const gv_backend_names[] = { "auto", "reference", "onednn", "cuda", NULL };
const char *const gv_backends_built[] = { "auto", "reference", "onednn", NULL };

#define T struct gv_training_config
static const gv_field fields[] = {
    GV_I64(T, epochs, 20, 1, 1000000, "epoch", "epochs to train"),
    GV_ENUM(T, precision, GV_PRECISION_BF16, precisions, "no: float; bf16: mixed, untouched only where the processor has it; fp64: double, on the reference backend"),
    GV_I64(T, gradient_accumulation_steps, 1, 1, 1 << 20, "batch", "batches whose gradients are averaged for one step"),
    GV_OPT_F64(T, gradient_clip_val, GV_ABOVE_0, INFINITY, "", "bound of the gradient's norm"),
    GV_OPT_U64(T, seed, 0, UINT64_MAX - 1, "", "seed of everything drawn; None: one is drawn, stored and printed"),
    GV_BOOL(T, compile, false, "accepted for compatibility: the graph is always compiled here"),
    GV_BOOL(T, enable_checkpointing, true, "write checkpoints"),
    GV_OPT_STR(T, best_checkpoint_metric, "validation metric that chooses the best checkpoint, as F1 or val_F1; None: the first metric"),
    GV_BOOL(T, cluster_progress_bar, false, "one plain line an interval instead of a moving one"),
    GV_I64(T, cv_folds, 1, 1, 1000, "fold", "folds of a cross-validation; 1: none"),
    GV_I64(T, num_sanity_val_steps, 0, 0, 1000000000, "batch", "validation batches to try before training"),
    GV_BOOL(T, ddp_find_unused_parameters, false, "accepted for compatibility: parameters without a gradient are known from the graph"),
    GV_OPT_I64(T, train_steps_per_epoch, 1, 1000000000, "step", "end an epoch after so many optimizer steps"),
    GV_OPT_I64(T, val_steps_per_epoch, 1, 1000000000, "batch", "end validation after so many batches"),
    GV_OPT_I64(T, patience, 1, 1000000, "epoch", "stop after so many epochs without a better score"),
    GV_OPT_STR(T, save_every, "save the state for a resume every so many steps (5) or seconds (30s) besides every epoch"),
    GV_ENUM(T, checkpoint_format, GV_CHECKPOINT_SAFETENSORS, checkpoint_formats, "safetensors with published names, or the Python GloViTa's .pt"),
    GV_OPT_I64(T, keep_epochs, 0, 1000000, "epoch", "keep only so many of the newest epoch checkpoints; None: all"),
    GV_OPT_STR(T, write_gradients, "write the gradients of the first step to this .safetensors file", .takes = GV_TAKES_FILE),
    GV_ENUM(T, backend, GV_BACKEND_AUTO, gv_backend_names, "what computes: plain C, oneDNN, or a GPU; auto takes the fastest there is"),
    GV_OPT_I64(T, threads, 1, 4096, "thread", "threads of the engine; None: the cores this process may use"),
    GV_ENUM(T, recompute, GV_RECOMPUTING_AUTO, recomputes, "what the backward pass needs is kept (no), or made again from what is kept anyway (cheap: norms, activations, casts), or from the inputs of blocks (less memory, about a third more time); auto: norms, ReLU and sums where that saves 256 MiB. Results are the same"),
    GV_END
};
static const gv_built built[] = { { "precision", precisions_built }, { "backend", gv_backends_built }, { NULL, NULL } };

const gv_block gv_block_training = {
    .path = "training", .summary = "training loop, precision, checkpoints", .offset = offsetof(gv_config, training), .fields = fields, .built = built,
};
