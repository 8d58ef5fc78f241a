/* product: which of our own kernels makes one (product.h). */
#include "nn/onednn/product.h"
#include "nn/onednn/product_amx.h"
#include "nn/onednn/product_f32.h"
#include "nn/ops/attr.h"

bool dn_product_windows(dn_product *p, const gv_window *w, const gv_desc *images, const gv_desc *out)
{
    if (w->dims != 2 || w->groups != 1 || !images->count || !out->count)
        return false;
    *p = (dn_product){ .a = p->a, .b = p->b, .bias = p->bias, .more = p->more, .turned = p->turned, .relu = p->relu, .windows = true,
                       .M = out->count / out->shape[3], .N = out->shape[3], .K = images->shape[3] * w->kernel[0] * w->kernel[1],
                       .h = images->shape[1], .w = images->shape[2], .oh = out->shape[1], .ow = out->shape[2], .sh = w->stride[0], .sw = w->stride[1],
                       .ph = w->pad[0], .pw = w->pad[1], .kh = w->kernel[0], .kw = w->kernel[1], .dh = w->dilation[0], .dw = w->dilation[1],
                       .taps = w->kernel[0] * w->kernel[1], .ty = w->kernel[1], .tx = 1 };
    if (!p->turned)
        p->first = p->taps - 1, p->ty = -p->ty, p->tx = -1;
    return true;
}

int dn_product_make(gv_onednn *ctx, const gv_call *c, const dn_product *p, gv_kernel *k, gv_err *err)
{
    int r = dn_product_amx(ctx, c, p, k, err);
    return r == GV_UNSUPPORTED ? dn_product_f32(ctx, c, p, k, err) : r;
}
