/* layernorm_grad: from x, w, mean, invstd [rows] and dy: dx, dw [C], db [C].
 *   xhat = (x - mean) invstd;  g = dy w;  dx = invstd (g - mean(g) - xhat mean(g xhat));  dw = sum dy xhat;  db = sum dy over the rows. */
#ifndef T
#include "nn/ops/rows.h"

gv_norm_grad gv_layernorm_grad(gv_graph *g, gv_val x, gv_val w, gv_val mean, gv_val invstd, gv_val dy)
{
    gv_norm_grad o = { GV_NO_VAL, GV_NO_VAL, GV_NO_VAL };
    gv_val in[5] = { x, dy, mean, invstd, w };
    if (!gv_op_ready(g, GV_OP_layernorm_grad, in, 4))
        return o;
    int64_t c = gv_dim(g, x, -1);
    int n = gv_node_new(g, GV_OP_layernorm_grad, NULL, in, 5);
    o.dx = gv_node_out(g, n, GV_CLASS_REAL, gv_shape(g, x), gv_ndim(g, x));
    o.dw = gv_node_out(g, n, GV_CLASS_STAT, &c, 1);
    o.db = gv_node_out(g, n, GV_CLASS_STAT, &c, 1);
    return o;
}

static size_t scratch(const gv_call *c)
{
    return gv_rows_scratch(c->out[1].count, 2);
}

#define GV_KERNELS "nn/ops/layernorm_grad.c"
#include "nn/ops/types.h"

const gv_op gv_op_layernorm_grad = { .name = "layernorm_grad", .wants = "rrs", GV_PLAIN(layernorm_grad_run), .scratch = scratch };
#else
#define LANES(x) layernorm_grad_##x
#include "nn/ops/lanes.h"

GV_HOT static void F(layernorm_grad_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = c->out[1].count, R = c->in[0].count / C;
    const S *w = c->x[4];
    for (int64_t k = begin; k < end; k++) {
        double *restrict db = (double *)c->scratch + k * 2 * C, *restrict dw = db + C;
        memset(db, 0, (size_t)C * 2 * sizeof *db);
        for (int64_t r = R * k / GV_CHUNKS; r < R * (k + 1) / GV_CHUNKS; r++) {
            const T *x = (const T *)c->x[0] + r * C, *dy = (const T *)c->x[1] + r * C;
            T *dx = (T *)c->y[0] + r * C;
            A mean = ((const S *)c->x[2])[r], s = ((const S *)c->x[3])[r], sum, product;
            if (w) {
                GV_LANE_SUM(sum, C, LD(dy[at]) * w[at]);
                GV_LANE_SUM(product, C, LD(dy[at]) * w[at] * ((LD(x[at]) - mean) * s));
            } else {
                GV_LANE_SUM(sum, C, LD(dy[at]));
                GV_LANE_SUM(product, C, LD(dy[at]) * ((LD(x[at]) - mean) * s));
            }
            sum /= (A)C;
            product /= (A)C;
            GV_IVDEP
            for (int64_t i = 0; i < C; i++) {
                A h = (LD(x[i]) - mean) * s, d = LD(dy[i]);
                db[i] += (double)d;
                dw[i] += (double)(d * h);
            }
            if (w) {
                GV_IVDEP
                for (int64_t i = 0; i < C; i++)
                    dx[i] = ST((LD(dy[i]) * w[i] - sum - (LD(x[i]) - mean) * s * product) * s);
            } else {
                GV_IVDEP
                for (int64_t i = 0; i < C; i++)
                    dx[i] = ST((LD(dy[i]) - sum - (LD(x[i]) - mean) * s * product) * s);
            }
        }
    }
}
#undef LANES

static int F(layernorm_grad_run)(const gv_call *c)
{
    int64_t C = c->out[1].count;
    S *dw = c->y[1], *db = c->y[2];
    gv_over(c, GV_CHUNKS, c->in[0].count < GV_GRAIN ? GV_CHUNKS : 1, F(layernorm_grad_rows));
    double *sum = gv_rows_total(c->scratch, 2 * C);
    for (int64_t i = 0; i < C; i++) {
        db[i] = (S)sum[i];
        dw[i] = (S)sum[C + i];
    }
    return GV_OK;
}
#endif
