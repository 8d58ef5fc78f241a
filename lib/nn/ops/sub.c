/* sub: a - b with NumPy broadcasting. */
#ifndef T
#include "nn/ops/binary.h"

gv_val gv_sub(gv_graph *g, gv_val a, gv_val b)
{
    return gv_binary(g, GV_OP_sub, a, b);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    gv_val a = n->in[0], b = n->in[1];
    if (want[0])
        dx[0] = gv_sum_to(g, dy[0], gv_shape(g, a), gv_ndim(g, a), gv_class_of(g, a));
    if (want[1])
        dx[1] = gv_sum_to(g, gv_affine(g, dy[0], -1, 0), gv_shape(g, b), gv_ndim(g, b), gv_class_of(g, b));
}

#define GV_KERNELS "nn/ops/sub.c"
#include "nn/ops/types.h"

const gv_op gv_op_sub = {
    .name = "sub", .flags = GV_OP_ELEMENTWISE, .wants = "o",
    .gradient = gradient, GV_PLAIN(sub_run),
};
#else
#define GV_BINARY(x) sub_##x
#define EXPR(a, b) ((a) - (b))
#include "nn/ops/binary_kernel.h"
#undef GV_BINARY
#undef EXPR
#endif
