/*
 * Matrix products of the onednn backend against sums in double: all transpositions, batches, one matrix for every batch, bias,
 * scale, one row, one column; f32, bf16, and f32 weights of a bf16 product; weight gradients; and the products of ViT-B, where oneDNN's slow
 * "ref" kernel must not be chosen. Tolerances as in onednn_conv.c.
 */
#include "tests/nn/onednn.h"

enum { SAMPLES = 1000 };

struct row {
    const char *name;
    int64_t batch, m, k, n;
    bool ta, tb, one_b, bias;
    double alpha;
    bool real;
};

static const struct row rows[] = {
    { "plain", 0, 5, 7, 3, false, false, false, false, 1, false },
    { "a'", 0, 5, 7, 3, true, false, false, false, 1, false },
    { "b'", 0, 17, 33, 9, false, true, false, true, 1, false },
    { "a' b'", 0, 16, 32, 48, true, true, false, true, 1, false },
    { "batched", 6, 5, 7, 3, false, false, false, false, 1, false },
    { "batched a' scaled", 6, 19, 8, 21, true, false, false, false, 0.125, false },
    { "batched b' scaled", 6, 19, 8, 21, false, true, false, false, 0.125, false },
    { "batched a' b'", 4, 6, 8, 10, true, true, false, false, 1, false },
    { "one b", 3, 5, 7, 3, false, false, true, true, 1, false },
    { "one b a'", 3, 5, 7, 3, true, false, true, false, 1, false },
    { "one b b'", 3, 50, 7, 3, false, true, true, true, 1, false },
    { "head dx", 0, 8, 10, 64, false, false, false, false, 1, false },
    { "one row", 0, 1, 512, 10, false, true, false, true, 1, false },
    { "one column", 0, 70, 512, 1, false, true, false, true, 1, false },
    { "one term", 0, 70, 1, 20, false, true, false, false, 1, false },
    { "resnet18 head", 0, 64, 512, 1000, false, true, false, true, 1, true },
    { "vit-b qkv", 2, 197, 768, 2304, false, true, true, true, 1, true },
    { "vit-b qkv dx", 2, 197, 2304, 768, false, false, true, false, 1, true },
    { "vit-b fc2", 2, 197, 3072, 768, false, true, true, true, 1, true },
    { "vit-b q k'", 24, 197, 64, 197, false, true, false, false, 0.125, true },
    { "vit-b p v", 24, 197, 197, 64, false, false, false, false, 1, true },
    { "vit-b dv = p' do", 24, 197, 197, 64, true, false, false, false, 1, true },
};

static double sum(const double *a, const double *b, int64_t K, int64_t as, int64_t bs)
{
    double t = 0;
    for (int64_t k = 0; k < K; k++)
        t += a[k * as] * b[k * bs];
    return t;
}

static void check(bench *b, const char *name, gv_dtype t, gv_dtype wt, bool real, int c, double (*want)(const bench *b, int64_t i, const void *arg), const void *arg,
                  int64_t terms)
{
    int e = c == GV_OK ? b->kernel.run(&b->call) : c;
    double worst = 0;
    int64_t n = b->out[0].d.count, step = n > SAMPLES ? n / SAMPLES | 1 : 1;
    for (int64_t i = 0; e == GV_OK && i < n; i = i + step < n || i == n - 1 ? i + step : n - 1) {
        double w = want(b, i, arg), tol = 2e-6 * sqrt((double)terms + 1) + 1e-8 * (double)terms + (b->out[0].d.dtype == GV_BF16 ? fabs(w) / 256 : 0);
        double bad = fabs(tensor_at(&b->out[0], i) - w) / tol;
        if (!(bad <= worst))
            worst = bad;
    }
    ok(e == GV_OK && worst <= 1, "%s %s%s: within tolerance (%.2f of it, %s)", name, gv_dtype_of(t)->name, wt != t ? " f32 weights" : "", worst,
       e == GV_OK ? b->kernel.name : "no kernel");
    double apart = e == GV_OK && !real && wt == t ? bench_apart(b) : 0;
    if (!(apart <= 1))
        ok(0, "%s %s: as the plain kernel (%g times the tolerance)", name, gv_dtype_of(t)->name, apart);
    if (e == GV_OK && !bench_guarded(b))
        ok(0, "%s: the bytes around every buffer are untouched", name);
    if (e == GV_OK && real && !strncmp(b->kernel.name, "ref", 3))
        ok(0, "%s: not oneDNN's reference kernel", name);
    bench_drop(b);
}

static double product(const bench *b, int64_t i, const void *arg)
{
    const struct row *r = arg;
    int64_t n = i % r->n, m = i / r->n % r->m, at = i / (r->m * r->n);
    const double *x = b->in[0].v + at * r->m * r->k + (r->ta ? m : m * r->k), *y = b->in[1].v + (r->one_b ? 0 : at * r->k * r->n) + (r->tb ? n * r->k : n);
    return r->alpha * sum(x, y, r->k, r->ta ? r->m : 1, r->tb ? 1 : r->n) + (r->bias ? b->in[2].v[n] : 0);
}

static void forward(void *ctx, const struct row *r, gv_dtype t, gv_dtype wt)
{
    bench b = { .ctx = ctx, .seed = 88172645463325252u };
    gv_matmul_attr attr = { r->ta, r->tb, r->alpha };
    int64_t as[] = { r->batch, r->ta ? r->k : r->m, r->ta ? r->m : r->k }, bs[] = { r->batch, r->tb ? r->n : r->k, r->tb ? r->k : r->n }, ys[] = { r->batch, r->m, r->n };
    int flat = r->batch == 0, flat_b = flat || r->one_b;
    bench_in(&b, t, as + flat, 3 - flat);
    bench_in(&b, wt, bs + flat_b, 3 - flat_b);
    if (r->bias)
        bench_in(&b, GV_F32T, &r->n, 1);
    else
        bench_none(&b);
    bench_out(&b, t, ys + flat, 3 - flat);
    for (int64_t i = 0; wt != t && i < b.in[1].d.count; i++)
        b.in[1].v[i] = gv_bf16_to_f32(gv_f32_to_bf16((float)b.in[1].v[i]));
    int c = bench_compile(&b, GV_OP_matmul, &attr);
    if (c == GV_UNSUPPORTED && wt != t) /* the plan casts then */
        return bench_drop(&b);
    check(&b, r->name, t, wt, r->real, c, product, r, r->k);
}

static double gradient(const bench *b, int64_t i, const void *arg)
{
    const struct row *r = arg;
    return sum(b->in[0].v + i / r->n, b->in[1].v + i % r->n, r->k, r->m, r->n);
}

static void weight_gradient(void *ctx, const struct row *r, gv_dtype t)
{
    bench b = { .ctx = ctx, .seed = 99991645463325251u };
    int64_t as[] = { r->k, r->m }, bs[] = { r->k, r->n }, ys[] = { r->m, r->n };
    char name[80];
    snprintf(name, sizeof name, "%s: weight gradient", r->name);
    bench_in(&b, t, as, 2), bench_in(&b, t, bs, 2), bench_out(&b, GV_F32T, ys, 2);
    int c = bench_compile(&b, GV_OP_matmul_wgrad, NULL);
    check(&b, name, t, t, r->real, c, gradient, r, r->k);
}

/* Rows of a that begin in the middle of a line of memory (a view) are not read where they stand; the sums are the same bytes. */
static void beside(void *ctx)
{
    bench b = { .ctx = ctx, .seed = 4101842887655102017u };
    gv_matmul_attr attr = { .alpha = 1 };
    bench_in(&b, GV_BF16, (int64_t[]){ 100, 64 }, 2), bench_in(&b, GV_BF16, (int64_t[]){ 64, 96 }, 2), bench_none(&b), bench_out(&b, GV_BF16, (int64_t[]){ 100, 96 }, 2);
    unsigned char *moved = gv_alloc(b.in[0].bytes + 64, NULL), *kept = gv_alloc(b.out[0].bytes, NULL);
    int e = bench_compile(&b, GV_OP_matmul, &attr), apart = 0;
    e = e == GV_OK ? b.kernel.run(&b.call) : e;
    memcpy(kept, b.out[0].data, b.out[0].bytes);
    for (int by = 2; by < 64 && e == GV_OK; by += 10) {
        unsigned char *at = moved + (64 - (uintptr_t)moved % 64) % 64 + by;
        at = at + b.in[0].bytes > moved + b.in[0].bytes + 64 ? at - 64 : at;
        memcpy(at, b.in[0].data, b.in[0].bytes);
        memset(b.out[0].data, 0xff, b.out[0].bytes);
        b.call.x[0] = at;
        e = b.kernel.run(&b.call);
        apart += memcmp(kept, b.out[0].data, b.out[0].bytes) != 0;
    }
    ok(e == GV_OK && !apart, "rows that begin in the middle of a line give the same bytes (%s)", e == GV_OK ? b.kernel.name : "no kernel");
    gv_free(moved), gv_free(kept);
    bench_drop(&b);
}

int main(void)
{
    void *ctx = NULL;
    gv_err err = { 0 };
    if (!ok(gv_backend_onednn.open(&ctx, 0, &err) == GV_OK, "the backend opens"))
        return printf("# %s\n", err.text), done();
    bool narrow = gv_backend_onednn.has_bf16();
    for (size_t i = 0; i < GV_COUNT(rows); i++) {
        forward(ctx, &rows[i], GV_F32T, GV_F32T);
        if (narrow) {
            forward(ctx, &rows[i], GV_BF16, GV_BF16);
            forward(ctx, &rows[i], GV_BF16, GV_F32T);
        }
        if (!rows[i].batch)
            weight_gradient(ctx, &rows[i], GV_F32T);
        if (!rows[i].batch && narrow)
            weight_gradient(ctx, &rows[i], GV_BF16);
    }
    if (narrow)
        beside(ctx);
    struct row vit = { .name = "vit-b dw", .m = 2304, .k = 394, .n = 768, .real = true };
    weight_gradient(ctx, &vit, GV_F32T);
    if (narrow)
        weight_gradient(ctx, &vit, GV_BF16);
    /* many sums: our own; odd numbers of rows, columns that fill no panel or group, each side the longer one */
    static const struct row large[] = { { .name = "vit-b whole dw", .m = 768, .k = 3152, .n = 768, .real = true }, { .name = "large dw", .m = 1345, .k = 1201, .n = 208 }, { .name = "large wide dw", .m = 203, .k = 577, .n = 1360 } };
    for (size_t i = 0; i < GV_COUNT(large); i++) {
        weight_gradient(ctx, &large[i], GV_F32T);
        if (narrow)
            weight_gradient(ctx, &large[i], GV_BF16);
    }
    /* many rows and few sums: our own kernel in bf16; odd numbers of rows and columns too */
    static const struct row tall[] = { { .name = "convnext dw", .m = 96, .k = 9001, .n = 384, .real = true }, { .name = "tall dw", .m = 37, .k = 8192, .n = 50 }, { .name = "wide dw", .m = 8, .k = 8200, .n = 1 } };
    for (size_t i = 0; i < GV_COUNT(tall); i++) {
        weight_gradient(ctx, &tall[i], GV_F32T);
        if (narrow)
            weight_gradient(ctx, &tall[i], GV_BF16);
    }
    gv_backend_onednn.close(ctx);
    return done();
}
