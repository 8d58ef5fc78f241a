/*
 * The onednn backend gives the same bytes every time: each kind of kernel 20 times with one thread count, half of them compiled anew in a second
 * backend; and in place of the first input where the kernel says it may.
 */
#include "tests/nn/onednn.h"

enum { RUNS = 20 };

static void *ctx, *other;

/* Compile, run, keep; run again, compile in the other backend, run: always the same bytes in every output. */
static void repeat(bench *b, gv_op_id op, const void *attr, const char *name, gv_dtype t)
{
    unsigned char *kept[GV_MAX_OUT] = { 0 };
    int same = 0, tried = 0;
    bool good = bench_compile(b, op, attr) == GV_OK && b->kernel.run(&b->call) == GV_OK;
    for (int i = 0; good && i < b->call.nout; i++) {
        if (!(kept[i] = gv_alloc(b->out[i].bytes, NULL)))
            abort();
        memcpy(kept[i], b->out[i].data, b->out[i].bytes);
    }
    for (int r = 0; good && r < RUNS; r++) {
        if (r == RUNS / 2) { /* a kernel made anew */
            if (b->kernel.release)
                b->kernel.release(b->kernel.self);
            gv_free(b->scratch);
            b->ctx = other;
            good = bench_compile(b, op, attr) == GV_OK;
        }
        for (int i = 0; good && i < b->call.nout; i++)
            memset(b->out[i].data, 0xff, b->out[i].bytes);
        memset(b->scratch, 0xff, b->kernel.scratch_bytes); /* nothing is kept there from run to run */
        good = good && b->kernel.run(&b->call) == GV_OK;
        bool equal = good;
        for (int i = 0; equal && i < b->call.nout; i++)
            equal = !memcmp(kept[i], b->out[i].data, b->out[i].bytes);
        same += equal, tried++;
    }
    ok(good && same == RUNS && tried == RUNS, "%s %s: the same bytes in %d of %d runs", name, gv_dtype_of(t)->name, same, RUNS);
    if (good && b->kernel.in_place[0] & 1) {
        b->call.y[0] = b->call.x[0];
        ok(b->kernel.run(&b->call) == GV_OK && !memcmp(b->in[0].data, kept[0], b->out[0].bytes), "%s %s: the same bytes in the place of its input", name, gv_dtype_of(t)->name);
    }
    for (int i = 0; i < GV_MAX_OUT; i++)
        gv_free(kept[i]);
    b->ctx = ctx;
    bench_drop(b);
}

static bench fresh(void)
{
    return (bench){ .ctx = ctx, .seed = 88172645463325252u };
}

static void all(gv_dtype t)
{
    int64_t x[] = { 4, 28, 28, 64 }, w[] = { 96, 64, 3, 3 }, y[] = { 4, 28, 28, 96 }, C = 64, rows[] = { 788, 192 }, D = 192, R = 788;
    gv_conv_attr conv = { .window = { .dims = 2, .groups = 1, .kernel = { 3, 3 }, .stride = { 1, 1 }, .pad = { 1, 1 }, .pad_end = { 1, 1 }, .dilation = { 1, 1 } } };
    gv_matmul_attr mm = { false, true, 1 };
    gv_batchnorm_attr norm = { 1e-5, false };
    gv_unary_attr gelu = { GV_GELU };
    bench b = fresh();
    bench_in(&b, t, x, 4), bench_in(&b, t, w, 4), bench_none(&b), bench_out(&b, t, y, 4);
    repeat(&b, GV_OP_conv, &conv, "conv", t);
    b = fresh(), bench_in(&b, t, y, 4), bench_in(&b, t, w, 4), bench_out(&b, t, x, 4);
    repeat(&b, GV_OP_conv_dgrad, &conv, "conv_dgrad", t);
    b = fresh(), bench_in(&b, t, x, 4), bench_in(&b, t, y, 4), bench_out(&b, GV_F32T, w, 4);
    repeat(&b, GV_OP_conv_wgrad, &conv, "conv_wgrad", t);
    int64_t each[] = { 64, 1, 3, 3 }, halves[] = { 96, 64, 2, 2 }, small[] = { 4, 14, 14, 96 };
    gv_conv_attr depthwise = conv, patches = { .window = { .dims = 2, .groups = 1, .kernel = { 2, 2 }, .stride = { 2, 2 }, .dilation = { 1, 1 } } };
    depthwise.window.groups = 64;
    b = fresh(), bench_in(&b, t, x, 4), bench_in(&b, t, x, 4), bench_out(&b, GV_F32T, each, 4);
    repeat(&b, GV_OP_conv_wgrad, &depthwise, "depthwise conv_wgrad", t);
    b = fresh(), bench_in(&b, t, x, 4), bench_in(&b, t, small, 4), bench_out(&b, GV_F32T, halves, 4);
    repeat(&b, GV_OP_conv_wgrad, &patches, "conv_wgrad of patches", t);
    gv_reduce_attr sum = { GV_SUM, 7, false };
    b = fresh(), bench_in(&b, t, x, 4), bench_out(&b, GV_F32T, &C, 1);
    repeat(&b, GV_OP_reduce, &sum, "sum of columns", t);
    b = fresh(), bench_in(&b, t, rows, 2), bench_in(&b, t, (int64_t[]){ 576, 192 }, 2), bench_none(&b), bench_out(&b, t, (int64_t[]){ 788, 576 }, 2);
    repeat(&b, GV_OP_matmul, &mm, "matmul", t);
    b = fresh(), bench_in(&b, t, rows, 2), bench_in(&b, t, rows, 2), bench_out(&b, GV_F32T, (int64_t[]){ 192, 192 }, 2);
    repeat(&b, GV_OP_matmul_wgrad, NULL, "matmul_wgrad", t);
    b = fresh(), bench_in(&b, t, x, 4), bench_in(&b, GV_F32T, &C, 1), bench_in(&b, GV_F32T, &C, 1), bench_out(&b, t, x, 4);
    for (int i = 0; i < 3; i++)
        bench_out(&b, GV_F32T, &C, 1);
    repeat(&b, GV_OP_batchnorm_train, &norm, "batchnorm_train", t);
    b = fresh(), bench_in(&b, t, x, 4), bench_in(&b, t, x, 4);
    for (int i = 0; i < 3; i++)
        bench_in(&b, GV_F32T, &C, 1);
    bench_out(&b, t, x, 4), bench_out(&b, GV_F32T, &C, 1), bench_out(&b, GV_F32T, &C, 1);
    repeat(&b, GV_OP_batchnorm_grad, NULL, "batchnorm_grad", t);
    b = fresh(), bench_in(&b, t, rows, 2), bench_in(&b, GV_F32T, &D, 1), bench_in(&b, GV_F32T, &D, 1);
    bench_out(&b, t, rows, 2), bench_out(&b, GV_F32T, &R, 1), bench_out(&b, GV_F32T, &R, 1);
    repeat(&b, GV_OP_layernorm, &norm, "layernorm", t);
    b = fresh(), bench_in(&b, t, rows, 2), bench_in(&b, t, rows, 2), bench_in(&b, GV_F32T, &R, 1), bench_in(&b, GV_F32T, &R, 1), bench_in(&b, GV_F32T, &D, 1);
    bench_out(&b, t, rows, 2), bench_out(&b, GV_F32T, &D, 1), bench_out(&b, GV_F32T, &D, 1);
    repeat(&b, GV_OP_layernorm_grad, NULL, "layernorm_grad", t);
    b = fresh(), bench_in(&b, t, rows, 2), bench_out(&b, t, rows, 2);
    repeat(&b, GV_OP_softmax, NULL, "softmax", t);
    b = fresh(), bench_in(&b, t, rows, 2), bench_in(&b, t, rows, 2), bench_out(&b, t, rows, 2);
    repeat(&b, GV_OP_softmax_grad, NULL, "softmax_grad", t);
    b = fresh(), bench_in(&b, t, rows, 2), bench_out(&b, t, rows, 2);
    repeat(&b, GV_OP_unary, &gelu, "gelu", t);
    b = fresh(), bench_in(&b, t, rows, 2), bench_in(&b, t, rows, 2), bench_out(&b, t, rows, 2);
    repeat(&b, GV_OP_unary_grad, &gelu, "gelu gradient", t);
}

int main(void)
{
    gv_err err = { 0 };
    if (!ok(gv_backend_onednn.open(&ctx, 2, &err) == GV_OK && gv_backend_onednn.open(&other, 2, &err) == GV_OK, "the backend opens twice"))
        return printf("# %s\n", err.text), done();
    gv_threads_set(2);
    all(GV_F32T);
    if (gv_backend_onednn.has_bf16())
        all(GV_BF16);
    gv_backend_onednn.close(other);
    gv_backend_onednn.close(ctx);
    return done();
}
