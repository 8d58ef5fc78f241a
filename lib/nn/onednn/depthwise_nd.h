/* Kernels of our own for convolutions in three dimensions with one filter for each channel. GV_OK and *k filled, or GV_UNSUPPORTED: then oneDNN's serve. */
#ifndef GV_NN_ONEDNN_DEPTHWISE_ND_H
#define GV_NN_ONEDNN_DEPTHWISE_ND_H

#include "nn/onednn/onednn.h"

int dn_depthwise_nd_forward(gv_onednn *ctx, const gv_call *c, gv_kernel *k);
int dn_depthwise_nd_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k);
int dn_depthwise_nd_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k);

#endif
