/* GELU and its gradient with intrinsics (gelu.c). GV_UNSUPPORTED where the processor has none of them: the loops of elementwise.c serve. */
#ifndef GV_NN_ONEDNN_GELU_H
#define GV_NN_ONEDNN_GELU_H

#include "nn/onednn/onednn.h"

int dn_gelu(gv_onednn *ctx, const gv_call *c, gv_kernel *k);
int dn_gelu_grad(gv_onednn *ctx, const gv_call *c, gv_kernel *k);

#endif
