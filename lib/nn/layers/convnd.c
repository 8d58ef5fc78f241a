/* convnd: convolution in 1 to 3 dimensions.
 * x [N,s…,C] -> [N,s'…,out]; trained: weight [out,C/groups,k…], bias [out].
 * Initialised as torch's Conv unless told: uniform within 1/sqrt(fan_in). */
#include "nn/layers/layers.h"
#include <inttypes.h>

static gv_val build(gv_graph *g, const void *params, gv_val x)
{
    const struct gv_convnd *o = params;
    char text[GV_INIT_TEXT];
    gv_window w = { .dims = o->dims, .groups = o->groups > 0 ? o->groups : 1 };
    int64_t c = gv_dim(g, x, -1), shape[5] = { o->out, c / w.groups }, fan_in = c / w.groups;
    if (o->dims < 1 || o->dims > 3 || gv_ndim(g, x) != o->dims + 2)
        return gv_graph_fail(g, "a convolution in %d dimensions got a value with %d axes", o->dims, gv_ndim(g, x));
    if (c % w.groups || o->out % w.groups)
        return gv_graph_fail(g, "%" PRId64 " channels to %" PRId64 " do not divide into %" PRId64 " groups", c, o->out, w.groups);
    for (int i = 0; i < o->dims; i++) {
        w.kernel[i] = shape[2 + i] = o->kernel[i];
        w.stride[i] = o->stride[i] > 0 ? o->stride[i] : 1;
        w.dilation[i] = o->dilation[i] > 0 ? o->dilation[i] : 1;
        int64_t around = w.dilation[i] * (o->kernel[i] - 1); /* zeros for `same` */
        w.pad[i] = o->same ? around / 2 : o->padding[i];
        w.pad_end[i] = o->same ? around - w.pad[i] : o->padding[i];
        fan_in *= o->kernel[i];
    }
    gv_val weight = gv_param(g, "weight", shape, 2 + o->dims, o->init ? o->init : "kaiming_uniform_a5");
    gv_val bias = o->bias ? gv_param(g, "bias", shape, 1, o->bias_init ? o->bias_init : gv_init_bias(text, fan_in)) : GV_NO_VAL;
    return gv_conv(g, x, weight, bias, &w);
}

const gv_layer gv_layer_convnd = {
    .name = "convnd", .summary = "convolution in 1 to 3 dimensions", .params_size = sizeof(struct gv_convnd), .build = build,
};
