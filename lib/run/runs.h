/* Finished runs, as infer and extract_features find them. */
#ifndef GV_RUN_RUNS_H
#define GV_RUN_RUNS_H

#include "run/run.h"

typedef struct gv_found_run {
    const char *dir, *fold, *checkpoint;
} gv_found_run;

/* The folds of a run: exp_dir itself when it has checkpoints/, else each of its folders that has; in order of name. `fold` (NULL: all)
 * picks one. GV_EUSAGE tells where was looked. */
int gv_runs_find(const char *exp_dir, const char *fold, const char *checkpoint, gv_found_run **runs, size_t *n, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* The configuration of a run, ours or the original's, with this command line on top. */
int gv_runs_config(gv_config *c, const gv_command *cmd, const char *dir, int argc, char **argv, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* Samples [from, to) of a split in its order. */
typedef struct gv_range { int64_t from, to; } gv_range;

/* The flow of one split, or of a part of it, into a forward stage; the index of that stage, or < 0. */
int gv_runs_forward(gv_pipeline_plan *p, const gv_config *resolved, const char *label, const char *split, const gv_range *part, const char *augment, const char *checkpoint, bool features, gv_err *err);

#endif
