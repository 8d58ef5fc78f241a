/* The weight gradient of a convolution of images, or of 1x1 windows, in f32 by AVX2 (wgrad_f32.c), for processors without AVX-512. GV_UNSUPPORTED on others, and for
 * groups, other types and dimensions. */
#ifndef GV_NN_ONEDNN_WGRAD_F32_H
#define GV_NN_ONEDNN_WGRAD_F32_H

#include "nn/onednn/onednn.h"

int dn_wgrad_f32(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);

#endif
