/*
 * Tables of numbers: CSV with commas, semicolons or tabs, line by line. A first line that holds a name is the header.
 *
 *   gv_table t;
 *   gv_table_open(&t, bytes, n, &options, &arena, &err);
 *   while ((r = gv_table_next(&t, value, &time, &id, &err)) > 0) …    // value[t.channels], NaN: missing
 *
 * Every line has as many cells as the first. A cell is a number, or empty, NA, NaN, null, None (missing); quotes around it are taken off.
 * Lines without any character are left out. Errors name the line (counted from 1) and the column.
 */
#ifndef GV_FORMATS_CSV_H
#define GV_FORMATS_CSV_H

#include "formats/series.h"

typedef struct gv_cell { const char *p; size_t n; } gv_cell;

typedef struct gv_table {
    const char *begin, *at, *end;
    size_t line;         /* of what gv_table_next gave last */
    const char *start;   /* where that line begins */
    char separator;
    int cells;           /* of every line */
    int *role;           /* of each cell: a channel, or one of the roles below */
    gv_cell *cell, *name; /* name: NULL without a header */
    int64_t channels;
    gv_missing missing;
    bool ids_alone;      /* gv_table_next gives the id; values are not parsed */
} gv_table;

/* Reads the header. GV_EDATA for a table without a line of values, or without a column that the options name. */
int gv_table_open(gv_table *t, const uint8_t *p, size_t n, const gv_series_options *o, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* 1 a line, 0 the end, < 0 an error. time: NaN without a time column. id: empty without an id column; it points into the bytes. */
int gv_table_next(gv_table *t, double *value, double *time, gv_cell *id, gv_err *err) GV_MUST_USE;
/* Lines from one place up to another (as `start` had them) as a series: values of the lines, even steps of time. */
int gv_table_series(gv_table *t, const char *from, size_t line, const char *to, const gv_series_options *o, gv_series *out, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
