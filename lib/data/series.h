/*
 * Samples that are series, from a file each or from a table of many, and what the configuration makes of them.
 *
 *   gv_series_table *t;
 *   gv_series_table_open(&t, fd, "all.csv", &options, &err);            // takes fd over
 *   gv_series_table_read(t, 12, &s, &arena, &err);
 *   gv_series_finish(&c, &s, &arena, &err);                             // rate, length, scale of data.*
 *
 * A table is a CSV file with an id column, whose consecutive lines with one id are a series; a NumPy array [N,T] or [N,T,C]; or an HDF5
 * file with `features` [N,T,C].
 */
#ifndef GV_DATA_SERIES_H
#define GV_DATA_SERIES_H

#include "data/generic.h"
#include "data/rows.h"
#include "formats/series.h"
#include "sample/series.h"

enum { GV_NORMALIZE_TRAIN, GV_NORMALIZE_SAMPLE, GV_NORMALIZE_NONE };

typedef struct gv_series_fields {
    gv_generic_fields files;
    const char *table, *id_column, *time_column, *hdf5_dataset; /* NULL: none */
    gv_strs columns;
    bool channels_first;
    double sample_rate, source_rate;  /* NaN: none */
    int64_t resample_length, length, channels;
    int resampling, crop, pad, normalization, missing;
    gv_f64s channel_mean, channel_std;
} gv_series_fields;

typedef struct gv_series_table gv_series_table;
int gv_series_table_open(gv_series_table **t, int fd, const char *name, const gv_series_options *o, gv_err *err) GV_MUST_USE;
int64_t gv_series_table_count(const gv_series_table *t);
const char *gv_series_table_id(const gv_series_table *t, int64_t row); /* NULL: its number */
int gv_series_table_read(gv_series_table *t, int64_t row, gv_series *out, gv_arena *arena, gv_err *err) GV_MUST_USE;
void gv_series_table_close(gv_series_table *t);

/* How files are read. */
gv_series_options gv_series_reading(const gv_series_fields *o, bool table);
/* Channels checked, then to data.sample_rate or resample_length, normalised, cut or padded to data.length. measure: the values as they
 * were measured, for statistics: neither normalised nor cut. */
int gv_series_finish(const gv_series_fields *o, gv_series *s, bool measure, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* gv_dataset.prepare: channels, and mean and deviation of the training split where they are wanted and not known. */
int gv_series_measure(gv_config *c, gv_data *d, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
