/*
 * Speed of single kernels of the onednn backend: convolutions of ResNet-50, products of ViT-B, and our own kernels at their sizes.
 *
 *   build/gcc/tests/bench/ops [BATCH [THREADS]]        (16, all)
 *
 * One JSON line for each: best and median of several calls; "gflops" for convolutions and products (padded taps counted, as
 * benchdnn does), "gbs" (bytes of tensors read and written once) for the rest. The first lines are the roofs measured in the same process:
 * a square product that fits the cache, and a copy. A kernel called "ref" is oneDNN's slow one and makes the program end in 1.
 */
#include "tests/nn/onednn.h"
#include <time.h>

enum { CALLS = 40, LEAST = 4 };
static const double SECONDS = 0.4;

static void *ctx;
static int slow, threads;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

static void measure(bench *b, gv_op_id op, const void *attr, const char *what, const char *name, double flops, double bytes)
{
    double t[CALLS], start = now();
    int n = 0, r = bench_compile(b, op, attr);
    if (r != GV_OK) {
        printf("{\"op\":\"%s\",\"name\":\"%s\",\"unsupported\":true}\n", what, name);
        bench_drop(b);
        return;
    }
    for (int i = 0; i < b->call.nout; i++)
        memset(b->out[i].data, 0, b->out[i].bytes);
    if (b->kernel.run(&b->call) != GV_OK)
        slow = 1;
    while (n < CALLS && (n < LEAST || now() - start < SECONDS)) {
        double s = now();
        if (b->kernel.run(&b->call) != GV_OK)
            slow = 1;
        t[n++] = now() - s;
    }
    qsort(t, (size_t)n, sizeof *t, by_size);
    printf("{\"op\":\"%s\",\"name\":\"%s\",\"type\":\"%s\",\"kernel\":\"%s\",\"threads\":%d,\"ms\":%.3f,\"median_ms\":%.3f,", what, name, gv_dtype_of(b->call.in[0].dtype)->name,
           b->kernel.name, threads, t[0] * 1e3, t[n / 2] * 1e3);
    if (flops > 0)
        printf("\"gflops\":%.1f}\n", flops / t[0] * 1e-9);
    else
        printf("\"gbs\":%.1f}\n", bytes / t[0] * 1e-9);
    fflush(stdout);
    if (!strncmp(b->kernel.name, "ref", 3))
        slow = 1;
    bench_drop(b);
}

static bench fresh(void)
{
    return (bench){ .ctx = ctx, .seed = 88172645463325252u };
}

static const struct conv { const char *name; int dims; int64_t c, o, groups, d, s, kd, k, stride, pad; } convs[] = {
    { "7x7/2 3-64 @224", 2, 3, 64, 1, 1, 224, 1, 7, 2, 3 },
    { "1x1 64-64 @56", 2, 64, 64, 1, 1, 56, 1, 1, 1, 0 },
    { "3x3 64-64 @56", 2, 64, 64, 1, 1, 56, 1, 3, 1, 1 },
    { "1x1 64-256 @56", 2, 64, 256, 1, 1, 56, 1, 1, 1, 0 },
    { "1x1 256-64 @56", 2, 256, 64, 1, 1, 56, 1, 1, 1, 0 },
    { "3x3/2 128-128 @56", 2, 128, 128, 1, 1, 56, 1, 3, 2, 1 },
    { "1x1/2 256-512 @56", 2, 256, 512, 1, 1, 56, 1, 1, 2, 0 },
    { "3x3 128-128 @28", 2, 128, 128, 1, 1, 28, 1, 3, 1, 1 },
    { "3x3 256-256 @14", 2, 256, 256, 1, 1, 14, 1, 3, 1, 1 },
    { "1x1 1024-256 @14", 2, 1024, 256, 1, 1, 14, 1, 1, 1, 0 },
    { "3x3 512-512 @7", 2, 512, 512, 1, 1, 7, 1, 3, 1, 1 },
    { "1x1 512-2048 @7", 2, 512, 2048, 1, 1, 7, 1, 1, 1, 0 },
    { "depthwise 7x7 96 @56", 2, 96, 96, 96, 1, 56, 1, 7, 1, 3 },
    { "3x3x3 64-64 @4x28x28", 3, 64, 64, 1, 4, 28, 3, 3, 1, 1 },
};

static void conv(const struct conv *v, int64_t batch, int pass, gv_dtype t)
{
    static const char *const names[] = { "conv", "conv_dgrad", "conv_wgrad" };
    static const gv_op_id ops[] = { GV_OP_conv, GV_OP_conv_dgrad, GV_OP_conv_wgrad };
    int64_t q = (v->s + 2 * v->pad - v->k) / v->stride + 1, x[5] = { batch }, y[5] = { batch }, w[5] = { v->o, v->c / v->groups };
    gv_conv_attr a = { .window = { .dims = v->dims, .groups = v->groups } };
    for (int i = 0; i < v->dims; i++) {
        bool depth = v->dims == 3 && i == 0;
        a.window.kernel[i] = w[2 + i] = depth ? v->kd : v->k;
        a.window.stride[i] = depth ? 1 : v->stride;
        a.window.pad[i] = a.window.pad_end[i] = v->pad;
        a.window.dilation[i] = 1;
        x[1 + i] = depth ? v->d : v->s;
        y[1 + i] = depth ? v->d : q;
    }
    x[v->dims + 1] = v->c, y[v->dims + 1] = v->o;
    bench b = fresh();
    int nd = v->dims + 2;
    bench_in(&b, t, pass == 1 ? y : x, nd);
    bench_in(&b, pass == 2 ? t : GV_F32T, pass == 2 ? y : w, nd);
    bench_out(&b, pass == 2 ? GV_F32T : t, pass == 0 ? y : pass == 1 ? x : w, nd);
    double flops = 2.0 * (double)batch * (double)(v->o * v->c / v->groups) * (double)(v->k * v->k * v->kd) * (double)(q * q * v->d);
    measure(&b, ops[pass], &a, names[pass], v->name, flops, 0);
}

static void product(const char *name, int64_t nb, int64_t m, int64_t k, int64_t n, bool ta, bool tb, bool one, gv_dtype t)
{
    bench b = fresh();
    gv_matmul_attr a = { ta, tb, 1 };
    bench_in(&b, t, (int64_t[]){ nb, ta ? k : m, ta ? m : k }, 3);
    if (one)
        bench_in(&b, GV_F32T, (int64_t[]){ tb ? n : k, tb ? k : n }, 2);
    else
        bench_in(&b, t, (int64_t[]){ nb, tb ? n : k, tb ? k : n }, 3);
    bench_none(&b);
    bench_out(&b, t, (int64_t[]){ nb, m, n }, 3);
    measure(&b, GV_OP_matmul, &a, "matmul", name, 2.0 * (double)(nb * m) * (double)(k * n), 0);
}

static void weight_gradient(const char *name, int64_t r, int64_t m, int64_t n, gv_dtype t)
{
    bench b = fresh();
    bench_in(&b, t, (int64_t[]){ r, m }, 2), bench_in(&b, t, (int64_t[]){ r, n }, 2), bench_out(&b, GV_F32T, (int64_t[]){ m, n }, 2);
    measure(&b, GV_OP_matmul_wgrad, NULL, "matmul_wgrad", name, 2.0 * (double)r * (double)(m * n), 0);
}

static void vit(int64_t batch, gv_dtype t)
{
    int64_t r = batch * 197, h = batch * 12;
    product("768-2304", 1, r, 768, 2304, false, true, true, t);
    product("768-3072", 1, r, 768, 3072, false, true, true, t);
    product("3072-768", 1, r, 3072, 768, false, true, true, t);
    product("3072-768 dx", 1, r, 768, 3072, false, false, true, t);
    weight_gradient("768-2304", r, 2304, 768, t);
    weight_gradient("3072-768", r, 768, 3072, t);
    product("q k'", h, 197, 64, 197, false, true, false, t);
    product("p v", h, 197, 197, 64, false, false, false, t);
    product("dv = p' do", h, 197, 197, 64, true, false, false, t);
}

/* n tensors [R,C] and a vector or three go in, one tensor comes out; passes: reads and writes of a tensor, counted once each */
static void own(gv_op_id op, const void *attr, const char *what, int64_t R, int64_t C, gv_dtype t, int passes)
{
    bench b = fresh();
    int64_t s[] = { R, C }, stat = op == GV_OP_layernorm || op == GV_OP_layernorm_grad ? R : C;
    bool grad = op == GV_OP_batchnorm_grad || op == GV_OP_layernorm_grad;
    char name[64];
    bench_in(&b, t, s, 2);
    if (op == GV_OP_unary_grad || op == GV_OP_softmax_grad)
        bench_in(&b, t, s, 2);
    if (grad || op == GV_OP_batchnorm_train || op == GV_OP_layernorm)
        bench_in(&b, GV_F32T, &C, 1), bench_in(&b, GV_F32T, grad ? &stat : &C, 1);
    if (grad)
        bench_in(&b, GV_F32T, &stat, 1), bench_in(&b, t, s, 2);
    bench_out(&b, t, s, 2);
    if (grad)
        bench_out(&b, GV_F32T, &C, 1), bench_out(&b, GV_F32T, &C, 1);
    else if (b.call.nin == 3)
        bench_out(&b, GV_F32T, &stat, 1), bench_out(&b, GV_F32T, &stat, 1);
    snprintf(name, sizeof name, "%dx%d", (int)R, (int)C);
    measure(&b, op, attr, what, name, 0, (double)passes * (double)(R * C) * (t == GV_BF16 ? 2 : 4));
}

int main(int argc, char **argv)
{
    gv_err err = { 0 };
    int64_t batch = argc > 1 ? strtoll(argv[1], NULL, 10) : 16;
    threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : gv_threads_available();
    if (batch < 1 || batch > 1024 || threads < 1 || gv_backend_onednn.open(&ctx, threads, &err) != GV_OK) {
        fprintf(stderr, "ops: error: %s\n", err.text[0] ? err.text : "usage: ops [BATCH [THREADS]]");
        return 2;
    }
    gv_threads_set(threads);
    gv_norm_attr norm = { 1e-5 };
    gv_unary_attr gelu = { GV_GELU }, gelu_tanh = { GV_GELU_TANH };
    for (int i = 0; i < 2; i++) {
        gv_dtype t = i ? GV_F32T : GV_BF16;
        product("roof: 1024^3", 1, 1024, 1024, 1024, false, false, false, t);
        for (size_t j = 0; j < GV_COUNT(convs); j++)
            for (int pass = 0; pass < 3; pass++)
                if (pass != 1 || convs[j].c > 3)
                    conv(&convs[j], batch, pass, t);
        vit(batch, t);
        for (int64_t s = 112, c = 64; s >= 7; s /= 2, c *= 2) {
            own(GV_OP_batchnorm_train, &norm, "batchnorm_train", batch * s * s, c == 64 ? c : c * 2, t, 3);
            own(GV_OP_batchnorm_grad, NULL, "batchnorm_grad", batch * s * s, c == 64 ? c : c * 2, t, 5);
        }
        own(GV_OP_layernorm, &norm, "layernorm", batch * 197, 768, t, 2);
        own(GV_OP_layernorm_grad, NULL, "layernorm_grad", batch * 197, 768, t, 3);
        own(GV_OP_softmax, NULL, "softmax", batch * 12 * 197, 197, t, 2);
        own(GV_OP_softmax_grad, NULL, "softmax_grad", batch * 12 * 197, 197, t, 3);
        own(GV_OP_unary, &gelu, "gelu", batch * 197, 3072, t, 2);
        own(GV_OP_unary_grad, &gelu, "gelu_grad", batch * 197, 3072, t, 3);
        own(GV_OP_unary, &gelu_tanh, "gelu_tanh", batch * 197, 3072, t, 2);
        own(GV_OP_unary_grad, &gelu_tanh, "gelu_tanh_grad", batch * 197, 3072, t, 3);
    }
    gv_backend_onednn.close(ctx);
    return slow;
}
