/*
 * What this machine can do, measured in this process: the bound that every kernel's rate is held against.
 *
 *   gv_roof r;
 *   gv_roof_measure(&r, "onednn", threads, &err);      // about two seconds
 *   double ideal = macs / r.madd_bf16;                 // seconds
 *
 * The multiply-add rate is the best of several square matrix products that stay in the cache, by the backend's own kernel; the bandwidth
 * is that of copying an array larger than the cache, bytes read and written both counted. Up to four threads are taken to reach together at
 * least what one reaches alone, times their number, since on a machine that others use too they may never run at once; the bandwidth
 * sinks there as the kernels' does: measure in the run that it judges.
 */
#ifndef GV_NN_ROOF_H
#define GV_NN_ROOF_H

#include "nn/nn.h"

typedef struct gv_roof {
    double madd_f32, madd_bf16; /* multiply-adds a second; bf16: 0 where the processor does not multiply it */
    double copy;                /* bytes a second */
} gv_roof;

/* backend NULL: the default. threads 0: as available. Changes gv_threads_set. */
int gv_roof_measure(gv_roof *r, const char *backend, int threads, gv_err *err) GV_MUST_USE;
/* The multiply-add rate that a precision is held against. */
double gv_roof_madd(const gv_roof *r, gv_precision p);

#endif
