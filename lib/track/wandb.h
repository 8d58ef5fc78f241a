/* What the files of the W&B sink share. */
#ifndef GV_TRACK_WANDB_H
#define GV_TRACK_WANDB_H

#include "track/pb.h"
#include "track/track.h"

enum { GV_WANDB_OTHER = 0, GV_WANDB_OWN = 1, GV_WANDB_MEDIA = 2 }; /* FilesItem.FileType */

/* Fields of Record: which kind of record it is. */
enum {
    GV_WB_HISTORY = 2, GV_WB_SUMMARY = 3, GV_WB_FILES = 6, GV_WB_STATS = 7, GV_WB_ARTIFACT = 8, GV_WB_METRIC = 12, GV_WB_OUTPUT_RAW = 13, GV_WB_RUN = 17, GV_WB_EXIT = 18,
    GV_WB_HEADER = 21,
};

typedef struct gv_wandb {
    char dir[4400];      /* …/wandb/offline-run-DATE_TIME-ID */
    char id[136];
    gv_buf console;      /* for files/output.log, of this round */
    int64_t round;
    bool unsynced;       /* files were written that are not yet on the disk */
    json_t *pictures;    /* key -> image: a row that waits for more of its epoch; NULL: none */
    int64_t pictures_step, pictures_round;
    double pictures_time;
    int sync;            /* process id of W&B's own program; 0: none */
    int sync_starts, sync_status;
    double sync_again;   /* when it may start next; seconds of the monotonic clock */
    bool synced;         /* it has uploaded all, end included */
} gv_wandb;

/* wandb_place.c. The directory: found again, or made. Sets d->path, or d->off. */
int gv_wandb_place(gv_delivery *d, gv_wandb *w, gv_err *err) GV_MUST_USE;
/* The option, else the variable, else `otherwise`. "" counts as not there. */
const char *gv_wandb_setting(const gv_delivery *d, const char *option, const char *variable, const char *otherwise);
const char *gv_wandb_project(const gv_delivery *d);
/* Whether WANDB_API_KEY or a netrc file has a key for the server. */
bool gv_wandb_has_key(void);
/* WANDB_MODE or the run's `offline` says that nothing is to be sent. */
bool gv_wandb_offline(const gv_delivery *d);

/* wandb.c. One record of a kind: open, fill, close appends it to d->out. */
void gv_wandb_open_record(gv_delivery *d, gv_pb *m, gv_err *err);
int gv_wandb_close_record(gv_delivery *d, gv_pb *m, gv_err *err) GV_MUST_USE;
/* The record that a file below files/ is to be uploaded. */
int gv_wandb_file(gv_delivery *d, const char *path, int type, gv_err *err) GV_MUST_USE;

/* wandb_files.c: what stands beside the log. */
int gv_wandb_begin_files(gv_delivery *d, gv_wandb *w, const json_t *config, gv_err *err) GV_MUST_USE;
int gv_wandb_copy(gv_wandb *w, const char *from, const char *name, gv_err *err) GV_MUST_USE;
int gv_wandb_flush(gv_delivery *d, gv_wandb *w, gv_err *err) GV_MUST_USE; /* what was said, the summary, and all of it to the disk */
/* Copies a PNG file to files/media/images; its description as W&B has it, NULL on failure. */
json_t *gv_wandb_image(gv_wandb *w, const gv_run_picture *p, gv_err *err);
int gv_wandb_artifact(gv_delivery *d, const gv_wandb *w, const char *name, gv_err *err) GV_MUST_USE;

/* wandb_sync.c: `wandb beta sync --live` beside the delivery. */
bool gv_wandb_may_sync(const gv_delivery *d);
void gv_wandb_sync(gv_delivery *d, gv_wandb *w, bool ended);
void gv_wandb_sync_stop(gv_wandb *w);

#endif
