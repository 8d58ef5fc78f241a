/*
 * What the three convolution kernels share: the descriptors of x [N,C,s…], w [O,C/groups,k…] and y [N,O,s'…] as oneDNN counts them.
 * Activations are described where they lie (channels last); weights are described as PyTorch stores them (plain) and as
 * oneDNN would like them (any), and a reorder goes between.
 */
#ifndef GV_NN_ONEDNN_CONV_DESC_H
#define GV_NN_ONEDNN_CONV_DESC_H

#include "nn/onednn/internal.h"

typedef struct dn_conv {
    dn_md x, y, w_any, w_plain, b;
    dnnl_dims_t stride, dilate, pad_l, pad_r;
    dnnl_primitive_attr_t attr;
} dn_conv;

/* compute: the type oneDNN multiplies weights in; stored: the type of the weight tensor. b: NULL or a bias. GV_UNSUPPORTED for
 * types oneDNN has not. Call dn_conv_drop in every case. */
int dn_conv_describe(dn_conv *d, const gv_window *win, const gv_desc *x, const gv_desc *w, const gv_desc *y, const gv_desc *b,
                     dnnl_data_type_t compute, gv_err *err);
/* The forward primitive descriptor that the backward ones want as a hint. */
int dn_conv_hint(gv_onednn *ctx, const dn_conv *d, dnnl_primitive_desc_t *pd, gv_err *err);
void dn_conv_drop(dn_conv *d);

/* A convolution that is a product of matrices: one pixel wide, at every pixel, without groups. */
static inline bool dn_conv_is_product(const gv_window *w)
{
    for (int i = 0; i < w->dims; i++)
        if (w->kernel[i] != 1 || w->stride[i] != 1 || w->pad[i])
            return false;
    return w->groups == 1;
}

#endif
