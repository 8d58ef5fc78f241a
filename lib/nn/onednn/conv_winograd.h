/* 3x3 convolutions of images with stride 1, and their data gradients, with 4 products where the definition has 9 (conv_winograd.c):
 * x [N,H,W,C], w [O,C,3,3] -> y [N,H',W',O]; f32 (AVX2, AVX-512) or bf16 (AVX-512-BF16). GV_UNSUPPORTED for other windows, groups, channels that are no
 * multiples of 16 (bf16: 32), and other processors. */
#ifndef GV_NN_ONEDNN_CONV_WINOGRAD_H
#define GV_NN_ONEDNN_CONV_WINOGRAD_H

#include "nn/onednn/onednn.h"

int dn_winograd(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);
int dn_winograd_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);
/* Is it, or dn_winograd_wgrad, the faster one, as far as is known (tests/bench/LOG.md)? */
bool dn_winograd_pays(const gv_call *c);

#endif
