/*
 * How fast a run goes and when it will be done. Passes of training and of validation are timed apart; an estimate counts both.
 *
 *   gv_pace p = { 0 };
 *   gv_pace_begin(&p, GV_PACE_TRAIN, now);  gv_pace_add(&p, 32);  …  gv_pace_end(&p, now);
 *   double s = gv_pace_left(&p, train_samples_left, val_samples_left, now);
 */
#ifndef GV_SESSION_PACE_H
#define GV_SESSION_PACE_H

#include <stdint.h>

enum { GV_PACE_TRAIN, GV_PACE_VAL };

typedef struct gv_pace {
    int pass;         /* the one under way */
    double began;     /* of it, in seconds; 0: none is under way */
    int64_t seen;     /* samples of it */
    double rate[2];   /* samples per second of the last complete one; 0: none yet */
} gv_pace;

void gv_pace_begin(gv_pace *p, int pass, double now);
void gv_pace_add(gv_pace *p, int64_t samples);
void gv_pace_end(gv_pace *p, double now);
/* Samples per second of that kind of pass: of the one under way once it has run for a second, else of the last; 0: not known. */
double gv_pace_rate(const gv_pace *p, int pass, double now);
/* Seconds that so many samples will take. Before the first validation it is taken to be three times as fast as training, which
 * has the backward pass beside the forward one. < 0: not known. */
double gv_pace_left(const gv_pace *p, int64_t train, int64_t val, double now);

#endif
