/* The driver's one line on a terminal, plain lines otherwise, from the events of the stages. */
#ifndef GV_RUN_REPORT_H
#define GV_RUN_REPORT_H

#include "common/err.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { GV_REPORT_STAGES = 256 };

typedef struct gv_report {
    FILE *events;       /* events.jsonl, or NULL */
    int terminal;       /* stderr is one on which a line can be drawn again */
    int colour;
    int quiet;          /* no progress lines */
    int line_shown;     /* a progress line stands on the terminal */
    double started, last_shown, last_plain;
    struct { char label[48]; double at, waits, share, kept, done; } stage[GV_REPORT_STAGES]; /* share: of the last second or so that it waited */
    int stages;
    const char *what;   /* "predicting": of runs without training */
    double total;       /* samples all forward stages will see; 0: unknown */
    int64_t epochs;     /* that ended */
    int validating;     /* the trainer said so last */
    char train[256];    /* the last progress text of the main stage */
} gv_report;

int gv_report_open(gv_report *r, const char *events_path, gv_err *err);
void gv_report_stage(gv_report *r, int i, const char *label);
/* One JSON line from stage i (without the newline). */
void gv_report_event(gv_report *r, int i, const char *json, size_t n);
/* A line a stage wrote to stderr. */
void gv_report_message(gv_report *r, const char *line, size_t n);
/* Takes the progress line away, for a message of the driver's own. */
void gv_report_clear(gv_report *r);
void gv_report_tick(gv_report *r);
void gv_report_close(gv_report *r);

#endif
