/* Kernels of our own for convolutions with one filter for each channel. GV_OK and *k filled, or GV_UNSUPPORTED: then oneDNN's serve. */
#ifndef GV_NN_ONEDNN_DEPTHWISE_H
#define GV_NN_ONEDNN_DEPTHWISE_H

#include "nn/onednn/onednn.h"

int dn_depthwise_forward(gv_onednn *ctx, const gv_call *c, gv_kernel *k);
int dn_depthwise_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k);
int dn_depthwise_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k);

#endif
