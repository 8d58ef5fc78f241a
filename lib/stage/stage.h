/*
 * What stages share. A stage is one file that defines gv_this_stage; main(), options, streams, history, progress and exit status
 * come from here, and only main.c prints and exits.
 *
 *   static int run(gv_stage_ctx *st, gv_err *err)
 *   {
 *       gv_record rec;
 *       int r;
 *       while ((r = gv_next(st->in, &rec, err)) > 0) { … if (gv_put(st->out, &rec, err) < 0) return err->code; gv_stage_done(st, 1); }
 *       return r;
 *   }
 *   const gv_stage gv_this_stage = { .name = "augment", .summary = …, .reads = GV_TENSOR, .writes = GV_TENSOR, .blocks = …, .fields = …, .run = run };
 */
#ifndef GV_STAGE_STAGE_H
#define GV_STAGE_STAGE_H

#include "common/field.h"
#include "config/config.h"
#include "stream/stream.h"

typedef struct gv_stage gv_stage;

typedef struct gv_stage_ctx {
    const gv_stage *stage;
    const void *params;       /* the stage's own (transport) options: a struct of .params_size bytes */
    gv_config *config;        /* the blocks it takes */
    gv_reader *in;            /* stdin or --input, opened when the stage reads records; NULL otherwise */
    gv_writer *out;           /* stdout or --output, opened and its header inherited, but not started: run() adds facts, then gv_stage_start().
                                 NULL when the stage may write more than one kind: run() calls gv_stage_output() first */
    const char *output;       /* --output, or NULL for stdout */
    gv_arena run, epoch, batch, scratch;
    const char *const *args;  /* positional arguments */
    int nargs;
    uint64_t done, total;     /* records for progress; total 0: unknown */
} gv_stage_ctx;

struct gv_stage {
    const char *name, *summary;
    unsigned reads, writes;             /* sets of gv_kind; 0: none, the stage opens its own */
    const char *const *blocks;          /* configuration it takes: "data", "data.augmentation", …; NULL: none */
    const gv_field *fields;             /* its own options: transport only, they never change a result */
    size_t params_size;
    const char *positional;             /* "FILE…" in the help; NULL: none allowed */
    bool manual_streams;                /* run() opens its inputs and output itself (batch, train); no --input and --output are added */
    bool text_output;                   /* writes text on stdout, not records (cat, plot); `writes` may still name what gv_stage_output opens */
    void (*names)(const gv_config *c, const char *path, gv_words *out); /* for completion, see gv_config.names; or NULL */
    int (*run)(gv_stage_ctx *st, gv_err *err);
};

extern const gv_stage gv_this_stage;

/* Open st->out for records of this kind, with what the input's header says. Only for stages whose `writes` has several kinds, or
 * that write text unless told otherwise. */
int gv_stage_output(gv_stage_ctx *st, gv_kind kind, gv_err *err) GV_MUST_USE;
/* Write the header: inherited facts, own facts, history (program, version, the stage's result-changing options, i.e. typed fields of
 * its blocks; where the data lies, and how many workers and threads there are, is left out). */
int gv_stage_start(gv_stage_ctx *st, gv_err *err) GV_MUST_USE;
/* The same history entry for a writer that run() opened itself. The items live in st->run. */
int gv_stage_history(gv_stage_ctx *st, gv_writer *w, gv_err *err) GV_MUST_USE;
/* Count finished records for progress (events to GLOVITA_EVENTS, at most ten a second; a line on a terminal). */
void gv_stage_done(gv_stage_ctx *st, uint64_t records);
/* How far a long step of a stage that reads no records is, 0 to 1: the same events and line. */
void gv_stage_tell(const char *what, double share);
/* One event as a JSON line on GLOVITA_EVENTS (a descriptor number or a path); telemetry cannot fail a run. `fields` is JSON without
 * braces, e.g. "\"step\":3". Kinds: start config note progress metric warning error end. */
void gv_event(const char *kind, const char *fmt, ...) GV_PRINTF(2, 3);
/* What people want to know of a run (which weights were loaded): an event "note" that the driver shows, or where nobody reads events
 * a line at level info. */
void gv_note(const char *text);
/* Text as a JSON string with its quotes, in `to` (always whole and closed; cut when longer). Returns `to`. */
const char *gv_event_quote(char *to, size_t n, const char *text);
/* Set by SIGTERM, SIGINT, SIGUSR1 in stages that asked for it (gv_catch_signals): finish the step, save, return GV_ESAVED. One that was
 * ignored from the start stays so; one that waited since then (blocked) is heard. */
void gv_catch_signals(void);
int gv_stop_requested(void); /* the signal's number, or 0. Readers that wait return GV_ESAVED then */
/* While held, readers wait through a signal; gv_stop_requested() still tells of it. For work that must not be cut in two. */
void gv_hold_signals(bool hold);
/* Open a path or "-" (or NULL) for reading: a stream; "fd:N" names an inherited descriptor. A path that is missing is GV_EUSAGE. */
int gv_open_input(const char *path, gv_reader **r, gv_err *err) GV_MUST_USE;
/* The descriptor alone, for gv_reader_open: who reads several FIFOs opens all of them before it waits for a header, since their writers wait for that. */
int gv_open_input_fd(const char *path, int *fd, gv_err *err) GV_MUST_USE;
/* The same for writing. A regular file appears when the stream is closed well. A terminal is refused. */
int gv_open_output(const char *path, gv_kind kind, gv_writer **w, gv_err *err) GV_MUST_USE;

#endif
