/* batchnorm_eval: y = (x - running_mean) / sqrt(running_var + eps) * w + b over the last axis. The running statistics get no gradient. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_batchnorm_eval(gv_graph *g, gv_val x, gv_val w, gv_val b, gv_val running_mean, gv_val running_var, double eps)
{
    gv_val in[5] = { x, running_mean, running_var, w, b };
    if (!gv_op_ready(g, GV_OP_batchnorm_eval, in, 3) || !gv_is_float(g, GV_OP_batchnorm_eval, x))
        return GV_NO_VAL;
    static const char *const what[] = { "", "the running mean", "the running variance", "the weight", "the bias" };
    for (int i = 1; i < 5; i++)
        if (!gv_is_vector(g, GV_OP_batchnorm_eval, what[i], in[i], gv_dim(g, x, -1)))
            return GV_NO_VAL;
    gv_batchnorm_attr a = { eps, false };
    return gv_op1(g, GV_OP_batchnorm_eval, &a, in, 5, GV_CLASS_REAL, gv_shape(g, x), gv_ndim(g, x));
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    gv_val x = n->in[0], w = n->in[3], d = dy[0];
    int64_t c = gv_dim(g, x, -1);
    gv_val invstd = gv_unary(g, GV_RSQRT, gv_affine(g, n->in[2], 1, ((const gv_batchnorm_attr *)n->attr)->eps));
    if (want[0])
        dx[0] = gv_mul(g, d, w == GV_NO_VAL ? invstd : gv_mul(g, w, invstd));
    if (want[3])
        dx[3] = gv_mul(g, gv_sum_to(g, gv_mul(g, d, gv_sub(g, x, n->in[1])), &c, 1, GV_CLASS_STAT), invstd);
    if (want[4])
        dx[4] = gv_sum_to(g, d, &c, 1, GV_CLASS_STAT);
}

static size_t scratch(const gv_call *c)
{
    return (size_t)c->in[1].count * 2 * sizeof(double);
}

#define GV_KERNELS "nn/ops/batchnorm_eval.c"
#include "nn/ops/types.h"

const gv_op gv_op_batchnorm_eval = {
    .name = "batchnorm_eval", .attr_size = sizeof(gv_batchnorm_attr), .wants = "rs",
    .gradient = gradient, GV_PLAIN(batchnorm_eval_run), .scratch = scratch,
};
#else
GV_HOT static void F(batchnorm_eval_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = c->in[1].count;
    const A *restrict scale = c->scratch, *restrict add = scale + C;
    const S *restrict mean = c->x[1];
    for (int64_t r = begin; r < end; r++) {
        const T *x = (const T *)c->x[0] + r * C;
        T *y = (T *)c->y[0] + r * C;
        GV_IVDEP
        for (int64_t i = 0; i < C; i++)
            y[i] = ST((LD(x[i]) - mean[i]) * scale[i] + add[i]);
    }
}

static int F(batchnorm_eval_run)(const gv_call *c)
{
    int64_t C = c->in[1].count;
    const S *var = c->x[2], *w = c->x[3], *b = c->x[4];
    A *scale = c->scratch, *add = scale + C;
    double eps = ((const gv_batchnorm_attr *)c->attr)->eps;
    for (int64_t i = 0; i < C; i++) {
        double s = 1 / sqrt((double)var[i] + eps);
        scale[i] = (A)(w ? s * (double)w[i] : s);
        add[i] = b ? (A)b[i] : 0;
    }
    return gv_over(c, c->in[0].count / C, gv_row_grain(C), F(batchnorm_eval_rows));
}
#endif
