/*
 * Series [T,C] float32: values over time, the channels of one moment side by side.
 *
 *   gv_series_resample(&x, 1000, 0.256, GV_RESAMPLE_SINC, arena, err);        // y[k] = x at k * 0.256
 *   gv_series_moments(&x, mean, std);  gv_series_normalize(&x, mean, std);
 *   gv_series_fit(&x, 1024, GV_FIT_CENTER, 0, GV_PAD_ZERO, arena, err);
 *
 * New values live in `arena`, as everywhere in lib/sample. GV_EDATA for samples of another kind.
 */
#ifndef GV_SAMPLE_SERIES_H
#define GV_SAMPLE_SERIES_H

#include "sample/sample.h"

/* linear: between neighbours. sinc: band-limited, a sinc with Lanczos' window of 3 lobes, which is widened by `step` when points get fewer,
 * so that nothing above the new half rate remains; weights of places outside are left out and the rest made to add up to 1. */
typedef enum gv_resampling { GV_RESAMPLE_SINC, GV_RESAMPLE_LINEAR } gv_resampling;
/* Which part is kept where there is too much; what is added stands behind (start), in front (end), or on both sides (center). */
typedef enum gv_fit { GV_FIT_CENTER, GV_FIT_START, GV_FIT_END } gv_fit;
typedef enum gv_pad_kind { GV_PAD_ZERO, GV_PAD_EDGE } gv_pad_kind;

/* [T,C] float32, else GV_EDATA naming what was to be done. */
int gv_series_check(const gv_sample *x, const char *what, gv_err *err) GV_MUST_USE;

/* y[k] = x at k * step, k = 0 … points - 1; places behind the last point have its value. Computed in double.
 * Source of the window: Duchon 1979, "Lanczos filtering in one and two dimensions". */
int gv_series_resample(gv_sample *x, int64_t points, double step, gv_resampling how, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Exactly `length` points. */
int gv_series_fit(gv_sample *x, int64_t length, gv_fit where, gv_pad_kind pad, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Points from start on, which may lie outside: padded as in fit. */
int gv_series_part(gv_sample *x, int64_t start, int64_t length, gv_pad_kind pad, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* Mean and deviation (biased) of each channel; a deviation below 1e-8 is 1, so that a constant channel becomes 0. */
void gv_series_moments(const gv_sample *x, double *mean, double *std);
/* (x - mean) / std, in place. */
void gv_series_normalize(gv_sample *x, const double *mean, const double *std);

/* The line through points (place[i], value[i * stride]), places ascending, at `at`; the first and last value outside: numpy.interp. */
double gv_interp(const double *place, const float *value, int64_t stride, int64_t n, double at);

/* A cubic spline through n (2 to GV_SPLINE_KNOTS) values spread evenly over 0 … t - 1, at each of the t points. The third derivative is
 * continuous at the second and the last but one knot ("not-a-knot", the default of scipy's CubicSpline). Source: de Boor 1978, chapter IV. */
enum { GV_SPLINE_KNOTS = 66 };
void gv_spline_even(const double *value, int n, double *out, int64_t t);

#endif
