/*
 * attention and attention_grad of the onednn backend against the plain kernels in double, at each instruction set that oneDNN can be held to
 * (ONEDNN_MAX_CPU_ISA, DNNL_MAX_CPU_ISA), in a process of its own each; with one and two threads; and the rewrite that puts them in the
 * place of products and a softmax: the layer's gradients stay what they were.
 *
 * Tolerance of 2-norms: f32 2e-6; bf16 2e-2, one and two threads give the same bytes.
 */
#include "common/threads.h"
#include "nn/backend.h"
#include "nn/layers/layers.h"
#include "tests/nn/again.h"
#include "tests/unit/tap.h"
#include <cpuid.h>
#include <math.h>

typedef struct shape { int64_t n, l, d, heads; bool own; /* the op itself; else the layer */ } shape;

static float pixels[1 << 20];

/* y and, in the store, the gradient of x: x is a parameter here. Fails with NULL. */
static gv_store *run(const shape *s, gv_precision p, const char *backend, int threads, gv_plan **plan, gv_arena *a, bool watch)
{
    gv_err err = { 0 };
    gv_store *store = NULL;
    if (gv_arena_init(a, "graph", 64 << 20, &err) < 0)
        return NULL;
    gv_graph *g = gv_graph_new(a, GV_TRAIN, &err);
    gv_val x = gv_param(g, "x", (int64_t[]){ s->n, s->l, s->own ? 3 * s->d : s->d }, 3, "normal 1"), y;
    gv_val h = gv_cast(g, x, GV_CLASS_REAL);
    if (s->own)
        y = gv_self_attention(g, h, s->heads, 1 / sqrt((double)(s->d / s->heads)));
    else
        y = gv_attention(g, h, "attn", .heads = s->heads, .init = "normal 0.1");
    gv_val w = gv_input(g, "w", GV_CLASS_REAL, gv_shape(g, y), 3);
    gv_output(g, "y", y);
    if (watch)
        for (int i = 0; i < gv_node_count(g); i++)
            if (gv_node_at(g, i)->op == GV_OP_softmax)
                gv_output(g, "attention", gv_node_at(g, i)->out[0]);
    gv_val loss = gv_reduce(g, GV_SUM, gv_mul(g, y, w), 7, false, GV_CLASS_STAT);
    gv_plan_options o = { .precision = p, .backend = backend, .threads = threads, .keep_grads = true, .grad_scale = 1 };
    if (gv_differentiate(g, gv_reshape(g, loss, (int64_t[]){ 1 }, 1), NULL, NULL, &err) < 0 || gv_store_open(&store, p, &err) < 0 || gv_store_init(store, g, 5, &err) < 0 ||
        gv_plan_make(plan, g, store, &o, &err) < 0 || gv_plan_run(*plan, &(gv_feed){ "w", pixels, GV_F32T }, 1, 0, &err) < 0) {
        printf("# %s\n", err.text);
        return NULL;
    }
    return store;
}

/* |a - b| / |b|; NaN where one is absent. */
static double distance(const gv_stored *a, const gv_stored *b)
{
    double d = 0, n = 0;
    if (!a || !b)
        return NAN;
    size_t ea = gv_dtype_of(a->dtype)->size, eb = gv_dtype_of(b->dtype)->size;
    for (size_t i = 0; i < a->bytes / ea; i++) {
        double u, v;
        gv_to_f64(a->dtype, (char *)a->data + i * ea, &u, 1), gv_to_f64(b->dtype, (char *)b->data + i * eb, &v, 1);
        d += (u - v) * (u - v), n += v * v;
    }
    return sqrt(d / n);
}

static bool has(const gv_plan *p, const char *text)
{
    gv_buf j = { 0 };
    gv_err err = { 0 };
    bool r = gv_plan_describe(p, NULL, &j, &err) == GV_OK && strstr(j.data, text);
    gv_buf_release(&j);
    return r;
}

static void check(const shape *s, gv_precision p, const char *kernel)
{
    gv_arena a = { 0 }, b = { 0 }, c = { 0 };
    gv_plan *pa = NULL, *pb = NULL, *pc = NULL;
    gv_store *u = run(s, p, "onednn", 2, &pa, &a, false), *v = run(s, GV_FP64, "reference", 1, &pb, &b, false), *w = run(s, p, "onednn", 1, &pc, &c, false);
    double bound = p == GV_FP32 ? 2e-6 : 2e-2, dy = NAN, dx = NAN;
    ok(u && v && w, "[%d,%d,%d], %d heads, %s", (int)s->n, (int)s->l, (int)s->d, (int)s->heads, s->own ? "the op" : "the layer");
    if (u && v && w) {
        dy = distance(gv_plan_output(pa, "y"), gv_plan_output(pb, "y"));
        dx = distance(gv_store_find(u, "grad.x"), gv_store_find(v, "grad.x"));
        ok(has(pa, kernel) && has(pa, "\"op\":\"attention_grad\"") && !has(pa, "softmax"), "one node each way, kernel '%s'", kernel);
        ok(dy <= bound && dx <= bound, "y (%.2g) and dx (%.2g) are near", dy, dx);
        const gv_stored *one = gv_store_find(w, "grad.x"), *two = gv_store_find(u, "grad.x");
        ok(s->own ? !memcmp(one->data, two->data, two->bytes) : distance(one, two) < bound, "one and two threads");
    }
    gv_plan_close(pa), gv_plan_close(pb), gv_plan_close(pc);
    gv_store_close(u), gv_store_close(v), gv_store_close(w);
    gv_arena_release(&a), gv_arena_release(&b), gv_arena_release(&c);
}

/* What an output looks at is kept. */
static void watched(void)
{
    gv_arena a = { 0 };
    gv_plan *p = NULL;
    gv_store *s = run(&(shape){ 2, 9, 32, 2, false }, GV_FP32, "onednn", 1, &p, &a, true);
    const gv_stored *t = s ? gv_plan_output(p, "attention") : NULL;
    double sum = 0;
    for (int i = 0; t && i < 9; i++)
        sum += ((float *)t->data)[i];
    ok(s && has(p, "softmax") && !has(p, "\"op\":\"attention\"") && fabs(sum - 1) < 1e-5, "probabilities that are an output stay (a row adds up to %.6f)", sum);
    gv_plan_close(p);
    gv_store_close(s);
    gv_arena_release(&a);
}

static bool has_amx(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
}

static int all(const char *isa)
{
    static const shape shapes[] = {
        { 2, 5, 8, 2, true }, { 1, 17, 36, 3, true }, { 2, 197, 128, 2, true }, { 1, 400, 80, 1, true }, { 2, 50, 64, 4, false },
        { 2, 1, 32, 2, true }, { 1, 7, 96, 3, true }, { 3, 16, 80, 2, true }, { 1, 33, 160, 2, true }, { 2, 50, 48, 3, true }, { 1, 257, 120, 3, true }, /* around whole tiles */
        { 1, 600, 32, 1, true }, /* more rows than p and ds are kept for */
    };
    bool as_is = !strcmp(isa, "DEFAULT"), wide = __builtin_cpu_supports("avx512bw") && strcmp(isa, "AVX2");
    bool bf16 = as_is ? gv_backend_find("onednn")->has_bf16() : !strcmp(isa, "AVX512_CORE_BF16");
    printf("# instruction set: %s\n", isa);
    for (size_t i = 0; i < GV_COUNT(shapes); i++) {
        check(&shapes[i], GV_FP32, wide ? "own:avx512\"" : "own:avx2\"");
        if (bf16)
            check(&shapes[i], GV_MIXED_BF16, as_is && has_amx() ? "own:amx\"" : "own:avx512_bf16\"");
    }
    watched();
    return done();
}

int main(int argc, char **argv)
{
    static const char *const isas[] = { "AVX2", "AVX512_CORE", "AVX512_CORE_BF16", "DEFAULT" };
    for (size_t i = 0; i < GV_COUNT(pixels); i++)
        pixels[i] = (float)((double)(i * 2654435761u % 1000003) / 500001 - 1);
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        ok(1, "no AVX2: the plain kernels serve");
        return done();
    }
    if (argc > 1)
        return all(argv[1]);
    for (size_t i = 0; i < GV_COUNT(isas); i++) {
        if (strcmp(isas[i], "AVX2") && !__builtin_cpu_supports("avx512bw"))
            continue;
        if (!strcmp(isas[i], "AVX512_CORE_BF16") && !__builtin_cpu_supports("avx512bf16"))
            continue;
        ok(again_with(argv[0], isas[i]), "%s", isas[i]);
    }
    return done();
}
