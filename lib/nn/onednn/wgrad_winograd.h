/* The weight gradient of a bf16 3x3 convolution with stride 1 with 16 products where the definition has 36 (wgrad_winograd.c): x [N,H,W,C],
 * dy [N,H',W',O] -> dw [O,C,3,3] f32. GV_UNSUPPORTED for other windows, groups, channels that are no multiples of 32, and processors without
 * AVX-512-BF16. */
#ifndef GV_NN_ONEDNN_WGRAD_WINOGRAD_H
#define GV_NN_ONEDNN_WGRAD_WINOGRAD_H

#include "nn/onednn/onednn.h"

int dn_winograd_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);

#endif
