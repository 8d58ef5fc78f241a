/*
 * One face for oneDNN 2 and 3. We write to the calls of version 3: X_primitive_desc_create(&pd, engine, …, attr), and
 * memory descriptors that are opaque handles. Under version 2 the functions below make them from operation descriptors.
 * Only the primitives we use are here; dn_ stands for dnnl_ where the two versions differ.
 *
 *   dn_md   a descriptor we own (dn_md_tag, dn_md_strides, freed by dn_md_free); its fields are never looked at
 *   dn_cmd  one that somebody else owns (a primitive descriptor's)
 *
 * Source: the headers of oneDNN 2.6.3 and 3.2; version 2 lets dilated_* descriptors stand for all convolutions.
 */
#ifndef GV_NN_ONEDNN_SHIM_H
#define GV_NN_ONEDNN_SHIM_H

#include "common/arena.h"
#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t dn_md;
typedef const_dnnl_memory_desc_t dn_cmd;

static inline dnnl_status_t dn_md_tag(dn_md *md, int nd, const dnnl_dims_t dims, dnnl_data_type_t t, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(md, nd, dims, t, tag);
}

static inline dnnl_status_t dn_md_strides(dn_md *md, int nd, const dnnl_dims_t dims, dnnl_data_type_t t, const dnnl_dims_t strides)
{
    return dnnl_memory_desc_create_with_strides(md, nd, dims, t, strides);
}

static inline void dn_md_free(dn_md md)
{
    if (md)
        dnnl_memory_desc_destroy(md);
}

static inline dnnl_status_t dn_conv_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t e, dnnl_prop_kind_t prop, dn_cmd x, dn_cmd w, dn_cmd b, dn_cmd y,
                                            const dnnl_dims_t stride, const dnnl_dims_t dilate, const dnnl_dims_t pad_l, const dnnl_dims_t pad_r,
                                            const_dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_forward_primitive_desc_create(pd, e, prop, dnnl_convolution_direct, x, w, b, y, stride, dilate, pad_l, pad_r, attr);
}

static inline dnnl_status_t dn_conv_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t e, dn_cmd dx, dn_cmd w, dn_cmd dy, const dnnl_dims_t stride,
                                                  const dnnl_dims_t dilate, const dnnl_dims_t pad_l, const dnnl_dims_t pad_r,
                                                  const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_backward_data_primitive_desc_create(pd, e, dnnl_convolution_direct, dx, w, dy, stride, dilate, pad_l, pad_r, hint, attr);
}

static inline dnnl_status_t dn_conv_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t e, dn_cmd x, dn_cmd dw, dn_cmd db, dn_cmd dy,
                                                     const dnnl_dims_t stride, const dnnl_dims_t dilate, const dnnl_dims_t pad_l, const dnnl_dims_t pad_r,
                                                     const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(pd, e, dnnl_convolution_direct, x, dw, db, dy, stride, dilate, pad_l, pad_r, hint, attr);
}

static inline dnnl_status_t dn_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t e, dn_cmd a, dn_cmd b, dn_cmd bias, dn_cmd y, const_dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(pd, e, a, b, bias, y, attr);
}

static inline dnnl_status_t dn_append_eltwise(dnnl_post_ops_t po, dnnl_alg_kind_t alg, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(po, alg, alpha, beta);
}

static inline dnnl_status_t dn_append_sum(dnnl_post_ops_t po)
{
    return dnnl_post_ops_append_sum(po, 1, 0, dnnl_data_type_undef);
}

/* The kernel that oneDNN would take after this one. */
static inline dnnl_status_t dn_next(dnnl_primitive_desc_t pd)
{
    return dnnl_primitive_desc_next_impl(pd);
}

#else /* version 2: descriptors are plain structs; ours live on the heap so that the handles look alike */

typedef dnnl_memory_desc_t *dn_md;
typedef const dnnl_memory_desc_t *dn_cmd;

static inline void dn_md_free(dn_md md)
{
    gv_free(md);
}

static inline dnnl_status_t dn_md_done(dn_md *md, dnnl_status_t s)
{
    if (s != dnnl_success) {
        gv_free(*md);
        *md = NULL;
    }
    return s;
}

static inline dnnl_status_t dn_md_tag(dn_md *md, int nd, const dnnl_dims_t dims, dnnl_data_type_t t, dnnl_format_tag_t tag)
{
    if (!(*md = gv_alloc(sizeof **md, NULL)))
        return dnnl_out_of_memory;
    return dn_md_done(md, dnnl_memory_desc_init_by_tag(*md, nd, dims, t, tag));
}

static inline dnnl_status_t dn_md_strides(dn_md *md, int nd, const dnnl_dims_t dims, dnnl_data_type_t t, const dnnl_dims_t strides)
{
    if (!(*md = gv_alloc(sizeof **md, NULL)))
        return dnnl_out_of_memory;
    return dn_md_done(md, dnnl_memory_desc_init_by_strides(*md, nd, dims, t, strides));
}

static inline dnnl_status_t dn_conv_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t e, dnnl_prop_kind_t prop, dn_cmd x, dn_cmd w, dn_cmd b, dn_cmd y,
                                            const dnnl_dims_t stride, const dnnl_dims_t dilate, const dnnl_dims_t pad_l, const dnnl_dims_t pad_r,
                                            const_dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t s = dnnl_dilated_convolution_forward_desc_init(&d, prop, dnnl_convolution_direct, x, w, b, y, stride, dilate, pad_l, pad_r);
    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, e, NULL);
}

static inline dnnl_status_t dn_conv_backward_data(dnnl_primitive_desc_t *pd, dnnl_engine_t e, dn_cmd dx, dn_cmd w, dn_cmd dy, const dnnl_dims_t stride,
                                                  const dnnl_dims_t dilate, const dnnl_dims_t pad_l, const dnnl_dims_t pad_r,
                                                  const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t s = dnnl_dilated_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, dx, w, dy, stride, dilate, pad_l, pad_r);
    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, e, hint);
}

static inline dnnl_status_t dn_conv_backward_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t e, dn_cmd x, dn_cmd dw, dn_cmd db, dn_cmd dy,
                                                     const dnnl_dims_t stride, const dnnl_dims_t dilate, const dnnl_dims_t pad_l, const dnnl_dims_t pad_r,
                                                     const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t d;
    dnnl_status_t s = dnnl_dilated_convolution_backward_weights_desc_init(&d, dnnl_convolution_direct, x, dw, db, dy, stride, dilate, pad_l, pad_r);
    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, e, hint);
}

static inline dnnl_status_t dn_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t e, dn_cmd a, dn_cmd b, dn_cmd bias, dn_cmd y, const_dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t d;
    dnnl_status_t s = dnnl_matmul_desc_init(&d, a, b, bias, y);
    return s != dnnl_success ? s : dnnl_primitive_desc_create(pd, &d, attr, e, NULL);
}

/* Only iterators go on to another kernel there, and nothing needs it. */
static inline dnnl_status_t dn_next(dnnl_primitive_desc_t pd)
{
    (void)pd;
    return dnnl_success;
}

static inline dnnl_status_t dn_append_eltwise(dnnl_post_ops_t po, dnnl_alg_kind_t alg, float alpha, float beta)
{
    return dnnl_post_ops_append_eltwise(po, 1.0f, alg, alpha, beta);
}

static inline dnnl_status_t dn_append_sum(dnnl_post_ops_t po)
{
    return dnnl_post_ops_append_sum(po, 1.0f);
}

#endif

#endif
