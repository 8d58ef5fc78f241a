/* The bf16 weight gradient of our own (wgrad_bf16.c): x [N,s…,I], dy [N,s'…,O] in bf16 -> dw [O,I,k…] in f32, one group. */
#ifndef GV_NN_ONEDNN_WGRAD_BF16_H
#define GV_NN_ONEDNN_WGRAD_BF16_H

#include "nn/onednn/onednn.h"

/* The processor has the instructions and the call the types for it. */
bool gv_wgrad_bf16_serves(const gv_call *c);
int gv_wgrad_bf16(gv_onednn *ctx, const gv_call *c, gv_kernel *k);
/* The same for matmul_wgrad: a [R,M], b [R,N] -> a' b [M,N]. GV_UNSUPPORTED: not this call, or not this processor. */
int gv_wgrad_bf16_rows(gv_onednn *ctx, const gv_call *c, gv_kernel *k);

#endif
