/*
 * Pictures of epochs (--task.result_plot), drawn by glovita-plot beside the run: one at a time, at low priority, and never a reason
 * for a run to fail. The trainer leaves plots/NAME_epoch_0001.json; when its picture is there, the JSON goes.
 *
 *   gv_pictures p;  gv_pictures_open(&p, run_dir, false);
 *   gv_pictures_due(&p);      // an epoch has ended
 *   gv_pictures_tick(&p);     // now and then: ends one, starts the next
 *   gv_pictures_close(&p, 60);
 */
#ifndef GV_RUN_PICTURES_H
#define GV_RUN_PICTURES_H

#include "common/err.h"
#include <stdbool.h>
#include <sys/types.h>

typedef struct gv_pictures {
    char dir[4096];      /* the run's */
    char drawing[256];   /* the JSON file of the picture under way */
    pid_t child;         /* 0: none */
    bool regression, due, given_up;
    bool second;         /* of a confusion matrix: the one of counts is drawn, after that of shares */
} gv_pictures;

void gv_pictures_open(gv_pictures *p, const char *run_dir, bool regression);
void gv_pictures_due(gv_pictures *p);
void gv_pictures_tick(gv_pictures *p);
/* Draw what is left, for so many seconds at most (0: end the one under way too). */
void gv_pictures_close(gv_pictures *p, double seconds);
/* Those of the run's end: curves, and the confusion matrix or predicted against true. One that cannot be drawn is warned of. Those that are
 * there are left unless they are drawn `again`. GV_ESAVED: a signal came before all were there. */
int gv_pictures_last(const char *run_dir, bool regression, bool again, gv_err *err) GV_MUST_USE;

#endif
