/*
 * Products of windows in f32 by AVX2 (product_f32.c), for processors without AVX-512, where oneDNN's kernels are slow. GV_UNSUPPORTED on others, for
 * matrices, other types, and small ones.
 */
#ifndef GV_NN_ONEDNN_PRODUCT_F32_H
#define GV_NN_ONEDNN_PRODUCT_F32_H

#include "nn/onednn/product.h"

int dn_product_f32(gv_onednn *ctx, const gv_call *c, const dn_product *p, gv_kernel *k, gv_err *err);

#endif
