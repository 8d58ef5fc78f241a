/* affine: x * scale + shift with constants. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_affine(gv_graph *g, gv_val x, double scale, double shift)
{
    if (!gv_op_ready(g, GV_OP_affine, &x, 1) || !gv_is_float(g, GV_OP_affine, x))
        return GV_NO_VAL;
    if (scale == 1 && shift == 0)
        return x;
    gv_affine_attr a = { scale, shift };
    return gv_op1(g, GV_OP_affine, &a, &x, 1, gv_class_of(g, x), gv_shape(g, x), gv_ndim(g, x));
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    dx[0] = gv_affine(g, dy[0], ((const gv_affine_attr *)n->attr)->scale, 0);
}

#define GV_KERNELS "nn/ops/affine.c"
#include "nn/ops/types.h"

const gv_op gv_op_affine = {
    .name = "affine", .attr_size = sizeof(gv_affine_attr), .flags = GV_OP_ELEMENTWISE, .wants = "o",
    .gradient = gradient, GV_PLAIN(affine_run),
};
#else
GV_HOT static void F(affine_body)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const gv_affine_attr *o = c->attr;
    const T *x = c->x[0];
    T *y = c->y[0];
    A scale = (A)o->scale, shift = (A)o->shift;
    GV_IVDEP
    for (int64_t i = begin; i < end; i++)
        y[i] = ST(LD(x[i]) * scale + shift);
}

static int F(affine_run)(const gv_call *c)
{
    return gv_over(c, c->out[0].count, GV_GRAIN, F(affine_body));
}
#endif
