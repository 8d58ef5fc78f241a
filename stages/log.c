/* log: deliver the metrics of a run to a tracker, once or while it goes on. */
#include "common/file.h"
#include "common/log.h"
#include "run/rundir.h"
#include "stage/stage.h"
#include "track/track.h"
#include <inttypes.h>
#include <time.h>

struct log {
    const char *deliver, *sink, *to;
    bool follow;
};

static const gv_field fields[] = {
    GV_OPT_STR(struct log, deliver, "the run's directory"),
    GV_STR(struct log, sink, "csv", "tracker: csv, jsonl, none"),
    GV_OPT_STR(struct log, to, "file of csv and jsonl; None: log/metrics.SUFFIX in the run"),
    GV_BOOL(struct log, follow, false, "go on until the run has finished, or a signal comes"),
    GV_END
};

static void nap(void)
{
    struct timespec t = { .tv_nsec = 300000000 };
    nanosleep(&t, NULL); /* a signal ends it early, which is as well */
}

static int follow(gv_track *t, const char *run, gv_err *err)
{
    for (;;) {
        gv_run_progress p;
        /* asked first: what is written before the end is delivered after it */
        bool last = gv_stop_requested() || (gv_run_progress_read(run, &p, NULL) == GV_OK && p.finished);
        int n = gv_track_deliver(t, err);
        if (n < 0 || (last && !n))
            return n;
        if (!n)
            nap();
    }
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    const struct log *o = st->params;
    gv_track *t = NULL;
    if (!o->deliver)
        return gv_fail(err, GV_EUSAGE, "'--deliver' is not given: the run whose metrics are delivered");
    const gv_sink *sink = gv_sink_find(o->sink, err);
    if (!sink)
        return err->code;
    char path[4200];
    snprintf(path, sizeof path, "%s/metrics.jsonl", o->deliver);
    if (!gv_file_exists(path) && !o->follow)
        return gv_fail(err, GV_EUSAGE, "'%s' is no run: it has no metrics.jsonl", o->deliver);
    snprintf(path, sizeof path, "%s/.", o->deliver);
    if (!gv_file_exists(path))
        return gv_fail(err, GV_EUSAGE, "'%s' is no directory", o->deliver);
    gv_catch_signals();
    int r = gv_track_open(&t, o->deliver, sink, o->to, err);
    if (r < 0)
        return r;
    int64_t before = gv_track_lines(t);
    if (o->follow)
        r = follow(t, o->deliver, err);
    else
        while ((r = gv_track_deliver(t, err)) > 0)
            ;
    if (r == GV_OK)
        printf("%" PRId64 " epochs delivered, %" PRId64 " of them now%s%s\n", gv_track_lines(t), gv_track_lines(t) - before, gv_track_file(t) ? ": " : "",
               gv_track_file(t) ? gv_track_file(t) : "");
    gv_track_close(t);
    return r;
}

const gv_stage gv_this_stage = {
    .name = "log", .summary = "deliver a run's metrics to a tracker",
    .fields = fields, .params_size = sizeof(struct log), .text_output = true, .run = run,
};
