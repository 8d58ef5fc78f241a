/* patch_embed: cut an image into patches and map each to a vector. x [N,H,W,C] -> [N,H/p*W/p,out].
 * trained: proj.weight [out,C,p,p], proj.bias [out]. Source: Dosovitskiy et al. 2021, arXiv:2010.11929, equation 1. */
#include "nn/layers/layers.h"
#include <inttypes.h>

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_patch_embed *o = params;
    int64_t n = gv_dim(g, x, 0), h = gv_dim(g, x, 1), w = gv_dim(g, x, 2), p = o->patch;
    if (p < 1 || h < p || w < p || (!o->cut && (h % p || w % p)))
        return gv_graph_fail(g, "an image of %" PRId64 "x%" PRId64 " pixels does not divide into patches of %" PRId64 " (set data.augmentation.image_size)", h, w, p);
    x = gv_conv2d(g, x, "proj", .out = o->out, .kernel = p, .stride = p, .bias = !o->no_bias); /* [N,H/p,W/p,out] */
    return gv_reshape(g, x, (int64_t[]){ n, h / p * (w / p), o->out }, 3);
}

const gv_layer gv_layer_patch_embed = {
    .name = "patch_embed", .summary = "image to tokens", .params_size = sizeof(struct gv_patch_embed), .build = build,
};
