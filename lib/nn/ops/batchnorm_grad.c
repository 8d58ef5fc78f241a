/* batchnorm_grad: from x, w, the batch's mean and invstd, and dy: dx, dw [C], db [C].
 *   xhat = (x - mean) invstd;  db = sum dy;  dw = sum dy xhat;  dx = w invstd (dy - db/R - xhat dw/R), R rows. */
#ifndef T
#include "nn/ops/rows.h"

gv_norm_grad gv_batchnorm_grad(gv_graph *g, gv_val x, gv_val w, gv_val mean, gv_val invstd, gv_val dy)
{
    gv_norm_grad o = { GV_NO_VAL, GV_NO_VAL, GV_NO_VAL };
    gv_val in[5] = { x, dy, mean, invstd, w };
    if (!gv_op_ready(g, GV_OP_batchnorm_grad, in, 4))
        return o;
    int64_t c = gv_dim(g, x, -1);
    int n = gv_node_new(g, GV_OP_batchnorm_grad, NULL, in, 5);
    o.dx = gv_node_out(g, n, GV_CLASS_REAL, gv_shape(g, x), gv_ndim(g, x));
    o.dw = gv_node_out(g, n, GV_CLASS_STAT, &c, 1);
    o.db = gv_node_out(g, n, GV_CLASS_STAT, &c, 1);
    return o;
}

static size_t scratch(const gv_call *c)
{
    return gv_rows_scratch(c->out[1].count, 2);
}

#define GV_KERNELS "nn/ops/batchnorm_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_batchnorm_grad = { .name = "batchnorm_grad", .wants = "rrs", GV_PLAIN(batchnorm_grad_run), .scratch = scratch };
#else
GV_HOT static void F(batchnorm_grad_sums)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = c->out[1].count, R = c->in[0].count / C;
    const S *restrict mean = c->x[2];
    for (int64_t k = begin; k < end; k++) {
        double *restrict sum = (double *)c->scratch + k * 2 * C, *restrict product = sum + C;
        memset(sum, 0, (size_t)C * 2 * sizeof *sum);
        for (int64_t r = R * k / GV_CHUNKS; r < R * (k + 1) / GV_CHUNKS; r++) {
            const T *x = (const T *)c->x[0] + r * C, *dy = (const T *)c->x[1] + r * C;
            for (int64_t i = 0; i < C; i++) {
                double d = (double)LD(dy[i]);
                sum[i] += d;
                product[i] += d * ((double)LD(x[i]) - (double)mean[i]);
            }
        }
    }
}

typedef struct F(batchnorm_grad_args) { const gv_call *c; const A *a, *b, *e; } F(batchnorm_grad_args);

/* dx = a dy + b (x - mean) + e */
GV_HOT static void F(batchnorm_grad_rows)(void *p, int64_t begin, int64_t end)
{
    const F(batchnorm_grad_args) *o = p;
    int64_t C = o->c->out[1].count;
    const A *restrict a = o->a, *restrict b = o->b, *restrict e = o->e;
    const S *restrict mean = o->c->x[2];
    for (int64_t r = begin; r < end; r++) {
        const T *x = (const T *)o->c->x[0] + r * C, *dy = (const T *)o->c->x[1] + r * C;
        T *dx = (T *)o->c->y[0] + r * C;
        GV_IVDEP
        for (int64_t i = 0; i < C; i++)
            dx[i] = ST(LD(dy[i]) * a[i] + (LD(x[i]) - mean[i]) * b[i] + e[i]);
    }
}

static int F(batchnorm_grad_run)(const gv_call *c)
{
    int64_t C = c->out[1].count, R = c->in[0].count / C;
    const S *invstd = c->x[3], *w = c->x[4];
    S *dw = c->y[1], *db = c->y[2];
    gv_over(c, GV_CHUNKS, R * C < GV_GRAIN ? GV_CHUNKS : 1, F(batchnorm_grad_sums));
    double *sum = gv_rows_total(c->scratch, 2 * C);
    A *a = c->scratch, *b = a + C, *e = b + C;
    for (int64_t i = 0; i < C; i++) {
        double s = (double)invstd[i], d = sum[i], product = sum[C + i] * s, scale = s * (w ? (double)w[i] : 1);
        db[i] = (S)d;
        dw[i] = (S)product;
        a[i] = (A)scale;
        b[i] = (A)(-scale * s * product / (double)R);
        e[i] = (A)(-scale * d / (double)R);
    }
    F(batchnorm_grad_args) o = { c, a, b, e };
    gv_parallel(R, gv_row_grain(C), F(batchnorm_grad_rows), &o);
    return GV_OK;
}
#endif
