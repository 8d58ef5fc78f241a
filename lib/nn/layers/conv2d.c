/* conv2d: convnd with one number for both dimensions. x [N,H,W,C] -> [N,H',W',out]. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_conv2d *o = params;
    return gv_convnd(g, x, "", .dims = 2, .out = o->out, .kernel = { o->kernel, o->kernel }, .stride = { o->stride, o->stride },
                     .padding = { o->padding, o->padding }, .dilation = { o->dilation, o->dilation }, .groups = o->groups,
                     .bias = o->bias, .init = o->init, .bias_init = o->bias_init);
}

const gv_layer gv_layer_conv2d = {
    .name = "conv2d", .summary = "convolution of images", .params_size = sizeof(struct gv_conv2d), .build = build,
};
