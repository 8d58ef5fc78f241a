/* max_pool: the largest of each window, channel by channel, in 1 to 3 dimensions. x [N,s…,C] -> [N,s'…,C]. */
#include "nn/layers/layers.h"

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_pool *o = params;
    gv_window w = { .dims = gv_ndim(g, x) - 2, .groups = 1, .ceil_mode = o->ceil_mode, .count_include_pad = !o->exclude_pad };
    if (w.dims < 1 || w.dims > 3)
        return gv_graph_fail(g, "pooling needs 1 to 3 spatial axes; the value has %d axes", gv_ndim(g, x));
    for (int i = 0; i < w.dims; i++) {
        w.kernel[i] = o->kernel;
        w.stride[i] = o->stride > 0 ? o->stride : o->kernel;
        w.pad[i] = w.pad_end[i] = o->padding;
        w.dilation[i] = 1;
    }
    return gv_maxpool(g, x, &w).y;
}

const gv_layer gv_layer_max_pool = {
    .name = "max_pool", .summary = "largest of each window", .params_size = sizeof(struct gv_pool), .build = build,
};
