/* The data gradient of a bf16 convolution with stride 1 as a forward one (conv_turned.c): dy [N,s'…,O], w [O,C,k…] -> dx [N,s…,C]. GV_UNSUPPORTED
 * for strides, dilation, groups, and few channels. Without AMX oneDNN's own data gradient is as good. */
#ifndef GV_NN_ONEDNN_CONV_TURNED_H
#define GV_NN_ONEDNN_CONV_TURNED_H

#include "nn/onednn/onednn.h"

int dn_conv_turned(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err);

#endif
