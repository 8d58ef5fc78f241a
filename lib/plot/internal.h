/* What the pictures share. */
#ifndef GV_PLOT_INTERNAL_H
#define GV_PLOT_INTERNAL_H

#include "plot/plot.h"
#include "json/json.h"

/* Append text as a gnuplot string: single quotes, which know one escape alone; control characters become blanks; texts of more than
 * `max` characters are cut with an ellipsis (0: never). Enhanced text is off, so _ ^ { } stand for themselves. */
int gv_gnuplot_quote(gv_buf *b, const char *s, size_t max, gv_err *err) GV_MUST_USE;
/* The first lines of a script: terminal of that size in pixels, and output. `part` [4200] gets the name gnuplot writes to. */
int gv_gnuplot_begin(gv_buf *b, const gv_plot *p, int width, int height, char *part, gv_err *err) GV_MUST_USE;
/* Run the script; the picture gets its name when gnuplot ended well. */
int gv_gnuplot_run(const gv_buf *script, const gv_plot *p, const char *part, gv_err *err) GV_MUST_USE;

/* Columns of a table with a head line; fields may be quoted. Lives in the arena. */
typedef struct gv_table { size_t columns, rows; char **cell; /* [rows + 1, columns], row 0 is the head */ } gv_table;
int gv_table_read(gv_table *t, const char *path, gv_arena *a, gv_err *err) GV_MUST_USE;
int gv_table_column(const gv_table *t, const char *name); /* -1: none */

/* The epochs of a run, of its directory or its metrics.jsonl; a torn last line is left out. The caller releases `lines`. */
typedef struct gv_plot_run {
    char name[300]; /* the last three parts of its directory: data set, group, fold */
    json_t *lines;  /* an array of objects */
} gv_plot_run;
int gv_plot_run_read(gv_plot_run *r, const char *path, gv_err *err) GV_MUST_USE;
double gv_plot_value(const json_t *line, const char *prefix, const char *metric); /* NAN: none */
bool gv_plot_lower(const char *metric);                                           /* the lower, the better */
double gv_plot_best(const gv_plot_run *r, const char *metric, size_t *at);        /* of val, and its line from 0; NAN: none */

/* path, or path/name when it is a directory; in `out` [4200]. */
void gv_plot_path(const char *path, const char *name, char *out);
bool gv_plot_is_csv(const char *path);

#endif
