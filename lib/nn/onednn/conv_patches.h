/* The weight gradient of a convolution whose windows stand side by side, as a product of matrices. GV_UNSUPPORTED: it is no such one. */
#ifndef GV_NN_ONEDNN_CONV_PATCHES_H
#define GV_NN_ONEDNN_CONV_PATCHES_H

#include "nn/onednn/onednn.h"

int dn_patches_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);

#endif
