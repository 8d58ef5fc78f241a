/*
 * Changes of series [T,C], as functions of their draws, for the units of the same names; and what those share. Values are expected to
 * be normalised: deviations are of a series whose own is 1. New values live in scratch.
 */
#ifndef GV_AUGMENT_SERIES_H
#define GV_AUGMENT_SERIES_H

#include "augment/augment.h"
#include "sample/series.h"

/* x[t,c] *= factor[c] (over_time false), or factor[c * T + t]. */
void gv_series_scale(gv_sample *x, const double *factor, bool over_time);
/* Time runs at speed[t] (positive): what was at the sum of speeds up to t, brought to T - 1 in the end, comes to that point. */
int gv_series_time_warp(gv_sample *x, const double *speed, gv_arena *scratch, gv_err *err) GV_MUST_USE;
/* Points start … start + length - 1, stretched to all of T. */
int gv_series_slice(gv_sample *x, int64_t start, int64_t length, gv_arena *scratch, gv_err *err) GV_MUST_USE;
/* Those points become int(length * scale) of them, and the whole is brought to T again. */
int gv_series_window_warp(gv_sample *x, int64_t start, int64_t length, double scale, gv_arena *scratch, gv_err *err) GV_MUST_USE;
/* n nearly equal pieces (the first T mod n are one point longer) in the order order[0], order[1] …. */
int gv_series_permute(gv_sample *x, const int64_t *order, int64_t n, gv_arena *scratch, gv_err *err) GV_MUST_USE;

/* A smooth curve over t points through knots + 2 normal numbers of mean 1 and deviation std. Draws: those numbers. */
enum { GV_SERIES_KNOTS = GV_SPLINE_KNOTS - 2 };
void gv_series_curve(gv_rng *rng, double std, int64_t knots, double *out, int64_t t);

#endif
