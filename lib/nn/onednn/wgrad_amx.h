/*
 * Weight gradients in bf16 by AMX (wgrad_amx.c): GV_UNSUPPORTED on other processors, for groups, dilation and volumes.
 *   dn_wgrad_amx       x [N,s…,I], dy [N,s'…,O] in bf16 -> dw [O,I,k…] in f32, of one or two dimensions
 *   dn_wgrad_amx_rows  a [R,M], b [R,N] in bf16 -> a' b [M,N] in f32
 */
#ifndef GV_NN_ONEDNN_WGRAD_AMX_H
#define GV_NN_ONEDNN_WGRAD_AMX_H

#include "nn/onednn/onednn.h"

int dn_wgrad_amx(gv_onednn *ctx, const gv_call *c, gv_kernel *k);
int dn_wgrad_amx_rows(gv_onednn *ctx, const gv_call *c, gv_kernel *k);

#endif
