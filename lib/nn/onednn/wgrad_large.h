/*
 * The weight gradient of a linear layer where the sums are many: a [R,M], b [R,N] -> a' b [M,N] in f32, in f32 or bf16 with AVX-512.
 * GV_UNSUPPORTED where oneDNN's product is the better one: without AVX-512, with AMX, for few rows or few sums.
 */
#ifndef GV_NN_ONEDNN_WGRAD_LARGE_H
#define GV_NN_ONEDNN_WGRAD_LARGE_H

#include "nn/onednn/onednn.h"

int dn_wgrad_large(gv_onednn *ctx, const gv_call *c, gv_kernel *k);

#endif
