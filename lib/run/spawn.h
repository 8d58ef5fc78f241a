/*
 * Run a pipeline: create every pipe, start every stage in one process group with a parent-death signal, watch pidfds, gather
 * their events and messages, and tell the first cause of a failure. Nothing of it is left when this returns, or when the driver
 * dies in any way.
 */
#ifndef GV_RUN_SPAWN_H
#define GV_RUN_SPAWN_H

#include "run/pictures.h"
#include "run/pipeline.h"
#include "run/trackers.h"

typedef struct gv_run_options {
    const char *events_path; /* events.jsonl, appended; NULL: not kept */
    int lock_fd;             /* handed to the stage `train`; -1: none */
    const char *what;        /* "predicting": for the progress line */
    bool quiet;              /* --no_progress: messages alone */
    bool show;               /* what the end of the flow says on stdout is the answer */
    bool plain;              /* plain lines also on a terminal */
    struct gv_pictures *pictures; /* of epochs; NULL: none */
    struct gv_trackers *trackers; /* NULL: none */
    int64_t total;           /* samples that go through forward stages; 0: unknown */
    const char *const *dirs; /* folders the stages write into, NULL at the end: part files of a stage that was killed are removed */
} gv_run_options;

/* Returns GV_OK, or the code of the first failing stage with err telling which stage, why, and its own last message. The exit status
 * of that stage (or 128+n for signal n) is in *status. Stopped by SIGTERM, SIGINT, SIGHUP or SIGUSR1: `train` is told, the result is
 * GV_ESAVED (without a train stage too, nothing being saved then) and *status 75. The other stages ignore these signals, whoever sends
 * them. A second one half a second later ends all stages at once, unless it is SIGUSR1. */
int gv_pipe_run(gv_pipeline_plan *p, const gv_run_options *o, int *status, gv_err *err) GV_MUST_USE;

/* Before a run's directory is made, a signal to stop ends the process with status 75: nothing was begun. */
void gv_pipe_catch_early(void);
/* From here on it is kept: gv_pipe_run hears of it, and gv_pipe_stopped() is its number, or 0. */
void gv_pipe_catch(void);
int gv_pipe_stopped(void);

#endif
