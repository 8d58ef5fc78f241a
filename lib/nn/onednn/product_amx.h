/*
 * Products in AMX's tiles (product_amx.c): a and more in bf16, b in f32 or bf16, y in bf16 or f32. GV_UNSUPPORTED where they do not serve: on other
 * processors, and for small or odd ones.
 */
#ifndef GV_NN_ONEDNN_PRODUCT_AMX_H
#define GV_NN_ONEDNN_PRODUCT_AMX_H

#include "nn/onednn/product.h"

int dn_product_amx(gv_onednn *ctx, const gv_call *c, const dn_product *p, gv_kernel *k, gv_err *err);

#endif
