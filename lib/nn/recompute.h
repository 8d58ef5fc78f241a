/* The pass that lets values of the forward pass go and makes them again (recompute.c); gv_plan_options.recompute says how much. */
#ifndef GV_NN_RECOMPUTE_H
#define GV_NN_RECOMPUTE_H

#include "nn/rewrite.h"

int gv_recompute(gv_rewrite_ctx *r, gv_err *err) GV_MUST_USE;

#endif
