/*
 * The trackers of a run: a glovita-log beside it for each, at low priority, started anew when it dies. Nothing a tracker does can stop,
 * slow or fail a run; what it missed is delivered later with `glovita-log --deliver RUN`.
 *
 *   gv_trackers t;  gv_trackers_open(&t, run_dir, &err);     // says "running" in log/status.json
 *   gv_trackers_tick(&t);                                    // now and then
 *   gv_trackers_close(&t, GV_RUN_FINISHED, 0, 30, false);    // says how it ended, waits for the rest to be delivered, and reports
 */
#ifndef GV_RUN_TRACKERS_H
#define GV_RUN_TRACKERS_H

#include "track/track.h"
#include <sys/types.h>

enum { GV_TRACKERS = 8 };

typedef struct gv_trackers {
    char dir[4096];
    int n;
    struct {
        const char *name;
        pid_t child;       /* 0: none */
        int status;        /* how the last one ended: 0…255, or 128+signal */
        int starts;
        double again;      /* when the next may start; seconds of the monotonic clock */
    } v[GV_TRACKERS];
    bool open;
} gv_trackers;

/* GV_EUSAGE for a run that names a tracker there is not. */
int gv_trackers_open(gv_trackers *t, const char *run_dir, gv_err *err) GV_MUST_USE;
void gv_trackers_tick(gv_trackers *t);
/* seconds: for the deliveries to end, at most. quiet: what arrived is not told. */
void gv_trackers_close(gv_trackers *t, gv_run_state how, int exit_status, double seconds, bool quiet);

#endif
