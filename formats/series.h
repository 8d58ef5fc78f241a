/*
 * Series: what a file says of values over time, [T,C] float32.
 *
 *   gv_series s;
 *   gv_series_options o = { .time_column = "t" };
 *   if (gv_series_decode(bytes, &o, &s, arena, err) < 0)
 *       return gv_fail_in(err, "cannot decode '%s'", path);
 *
 * A format of series is a file in this folder with `.series`; it checks what its header claims (gv_series_shape) before it takes memory.
 * Nothing that is not a finite number comes out: what is missing (NaN, an empty cell) is an error with its place, or filled.
 */
#ifndef GV_FORMATS_SERIES_H
#define GV_FORMATS_SERIES_H

#include "common/field.h"
#include "formats/format.h"

enum { GV_SERIES_POINTS = 1 << 28, GV_SERIES_CHANNELS = 4096 };

typedef enum gv_missing { GV_MISSING_FAIL, GV_MISSING_ZERO, GV_MISSING_INTERPOLATE } gv_missing;

typedef struct gv_series {
    const char *format;
    gv_sample x;     /* [T,C] float32 */
    double rate;     /* points per second; 0: the file does not say */
} gv_series;

typedef struct gv_series_options {
    size_t max_input, max_output;        /* as in gv_decode_options */
    const char *time_column, *id_column; /* of a table: not values. NULL: none */
    gv_strs columns;                     /* of a table: the values, in this order; none: every other column */
    const char *dataset;                 /* of an HDF5 file; NULL: the only one of numbers with 1 or 2 axes */
    bool channels_first;                 /* arrays are [C,T] */
    gv_missing missing;
} gv_series_options;

/* From memory. The values live in arena. GV_EDATA for content that is no series, is cut, lies, or is too large; GV_ESYS for a full arena. */
int gv_series_decode(gv_bytes b, const gv_series_options *o, gv_series *out, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* For formats. t x c within the limits and max_output. */
int gv_series_shape(int64_t t, int64_t c, size_t max_output, gv_err *err) GV_MUST_USE;
/* An array of 1 or 2 axes of any number type as [T,C] float32; NaN stays, what float32 cannot hold is GV_EDATA. */
int gv_series_array(const gv_sample *a, const gv_series_options *o, gv_sample *x, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* NaN by the rule; GV_EDATA with the place. */
int gv_series_fill(gv_sample *x, gv_missing rule, gv_err *err) GV_MUST_USE;

#endif
