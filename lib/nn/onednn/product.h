/*
 * Products of our own, of matrices or of the windows of images, as the ops that are one describe them:
 *   y [M,N] = a [M,K] b (+ bias [N]) (+ more [M,N]) (then ReLU); b [K,N], or [N,K] where it is turned. Inputs of the call by number; bias and more are -1
 *   where there is none.
 */
#ifndef GV_NN_ONEDNN_PRODUCT_H
#define GV_NN_ONEDNN_PRODUCT_H

#include "nn/onednn/onednn.h"

/*
 * spread: the rows of y are pixels of images of yh x yw: oh x ow of them an image, zh and zw pixels apart from y0 and x0 on. clear: the others are zero (the
 * data gradient of a convolution one pixel wide, with a stride), else they are left alone.
 * windows: the rows of a are windows of kh x kw pixels of images a [.,h,w,K / (kh kw)], oh x ow of them an image, sh and sw pixels apart, from ph and pw pixels
 * outside on, their lines and pixels dh and dw apart. Where b is turned it is [N,channels,taps] (a convolution), else [channels,N,taps] (the data gradient of
 * one); tap (i, j) of the window is tap first + i ty + j tx of b.
 */
typedef struct dn_product {
    int64_t M, N, K;
    int a, b, bias, more;
    bool turned, relu, windows, spread, clear;
    int64_t oh, ow;
    int64_t h, w, sh, sw, ph, pw, kh, kw, dh, dw, taps, first, ty, tx;
    int64_t yh, yw, zh, zw, y0, x0;
} dn_product;

/* The windows of a convolution from images to `out` ([N,H,W,C], both); false: they are none that
 * serve here (two dimensions, one group). Keeps the numbers of the inputs, bias, turned and relu. */
bool dn_product_windows(dn_product *p, const gv_window *w, const gv_desc *images, const gv_desc *out);

/* The row of y of a pixel of the output. */
static inline int64_t dn_row_of(const dn_product *p, int64_t image, int64_t line, int64_t x)
{
    return p->spread ? (image * p->yh + line * p->zh + p->y0) * p->yw + x * p->zw + p->x0 : (image * p->oh + line) * p->ow + x;
}

/* By what this processor has: bf16 in AMX's tiles (product_amx.c), windows in f32 by AVX2 (product_f32.c). GV_UNSUPPORTED: by neither. */
int dn_product_make(gv_onednn *ctx, const gv_call *c, const dn_product *p, gv_kernel *k, gv_err *err);

#endif
