/* roof: multiply-adds and bytes a second, by products and a copy. */
#include "nn/roof.h"
#include "nn/backend.h"
#include "nn/profile.h"
#include "common/threads.h"
#include <math.h>
#include <string.h>

enum { LEAST = 5, MOST = 2000, COPY_TIMES = 8, FEW = 4 };
static const double SECONDS = 0.15;
static const size_t COPY_BYTES = (size_t)96 << 20; /* three times the largest cache that a pair of cores usually has to itself */

/* Best time of an m x n x n product in seconds. */
static int product(int64_t m, int64_t n, gv_precision p, const char *backend, int threads, double *best, gv_err *err)
{
    gv_arena a = { 0 };
    gv_store *s = NULL;
    gv_plan *plan = NULL;
    gv_dtype t = p == GV_MIXED_BF16 ? GV_BF16 : GV_F32T;
    size_t bytes = (size_t)(m > n ? m : n) * (size_t)n * 4;
    char *x = gv_alloc(bytes, err);
    int r = x ? gv_arena_init(&a, "roof", (size_t)64 << 20, err) : GV_ESYS;
    gv_graph *g = r == GV_OK ? gv_graph_new(&a, GV_EVAL, err) : NULL;
    if (!g) {
        r = GV_ESYS;
        goto out;
    }
    for (int64_t i = 0; i < (int64_t)(bytes / (t == GV_BF16 ? 2 : 4)); i++) { /* 1.0 */
        if (t == GV_BF16)
            ((uint16_t *)x)[i] = 0x3f80;
        else
            ((float *)x)[i] = 1;
    }
    gv_val u = gv_input(g, "a", GV_CLASS_REAL, (int64_t[]){ 1, m, n }, 3), v = gv_input(g, "b", GV_CLASS_REAL, (int64_t[]){ 1, n, n }, 3);
    gv_output(g, "c", gv_matmul(g, u, v, GV_NO_VAL, false, false, 1));
    gv_plan_options o = { .precision = p, .backend = backend, .threads = threads };
    const gv_feed feeds[] = { { "a", x, t }, { "b", x, t } };
    r = gv_store_open(&s, p, err);
    if (r == GV_OK)
        r = gv_plan_make(&plan, g, s, &o, err);
    double start = gv_profile_now();
    *best = INFINITY;
    for (int i = 0; r == GV_OK && i < MOST && (i < LEAST || gv_profile_now() - start < SECONDS); i++) {
        double began = gv_profile_now();
        r = gv_plan_run(plan, feeds, 2, 0, err);
        double took = gv_profile_now() - began;
        *best = took < *best ? took : *best;
    }
out:
    gv_plan_close(plan);
    gv_store_close(s);
    gv_arena_release(&a);
    gv_free(x);
    return r;
}

static int madds(double *rate, gv_precision p, const char *backend, int threads, gv_err *err)
{
    static const struct { int64_t m, n; } sizes[] = { { 1024, 512 }, { 1536, 512 }, { 1024, 1024 } }; /* short calls: one of many falls between two others' turns on a busy machine */
    *rate = 0;
    for (size_t i = 0; i < GV_COUNT(sizes); i++) {
        double best;
        int r = product(sizes[i].m, sizes[i].n, p, backend, threads, &best, err);
        if (r < 0)
            return gv_fail_in(err, "measuring the processor's rate");
        double v = (double)sizes[i].m * (double)sizes[i].n * (double)sizes[i].n / best;
        *rate = v > *rate ? v : *rate;
    }
    return GV_OK;
}

struct copying { char *to; const char *from; };

static void copy_body(void *arg, int64_t begin, int64_t end)
{
    const struct copying *c = arg;
    memcpy(c->to + begin, c->from + begin, (size_t)(end - begin));
}

static int bandwidth(double *rate, gv_err *err)
{
    char *a = gv_alloc(COPY_BYTES, err), *b = gv_alloc(COPY_BYTES, err);
    double best = INFINITY;
    struct copying c = { a, b };
    if (!a || !b) {
        gv_free(a);
        gv_free(b);
        return GV_ESYS;
    }
    memset(b, 1, COPY_BYTES); /* pages of its own, or the copy reads the one page of zeros */
    for (int i = 0; i < COPY_TIMES; i++) {
        double began = gv_profile_now();
        gv_parallel((int64_t)COPY_BYTES, 1 << 20, copy_body, &c);
        double took = gv_profile_now() - began;
        best = i && took < best ? took : best;
    }
    *rate = 2 * (double)COPY_BYTES / best;
    gv_free(a);
    gv_free(b);
    return GV_OK;
}

/* All threads together; of a few threads, at least what each reaches alone: on a busy machine two of them may never run at once. */
static int all_madds(double *rate, gv_precision p, const char *backend, int threads, gv_err *err)
{
    double alone = 0;
    int r = madds(rate, p, backend, threads, err);
    if (r == GV_OK && threads > 1 && threads <= FEW)
        r = madds(&alone, p, backend, 1, err);
    *rate = fmax(*rate, alone * threads);
    gv_threads_set(threads);
    return r;
}

int gv_roof_measure(gv_roof *r, const char *backend, int threads, gv_err *err)
{
    *r = (gv_roof){ 0 };
    if (!backend)
        backend = gv_backend_known("onednn") ? "onednn" : "reference";
    const gv_backend *b = gv_backend_find(backend);
    if (!b)
        return gv_fail(err, GV_EUSAGE, "this program has no backend '%s'", backend);
    gv_threads_set(threads);
    threads = gv_threads();
    int code = all_madds(&r->madd_f32, GV_FP32, backend, threads, err);
    if (code == GV_OK && b->has_bf16())
        code = all_madds(&r->madd_bf16, GV_MIXED_BF16, backend, threads, err);
    return code == GV_OK ? bandwidth(&r->copy, err) : code;
}

double gv_roof_madd(const gv_roof *r, gv_precision p)
{
    return p == GV_MIXED_BF16 ? r->madd_bf16 : r->madd_f32;
}
