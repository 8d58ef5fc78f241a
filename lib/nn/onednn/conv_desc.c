/* The descriptors of a convolution: our shapes put in oneDNN's order. */
#include "nn/onednn/conv_desc.h"

static const dnnl_format_tag_t last_tag[4] = { 0, dnnl_nwc, dnnl_nhwc, dnnl_ndhwc };
static const dnnl_format_tag_t weight_tag[2][4] = { { 0, dnnl_oiw, dnnl_oihw, dnnl_oidhw }, { 0, dnnl_goiw, dnnl_goihw, dnnl_goidhw } };

/* [N,s…,C] -> N,C,s… */
static int activation(dn_md *md, const gv_desc *t, int dims, gv_err *err)
{
    dnnl_dims_t d = { t->shape[0], t->shape[dims + 1] };
    for (int i = 0; i < dims; i++)
        d[2 + i] = t->shape[1 + i];
    return dn_status(dn_md_tag(md, dims + 2, d, dn_type(t->dtype), last_tag[dims]), "a descriptor", err);
}

static int weights(dn_conv *d, const gv_desc *w, int64_t groups, int dims, dnnl_data_type_t compute, gv_err *err)
{
    dnnl_dims_t s = { 0 };
    int n = 0;
    if (groups > 1)
        s[n++] = groups;
    s[n++] = w->shape[0] / groups;
    for (int i = 1; i < dims + 2; i++)
        s[n++] = w->shape[i];
    int r = dn_status(dn_md_tag(&d->w_any, n, s, compute, dnnl_format_tag_any), "a descriptor", err);
    return r != GV_OK ? r : dn_status(dn_md_tag(&d->w_plain, n, s, dn_type(w->dtype), weight_tag[groups > 1][dims]), "a descriptor", err);
}

int dn_conv_describe(dn_conv *d, const gv_window *win, const gv_desc *x, const gv_desc *w, const gv_desc *y, const gv_desc *b,
                     dnnl_data_type_t compute, gv_err *err)
{
    int dims = win->dims, r;
    memset(d, 0, sizeof *d);
    if (dims < 1 || dims > 3 || dn_type(x->dtype) == dnnl_data_type_undef || dn_type(w->dtype) == dnnl_data_type_undef || dn_type(y->dtype) == dnnl_data_type_undef)
        return GV_UNSUPPORTED;
    for (int i = 0; i < dims; i++) {
        d->stride[i] = win->stride[i];
        d->dilate[i] = win->dilation[i] - 1; /* oneDNN counts the zeros between */
        d->pad_l[i] = win->pad[i];
        /* oneDNN wants the padding that is used: the end may be wider than the last window needs */
        d->pad_r[i] = (y->shape[1 + i] - 1) * win->stride[i] + (w->shape[2 + i] - 1) * win->dilation[i] + 1 - x->shape[1 + i] - win->pad[i];
    }
    if ((r = activation(&d->x, x, dims, err)) != GV_OK || (r = activation(&d->y, y, dims, err)) != GV_OK ||
        (r = weights(d, w, win->groups, dims, compute, err)) != GV_OK)
        return r;
    if (b) {
        dnnl_dims_t n = { b->count };
        if (dn_type(b->dtype) == dnnl_data_type_undef)
            return GV_UNSUPPORTED;
        if ((r = dn_status(dn_md_tag(&d->b, 1, n, dn_type(b->dtype), dnnl_a), "a descriptor", err)) != GV_OK)
            return r;
    }
    return (d->attr = dn_attr(err)) ? GV_OK : GV_ESYS;
}

int dn_conv_hint(gv_onednn *ctx, const dn_conv *d, dnnl_primitive_desc_t *pd, gv_err *err)
{
    return dn_status(dn_conv_forward(pd, ctx->engine, dnnl_forward_training, d->x, d->w_any, NULL, d->y, d->stride, d->dilate, d->pad_l, d->pad_r, d->attr),
                     "a convolution", err);
}

void dn_conv_drop(dn_conv *d)
{
    dn_md_free(d->x);
    dn_md_free(d->y);
    dn_md_free(d->w_any);
    dn_md_free(d->w_plain);
    dn_md_free(d->b);
    if (d->attr)
        dnnl_primitive_attr_destroy(d->attr);
}
