/*
 * Pictures, drawn by gnuplot: PNG or SVG by the file's ending, or text in the terminal.
 *
 *   const char *runs[] = { "experiments/cifar10/a/0", "experiments/cifar10/b/0" };
 *   gv_plot_curves(runs, 2, &(gv_plot){ .to = "curves.png" }, &err);
 *   gv_plot_confusion("run/val_results.json", &(gv_plot){ .to = "confusion_matrix.png" }, &err);
 *
 * A picture appears when it is whole. Names and titles may hold any character. Colours are those of Okabe and Ito, and shades
 * of blue: people who see colours differently can tell them apart. GV_ESYS where gnuplot is missing: callers warn and go on.
 */
#ifndef GV_PLOT_PLOT_H
#define GV_PLOT_PLOT_H

#include "common/arena.h"
#include <stdbool.h>

typedef struct gv_plot {
    const char *to;     /* "x.png", "x.svg"; NULL: text on stdout */
    const char *title;  /* NULL: made from what is drawn */
    bool counts;        /* a confusion matrix of cases, not of shares of its rows */
    const char *only;   /* the curve of that metric, "loss"; NULL: of all but those of single classes, nine at most */
} gv_plot;

/* Loss and every metric over the epochs, train and val. A run is its directory or its metrics.jsonl; a torn last line is left out. */
int gv_plot_curves(const char *const *runs, int n, const gv_plot *p, gv_err *err) GV_MUST_USE;
/* A table on stdout: of each run the epochs, and of each metric the best value of val with its epoch. */
int gv_plot_summary(const char *const *runs, int n, gv_err *err) GV_MUST_USE;
/* A confusion matrix, row-normalised or of counts, of {"class_names", "confusion"} (a run's val_results.json, glovita-eval --results) or of a table
 * with the columns label and pred (glovita-eval --csv). A run's directory stands for its val_results.json. */
int gv_plot_confusion(const char *path, const gv_plot *p, gv_err *err) GV_MUST_USE;
/* Predicted against true numbers, of {"true", "predicted"}, or a table with label_0 and pred_0. */
int gv_plot_scatter(const char *path, const gv_plot *p, gv_err *err) GV_MUST_USE;

#endif
