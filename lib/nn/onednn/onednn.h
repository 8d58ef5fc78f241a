/*
 * The CPU backend: convolutions and matrix products by oneDNN, the rest by our own loops, compiled for several instruction sets
 * (GV_HOT). One file per op; kernels.h lists them, from ops.def: an op without a kernel here does not link until it says so
 * in unsupported.c, and then its plain kernel runs.
 *
 * Types: f32 and bf16 (sums, statistics and weight gradients in f32); double goes to the plain kernels.
 * Threads: everything runs in oneDNN's OpenMP threads (gv_parallel is lent to them), so that two pools do not fight for cores.
 * Results depend on the number of threads and the instruction set, and on nothing else.
 */
#ifndef GV_NN_ONEDNN_ONEDNN_H
#define GV_NN_ONEDNN_ONEDNN_H

#include "nn/backend.h"

typedef struct gv_onednn gv_onednn;

/* A compile function of an op: GV_OK and *k filled, GV_UNSUPPORTED, or a failure. */
typedef int gv_onednn_compile(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);

extern const gv_backend gv_backend_onednn;

#endif
