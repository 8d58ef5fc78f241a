/* What the files of this folder that deliver share: the record of what was delivered, and what is read of a run. */
#ifndef GV_TRACK_INTERNAL_H
#define GV_TRACK_INTERNAL_H

#include "track/track.h"

/* What has been delivered. A round works on a copy, which becomes the record when all of it has arrived. */
typedef struct gv_track_done {
    int64_t offset, lines;  /* of metrics.jsonl: bytes, lines */
    uint64_t digest;        /* of those bytes */
    int64_t said;           /* bytes of events.jsonl */
    int64_t bytes, end_at;  /* of the sink's own file; of it before the end was told */
    bool begun;
    gv_run_state ended;     /* as it was told last; GOING: not */
} gv_track_done;

struct gv_track {
    gv_delivery d;
    gv_run_facts run;
    char state[4300];       /* log/SINK.json */
    int fd, lock;           /* the sink's file; -1: none */
    gv_track_done done;
    json_t *memory;         /* d.memory as the record has it */
    json_t *files;          /* path -> digest of what was delivered */
    json_t *seen;           /* path -> size and time, of what need not be read again */
    bool verified;          /* metrics.jsonl begins with what was delivered */
    int64_t events_at;      /* events.jsonl is read so far */
    double *time;           /* [ntimes] by epoch; NaN: unknown */
    int64_t ntimes;
    int64_t held_epoch;     /* its line waits for its time */
    int64_t held_since;     /* seconds of the monotonic clock; 0: none waits */
};

/* record.c: log/SINK.json. After a failure gv_track_forget makes d.memory what the record says. */
int gv_track_forget(gv_track *t, gv_err *err) GV_MUST_USE;
int gv_track_record_read(gv_track *t, gv_err *err) GV_MUST_USE;
int gv_track_record_write(gv_track *t, gv_err *err) GV_MUST_USE;

/* source.c. From `from` to the end of the file, at most `max` bytes, appended; a missing file is empty. Returns the file's size, < 0 on error. */
int64_t gv_track_read_from(const char *path, int64_t from, size_t max, gv_buf *b, gv_err *err);
/* New whole lines of events.jsonl: when epochs ended, and what was said behind done->said. */
int gv_track_events(gv_track *t, gv_track_done *done, gv_err *err) GV_MUST_USE;
/* New pictures; *files gets what was delivered; lines: epochs so far, of whose last are those that name none. Returns their number, < 0 on error. */
int gv_track_pictures(gv_track *t, int64_t lines, json_t *files, gv_err *err) GV_MUST_USE;
/* Snapshots; at the end also what the run leaves. */
int gv_track_artifacts(gv_track *t, bool all, json_t *files, gv_err *err) GV_MUST_USE;

#endif
