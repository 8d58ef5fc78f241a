/*
 * The onednn backend's own kernels (norms, softmax, GELU) against the same formulas in double, f32 and bf16, with and without the
 * optional inputs, at sizes around the vector length and at those of models; and vmath.h against libm.
 *
 * Tolerance: for f32 4e-6 of the largest value (a few roundings; sums are of blocks), for bf16 results one rounding more, 2^-8 of the
 * value itself. Sums over R rows (dw, db) are allowed 2e-6 sqrt(R).
 */
#include "nn/onednn/simd.h"
#include "tests/nn/onednn.h"
#include <inttypes.h>
#include "nn/onednn/vmath.h"

static double worst; /* error by tolerance, of the call at hand */

static void near(const tensor *t, int64_t i, double want, double scale)
{
    double tol = 4e-6 * scale + (t->d.dtype == GV_BF16 ? fabs(want) / 256 : 0), bad = fabs(tensor_at(t, i) - want) / tol;
    if (!(bad <= worst))
        worst = bad;
}

static bool ran(bench *b, gv_op_id op, const void *attr)
{
    worst = 0;
    int r = bench_compile(b, op, attr);
    return r == GV_OK && b->kernel.run(&b->call) == GV_OK;
}

static void verdict(bench *b, bool run, const char *op, gv_dtype t, int64_t rows, int64_t width)
{
    ok(run && worst <= 1, "%s %s [%d,%d]: within tolerance (%.2f of it)", op, gv_dtype_of(t)->name, (int)rows, (int)width, worst);
    double apart = run ? bench_apart(b) : 0;
    if (!(apart <= 1))
        ok(0, "%s %s [%d,%d]: as the plain kernel (%g times the tolerance)", op, gv_dtype_of(t)->name, (int)rows, (int)width, apart);
    if (run && !bench_guarded(b))
        ok(0, "%s: the bytes around every buffer are untouched", op);
    bench_drop(b);
}

/* value i of input n, or what stands for an absent one */
static double opt(const bench *b, int n, int64_t i, double absent)
{
    return b->call.in[n].ndim < 0 ? absent : b->in[n].v[i];
}

static void rows_3(bench *b, gv_dtype t, int64_t N, int64_t R, int64_t C)
{
    bench_in(b, t, (int64_t[]){ N, R, C }, 3);
}

static void rows_2(bench *b, gv_dtype t, int64_t R, int64_t C)
{
    bench_in(b, t, (int64_t[]){ R, C }, 2);
}

static void vector(bench *b, int64_t n, bool there)
{
    if (there)
        bench_in(b, GV_F32T, &n, 1);
    else
        bench_none(b);
}

/* mean and invstd of row r, or of column r */
static void moments(const double *x, int64_t n, int64_t stride, double eps, double *mean, double *invstd)
{
    double s = 0, q = 0;
    for (int64_t i = 0; i < n; i++)
        s += x[i * stride];
    *mean = s / (double)n;
    for (int64_t i = 0; i < n; i++)
        q += (x[i * stride] - *mean) * (x[i * stride] - *mean);
    *invstd = 1 / sqrt(q / (double)n + eps);
}

/* Batch norm (along = 0: over rows) and layer norm (along = 1): forward, then backward with the statistics of the forward pass. */
static void norm(void *ctx, bool layer, gv_dtype t, int64_t R, int64_t C, bool affine, double shift)
{
    gv_batchnorm_attr attr = { 1e-5, false };
    int64_t groups = layer ? R : C, n = layer ? C : R;
    bench b = { .ctx = ctx, .seed = 88172645463325252u };
    rows_2(&b, t, R, C), vector(&b, C, affine), vector(&b, C, affine);
    for (int64_t i = 0; i < R * C; i++) { /* a mean far from 0 */
        double v = b.in[0].v[i] + shift;
        gv_from_f64(t, &v, (char *)b.in[0].data + (size_t)i * gv_dtype_of(t)->size, 1);
        b.in[0].v[i] = tensor_at(&b.in[0], i);
    }
    bench_out(&b, t, (int64_t[]){ R, C }, 2), bench_out(&b, GV_F32T, &groups, 1), bench_out(&b, GV_F32T, &groups, 1);
    if (!layer)
        bench_out(&b, GV_F32T, &groups, 1);
    bool r = ran(&b, layer ? GV_OP_layernorm : GV_OP_batchnorm_train, &attr);
    double *mean = gv_alloc((size_t)groups * sizeof(double), NULL), *is = gv_alloc((size_t)groups * sizeof(double), NULL);
    if (!mean || !is)
        abort();
    for (int64_t g = 0; g < groups && r; g++) {
        moments(b.in[0].v + (layer ? g * C : g), n, layer ? 1 : C, attr.eps, &mean[g], &is[g]);
        near(&b.out[1], g, mean[g], 1 + fabs(shift)), near(&b.out[2], g, is[g], is[g] * (1 + fabs(shift)));
        if (!layer)
            near(&b.out[3], g, 1 / (is[g] * is[g]) - attr.eps, 1 / (is[g] * is[g]) * (1 + fabs(shift)));
    }
    for (int64_t i = 0; i < R * C && r; i++) {
        int64_t g = layer ? i / C : i % C, p = i % C;
        near(&b.out[0], i, (b.in[0].v[i] - mean[g]) * is[g] * opt(&b, 1, p, 1) + opt(&b, 2, p, 0), 4 * (1 + fabs(shift)));
    }
    bench d = { .ctx = ctx, .seed = 88172645463325252u };
    if (r) {
        rows_2(&d, t, R, C), rows_2(&d, t, R, C), vector(&d, groups, true), vector(&d, groups, true), vector(&d, C, affine);
        memcpy(d.in[0].data, b.in[0].data, b.in[0].bytes), memcpy(d.in[0].v, b.in[0].v, (size_t)(R * C) * sizeof(double));
        for (int64_t g = 0; g < groups; g++) {
            float m = (float)mean[g], s = (float)is[g];
            memcpy((float *)d.in[2].data + g, &m, 4), memcpy((float *)d.in[3].data + g, &s, 4);
        }
    }
    verdict(&b, r, layer ? "layernorm" : shift ? "batchnorm_train, mean 30," : "batchnorm_train", t, R, C);
    if (r) {
        bench_out(&d, t, (int64_t[]){ R, C }, 2), bench_out(&d, GV_F32T, &C, 1), bench_out(&d, GV_F32T, &C, 1);
        r = ran(&d, layer ? GV_OP_layernorm_grad : GV_OP_batchnorm_grad, NULL);
        const double *x = d.in[0].v, *dy = d.in[1].v;
        for (int64_t c = 0; c < C && r; c++) {
            double dw = 0, db = 0;
            for (int64_t i = c; i < R * C; i += C) {
                int64_t g = layer ? i / C : c;
                dw += dy[i] * (x[i] - mean[g]) * is[g], db += dy[i];
            }
            near(&d.out[1], c, dw, sqrt((double)R) * (1 + fabs(shift))), near(&d.out[2], c, db, sqrt((double)R));
        }
        for (int64_t g = 0; g < groups && r; g++) {
            double s = 0, q = 0;
            for (int64_t k = 0; k < n; k++) {
                int64_t i = layer ? g * C + k : k * C + g;
                double e = dy[i] * opt(&d, 4, i % C, 1);
                s += e / (double)n, q += e * (x[i] - mean[g]) * is[g] / (double)n;
            }
            for (int64_t k = 0; k < n; k++) {
                int64_t i = layer ? g * C + k : k * C + g;
                near(&d.out[0], i, is[g] * (dy[i] * opt(&d, 4, i % C, 1) - s - (x[i] - mean[g]) * is[g] * q), 4 * is[g] * (1 + fabs(shift)));
            }
        }
        verdict(&d, r, layer ? "layernorm_grad" : "batchnorm_grad", t, R, C);
    }
    gv_free(mean), gv_free(is);
}

static void norm_eval(void *ctx, gv_dtype t, int64_t R, int64_t C, bool affine)
{
    gv_batchnorm_attr attr = { 1e-3, false };
    bench b = { .ctx = ctx, .seed = 77172645463325252u };
    rows_2(&b, t, R, C), vector(&b, C, true), vector(&b, C, true), vector(&b, C, affine), vector(&b, C, affine);
    for (int64_t i = 0; i < C; i++) {
        float v = (float)fabs(b.in[2].v[i]);
        memcpy((float *)b.in[2].data + i, &v, 4), b.in[2].v[i] = v;
    }
    bench_out(&b, t, (int64_t[]){ R, C }, 2);
    bool r = ran(&b, GV_OP_batchnorm_eval, &attr);
    for (int64_t i = 0; i < R * C && r; i++) {
        double is = 1 / sqrt(b.in[2].v[i % C] + attr.eps);
        near(&b.out[0], i, (b.in[0].v[i] - b.in[1].v[i % C]) * is * opt(&b, 3, i % C, 1) + opt(&b, 4, i % C, 0), 4 * is);
    }
    verdict(&b, r, "batchnorm_eval", t, R, C);
}

/* What rewrites make of batch norm (lib/nn/fuse_norm.c), against the plain kernels: something added and relu behind it; in the gradient the mask
 * from x or from y, a second dy, and dz as an output. each: instance norm of N samples; slope: leaky relu. */
static void norm_fused(void *ctx, gv_dtype t, int64_t N, int64_t R, int64_t C, bool each, double slope)
{
    int64_t groups = each ? N * C : C;
    for (int form = 0; form < 3; form++) {
        gv_batchnorm_attr attr = { .eps = 1e-5, .relu = form != 1, .each = each, .slope = slope };
        bench b = { .ctx = ctx, .seed = 78172645463325252u };
        rows_3(&b, t, N, R, C), vector(&b, C, true), vector(&b, C, form != 2);
        if (form)
            rows_3(&b, t, N, R, C);
        bench_out(&b, t, (int64_t[]){ N, R, C }, 3);
        for (int i = 0; i < 3; i++)
            bench_out(&b, GV_F32T, &groups, 1);
        bool r = ran(&b, GV_OP_batchnorm_train, &attr);
        double bad = r ? bench_apart(&b) : 0;
        ok(r && bad < 1 && bench_guarded(&b), "batchnorm_train, form %d%s, slope %g, %s [%" PRId64 ",%" PRId64 ",%" PRId64 "]: as the plain kernel (%.2g of what is allowed)", form, each ? ", each sample" : "", slope, gv_dtype_of(t)->name, N, R, C, bad);
        bench_drop(&b);
    }
    for (int form = 0; form < 16; form++) {
        bool relu = form & 1, y = form & 2, dy2 = form & 4, dz = form & 8;
        gv_batchnorm_grad_attr attr = { .relu = relu, .each = each, .slope = slope };
        bench b = { .ctx = ctx, .seed = 79172645463325252u };
        rows_3(&b, t, N, R, C), rows_3(&b, t, N, R, C), vector(&b, groups, true), vector(&b, groups, true), vector(&b, C, !dz), vector(&b, C, !y);
        if (y)
            rows_3(&b, t, N, R, C);
        else
            bench_none(&b);
        if (dy2)
            rows_3(&b, t, N, R, C);
        bench_out(&b, t, (int64_t[]){ N, R, C }, 3), bench_out(&b, GV_F32T, &C, 1), bench_out(&b, GV_F32T, &C, 1);
        if (dz)
            bench_out(&b, t, (int64_t[]){ N, R, C }, 3);
        bool r = ran(&b, GV_OP_batchnorm_grad, &attr);
        double bad = r ? bench_apart(&b) : 0;
        ok(r && bad < 1 && bench_guarded(&b), "batchnorm_grad%s%s%s%s%s, slope %g, %s [%" PRId64 ",%" PRId64 ",%" PRId64 "]: as the plain kernel (%.2g of what is allowed)", relu ? " relu" : "", y ? " y" : "", dy2 ? " dy2" : "",
           dz ? " dz" : "", each ? ", each sample" : "", slope, gv_dtype_of(t)->name, N, R, C, bad);
        bench_drop(&b);
    }
}

static void softmax(void *ctx, gv_dtype t, int64_t R, int64_t C)
{
    bench b = { .ctx = ctx, .seed = 66172645463325252u }, d = { .ctx = ctx, .seed = 55172645463325252u };
    rows_2(&b, t, R, C), bench_out(&b, t, (int64_t[]){ R, C }, 2);
    bool r = ran(&b, GV_OP_softmax, NULL);
    for (int64_t g = 0; g < R && r; g++) {
        double s = 0;
        for (int64_t i = g * C; i < g * C + C; i++)
            s += exp(b.in[0].v[i]);
        for (int64_t i = g * C; i < g * C + C; i++)
            near(&b.out[0], i, exp(b.in[0].v[i]) / s, exp(b.in[0].v[i]) / s);
    }
    rows_2(&d, t, R, C), rows_2(&d, t, R, C), bench_out(&d, t, (int64_t[]){ R, C }, 2);
    verdict(&b, r, "softmax", t, R, C);
    r = ran(&d, GV_OP_softmax_grad, NULL);
    for (int64_t g = 0; g < R && r; g++) {
        double s = 0;
        for (int64_t i = g * C; i < g * C + C; i++)
            s += d.in[0].v[i] * d.in[1].v[i];
        for (int64_t i = g * C; i < g * C + C; i++)
            near(&d.out[0], i, d.in[0].v[i] * (d.in[1].v[i] - s), sqrt((double)C));
    }
    verdict(&d, r, "softmax_grad", t, R, C);
}

static double phi(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }
static double sech2(double u) { return 1 - tanh(u) * tanh(u); }

static double gelu(gv_unary_kind k, double x)
{
    double u = sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return k == GV_GELU ? x * phi(x) : 0.5 * x * (1 + tanh(u));
}

static double slope(gv_unary_kind k, double x)
{
    double a = sqrt(2 / M_PI), u = a * (x + 0.044715 * x * x * x);
    return k == GV_GELU ? phi(x) + x * exp(-x * x / 2) / sqrt(2 * M_PI) : 0.5 * (1 + tanh(u)) + 0.5 * x * sech2(u) * a * (1 + 3 * 0.044715 * x * x);
}

static void gelus(void *ctx, gv_dtype t, gv_unary_kind kind, int64_t n)
{
    gv_unary_attr attr = { kind };
    bench b = { .ctx = ctx, .seed = 44172645463325252u }, d = { .ctx = ctx, .seed = 44172645463325252u };
    rows_2(&b, t, 1, n), bench_out(&b, t, (int64_t[]){ 1, n }, 2), rows_2(&d, t, 1, n), rows_2(&d, t, 1, n), bench_out(&d, t, (int64_t[]){ 1, n }, 2);
    for (int64_t i = 0; i < n; i++) { /* -12 … 12 */
        double v = 12.0 * (double)(2 * i - n) / (double)n;
        gv_from_f64(t, &v, (char *)b.in[0].data + (size_t)i * gv_dtype_of(t)->size, 1);
        b.in[0].v[i] = d.in[0].v[i] = tensor_at(&b.in[0], i);
    }
    memcpy(d.in[0].data, b.in[0].data, b.in[0].bytes);
    bool r = ran(&b, GV_OP_unary, &attr);
    for (int64_t i = 0; i < n && r; i++)
        near(&b.out[0], i, gelu(kind, b.in[0].v[i]), 1);
    verdict(&b, r, kind == GV_GELU ? "gelu" : "gelu_tanh", t, 1, n);
    r = ran(&d, GV_OP_unary_grad, &attr);
    for (int64_t i = 0; i < n && r; i++)
        near(&d.out[0], i, slope(kind, d.in[0].v[i]) * d.in[1].v[i], 1);
    verdict(&d, r, kind == GV_GELU ? "gelu gradient" : "gelu_tanh gradient", t, 1, n);
}

static void math(void)
{
    double e = 0, p = 0;
    for (int i = -86900; i <= 88700; i++) {
        float x = (float)i / 1000, density;
        double bad = fabs(dn_exp(x) / exp(x) - 1);
        e = bad > e ? bad : e;
        bad = fabs(dn_phi(x / 4, &density) - phi(x / 4));
        p = bad > p ? bad : p;
    }
    ok(e < 2e-7, "dn_exp: relative error %.2g", e);
    ok(p < 3e-7, "dn_phi: absolute error %.2g", p);
    ok(dn_exp(-100) == 0 && isinf(dn_exp(89)) && isnan(dn_exp(NAN)) && dn_exp(-INFINITY) == 0, "dn_exp: 0, Inf and NaN at the ends");
}

/* Sums of columns: [O,R,C] -> [O,C]. */
static void reduction(void *ctx, gv_dtype t, gv_dtype to, gv_reduce_kind kind, int64_t O, int64_t R, int64_t C)
{
    gv_reduce_attr attr = { kind, 6, true };
    bench b = { .ctx = ctx, .seed = 44172645463325252u };
    bench_in(&b, t, (int64_t[]){ O, R, 1, C }, 4), bench_out(&b, to, (int64_t[]){ O, 1, 1, C }, 4);
    bool r = ran(&b, GV_OP_reduce, &attr);
    for (int64_t o = 0; o < O && r; o++)
        for (int64_t c = 0; c < C; c++) {
            double s = 0, n = kind == GV_MEAN ? (double)R : 1;
            for (int64_t i = 0; i < R; i++)
                s += b.in[0].v[(o * R + i) * C + c];
            near(&b.out[0], o * C + c, s / n, sqrt((double)R) / n);
        }
    verdict(&b, r, kind == GV_MEAN ? "mean of columns" : "sum of columns", t, O * R, C);
}

int main(void)
{
    void *ctx = NULL;
    gv_err err = { 0 };
    if (!ok(gv_backend_onednn.open(&ctx, 0, &err) == GV_OK, "the backend opens"))
        return printf("# %s\n", err.text), done();
    math();
    static const int64_t sizes[][2] = { { 2, 1 }, { 3, 3 }, { 7, 16 }, { 33, 17 }, { 300, 64 }, { 1000, 31 }, { 6272, 64 }, { 98, 2048 }, { 394, 768 } };
    for (int i = 0; i < 2; i++) {
        gv_dtype t = i ? GV_BF16 : GV_F32T;
        for (size_t j = 0; j < GV_COUNT(sizes); j++) {
            int64_t R = sizes[j][0], C = sizes[j][1];
            norm(ctx, false, t, R, C, j & 1, 0);
            norm(ctx, true, t, R, C, j & 1, 0);
            norm_eval(ctx, t, R, C, !(j & 1));
            softmax(ctx, t, R, C);
        }
        norm(ctx, false, t, 5000, 32, true, 30);
        norm_fused(ctx, t, 1, 7, 16, false, 0), norm_fused(ctx, t, 1, 301, 31, false, 0), norm_fused(ctx, t, 1, 1570, 64, false, 0), norm_fused(ctx, t, 1, 301, 24, false, 0.01);
        norm_fused(ctx, t, 3, 7, 16, true, 0.01), norm_fused(ctx, t, 2, 301, 31, true, 0), norm_fused(ctx, t, 2, 790, 64, true, 0.01);
        for (int64_t n = 1; n < 100000; n = n * 9 + 5)
            gelus(ctx, t, GV_GELU, n), gelus(ctx, t, GV_GELU_TANH, n);
    }
    for (dn_isa_most = DN_AVX512_BF16; dn_isa_most >= -1; dn_isa_most--) { /* every instruction set that this processor has, and the loops */
        printf("# instruction set %d\n", dn_isa());
        for (int i = 0; i < 2; i++) {
            gv_dtype t = i ? GV_BF16 : GV_F32T;
            for (size_t j = 0; j < GV_COUNT(sizes); j++)
                norm(ctx, true, t, sizes[j][0], sizes[j][1], true, 0);
            norm(ctx, true, t, 50, 96, true, 0), norm(ctx, true, t, 6, 41, true, 0);
            for (int64_t n = 1; n < 100000; n = n * 9 + 5)
                gelus(ctx, t, GV_GELU, n);
            if (dn_isa() < 0)
                continue; /* the plain kernel's */
            reduction(ctx, t, GV_F32T, GV_SUM, 1, 5000, 96), reduction(ctx, t, GV_F32T, GV_SUM, 1, 333, 41), reduction(ctx, t, t, GV_MEAN, 5, 49, 100);
            reduction(ctx, t, t, GV_SUM, 1, 2, 8), reduction(ctx, t, GV_F32T, GV_MEAN, 64, 7, 9);
        }
    }
    gv_backend_onednn.close(ctx);
    return done();
}
