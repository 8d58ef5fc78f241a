/*
 * Where the time of a run goes: every node's time, and what else a step consists of, added up over the runs of any number of plans.
 *
 *   gv_profile *q;
 *   gv_profile_open(&q, &err);
 *   gv_plan_profile(plan, q, &err);                    // from now on each gv_plan_run is timed, node by node
 *   …
 *   double t = gv_profile_now(); gv_optimizer_step(…); gv_profile_other(q, "optimizer", "AdamW", t, bytes, 0);
 *   gv_profile_table(q, &roof, GV_MIXED_BF16, &text, &err);
 *   gv_profile_close(q);
 *
 * Close plans after the table is made: paths and kernel names are lent by them. A plan without a profile pays one comparison a node.
 * The first run of each plan (pages are touched, code is made) is left out once there is a second one.
 *
 * Bytes are those of a node's inputs and outputs, each counted once: what has to move when nothing is in a cache. Multiply-adds are
 * counted for convolutions (taps in the padding left out) and matrix products.
 */
#ifndef GV_NN_PROFILE_H
#define GV_NN_PROFILE_H

#include "nn/roof.h"
#include <time.h>

typedef struct gv_profile gv_profile;
typedef struct gv_profile_part gv_profile_part; /* of one plan */
struct gv_call;

static inline double gv_profile_now(void) /* seconds, monotonic */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int gv_profile_open(gv_profile **q, gv_err *err) GV_MUST_USE;
void gv_profile_close(gv_profile *q); /* NULL is allowed */
/* Time that plan's nodes from now on; q NULL: no more. */
int gv_plan_profile(gv_plan *p, gv_profile *q, gv_err *err) GV_MUST_USE;

/* Work that is no node, since `began`: one row for each name and kind. Both texts are borrowed. */
void gv_profile_other(gv_profile *q, const char *name, const char *kind, double began, double bytes, double macs);

/* ---- sums ---- */

typedef struct gv_profile_sum {
    int64_t runs;        /* of all plans, without first ones */
    double seconds;      /* of all rows, in one run on average */
    double best;         /* each row's shortest time, added up: a run in which nothing was ever waited for */
    double macs, bytes;  /* of one run */
} gv_profile_sum;
gv_profile_sum gv_profile_total(const gv_profile *q);

/* A table for people: by op and kernel, then the costliest nodes. roof NULL: without shares. */
int gv_profile_table(const gv_profile *q, const gv_roof *roof, gv_precision p, gv_buf *text, gv_err *err) GV_MUST_USE;

/* Multiply-adds and bytes of a node. */
double gv_call_macs(const struct gv_call *c);
double gv_call_bytes(const struct gv_call *c);

/* ---- for plan.c ---- */
gv_profile_part *gv_profile_part_new(gv_profile *q, int nodes, gv_err *err);
void gv_profile_node(gv_profile_part *t, int i, const struct gv_call *c, const char *kernel);
void gv_profile_run(gv_profile_part *t); /* a run begins */
void gv_profile_add(gv_profile_part *t, int i, double began);

#endif
