/*
 * The driver's commands: from a parsed configuration to a finished run. Each plans a pipeline (pipeline.h), runs it (spawn.h),
 * and reports. Returns the exit status.
 */
#ifndef GV_RUN_RUN_H
#define GV_RUN_RUN_H

#include "config/config.h"
#include "data/data.h"
#include "nn/models/models.h"
#include "run/pipeline.h"

/* A configuration with everything derived from data, encoder and machine set explicitly. */
typedef struct gv_resolved {
    gv_config c;
    gv_data data;
    bool has_model;       /* an encoder with published facts */
    gv_model_ref model;
    gv_buf notes;         /* lines for the user, each with its newline */
} gv_resolved;

/* Fetch what is missing of a published data set, open the data, resolve classes, seed, precision, workers, image sizes, mean, std.
 * want: see data.h. */
int gv_resolve(gv_resolved *r, const gv_config *user, const gv_data_want *want, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* The augmentation part of it: policies and every number of theirs. */
int gv_resolve_augmentation(gv_resolved *r, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Type and shape of a sample as it reaches the network, where data and configuration tell it before a sample is read. */
void gv_resolved_shape(const gv_resolved *r, gv_dtype *dtype, int *ndim, int64_t *shape);
/* Print the line of the policy in use ("train" or "test") to stderr. */
void gv_resolved_tell(const gv_resolved *r, const char *policy);
void gv_resolved_release(gv_resolved *r);
/* A copy of c in the arena (through its JSON). */
int gv_config_copy(gv_config *to, const gv_config *c, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Whether the processor multiplies bf16. */
bool gv_cpu_has_bf16(void);

/* One flow of samples to batches: num_workers strands of index | decode | augment into one batch stage. */
typedef struct gv_flow {
    const char *label;      /* "train", "val" */
    const char *split;      /* of the data set */
    const char *augment;    /* "train" or "test": the policy */
    const char *batch;      /* "train" or "eval": batch size, dropping, mixing */
    int64_t start_epoch, start_pos, epochs;
    int64_t limit;          /* samples of an epoch, the first in its order; 0: all */
    int workers;            /* strands; 0: dataloading.num_workers */
    bool shuffle;
    bool pass_errors;       /* error records go through (infer, features) instead of ending the run */
    bool unlabelled;
} gv_flow;
/* The index of its batch stage, or < 0. */
int gv_flow_add(gv_pipeline_plan *p, const gv_config *resolved, const gv_flow *f, gv_err *err);

int gv_driver_main(const gv_command *cmd, int argc, char **argv);
int gv_driver_train(gv_config *c, int argc, char **argv, gv_err *err);
int gv_driver_infer(gv_config *c, int argc, char **argv, gv_err *err);
int gv_driver_extract(gv_config *c, int argc, char **argv, gv_err *err);
int gv_driver_umap(gv_config *c, int argc, char **argv, gv_err *err);
/* The data block that a feature file carries, into c, where it can be read. */
void gv_umap_preload(gv_config *c, const char *h5_path);

#endif
