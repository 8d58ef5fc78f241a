/*
 * A training run under way: what `glovita-train` holds, and the pieces its loop is made of. Every function works on the whole trainer
 * and returns GV_OK or a negative code; GV_ESAVED means: stopped by a signal, the state is kept.
 *
 *   steps.c   a batch: forward, backward, optimizer; what is done about losses that are not finite
 *   check.c   a validation, and the trial before the first step
 *   epoch.c   the end of an epoch: validate, decide what is best, save, publish
 *   save.c    resume.safetensors, and everything that can be made again from it
 *   show.c    progress events
 */
#ifndef GV_TRAINER_TRAINER_H
#define GV_TRAINER_TRAINER_H

#include "nn/optim/optim.h"
#include "nn/profile.h"
#include "session/journal.h"
#include "session/pace.h"
#include "session/results.h"
#include "session/session.h"
#include "session/undo.h"
#include "stage/stage.h"

struct gv_train_options {
    const char *run, *val, *sanity;
    bool resume, profile, tune;
    int64_t lock_fd, samples, val_samples;
};

typedef struct gv_trainer {
    gv_stage_ctx *st;
    const gv_config *c;
    const struct gv_train_options *o;
    gv_facts facts;
    gv_reader *train, *val;
    gv_store *store;
    gv_plans plans, eval;
    gv_tuning *tuning;      /* measured kernels */
    gv_profile *profile;    /* of training steps; NULL: nothing is timed */
    gv_optimizer *opt;
    gv_undo undo;
    gv_scores *scores, *val_scores;
    gv_results results, val_results;
    gv_train_state t;
    gv_journal journal;
    double loss;            /* of the last batch */
    int64_t micro;          /* batches whose gradients are accumulated */
    int64_t count;          /* samples of an epoch, as the stream says; -1: it does not */
    int64_t limit;          /* batches of an epoch that are trained; INT64_MAX: all */
    double epoch_began, saved, shown;
    gv_pace pace;
    double metric, metric_at;
    int64_t save_steps, steps_unsaved;
    double save_seconds;
    bool resumed, stopped;
} gv_trainer;

double gv_trainer_now(void); /* seconds, monotonic */

/* Events for the driver's line, ten a second at most. done: batches of this pass. */
void gv_trainer_progress(gv_trainer *w, bool validation, int64_t done);
void gv_trainer_begin_pass(gv_trainer *w, int pass);
/* Beside the nodes: what a step did since `began` (gv_trainer_began) is a row of the profile. Nothing when there is none. */
double gv_trainer_began(const gv_trainer *w);
void gv_trainer_took(gv_trainer *w, const char *what, const char *how, double began);
/* --profile: the table on stderr. */
int gv_trainer_profile(gv_trainer *w, gv_err *err) GV_MUST_USE;

void gv_trainer_state_path(const gv_trainer *w, char *path, size_t size);
/* resume.safetensors, at an optimizer step's boundary only. */
int gv_trainer_save(gv_trainer *w, gv_err *err) GV_MUST_USE;
/* Everything an epoch's end publishes, from the state alone: after a kill between these writes it is done again, to the same bytes. */
int gv_trainer_publish(gv_trainer *w, const gv_network *net, gv_err *err) GV_MUST_USE;
/* GV_ESAVED with the place where the run stands. */
int gv_trainer_stopped(gv_trainer *w, gv_err *err);

/* One batch; ends: the last of its epoch, so that what is accumulated is used. */
int gv_trainer_batch(gv_trainer *w, const gv_record *rec, bool ends, gv_err *err) GV_MUST_USE;
/* Logits [n,K] of a plan as floats in the batch's arena (NULL: err filled), and its loss. */
const float *gv_trainer_logits(gv_trainer *w, const gv_plan *plan, gv_err *err);
double gv_trainer_loss(const gv_plan *plan);

/* training.num_sanity_val_steps: what would fail in the first validation fails before any training. Nothing of it is kept. */
int gv_trainer_sanity(gv_trainer *w, gv_err *err) GV_MUST_USE;
/* One epoch of the validation stream. GV_ESAVED: a signal came; nothing has changed but the place in the stream. */
int gv_trainer_validate(gv_trainer *w, double *loss, gv_err *err) GV_MUST_USE;
int gv_trainer_end_epoch(gv_trainer *w, gv_err *err) GV_MUST_USE;

#endif
