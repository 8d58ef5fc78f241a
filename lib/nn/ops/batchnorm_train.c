/* batchnorm_train: x [N,s…,C] -> y = (x - mean) * invstd * w + b with the statistics of the batch (biased variance);
 * further outputs mean [C], invstd [C], var [C]. Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1.
 * instancenorm is the same op with the attribute each: statistics [N*C] of every sample (Ulyanov et al. 2016, arXiv:1607.08022).
 * A rewrite (fuse_norm.c) may give a fourth input, shaped as x, that is added to y, and let relu or leaky relu follow. Another (recompute.c) makes y again
 * from the mean and invstd of before, inputs 4 and 5 (attribute given; the fourth may be absent): the same bytes, no further output.
 * Statistics are summed in double around the first row, so one pass is as good as two. */
#ifndef T
#include "nn/ops/rows.h"
#include "nn/ops/samples.h"

static gv_norm_out make(gv_graph *g, gv_val x, gv_val w, gv_val b, double eps, bool each)
{
    gv_norm_out o = { GV_NO_VAL, GV_NO_VAL, GV_NO_VAL, GV_NO_VAL };
    gv_val in[3] = { x, w, b };
    char t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_batchnorm_train, in, 1) || !gv_is_float(g, GV_OP_batchnorm_train, x))
        return o;
    int64_t c = gv_dim(g, x, -1);
    if (!gv_is_vector(g, GV_OP_batchnorm_train, "the weight", w, c) || !gv_is_vector(g, GV_OP_batchnorm_train, "the bias", b, c))
        return o;
    int64_t groups = each ? c * gv_dim(g, x, 0) : c;
    if (gv_shape_count(gv_shape(g, x), gv_ndim(g, x)) == groups) {
        gv_graph_fail(g, each ? "instancenorm of shape %s: more than one value per channel and sample is needed" : "batchnorm of shape %s: more than one value per channel is needed for training", gv_shape_text(g, x, t));
        return o;
    }
    gv_batchnorm_attr a = { .eps = eps, .each = each };
    int n = gv_node_new(g, GV_OP_batchnorm_train, &a, in, 3);
    o.y = gv_node_out(g, n, GV_CLASS_REAL, gv_shape(g, x), gv_ndim(g, x));
    o.mean = gv_node_out(g, n, GV_CLASS_STAT, &groups, 1);
    o.invstd = gv_node_out(g, n, GV_CLASS_STAT, &groups, 1);
    o.var = gv_node_out(g, n, GV_CLASS_STAT, &groups, 1);
    return o;
}

gv_norm_out gv_batchnorm_train(gv_graph *g, gv_val x, gv_val w, gv_val b, double eps)
{
    return make(g, x, w, b, eps, false);
}

gv_norm_out gv_instancenorm(gv_graph *g, gv_val x, gv_val w, gv_val b, double eps)
{
    return make(g, x, w, b, eps, true);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    if (dy[1] != GV_NO_VAL || dy[2] != GV_NO_VAL || dy[3] != GV_NO_VAL) {
        gv_graph_fail(g, "batchnorm: no gradient goes back through the statistics; detach them");
        return;
    }
    bool each = ((const gv_batchnorm_attr *)n->attr)->each;
    gv_norm_grad d = (each ? gv_instancenorm_grad : gv_batchnorm_grad)(g, n->in[0], n->in[1], n->out[1], n->out[2], dy[0]);
    dx[0] = d.dx;
    dx[1] = d.dw;
    dx[2] = d.db;
}

static size_t scratch(const gv_call *c)
{
    return gv_rows_scratch(c->in[0].shape[c->in[0].ndim - 1], 2);
}

#define GV_KERNELS "nn/ops/batchnorm_train.c"
#include "nn/ops/types.h"

const gv_op gv_op_batchnorm_train = {
    .name = "batchnorm_train", .attr_size = sizeof(gv_batchnorm_attr), .wants = "rssr",
    .gradient = gradient, GV_PLAIN(batchnorm_train_run), .scratch = scratch,
};
#else
/* Sums of (x - x0) and its square, x0 the first row. */
GV_HOT static void F(batchnorm_train_sums)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t C = c->out[1].count, R = c->in[0].count / C;
    const T *first = c->x[0];
    for (int64_t k = begin; k < end; k++) {
        double *restrict sum = (double *)c->scratch + k * 2 * C, *restrict square = sum + C;
        memset(sum, 0, (size_t)C * 2 * sizeof *sum);
        for (int64_t r = R * k / GV_CHUNKS; r < R * (k + 1) / GV_CHUNKS; r++) {
            const T *x = first + r * C;
            for (int64_t i = 0; i < C; i++) {
                double v = (double)LD(x[i]) - (double)LD(first[i]);
                sum[i] += v;
                square[i] += v * v;
            }
        }
    }
}

typedef struct F(batchnorm_train_args) { const T *x, *r; T *y; const A *shift, *scale, *add; int64_t C; bool relu; A slope; } F(batchnorm_train_args);

GV_HOT static void F(batchnorm_train_rows)(void *p, int64_t begin, int64_t end)
{
    const F(batchnorm_train_args) *o = p;
    int64_t C = o->C;
    const A *restrict shift = o->shift, *restrict scale = o->scale, *restrict add = o->add, slope = o->slope;
    for (int64_t r = begin; r < end; r++) {
        const T *x = o->x + r * C;
        T *y = o->y + r * C;
        const T *more = o->r ? o->r + r * C : NULL;
        GV_IVDEP
        for (int64_t i = 0; i < C; i++) {
            A v = (LD(x[i]) - shift[i]) * scale[i] + add[i] + (more ? LD(more[i]) : 0);
            y[i] = ST(!o->relu || !(v < 0) ? v : slope == 0 ? 0 : v * slope);
        }
    }
}

static int F(batchnorm_train_given)(const gv_call *c)
{
    int64_t C = c->in[4].count, R = c->in[0].count / C;
    const S *w = c->x[1], *b = c->x[2], *mean = c->x[4], *invstd = c->x[5];
    A *shift = c->scratch, *scale = shift + C, *add = scale + C;
    for (int64_t i = 0; i < C; i++) {
        double s = (double)invstd[i];
        shift[i] = (A)mean[i];
        scale[i] = (A)(w ? s * (double)w[i] : s);
        add[i] = b ? (A)b[i] : 0;
    }
    F(batchnorm_train_args) o = { c->x[0], c->x[3], c->y[0], shift, scale, add, C, ((const gv_batchnorm_attr *)c->attr)->relu, (A)((const gv_batchnorm_attr *)c->attr)->slope };
    gv_parallel(R, gv_row_grain(C), F(batchnorm_train_rows), &o);
    return GV_OK;
}

static int F(batchnorm_train_one)(const gv_call *c, bool further)
{
    (void)further;
    if (((const gv_batchnorm_attr *)c->attr)->given)
        return F(batchnorm_train_given)(c);
    int64_t C = c->out[1].count, R = c->in[0].count / C;
    const T *first = c->x[0];
    const S *w = c->x[1], *b = c->x[2];
    S *mean = c->y[1], *invstd = c->y[2], *var = c->y[3];
    double eps = ((const gv_batchnorm_attr *)c->attr)->eps;
    gv_over(c, GV_CHUNKS, R * C < GV_GRAIN ? GV_CHUNKS : 1, F(batchnorm_train_sums));
    double *sum = gv_rows_total(c->scratch, 2 * C);
    A *shift = c->scratch, *scale = shift + C, *add = scale + C; /* the parts are used up */
    for (int64_t i = 0; i < C; i++) {
        double m = sum[i] / (double)R, v = sum[C + i] / (double)R - m * m;
        v = v < 0 ? 0 : v; /* NaN stays */
        double s = (double)(S)(1 / sqrt(v + eps)); /* as the gradient will see it */
        m += (double)LD(first[i]);
        mean[i] = (S)m;
        invstd[i] = (S)s;
        var[i] = (S)v;
        shift[i] = (A)(S)m;
        scale[i] = (A)(w ? s * (double)w[i] : s);
        add[i] = b ? (A)b[i] : 0;
    }
    F(batchnorm_train_args) o = { c->x[0], c->nin > 3 ? c->x[3] : NULL, c->y[0], shift, scale, add, C, ((const gv_batchnorm_attr *)c->attr)->relu, (A)((const gv_batchnorm_attr *)c->attr)->slope };
    gv_parallel(R, gv_row_grain(C), F(batchnorm_train_rows), &o);
    return GV_OK;
}

static int F(batchnorm_train_run)(const gv_call *c)
{
    return gv_samples(c, ((const gv_batchnorm_attr *)c->attr)->each, F(batchnorm_train_one));
}
#endif
