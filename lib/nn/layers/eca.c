/* eca: channel attention by one convolution along the channels. x [N,s…,C] -> same; trained: conv.weight [1,1,k],
 * k = (log2 C + 1)/2 made odd, at least 3. Source: Wang et al. 2020, arXiv:1910.03151, equation 12. */
#include "nn/layers/layers.h"
#include <math.h>

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    (void)params;
    int64_t n = gv_dim(g, x, 0), c = gv_dim(g, x, -1), shape[5] = { n, 1, 1, 1, 1 };
    int dims = gv_ndim(g, x) - 2;
    int64_t k = (int64_t)(fabs(log2((double)c) + 1) / 2);
    k = k % 2 ? k : k + 1;
    k = k < 3 ? 3 : k;
    gv_val s = gv_reshape(g, gv_global_avgpool(g, x), (int64_t[]){ n, c, 1 }, 3);
    s = gv_convnd(g, s, "conv", .dims = 1, .out = 1, .kernel = { k }, .padding = { k / 2 }); /* [N,C,1] */
    shape[dims + 1] = c;
    return gv_mul(g, x, gv_reshape(g, gv_sigmoid(g, s), shape, dims + 2)); /* [N,1…,C] */
}

const gv_layer gv_layer_eca = {
    .name = "eca", .summary = "channel attention by a convolution along channels", .params_size = sizeof(struct gv_eca), .build = build,
};
