/* 3x3 convolutions of bf16 images with stride 1, and their data gradients, with 4 products where the definition has 9 (conv_winograd.c):
 * x [N,H,W,C], w [O,C,3,3] -> y [N,H',W',O]. GV_UNSUPPORTED for other windows, groups, channels that are no multiples of 32, and processors without
 * AVX-512-BF16. */
#ifndef GV_NN_ONEDNN_CONV_WINOGRAD_H
#define GV_NN_ONEDNN_CONV_WINOGRAD_H

#include "nn/onednn/onednn.h"

int dn_winograd(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);
int dn_winograd_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);
/* Is it, or dn_winograd_wgrad, the faster one, as far as is known (tests/bench/LOG.md)? */
bool dn_winograd_pays(const gv_call *c);

#endif
