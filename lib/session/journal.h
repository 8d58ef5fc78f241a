/*
 * What a run keeps of its epochs: metrics.jsonl (one line an epoch, no times), metrics.csv (the same as a table), val_results.json
 * (what the picture of the last validation is drawn from). All of it follows from the state, so a resumed run writes the same.
 */
#ifndef GV_SESSION_JOURNAL_H
#define GV_SESSION_JOURNAL_H

#include "session/scores.h"
#include "session/session.h"

typedef struct gv_journal {
    char dir[4096];      /* "": no run directory, nothing is written */
    int64_t bytes;       /* of metrics.jsonl */
} gv_journal;

int gv_journal_open(gv_journal *j, const char *dir, bool resume, const gv_train_state *t, gv_err *err) GV_MUST_USE;
/* The line of an epoch, behind the first `at` bytes of metrics.jsonl; what stood there is cut off. metrics.csv follows. */
int gv_journal_put(gv_journal *j, int64_t at, const char *line, gv_err *err) GV_MUST_USE;
/* Rebuild metrics.csv of a run from its metrics.jsonl. */
int gv_journal_csv(const char *dir, gv_err *err) GV_MUST_USE;
/* What the last validation's picture is drawn from: val_results.json. */
int gv_journal_results(const gv_journal *j, const gv_buf *json, gv_err *err) GV_MUST_USE;
/* plots/NAME_epoch_0001.json, from which the driver draws that epoch's picture. Nothing when there is nothing to draw. */
int gv_journal_to_draw(const gv_journal *j, const char *name, int64_t epoch, const gv_buf *json, gv_err *err) GV_MUST_USE;

enum { GV_LINE_VALUES = 4096 };
typedef struct gv_epoch_line {
    int64_t epoch, step;
    double lr, train_loss, val_loss;
    int n;
    struct { char key[48]; double value; } v[GV_LINE_VALUES];
} gv_epoch_line;
int gv_epoch_line_values(gv_epoch_line *l, const char *prefix, const gv_scores *s, gv_err *err) GV_MUST_USE;
double gv_epoch_line_find(const gv_epoch_line *l, const char *key); /* "val_F1", "val_loss"; NaN: not there */
char *gv_epoch_line_json(const gv_epoch_line *l, gv_err *err);      /* gv_alloc'ed, with its newline */
int gv_epoch_line_text(const gv_epoch_line *l, int64_t epochs, double seconds, bool best, gv_buf *out, gv_err *err) GV_MUST_USE;

#endif
