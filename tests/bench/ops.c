/*
 * Speed of single kernels of the onednn backend: convolutions of ResNet-50, products of ViT-B, and our own kernels at their sizes.
 *
 *   build/gcc/tests/bench/ops [BATCH [THREADS [TEXT]]]        (16, all; only names that hold TEXT)
 *
 * One JSON line for each (bench.h): the best call in ms, and the median; "gflops" for convolutions and products (padded taps counted, as
 * benchdnn does, so that roof_share may pass 1), "gbs" (bytes of tensors read and written once) for the rest. Our own kernels are followed by the plain ones they have to beat. A kernel called
 * "ref" is oneDNN's slow one and makes the program end in 1.
 */
#include "nn/roof.h"
#include "tests/bench/bench.h"
#include "tests/nn/onednn.h"

enum { CALLS = 40, LEAST = 4 };
static const double SECONDS = 0.4;

static void *ctx;
static int slow, threads;
static const char *only = "";
static gv_roof roof;

/* The op's plain kernel: it serves where the backend has none of its own, and is what a kernel of ours has to beat. */
static bool plain(bench *b, gv_op_id op, const void *attr)
{
    const gv_op *o = gv_op_of(op);
    gv_dtype t = b->call.nin ? b->call.in[0].dtype : GV_F32T;
    b->node = (gv_node){ .op = op, .attr = attr, .nin = b->call.nin, .nout = b->call.nout, .path = "" };
    b->call.node = &b->node;
    b->call.attr = attr;
    b->call.run = &b->run;
    b->kernel = (gv_kernel){ .name = "plain", .run = t == GV_BF16 && !(o->flags & GV_OP_ANY_TYPE) ? o->plain_bf16 : o->plain_f32 };
    size_t n = o->scratch ? o->scratch(&b->call) : 0;
    b->call.scratch = b->scratch = gv_alloc(n + 64, NULL);
    return b->scratch && b->kernel.run;
}

static bool use_plain;

static void measure(bench *b, gv_op_id op, const void *attr, const char *what, const char *name, double flops, double bytes)
{
    char title[160];
    snprintf(title, sizeof title, "%s %s %s", what, name, gv_dtype_of(b->call.in[0].dtype)->name);
    if (!strstr(title, only)) {
        bench_drop(b);
        return;
    }
    double t[CALLS], start = bench_now();
    int n = 0, r = use_plain ? GV_UNSUPPORTED : bench_compile(b, op, attr);
    if (r == GV_UNSUPPORTED)
        r = plain(b, op, attr) ? GV_OK : GV_UNSUPPORTED;
    if (r != GV_OK) {
        char line[170];
        snprintf(line, sizeof line, "ops/%s", title);
        bench_line(line, NAN, "ms", NAN, "\"unsupported\":true");
        bench_drop(b);
        return;
    }
    for (int i = 0; i < b->call.nout; i++)
        memset(b->out[i].data, 0, b->out[i].bytes);
    if (b->kernel.run(&b->call) != GV_OK)
        slow = 1;
    while (n < CALLS && (n < LEAST || bench_now() - start < SECONDS)) {
        double s = bench_now();
        if (b->kernel.run(&b->call) != GV_OK)
            slow = 1;
        t[n++] = bench_now() - s;
    }
    qsort(t, (size_t)n, sizeof *t, bench_order);
    bool bf16 = b->call.in[0].dtype == GV_BF16;
    char line[170], more[160];
    double share = flops > 0 ? flops / 2 / t[0] / gv_roof_madd(&roof, bf16 ? GV_MIXED_BF16 : GV_FP32) : bytes / t[0] / roof.copy;
    snprintf(line, sizeof line, "ops/%s", title);
    int at = snprintf(more, sizeof more, "\"kernel\":\"%s\",\"threads\":%d,\"median_ms\":%.4f,", b->kernel.name, threads, t[n / 2] * 1e3);
    snprintf(more + at, sizeof more - (size_t)at, flops > 0 ? "\"gflops\":%.1f" : "\"gbs\":%.1f", (flops > 0 ? flops : bytes) / t[0] * 1e-9);
    bench_line(line, t[0] * 1e3, "ms", share, more);
    if (!strncmp(b->kernel.name, "ref", 3))
        slow = 1;
    bench_drop(b);
}

static bench fresh(void)
{
    return (bench){ .ctx = ctx, .seed = 88172645463325252u };
}

/* Pass 3: forward as it is in inference, with constant weights and a bias, and an addition, in place, and ReLU behind it. */
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
    static const char *const names[] = { "conv", "conv_dgrad", "conv_wgrad", "conv+" };
    static const gv_op_id ops[] = { GV_OP_conv, GV_OP_conv_dgrad, GV_OP_conv_wgrad, GV_OP_conv };
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
    bench_out(&b, pass == 2 ? GV_F32T : t, pass == 1 ? x : pass == 2 ? w : y, nd);
    if (pass == 3) {
        a.relu = true;
        b.call.in[1].constant = true;
        bench_in(&b, GV_F32T, &v->o, 1), bench_in(&b, t, y, nd);
        b.call.x[3] = b.out[0].data;
    }
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
static void one(gv_op_id op, const void *attr, const char *what, int64_t R, int64_t C, gv_dtype t, int passes)
{
    bench b = fresh();
    int64_t s[] = { R, C }, stat = op == GV_OP_layernorm || op == GV_OP_layernorm_grad ? R : C;
    bool grad = op == GV_OP_batchnorm_grad || op == GV_OP_layernorm_grad;
    char name[64];
    bench_in(&b, t, s, 2);
    if (grad || op == GV_OP_unary_grad || op == GV_OP_softmax_grad)
        bench_in(&b, t, s, 2);
    if (grad)
        bench_in(&b, GV_F32T, &stat, 1), bench_in(&b, GV_F32T, &stat, 1), bench_in(&b, GV_F32T, &C, 1);
    if (op == GV_OP_batchnorm_train || op == GV_OP_layernorm)
        bench_in(&b, GV_F32T, &C, 1), bench_in(&b, GV_F32T, &C, 1);
    bench_out(&b, t, s, 2);
    if (grad)
        bench_out(&b, GV_F32T, &C, 1), bench_out(&b, GV_F32T, &C, 1);
    else if (b.call.nin == 3)
        bench_out(&b, GV_F32T, &stat, 1), bench_out(&b, GV_F32T, &stat, 1);
    if (op == GV_OP_batchnorm_train)
        bench_out(&b, GV_F32T, &stat, 1);
    snprintf(name, sizeof name, "%dx%d", (int)R, (int)C);
    measure(&b, op, attr, what, name, 0, (double)passes * (double)(R * C) * (t == GV_BF16 ? 2 : 4));
}

static void own(gv_op_id op, const void *attr, const char *what, int64_t R, int64_t C, gv_dtype t, int passes)
{
    one(op, attr, what, R, C, t, passes);
    use_plain = true;
    one(op, attr, what, R, C, t, passes);
    use_plain = false;
}

/* Ops that plain kernels serve: is one of them slow? */
static void others(int64_t batch, gv_dtype t)
{
    bench b = fresh();
    gv_unary_attr relu = { GV_RELU };
    double real = t == GV_BF16 ? 2 : 4;
    int64_t big[] = { batch, 56, 56, 256 }, stem[] = { batch, 112, 112, 64 }, pooled[] = { batch, 56, 56, 64 }, tokens[] = { batch, 197, 12, 64 }, heads[] = { batch, 12, 197, 64 };
    double n = (double)(batch * 56 * 56 * 256);
    bench_in(&b, t, big, 4), bench_in(&b, t, big, 4), bench_out(&b, t, big, 4);
    measure(&b, GV_OP_add, NULL, "add", "56x56x256", 0, 3 * n * real);
    b = fresh(), bench_in(&b, t, big, 4), bench_out(&b, t, big, 4);
    measure(&b, GV_OP_unary, &relu, "relu", "56x56x256", 0, 2 * n * real);
    b = fresh(), bench_in(&b, t, big, 4), bench_in(&b, t, big, 4), bench_out(&b, t, big, 4);
    measure(&b, GV_OP_unary_grad, &relu, "relu_grad", "56x56x256", 0, 3 * n * real);
    gv_pool_attr pool = { { .dims = 2, .kernel = { 3, 3 }, .stride = { 2, 2 }, .pad = { 1, 1 }, .pad_end = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 } };
    b = fresh(), bench_in(&b, t, stem, 4), bench_out(&b, t, pooled, 4), bench_out(&b, GV_I32, pooled, 4);
    measure(&b, GV_OP_maxpool, &pool, "maxpool", "3x3/2 112x112x64", 0, n * real * 1.25 + n);
    b = fresh(), bench_in(&b, t, pooled, 4), bench_in(&b, GV_I32, pooled, 4), bench_out(&b, t, stem, 4);
    for (int64_t i = 0; i < b.in[1].d.count; i++) {
        int64_t p = i / 64 % 3136;
        ((int32_t *)b.in[1].data)[i] = (int32_t)(p / 56 * 2 * 112 + p % 56 * 2);
    }
    measure(&b, GV_OP_maxpool_grad, &pool, "maxpool_grad", "3x3/2 112x112x64", 0, n * real * 1.25 + n);
    gv_reduce_attr mean = { GV_MEAN, 2 | 4, false }, rows = { GV_SUM, 1, false };
    b = fresh(), bench_in(&b, t, (int64_t[]){ batch, 7, 7, 2048 }, 4), bench_out(&b, t, (int64_t[]){ batch, 2048 }, 2);
    measure(&b, GV_OP_reduce, &mean, "reduce", "mean 7x7x2048", 0, (double)batch * 49 * 2048 * real);
    b = fresh(), bench_in(&b, t, (int64_t[]){ batch * 197, 3072 }, 2), bench_out(&b, GV_F32T, (int64_t[]){ 3072 }, 1);
    measure(&b, GV_OP_reduce, &rows, "reduce", "rows of [197,3072]", 0, (double)batch * 197 * 3072 * real);
    gv_permute_attr swap = { { 0, 2, 1, 3 } };
    b = fresh(), bench_in(&b, t, tokens, 4), bench_out(&b, t, heads, 4);
    measure(&b, GV_OP_permute, &swap, "permute", "tokens to heads", 0, (double)batch * 2 * 197 * 768 * real);
    b = fresh(), bench_in(&b, GV_F32T, (int64_t[]){ 768, 3072 }, 2), bench_out(&b, t, (int64_t[]){ 768, 3072 }, 2);
    measure(&b, GV_OP_cast, NULL, "cast", "768x3072", 0, 768.0 * 3072 * (4 + real));
}

int main(int argc, char **argv)
{
    gv_err err = { 0 };
    int64_t batch = argc > 1 ? strtoll(argv[1], NULL, 10) : 16;
    threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : gv_threads_available();
    only = argc > 3 ? argv[3] : "";
    if (batch < 1 || batch > 1024 || threads < 1 || gv_backend_onednn.open(&ctx, threads, &err) != GV_OK) {
        fprintf(stderr, "ops: error: %s\n", err.text[0] ? err.text : "usage: ops [BATCH [THREADS [TEXT]]]");
        return 2;
    }
    if (gv_roof_measure(&roof, "onednn", threads, &err) < 0) {
        fprintf(stderr, "ops: error: %s\n", err.text);
        return 1;
    }
    gv_batchnorm_attr norm = { 1e-5, false };
    gv_unary_attr gelu = { GV_GELU }, gelu_tanh = { GV_GELU_TANH };
    for (int i = 0; i < 2; i++) {
        gv_dtype t = i ? GV_F32T : GV_BF16;
        product("roof: 1024^3", 1, 1024, 1024, 1024, false, false, false, t);
        for (size_t j = 0; j < GV_COUNT(convs); j++)
            for (int pass = 0; pass < 4; pass++)
                if (pass != 1 || convs[j].c > 3)
                    conv(&convs[j], batch, pass, t);
        vit(batch, t);
        others(batch, t);
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
