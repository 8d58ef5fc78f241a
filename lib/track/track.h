/*
 * Deliver what a run has to tell to a tracker: its configuration, an epoch's metrics, pictures, artifacts, what was said, how it ended.
 * What was delivered is kept in the run (log/SINK.json), so delivery goes on where it stopped, exactly once, however it died,
 * and also when the run itself is resumed: a resumed run writes the same bytes again.
 *
 *   gv_track *t;
 *   gv_track_open(&t, "experiments/cifar10/a/0", gv_sink_find("csv", &err), NULL, &err);
 *   gv_track_look(t, &err);                // how the run stands
 *   int n = gv_track_deliver(t, &err);     // things delivered now, 0: nothing new, < 0
 *   gv_track_close(t);
 */
#ifndef GV_TRACK_TRACK_H
#define GV_TRACK_TRACK_H

#include "json/json.h"

/* How a run stands. log/status.json says it; where its process is no more without having said, it is lost. */
typedef enum gv_run_state {
    GV_RUN_GOING,
    GV_RUN_FINISHED,
    GV_RUN_FAILED,
    GV_RUN_STOPPED, /* saved on a signal: it will go on */
    GV_RUN_LOST,    /* killed: it may go on */
} gv_run_state;

/* What a run says of itself. JSON objects are never NULL, texts may be "". */
typedef struct gv_run_facts {
    char dir[4096];       /* as it was given */
    char exp_dir[4300];   /* dir/../../.. */
    const char *dataset, *group, *fold;
    json_t *config, *resolved, *runtime; /* the three snapshots */
    json_t *options;      /* the tracker's own fields, where it is the run's logger.backend; else empty: the sink's defaults hold */
    json_t *tags;         /* a list: logger.tags */
    double started;       /* seconds since 1970 */
    int64_t epochs;       /* that it is to have; 0: unknown */
    gv_run_state state;
    int exit_status;      /* of one that ended */
    double ended;         /* seconds since 1970; NaN: not, or unknown */
} gv_run_facts;

/* A picture of an epoch. */
typedef struct gv_run_picture {
    const char *key;      /* "val_ConfusionMatrix_normalized", "curve/loss" */
    const char *path;     /* a PNG file */
    int64_t step;         /* the epoch, from 0 */
    double time;          /* of the file; seconds since 1970 */
} gv_run_picture;

/* The machine while the run goes on. */
typedef struct gv_usage {
    double time;                      /* seconds since 1970 */
    double cpu_percent;               /* of all cores, since the one before */
    double memory_percent, memory_mb; /* used, of the machine */
    double run_mb;                    /* resident memory of the driver and the stages below it */
} gv_usage;

typedef struct gv_sink gv_sink;

/* A delivery under way, as the sink sees it. */
typedef struct gv_delivery {
    const gv_sink *sink;
    const gv_run_facts *run;
    const char *to;       /* --to, or NULL: a file, a folder, an address, as the sink takes it */
    char path[4400];      /* of the sink's own file; "" while it has none */
    gv_buf out;           /* what it appends to its file: written together with the record that it was delivered */
    int64_t at;           /* bytes of the file before `out` */
    json_t *memory;       /* an object: what the sink keeps between deliveries (an id, a name); part of the record, and as the record has it after a failure */
    bool repeats;         /* what comes may have been sent before, by a delivery that died before it could say so */
    int64_t round;        /* goes up with each round: what a sink collected in an earlier one is not part of this one */
    bool afresh;          /* open sets it: what the record tells went to another place; delivery begins from the start, `memory` stays */
    bool live;            /* --follow: the run goes on */
    bool off;             /* set by open: nothing is to be delivered, nor recorded as if it were */
    int (*stopped)(void); /* whether a signal asks to give up; long waits look at it */
    void *self;           /* the sink's own, from open to close */
} gv_delivery;

/*
 * A tracker: one file, and one line in sinks.def. Every function may be NULL. Those that deliver either append to d->out, or collect, or
 * send; when flush has returned GV_OK all of it has arrived, and the record is written. What fails is delivered again, so a
 * sink that sends must be able to tell what has arrived (d->repeats) where sending twice would count twice. What `end` appends is
 * taken off the file again when the run goes on after all.
 */
struct gv_sink {
    const char *name, *summary;
    int (*open)(gv_delivery *d, gv_err *err);       /* sets d->path where it has a file; d->memory is that of the last time */
    int (*begin)(gv_delivery *d, bool again, gv_err *err); /* the run begins, or goes on after it had ended or stopped */
    int (*line)(gv_delivery *d, const json_t *metrics, int64_t epoch, double time, gv_err *err); /* time NaN: unknown */
    int (*said)(gv_delivery *d, double time, const char *text, gv_err *err);
    int (*picture)(gv_delivery *d, const gv_run_picture *p, gv_err *err);
    int (*artifact)(gv_delivery *d, const char *name, const char *path, gv_err *err); /* "checkpoints/best.safetensors" */
    int (*usage)(gv_delivery *d, const gv_usage *u, gv_err *err);
    int (*end)(gv_delivery *d, gv_err *err);        /* d->run->state says how */
    int (*flush)(gv_delivery *d, gv_err *err);
    void (*settled)(gv_delivery *d);                /* what was appended is in the file, and the record says so */
    const char *(*where)(gv_delivery *d);           /* for people: the file, the address; NULL: d->path */
    const char *(*hint)(gv_delivery *d, gv_arena *a); /* for people, after the end: the command that goes on from here; NULL: none */
    void (*close)(gv_delivery *d);
};

#define GV_SINK(n, ...) extern const gv_sink gv_sink_##n;
#include "track/sinks.def"
#undef GV_SINK
extern const gv_sink *const gv_sinks[]; /* NULL-terminated */
/* NULL, err naming what there is. */
const gv_sink *gv_sink_find(const char *name, gv_err *err);
/* The names of the trackers a run asks for (logger.backend, logger.also) but for none; at most `max`. Returns their number, < 0 on error. */
int gv_trackers_of_run(const char *run, const char **v, int max, gv_err *err);

typedef struct gv_track gv_track;
/* to: see gv_delivery; borrowed until the close. GV_EBUSY while another process delivers there. */
int gv_track_open(gv_track **t, const char *run, const gv_sink *sink, const char *to, bool live, int (*stopped)(void), gv_err *err) GV_MUST_USE;
/* How the run stands now: asked before a round, which goes by the answer. */
int gv_track_look(gv_track *t, gv_err *err) GV_MUST_USE;
/* One round: everything that is new and whole. */
int gv_track_deliver(gv_track *t, gv_err *err) GV_MUST_USE;
int gv_track_usage(gv_track *t, const gv_usage *u, gv_err *err) GV_MUST_USE;
int64_t gv_track_lines(const gv_track *t); /* epochs delivered in all */
bool gv_track_off(const gv_track *t);      /* the sink delivers nothing, as it was told */
const gv_run_facts *gv_track_run(const gv_track *t);
const char *gv_track_where(gv_track *t);
const char *gv_track_hint(gv_track *t, gv_arena *a);
void gv_track_close(gv_track *t);

/* Facts of a run (facts.c). A directory without snapshots has empty ones. */
int gv_run_facts_open(gv_run_facts *f, const char *dir, const char *sink, gv_err *err) GV_MUST_USE;
/* State, exit status and end anew; the snapshots stay. */
int gv_run_facts_state(gv_run_facts *f, gv_err *err) GV_MUST_USE;
/* Whole lines of its metrics.jsonl; 0 where there is none. */
int64_t gv_run_epochs(const char *dir);
void gv_run_facts_close(gv_run_facts *f);
/* Write log/status.json: the driver says how the run stands. */
int gv_run_say(const char *dir, gv_run_state state, int exit_status, gv_err *err) GV_MUST_USE;

/* Helpers of sinks. Write the record now, with d->memory as it is, before the delivery goes on: an id that must not be lost. */
int gv_delivery_keep(gv_delivery *d, gv_err *err) GV_MUST_USE;
/* The text of a field of d->run->options, or NULL where it is null or not there. */
const char *gv_delivery_option(const gv_delivery *d, const char *name);
/* Whether it is one of several folds, or a fold that was asked for. */
bool gv_run_is_fold(const gv_run_facts *f);
/* What the run resolved to, and of its configuration what that leaves out; a new object, NULL when memory is out. */
json_t *gv_run_configuration(const gv_run_facts *run);
/* A PNG file into b, and what its head says. GV_EDATA where it is none. */
int gv_delivery_png(const char *path, gv_buf *b, int64_t *width, int64_t *height, int *channels, gv_err *err) GV_MUST_USE;
/* "a.b.c": every leaf of an object, in its order; lists and nulls are given whole. */
int gv_json_leaves(const json_t *o, int (*leaf)(void *self, const char *path, const json_t *v, gv_err *err), void *self, gv_err *err) GV_MUST_USE;

/* The commit and the origin of the work tree a run was started in, without name and password (git.c); "" where there is none. */
typedef struct gv_git { char commit[72], remote[512]; } gv_git;
void gv_run_git(const gv_run_facts *run, gv_git *git);

/* The machine now (usage.c). `before` keeps the counters between two calls; start from {0}. */
typedef struct gv_usage_before { unsigned long long busy, all; } gv_usage_before;
void gv_usage_now(gv_usage *u, gv_usage_before *before, int pid); /* pid: of the driver, or 0 */

#endif
