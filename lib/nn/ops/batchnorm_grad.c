/* batchnorm_grad: from x, w, the batch's mean and invstd, and dy: dx, dw [C], db [C].
 *   xhat = (x - mean) invstd;  db = sum dy;  dw = sum dy xhat;  dx = w invstd (dy - db/R - xhat dw/R), R rows.
 * With the attribute each, every sample by itself (mean and invstd [N*C]); dw and db are sums over all.
 * A rewrite (fuse_norm.c) may give more: inputs b [C], y, dy2 (5, 6, 7), the attribute relu, and a fourth output. Then dz stands for dy above,
 *   dz = (dy + dy2) where relu let the value through, slope times that elsewhere; it is the fourth output.
 * What relu let through is y > 0, or xhat w + b > 0 where y is absent. */
#ifndef T
#include "nn/ops/rows.h"
#include "nn/ops/samples.h"

static gv_norm_grad make(gv_graph *g, gv_val x, gv_val w, gv_val mean, gv_val invstd, gv_val dy, bool each)
{
    gv_norm_grad o = { GV_NO_VAL, GV_NO_VAL, GV_NO_VAL };
    gv_val in[5] = { x, dy, mean, invstd, w };
    if (!gv_op_ready(g, GV_OP_batchnorm_grad, in, 4))
        return o;
    int64_t c = gv_dim(g, x, -1);
    gv_batchnorm_grad_attr a = { .each = each };
    int n = gv_node_new(g, GV_OP_batchnorm_grad, &a, in, 5);
    o.dx = gv_node_out(g, n, GV_CLASS_REAL, gv_shape(g, x), gv_ndim(g, x));
    o.dw = gv_node_out(g, n, GV_CLASS_STAT, &c, 1);
    o.db = gv_node_out(g, n, GV_CLASS_STAT, &c, 1);
    return o;
}

gv_norm_grad gv_batchnorm_grad(gv_graph *g, gv_val x, gv_val w, gv_val mean, gv_val invstd, gv_val dy)
{
    return make(g, x, w, mean, invstd, dy, false);
}

gv_norm_grad gv_instancenorm_grad(gv_graph *g, gv_val x, gv_val w, gv_val mean, gv_val invstd, gv_val dy)
{
    return make(g, x, w, mean, invstd, dy, true);
}

static size_t scratch(const gv_call *c)
{
    return gv_rows_scratch(c->out[1].count, 3); /* two sums, and a row for each piece */
}

#define GV_KERNELS "nn/ops/batchnorm_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_batchnorm_grad = { .name = "batchnorm_grad", .attr_size = sizeof(gv_batchnorm_grad_attr), .wants = "rrssssrr", GV_PLAIN(batchnorm_grad_run), .scratch = scratch };
#else
/* The gradient behind relu, of row r. */
static inline void F(batchnorm_grad_row)(const gv_call *c, int64_t r, int64_t C, A *restrict dz)
{
    const T *x = (const T *)c->x[0] + r * C, *dy = (const T *)c->x[1] + r * C;
    const T *y = c->nin > 6 && c->x[6] ? (const T *)c->x[6] + r * C : NULL, *dy2 = c->nin > 7 && c->x[7] ? (const T *)c->x[7] + r * C : NULL;
    const S *mean = c->x[2], *invstd = c->x[3], *w = c->x[4], *b = c->nin > 5 ? c->x[5] : NULL;
    const gv_batchnorm_grad_attr *o = c->attr;
    bool relu = o && o->relu;
    A slope = o ? (A)o->slope : 0;
    for (int64_t i = 0; i < C; i++)
        dz[i] = LD(dy[i]) + (dy2 ? LD(dy2[i]) : 0);
    for (int64_t i = 0; relu && i < C; i++) {
        A v = y ? LD(y[i]) : (LD(x[i]) - mean[i]) * (A)((double)invstd[i] * (w ? (double)w[i] : 1)) + (b ? b[i] : 0);
        dz[i] = v > 0 ? dz[i] : slope == 0 ? 0 : dz[i] * slope;
    }
}

GV_HOT static void F(batchnorm_grad_sums)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = c->out[1].count, R = c->in[0].count / C;
    const S *restrict mean = c->x[2];
    for (int64_t k = begin; k < end; k++) {
        double *restrict sum = (double *)c->scratch + k * 2 * C, *restrict product = sum + C;
        A *row = (A *)gv_rows_room(c->scratch, 2 * C) + k * C;
        memset(sum, 0, (size_t)C * 2 * sizeof *sum);
        for (int64_t r = R * k / GV_CHUNKS; r < R * (k + 1) / GV_CHUNKS; r++) {
            const T *x = (const T *)c->x[0] + r * C;
            F(batchnorm_grad_row)(c, r, C, row);
            for (int64_t i = 0; i < C; i++) {
                double d = (double)row[i];
                sum[i] += d;
                product[i] += d * ((double)LD(x[i]) - (double)mean[i]);
            }
        }
    }
}

typedef struct F(batchnorm_grad_args) { const gv_call *c; const A *a, *b, *e; A *rows; } F(batchnorm_grad_args);

/* dx = a dz + b (x - mean) + e, in GV_CHUNKS pieces too, each with a row of its own */
GV_HOT static void F(batchnorm_grad_rows)(void *p, int64_t begin, int64_t end)
{
    const F(batchnorm_grad_args) *o = p;
    int64_t C = o->c->out[1].count, R = o->c->in[0].count / C;
    const A *restrict a = o->a, *restrict b = o->b, *restrict e = o->e;
    const S *restrict mean = o->c->x[2];
    for (int64_t k = begin; k < end; k++) {
        A *restrict row = o->rows + k * C;
        for (int64_t r = R * k / GV_CHUNKS; r < R * (k + 1) / GV_CHUNKS; r++) {
            const T *x = (const T *)o->c->x[0] + r * C;
            T *dx = (T *)o->c->y[0] + r * C, *dz = o->c->nout > 3 ? (T *)o->c->y[3] + r * C : NULL;
            F(batchnorm_grad_row)(o->c, r, C, row);
            for (int64_t i = 0; i < C; i++) {
                A v = row[i];
                dx[i] = ST(v * a[i] + (LD(x[i]) - mean[i]) * b[i] + e[i]);
                if (dz)
                    dz[i] = ST(v);
            }
        }
    }
}

static int F(batchnorm_grad_one)(const gv_call *c, bool further)
{
    int64_t C = c->out[1].count, R = c->in[0].count / C;
    const S *invstd = c->x[3], *w = c->x[4];
    S *dw = c->y[1], *db = c->y[2];
    gv_over(c, GV_CHUNKS, R * C < GV_GRAIN ? GV_CHUNKS : 1, F(batchnorm_grad_sums));
    double *sum = gv_rows_total(c->scratch, 2 * C);
    A *a = c->scratch, *b = a + C, *e = b + C;
    for (int64_t i = 0; i < C; i++) {
        double s = (double)invstd[i], d = sum[i], product = sum[C + i] * s, scale = s * (w ? (double)w[i] : 1);
        db[i] = (S)(further ? (double)db[i] + d : d);
        dw[i] = (S)(further ? (double)dw[i] + product : product);
        a[i] = (A)scale;
        b[i] = (A)(-scale * s * product / (double)R);
        e[i] = (A)(-scale * d / (double)R);
    }
    F(batchnorm_grad_args) o = { c, a, b, e, (A *)gv_rows_room(c->scratch, 2 * C) };
    gv_parallel(GV_CHUNKS, R * C < GV_GRAIN ? GV_CHUNKS : 1, F(batchnorm_grad_rows), &o);
    return GV_OK;
}

static int F(batchnorm_grad_run)(const gv_call *c)
{
    const gv_batchnorm_grad_attr *o = c->attr;
    return gv_samples(c, o && o->each, F(batchnorm_grad_one));
}
#endif
