/*
 * A run's directory: exp_dir/<data set>/<group>/<fold>. One run at a time owns it, by a kernel lock that dies with its holder.
 */
#ifndef GV_RUN_RUNDIR_H
#define GV_RUN_RUNDIR_H

#include "common/err.h"
#include "config/config.h"

typedef struct gv_run_progress { /* what checkpoints/resume.safetensors says; all zero when there is none */
    bool present, finished;
    int64_t epoch, pos;          /* of the next sample */
    int64_t step;                /* optimizer steps done */
    int64_t best_epoch;          /* -1: none */
    double best;
    int64_t skipped;
} gv_run_progress;

/* Where the run stands. A damaged file is GV_EDATA. */
int gv_run_progress_read(const char *dir, gv_run_progress *p, gv_err *err) GV_MUST_USE;

/* Whether the checkpoints of a finished run are those of its state: false when it died between writing the two. */
bool gv_run_published(const gv_config *c, const char *dir, const gv_run_progress *p);

/* "20261124_231500_timmencoder_classificationhead_full_finetuning_1a2b3c4d": time, encoder, head, method, 32 random bits. */
int gv_run_auto_group(const gv_config *c, char *out, size_t size, gv_err *err) GV_MUST_USE;

/* The newest unfinished run below exp_dir/<data set> whose config equals c in everything that changes results: its group, or NULL
 * when there is none. With folds > 1 it is a cross-validation, which is unfinished while one of its folds is; `fold` is its first. */
int gv_run_find_unfinished(const gv_config *c, const char *fold, int64_t folds, gv_arena *arena, const char **group, gv_err *err) GV_MUST_USE;

/* GV_EUSAGE naming the first field that would change the results of a run already begun with `old`. */
int gv_run_same_results(const json_t *old, const json_t *now, gv_err *err) GV_MUST_USE;

#endif
