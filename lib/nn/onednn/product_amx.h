/*
 * Products of bf16 matrices in AMX's tiles (product_amx.c). GV_UNSUPPORTED where they do not serve: on other processors, and for small or odd ones.
 *   dn_product_amx   y [M,N] = a [M,K] b (+ bias [N]) (+ more [M,N]) (then ReLU); a and more in bf16, b [K,N], or [N,K] where it is turned, in f32 or bf16;
 *                    y in bf16 or f32. Inputs of the call by number; bias and more are -1 where there is none.
 */
#ifndef GV_NN_ONEDNN_PRODUCT_AMX_H
#define GV_NN_ONEDNN_PRODUCT_AMX_H

#include "nn/onednn/onednn.h"

/* spread: the rows of y are those pixels of images of h x w that a stride reaches, and the others are zero (the data gradient of a convolution one pixel
 * wide); a has oh x ow pixels an image. */
typedef struct dn_product { int64_t M, N, K; int a, b, bias, more; bool turned, relu, spread; int64_t h, w, oh, ow, sh, sw; } dn_product;

int dn_product_amx(gv_onednn *ctx, const gv_call *c, const dn_product *p, gv_kernel *k, gv_err *err);

#endif
