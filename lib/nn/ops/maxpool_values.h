/* Max pooling of bf16 whose places of the maxima nobody reads (maxpool_values.c). */
#ifndef GV_NN_OPS_MAXPOOL_VALUES_H
#define GV_NN_OPS_MAXPOOL_VALUES_H

#include "nn/ops/window.h"

/* Writes y [N,s...,C]; false, and nothing is written: windows too wide for it. A NaN beats all, +0 beats -0. */
bool gv_maxpool_values(const gv_call *c);

#endif
