/*
 * Deliver a run's metrics to a tracker. What was delivered is kept in the run (log/SINK.json: bytes of metrics.jsonl, and their
 * digest), so delivery goes on where it stopped, exactly once, however it died, and also when the run itself is resumed: a
 * resumed run writes the same bytes again.
 *
 *   gv_track *t;
 *   gv_track_open(&t, "experiments/cifar10/a/0", gv_sink_find("csv", &err), NULL, &err);
 *   int n = gv_track_deliver(t, &err);     // lines delivered now, 0: nothing new, < 0
 *   gv_track_close(t);
 */
#ifndef GV_TRACK_TRACK_H
#define GV_TRACK_TRACK_H

#include "json/json.h"

/* A tracker: one file, and one line in sinks.def. */
typedef struct gv_sink {
    const char *name, *summary;
    const char *suffix;   /* of its file in the run, "csv"; NULL: it writes none */
    /* Append what goes before the first line, and a line of metrics. `time` is when the epoch ended, in seconds since 1970; NaN: unknown.
     * The bytes reach the file in one piece with the record that they were delivered. */
    int (*begin)(gv_buf *out, gv_err *err);
    int (*line)(gv_buf *out, const json_t *metrics, double time, gv_err *err);
} gv_sink;

extern const gv_sink *const gv_sinks[]; /* NULL-terminated */
/* NULL, err naming what there is: unknown, or a tracker that is not built yet. */
const gv_sink *gv_sink_find(const char *name, gv_err *err);

typedef struct gv_track gv_track;
/* `to`: another file than RUN/log/metrics.SUFFIX; borrowed until the close. GV_EBUSY while another process delivers there. */
int gv_track_open(gv_track **t, const char *run, const gv_sink *sink, const char *to, gv_err *err) GV_MUST_USE;
int gv_track_deliver(gv_track *t, gv_err *err) GV_MUST_USE;
int64_t gv_track_lines(const gv_track *t); /* delivered in all */
const char *gv_track_file(const gv_track *t);
void gv_track_close(gv_track *t);

#endif
