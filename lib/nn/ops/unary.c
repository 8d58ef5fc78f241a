/* unary: y = f(x), element by element. Derivatives are in unary_grad.c. */
#ifndef T
#include "nn/ops/math.h"
#include "nn/ops/op.h"

gv_val gv_unary(gv_graph *g, gv_unary_kind kind, gv_val x)
{
    if (!gv_op_ready(g, GV_OP_unary, &x, 1) || !gv_is_float(g, GV_OP_unary, x))
        return GV_NO_VAL;
    gv_unary_attr a = { kind };
    return gv_op1(g, GV_OP_unary, &a, &x, 1, gv_class_of(g, x), gv_shape(g, x), gv_ndim(g, x));
}

gv_val gv_relu(gv_graph *g, gv_val x) { return gv_unary(g, GV_RELU, x); }
gv_val gv_gelu(gv_graph *g, gv_val x) { return gv_unary(g, GV_GELU, x); }
gv_val gv_sigmoid(gv_graph *g, gv_val x) { return gv_unary(g, GV_SIGMOID, x); }
gv_val gv_silu(gv_graph *g, gv_val x) { return gv_unary(g, GV_SILU, x); }
gv_val gv_tanh(gv_graph *g, gv_val x) { return gv_unary(g, GV_TANH, x); }

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    const gv_unary_attr *a = n->attr;
    gv_unary_kind k = a->kind;
    bool from_y = k == GV_RELU || k == GV_LEAKY_RELU || k == GV_SIGMOID || k == GV_TANH || k == GV_EXP || k == GV_SQRT;
    dx[0] = gv_unary_grad(g, k, from_y ? n->out[0] : n->in[0], dy[0]);
}

#define GV_KERNELS "nn/ops/unary.c"
#include "nn/ops/types.h"

const gv_op gv_op_unary = {
    .name = "unary", .attr_size = sizeof(gv_unary_attr), .flags = GV_OP_ELEMENTWISE, .wants = "o",
    .gradient = gradient, GV_PLAIN(unary_run),
};
#else
#define LOOP(e) { GV_IVDEP for (int64_t i = begin; i < end; i++) { A v = LD(x[i]); y[i] = ST((A)(e)); } } break

GV_HOT static void F(unary_body)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const T *x = c->x[0];
    T *y = c->y[0];
    switch (((const gv_unary_attr *)c->attr)->kind) {
    case GV_RELU: LOOP(v < 0 ? 0 : v); /* NaN stays NaN */
    case GV_GELU: LOOP((A)0.5 * v * (1 + gv_erf_of(v * (A)0.70710678118654752440)));
    case GV_GELU_TANH: LOOP((A)0.5 * v * (1 + gv_tanh_of((A)0.79788456080286535588 * (v + (A)0.044715 * v * v * v))));
    case GV_SILU: LOOP(v / (1 + gv_exp_of(-v)));
    case GV_SIGMOID: LOOP(1 / (1 + gv_exp_of(-v)));
    case GV_TANH: LOOP(gv_tanh_of(v));
    case GV_EXP: LOOP(gv_exp_of(v));
    case GV_LOG: LOOP(gv_log_of(v));
    case GV_SQRT: LOOP(gv_sqrt_of(v));
    case GV_RSQRT: LOOP(1 / gv_sqrt_of(v));
    case GV_SQUARE: LOOP(v * v);
    case GV_ABS: LOOP(gv_fabs_of(v));
    case GV_HARD_SIGMOID: LOOP(v <= -3 ? 0 : v >= 3 ? 1 : v / 6 + (A)0.5);
    case GV_LEAKY_RELU: LOOP(v < 0 ? v * (A)GV_LEAK : v);
    case GV_UNARY_KINDS: break;
    }
}
#undef LOOP

static int F(unary_run)(const gv_call *c)
{
    return gv_over(c, c->out[0].count, GV_GRAIN, F(unary_body));
}
#endif
