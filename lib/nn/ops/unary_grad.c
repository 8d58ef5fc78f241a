/* unary_grad: dy times the derivative of a unary, from its input x or, where that is cheaper, its output (nn.h says which). */
#ifndef T
#include "nn/ops/math.h"
#include "nn/ops/op.h"

gv_val gv_unary_grad(gv_graph *g, gv_unary_kind kind, gv_val x_or_y, gv_val dy)
{
    gv_val in[2] = { x_or_y, dy };
    if (!gv_op_ready(g, GV_OP_unary_grad, in, 2))
        return GV_NO_VAL;
    if (!gv_same_shape(g, x_or_y, dy)) {
        char a[GV_SHAPE_TEXT], b[GV_SHAPE_TEXT];
        return gv_graph_fail(g, "unary_grad: value %s and gradient %s differ in shape", gv_shape_text(g, x_or_y, a), gv_shape_text(g, dy, b));
    }
    gv_unary_attr a = { kind };
    return gv_op1(g, GV_OP_unary_grad, &a, in, 2, gv_class_of(g, x_or_y), gv_shape(g, dy), gv_ndim(g, dy));
}

#define GV_KERNELS "nn/ops/unary_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_unary_grad = {
    .name = "unary_grad", .attr_size = sizeof(gv_unary_attr), .flags = GV_OP_ELEMENTWISE, .wants = "o",
    GV_PLAIN(unary_grad_run),
};
#else
#define LOOP(e) { GV_IVDEP for (int64_t i = begin; i < end; i++) { A v = LD(x[i]), d = LD(dy[i]); y[i] = ST((A)(e)); } } break

static inline A F(gelu_slope)(A v) /* the normal distribution's integral plus v times its density */
{
    return (A)0.5 * (1 + gv_erf_of(v * (A)0.70710678118654752440)) + v * (A)0.39894228040143267794 * gv_exp_of((A)-0.5 * v * v);
}

static inline A F(gelu_tanh_slope)(A v)
{
    A u = (A)0.79788456080286535588 * (v + (A)0.044715 * v * v * v), t = gv_tanh_of(u);
    return (A)0.5 * (1 + t) + (A)0.5 * v * (1 - t * t) * (A)0.79788456080286535588 * (1 + 3 * (A)0.044715 * v * v);
}

static inline A F(silu_slope)(A v)
{
    A s = 1 / (1 + gv_exp_of(-v));
    return s * (1 + v * (1 - s));
}

GV_HOT static void F(unary_grad_body)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const T *x = c->x[0], *dy = c->x[1];
    T *y = c->y[0];
    switch (((const gv_unary_attr *)c->attr)->kind) {
    case GV_RELU: LOOP(v > 0 ? d : 0);
    case GV_GELU: LOOP(d * F(gelu_slope)(v));
    case GV_GELU_TANH: LOOP(d * F(gelu_tanh_slope)(v));
    case GV_SILU: LOOP(d * F(silu_slope)(v));
    case GV_SIGMOID: LOOP(d * v * (1 - v));
    case GV_TANH: LOOP(d * (1 - v * v));
    case GV_EXP: LOOP(d * v);
    case GV_LOG: LOOP(d / v);
    case GV_SQRT: LOOP(d / (2 * v));
    case GV_RSQRT: LOOP((A)-0.5 * d / (v * gv_sqrt_of(v)));
    case GV_SQUARE: LOOP(2 * d * v);
    case GV_ABS: LOOP(v > 0 ? d : v < 0 ? -d : 0);
    case GV_HARD_SIGMOID: LOOP(v > -3 && v < 3 ? d / 6 : 0);
    case GV_LEAKY_RELU: LOOP(v > 0 ? d : d * (A)GV_LEAK);
    case GV_UNARY_KINDS: break;
    }
}
#undef LOOP

static int F(unary_grad_run)(const gv_call *c)
{
    return gv_over(c, c->out[0].count, GV_GRAIN, F(unary_grad_body));
}
#endif
