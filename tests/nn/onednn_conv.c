/*
 * Convolutions of the onednn backend against sums in double: forward, data gradient, weight gradient; f32 and bf16; 1 to 3 dimensions,
 * strides, padding (also uneven), dilation, groups; and the shapes of ResNet-18/50 and ConvNeXt, where up to SAMPLES elements are compared
 * and oneDNN's slow "ref" kernel must not be chosen.
 *
 * Tolerance: the inputs are compared as stored (f32 weights of bf16 convolutions as rounded), so what is left is the summation in
 * f32 of n terms of standard deviation 1/9: partial sums of up to sqrt(n)/9, each rounded by 6e-8 of itself, n times: 1e-8 n where one
 * chain adds all, less where several do, and 2e-6 sqrt(n) for few terms; and for bf16 results one rounding, 2^-8 of the value.
 * Winograd's kernel (conv_winograd.c) rounds the turned input and the turned weights as well, each by up to 2^-8 (bf16) or 2^-24 of itself, 0.4 of that rms,
 * and its sums are 1.7 times as wide as the result. Together 2^-8 or 2^-24 of the result's deviation, sqrt(n)/3; five times that for the worst.
 */
#include "nn/onednn/simd.h"
#include "tests/nn/again.h"
#include "tests/nn/onednn.h"

enum { SAMPLES = 400 };

struct row {
    const char *name;
    int dims;
    int64_t n, c, o, groups, size[3], kernel[3], stride[3], pad[3], pad_end[3], dilation[3];
    bool real; /* a shape of a real model: no "ref" kernel */
};

#define SAME(k) { (k), (k), (k) }
static const struct row rows[] = {
    { "1d", 1, 2, 5, 7, 1, { 19 }, { 3 }, { 1 }, { 1 }, { 1 }, { 1 }, false },
    { "1d dilated strided", 1, 2, 16, 16, 1, { 50 }, { 5 }, { 2 }, { 4 }, { 4 }, { 2 }, false },
    { "2d odd channels", 2, 2, 3, 5, 1, { 9, 7 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), false },
    { "2d uneven", 2, 1, 8, 16, 1, { 11, 8 }, { 3, 2 }, { 2, 1 }, { 1, 0 }, { 0, 1 }, { 1, 1 }, false },
    { "2d end padding beyond the last window", 2, 1, 16, 16, 1, { 8, 8 }, SAME(3), SAME(2), SAME(1), SAME(1), SAME(1), false },
    { "2d dilated", 2, 1, 16, 32, 1, { 14, 14 }, SAME(3), SAME(1), SAME(2), SAME(2), SAME(2), false },
    { "2d 3x3, odd sizes", 2, 13, 32, 96, 1, { 9, 7 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), true },
    { "2d 3x3, uneven padding", 2, 11, 64, 32, 1, { 8, 11 }, SAME(3), SAME(1), { 2, 0 }, { 1, 2 }, SAME(1), true },
    { "2d 3x3, no padding", 2, 65, 32, 64, 1, { 6, 5 }, SAME(3), SAME(1), SAME(0), SAME(0), SAME(1), true },
    { "2d 3x3, small images side by side", 2, 9, 64, 128, 1, { 7, 7 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), true },
    { "2d 3x3/2, small images side by side", 2, 9, 64, 128, 1, { 14, 14 }, SAME(3), SAME(2), SAME(1), SAME(1), SAME(1), true },
    { "2d 5x3, dilated, small images side by side", 2, 5, 32, 64, 1, { 8, 6 }, { 5, 3 }, SAME(1), { 4, 2 }, { 4, 2 }, SAME(2), true },
    { "2d strided and dilated", 2, 3, 64, 96, 1, { 19, 17 }, SAME(3), { 2, 3 }, { 2, 1 }, { 1, 2 }, SAME(2), false },
    { "2d 3x3, 80 channels, lines of whole steps", 2, 4, 80, 48, 1, { 13, 10 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), false },
    { "2d 5x3/2, 48 channels", 2, 3, 48, 64, 1, { 21, 18 }, { 5, 3 }, SAME(2), { 2, 1 }, { 1, 0 }, SAME(1), false },
    { "2d 3x3, an image in bands", 2, 1, 64, 64, 1, { 100, 120 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), true },
    { "2d 1x1, strides that leave pixels over", 2, 1, 4, 8, 1, { 8, 9 }, SAME(1), { 2, 3 }, SAME(0), SAME(0), SAME(1), false },
    { "2d 1x1/2, a pixel left over", 2, 2, 64, 32, 1, { 8, 12 }, SAME(1), SAME(2), SAME(0), SAME(0), SAME(1), false },
    { "2d groups", 2, 2, 12, 8, 4, { 6, 6 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), false },
    { "2d patches, a rest left out", 2, 2, 3, 5, 1, { 9, 11 }, { 2, 3 }, { 2, 3 }, SAME(0), SAME(0), SAME(1), false },
    { "2d patches", 2, 2, 24, 40, 1, { 6, 8 }, SAME(2), SAME(2), SAME(0), SAME(0), SAME(1), false },
    { "convnext downsampling", 2, 2, 96, 192, 1, { 28, 28 }, SAME(2), SAME(2), SAME(0), SAME(0), SAME(1), true },
    { "convnext stem", 2, 2, 3, 96, 1, { 224, 224 }, SAME(4), SAME(4), SAME(0), SAME(0), SAME(1), true },
    { "2d depthwise odd", 2, 2, 5, 5, 5, { 8, 8 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), false },
    { "1d depthwise", 1, 3, 24, 24, 24, { 37 }, { 9 }, { 2 }, { 4 }, { 3 }, { 1 }, false },
    { "2d depthwise strided dilated", 2, 2, 40, 40, 40, { 15, 18 }, { 3, 5 }, { 2, 3 }, { 2, 4 }, { 1, 4 }, { 2, 2 }, false },
    { "2d depthwise wide kernel", 2, 1, 17, 17, 17, { 13, 14 }, { 2, 11 }, SAME(1), { 1, 5 }, { 0, 5 }, SAME(1), false },
    { "2d depthwise end of the image unused", 2, 2, 16, 16, 16, { 10, 10 }, SAME(3), SAME(4), SAME(0), SAME(0), SAME(1), false },
    { "2d depthwise padding beyond the kernel", 2, 1, 33, 33, 33, { 3, 3 }, SAME(2), SAME(1), SAME(4), SAME(4), SAME(1), false },
    { "2d depthwise in pieces", 2, 1, 8, 8, 8, { 150, 200 }, SAME(5), SAME(1), SAME(2), SAME(2), SAME(1), false },
    { "2d depthwise 1x1", 2, 2, 20, 20, 20, { 5, 6 }, SAME(1), SAME(1), SAME(0), SAME(0), SAME(1), false },
    { "2d depthwise 3x3", 2, 2, 37, 37, 37, { 9, 16 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), false },
    { "2d depthwise 5x5 in bands, without padding", 2, 1, 9, 9, 9, { 90, 130 }, SAME(5), SAME(1), SAME(0), SAME(0), SAME(1), false },
    { "2d depthwise 7x7, uneven padding", 2, 2, 16, 16, 16, { 5, 20 }, SAME(7), SAME(1), { 6, 2 }, { 3, 5 }, SAME(1), false },
    { "2d patches 80-160", 2, 8, 80, 160, 1, { 4, 4 }, SAME(2), SAME(2), SAME(0), SAME(0), SAME(1), false },
    { "2d patches 48-64", 2, 4, 48, 64, 1, { 8, 6 }, SAME(2), SAME(2), SAME(0), SAME(0), SAME(1), false },
    { "3d", 3, 1, 4, 6, 1, { 4, 6, 5 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), false },
    { "3d depthwise", 3, 2, 54, 54, 54, { 4, 7, 9 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), true },
    { "3d depthwise strided", 3, 2, 96, 96, 96, { 4, 9, 8 }, SAME(3), { 1, 2, 2 }, SAME(1), SAME(1), SAME(1), true },
    { "3d depthwise over time", 3, 2, 24, 24, 24, { 6, 5, 5 }, { 5, 1, 1 }, SAME(1), { 2, 0, 0 }, { 2, 0, 0 }, SAME(1), true },
    { "3d depthwise dilated, uneven padding", 3, 1, 33, 33, 33, { 9, 8, 7 }, { 3, 2, 3 }, { 2, 3, 1 }, { 2, 0, 1 }, { 1, 1, 4 }, { 2, 1, 2 }, false },
    { "3d stem", 3, 1, 3, 64, 1, { 4, 28, 28 }, { 3, 7, 7 }, { 1, 2, 2 }, { 1, 3, 3 }, { 1, 3, 3 }, { 1, 1, 1 }, true },
    { "3d 64", 3, 1, 64, 64, 1, { 4, 14, 14 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), true },
    { "resnet stem", 2, 2, 3, 64, 1, { 224, 224 }, SAME(7), SAME(2), SAME(3), SAME(3), SAME(1), true },
    { "resnet18 cifar stem", 2, 4, 3, 64, 1, { 32, 32 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), true },
    { "resnet18 layer1", 2, 2, 64, 64, 1, { 56, 56 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), true },
    { "resnet18 layer2.0", 2, 2, 64, 128, 1, { 56, 56 }, SAME(3), SAME(2), SAME(1), SAME(1), SAME(1), true },
    { "resnet18 layer2 shortcut", 2, 2, 64, 128, 1, { 56, 56 }, SAME(1), SAME(2), SAME(0), SAME(0), SAME(1), true },
    { "resnet18 layer4", 2, 2, 512, 512, 1, { 7, 7 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), true },
    { "resnet50 1x1 256-64", 2, 2, 256, 64, 1, { 56, 56 }, SAME(1), SAME(1), SAME(0), SAME(0), SAME(1), true },
    { "resnet50 1x1 64-256", 2, 2, 64, 256, 1, { 56, 56 }, SAME(1), SAME(1), SAME(0), SAME(0), SAME(1), true },
    { "resnet50 3x3/2 128", 2, 2, 128, 128, 1, { 56, 56 }, SAME(3), SAME(2), SAME(1), SAME(1), SAME(1), true },
    { "resnet50 1x1 2048-512", 2, 2, 2048, 512, 1, { 7, 7 }, SAME(1), SAME(1), SAME(0), SAME(0), SAME(1), true },
    { "resnext 32x4", 2, 2, 128, 128, 32, { 28, 28 }, SAME(3), SAME(1), SAME(1), SAME(1), SAME(1), true },
    { "vit patches", 2, 2, 3, 192, 1, { 224, 224 }, SAME(16), SAME(16), SAME(0), SAME(0), SAME(1), true },
    { "convnext depthwise @7", 2, 3, 768, 768, 768, { 7, 7 }, SAME(7), SAME(1), SAME(3), SAME(3), SAME(1), true },
    { "mobilenet depthwise/2", 2, 2, 96, 96, 96, { 28, 28 }, SAME(3), SAME(2), SAME(1), SAME(1), SAME(1), true },
    { "convnext depthwise", 2, 2, 96, 96, 96, { 28, 28 }, SAME(7), SAME(1), SAME(3), SAME(3), SAME(1), true },
};

static gv_conv_attr attr;
static int64_t xs[5], ws[5], ys[5]; /* [N,s…,C] [O,C/groups,k…] [N,s'…,O] */

static void shapes(const struct row *r)
{
    attr = (gv_conv_attr){ .window = { .dims = r->dims, .groups = r->groups } };
    gv_window *w = &attr.window;
    xs[0] = ys[0] = r->n, xs[r->dims + 1] = r->c, ys[r->dims + 1] = r->o;
    ws[0] = r->o, ws[1] = r->c / r->groups;
    for (int i = 0; i < r->dims; i++) {
        w->kernel[i] = ws[2 + i] = r->kernel[i];
        w->stride[i] = r->stride[i], w->pad[i] = r->pad[i], w->pad_end[i] = r->pad_end[i], w->dilation[i] = r->dilation[i];
        xs[1 + i] = r->size[i];
        ys[1 + i] = (r->size[i] + r->pad[i] + r->pad_end[i] - r->dilation[i] * (r->kernel[i] - 1) - 1) / r->stride[i] + 1;
    }
}

/* Every product x * w that belongs to y, x and w fixed where >= 0: the three passes are sums over the two others. Axes are given
 * three long; missing ones have one place. */
struct at { int64_t n, c, o, s[3], k[3], q[3]; };

static double sum(const double *x, const double *w, const double *y, int64_t element, int64_t *terms)
{
    const gv_window *v = &attr.window;
    int dims = v->dims;
    int64_t S[3] = { 1, 1, 1 }, K[3] = { 1, 1, 1 }, Q[3] = { 1, 1, 1 }, C = xs[dims + 1], O = ys[dims + 1], cg = ws[1], og = O / v->groups;
    int64_t stride[3] = { 1, 1, 1 }, pad[3] = { 0 }, dil[3] = { 1, 1, 1 };
    for (int i = 0; i < dims; i++) {
        int j = 3 - dims + i;
        S[j] = xs[1 + i], K[j] = ws[2 + i], Q[j] = ys[1 + i], stride[j] = v->stride[i], pad[j] = v->pad[i], dil[j] = v->dilation[i];
    }
    struct at lo = { 0 }, hi = { xs[0], cg, og, { 0 }, { K[0], K[1], K[2] }, { Q[0], Q[1], Q[2] } };
    int64_t g0 = 0, g1 = v->groups, e = element, want[3] = { -1, -1, -1 };
#define FIX(f, n) (lo.f = e % (n), hi.f = lo.f + 1, e /= (n))
    if (!y) { /* an element of y: O fastest */
        g0 = e % O / og, g1 = g0 + 1, lo.o = e % O % og, hi.o = lo.o + 1, e /= O;
        for (int i = 2; i >= 0; i--)
            FIX(q[i], Q[i]);
        FIX(n, xs[0]);
    } else if (!x) {
        g0 = e % C / cg, g1 = g0 + 1, lo.c = e % C % cg, hi.c = lo.c + 1, e /= C;
        for (int i = 2; i >= 0; i--)
            want[i] = e % S[i], e /= S[i];
        FIX(n, xs[0]);
    } else {
        for (int i = 2; i >= 0; i--)
            FIX(k[i], K[i]);
        FIX(c, cg);
        g0 = e / og, g1 = g0 + 1, lo.o = e % og, hi.o = lo.o + 1;
    }
    double t = 0;
    *terms = 0;
    for (int64_t n = lo.n; n < hi.n; n++)
    for (int64_t k0 = lo.k[0]; k0 < hi.k[0]; k0++)
    for (int64_t k1 = lo.k[1]; k1 < hi.k[1]; k1++)
    for (int64_t k2 = lo.k[2]; k2 < hi.k[2]; k2++)
    for (int64_t q0 = lo.q[0]; q0 < hi.q[0]; q0++) {
        int64_t s0 = q0 * stride[0] + k0 * dil[0] - pad[0];
        if (s0 < 0 || s0 >= S[0] || (want[0] >= 0 && s0 != want[0]))
            continue;
        for (int64_t q1 = lo.q[1]; q1 < hi.q[1]; q1++) {
            int64_t s1 = q1 * stride[1] + k1 * dil[1] - pad[1];
            if (s1 < 0 || s1 >= S[1] || (want[1] >= 0 && s1 != want[1]))
                continue;
            for (int64_t q2 = lo.q[2]; q2 < hi.q[2]; q2++) {
                int64_t s2 = q2 * stride[2] + k2 * dil[2] - pad[2];
                if (s2 < 0 || s2 >= S[2] || (want[2] >= 0 && s2 != want[2]))
                    continue;
                for (int64_t g = g0; g < g1; g++)
                for (int64_t c = lo.c; c < hi.c; c++)
                for (int64_t o = lo.o; o < hi.o; o++) {
                    int64_t xi = (((n * S[0] + s0) * S[1] + s1) * S[2] + s2) * C + g * cg + c;
                    int64_t yi = (((n * Q[0] + q0) * Q[1] + q1) * Q[2] + q2) * O + g * og + o;
                    int64_t wi = ((((g * og + o) * cg + c) * K[0] + k0) * K[1] + k1) * K[2] + k2;
                    t += (x ? x[xi] : 1) * (w ? w[wi] : 1) * (y ? y[yi] : 1);
                    ++*terms;
                }
            }
        }
    }
    return t;
}

static void one(void *ctx, const struct row *r, int pass, gv_dtype t, gv_dtype wt, bool bias)
{
    static const char *const names[] = { "forward", "dgrad", "wgrad" };
    static const gv_op_id ops[] = { GV_OP_conv, GV_OP_conv_dgrad, GV_OP_conv_wgrad };
    bench b = { .ctx = ctx, .seed = 88172645463325252u };
    int nd = r->dims + 2;
    bool last = pass == 1;
    if (pass == 0) {
        bench_in(&b, t, xs, nd), bench_in(&b, wt, ws, nd);
        if (bias)
            bench_in(&b, GV_F32T, &r->o, 1);
        else
            bench_none(&b);
        bench_out(&b, t, ys, nd);
    } else if (last) {
        bench_in(&b, t, ys, nd), bench_in(&b, wt, ws, nd), bench_out(&b, t, xs, nd);
    } else {
        bench_in(&b, t, xs, nd), bench_in(&b, t, ys, nd), bench_out(&b, GV_F32T, ws, nd);
    }
    for (int64_t i = 0; wt != t && pass < 2 && i < b.in[1].d.count; i++)
        b.in[1].v[i] = gv_bf16_to_f32(gv_f32_to_bf16((float)b.in[1].v[i]));
    int c = bench_compile(&b, ops[pass], &attr);
    int e = c == GV_OK ? b.kernel.run(&b.call) : c;
    double worst = 0;
    bool narrow = b.out[0].d.dtype == GV_BF16;
    int64_t n = b.out[0].d.count, step = n > SAMPLES ? n / SAMPLES | 1 : 1;
    for (int64_t i = 0; e == GV_OK && i < n; i = i + step < n || i == n - 1 ? i + step : n - 1) {
        int64_t terms;
        double *x = b.in[0].v, *w = b.in[1].v;
        double want = pass == 0 ? sum(x, w, NULL, i, &terms) : last ? sum(NULL, w, x, i, &terms) : sum(x, NULL, w, i, &terms);
        if (pass == 0 && bias)
            want += b.in[2].v[i % r->o];
        double tol = 2e-6 * sqrt((double)terms + 1) + 1e-8 * (double)terms + (narrow ? fabs(want) / 256 : 0);
        if (!strncmp(b.kernel.name, "winograd", 8)) /* of all nine taps, also at the border: zeros are turned too */
            tol += 5.0 / (t == GV_BF16 ? 1 << 8 : 1 << 24) * sqrt(pass == 2 ? (double)(r->n * ys[1] * ys[2]) : 9.0 * (double)(pass ? r->o : r->c)) / 3;
        double bad = fabs(tensor_at(&b.out[0], i) - want) / tol;
        if (!(bad <= worst))
            worst = bad;
    }
    ok(e == GV_OK && worst <= 1, "%s %s %s%s: within tolerance (%.2f of it, %s)", r->name, names[pass], gv_dtype_of(t)->name, wt != t ? " f32 weights" : "", worst,
       e == GV_OK ? b.kernel.name : "no kernel");
    if (e == GV_OK) {
        double apart = !r->real && wt == t ? bench_apart(&b) : 0;
        if (!(apart <= 1))
            ok(0, "%s %s %s: as the plain kernel (%g times the tolerance)", r->name, names[pass], gv_dtype_of(t)->name, apart);
        if (!bench_guarded(&b))
            ok(0, "%s %s: the bytes around every buffer are untouched", r->name, names[pass]);
        if (r->real && !strncmp(b.kernel.name, "ref", 3))
            ok(0, "%s %s %s: not oneDNN's reference kernel", r->name, names[pass], gv_dtype_of(t)->name);
    }
    bench_drop(&b);
}

/* The kernel of a depthwise convolution does not depend on what stands between and behind the members of its attributes. */
static void padding(void *ctx)
{
    const int64_t image[] = { 1, 8, 8, 32 }, weight[] = { 32, 1, 3, 3 };
    char names[2][64];
    for (int k = 0; k < 2; k++) {
        bench b = { .ctx = ctx, .seed = 1 };
        gv_conv_attr a;
        memset(&a, k ? 0xff : 0, sizeof a);
        a.window.dims = 2, a.window.groups = 32, a.relu = false;
        for (int i = 0; i < 3; i++)
            a.window.kernel[i] = 3, a.window.stride[i] = a.window.pad[i] = a.window.pad_end[i] = a.window.dilation[i] = 1;
        bench_in(&b, GV_F32T, image, 4), bench_in(&b, GV_F32T, weight, 4), bench_out(&b, GV_F32T, image, 4);
        snprintf(names[k], sizeof names[k], "%s", bench_compile(&b, GV_OP_conv, &a) == GV_OK ? b.kernel.name : "none");
        bench_drop(&b);
    }
    ok(!strcmp(names[0], names[1]), "depthwise: the same kernel (%s, %s) whatever stands between the members of its attributes", names[0], names[1]);
}

int main(int argc, char **argv)
{
    void *ctx = NULL;
    gv_err err = { 0 };
    if (!ok(gv_backend_onednn.open(&ctx, 0, &err) == GV_OK, "the backend opens"))
        return printf("# %s\n", err.text), done();
    padding(ctx);
    bool narrow = gv_backend_onednn.has_bf16();
    for (size_t i = 0; i < GV_COUNT(rows); i++) {
        shapes(&rows[i]);
        for (int pass = 0; pass < 3; pass++) {
            one(ctx, &rows[i], pass, GV_F32T, GV_F32T, i & 1);
            if (narrow)
                one(ctx, &rows[i], pass, GV_BF16, GV_BF16, i & 1);
            if (narrow && pass < 2)
                one(ctx, &rows[i], pass, GV_BF16, GV_F32T, i & 1);
        }
        dn_isa_most = DN_AVX2; /* and the kernel of processors without AVX-512 */
        if (rows[i].groups == rows[i].c) {
            for (int pass = 0; pass < 3; pass++) {
                one(ctx, &rows[i], pass, GV_F32T, GV_F32T, !(i & 1));
                if (narrow)
                    one(ctx, &rows[i], pass, GV_BF16, GV_BF16, !(i & 1));
            }
        }
        dn_isa_most = DN_AVX512_BF16;
    }
    gv_backend_onednn.close(ctx);
    __builtin_cpu_init();
    if (argc == 1 && __builtin_cpu_supports("avx512bw"))
        ok(again_with(argv[0], "AVX2"), "the same with AVX2 alone");
    return done();
}
