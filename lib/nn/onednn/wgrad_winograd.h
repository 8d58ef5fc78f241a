/* The weight gradient of a 3x3 convolution with stride 1 with 16 products where the definition has 36 (wgrad_winograd.c): x [N,H,W,C],
 * dy [N,H',W',O] -> dw [O,C,3,3] f32; x and dy f32 (AVX2, AVX-512) or bf16 (AVX-512-BF16). GV_UNSUPPORTED for other windows, groups, channels that are
 * no multiples of 16 (bf16: 32), and other processors. */
#ifndef GV_NN_ONEDNN_WGRAD_WINOGRAD_H
#define GV_NN_ONEDNN_WGRAD_WINOGRAD_H

#include "nn/onednn/onednn.h"

int dn_winograd_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);

#endif
