/* product: inner products of blocks of points, by what the processor has: pairs of bf16, 512 or 256 bits of float, plain C. */
#include "umap/product.h"
#include "common/threads.h"
#include <math.h>
#include <string.h>

enum { DEPTH = 512 }; /* words of a pass: two blocks of it stay in the second cache */

typedef void kernel(const uint32_t *restrict a, const uint32_t *restrict b, int64_t depth, bool more, float *restrict c);

#if defined(__x86_64__)
#include <immintrin.h>

#define NAME float_512
#define FN __attribute__((target("avx512f")))
#define V __m512
#define LANES 16
#define ROWS 8
#define ZERO _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define SPREAD(p) _mm512_set1_ps(*(const float *)(const void *)(p))
#define MULADD _mm512_fmadd_ps
#include "umap/product_kernel.h"

#define NAME bf16_512
#define FN __attribute__((target("avx512f,avx512bf16")))
#define V __m512
#define LANES 16
#define ROWS 8
#define ZERO _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define SPREAD(p) _mm512_castsi512_ps(_mm512_set1_epi32(*(const int *)(const void *)(p)))
#define MULADD(a, b, s) _mm512_dpbf16_ps(s, (__m512bh)(a), (__m512bh)(b))
#include "umap/product_kernel.h"

#define NAME float_256
#define FN __attribute__((target("avx2,fma")))
#define V __m256
#define LANES 8
#define ROWS 2
#define ZERO _mm256_setzero_ps()
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define SPREAD(p) _mm256_broadcast_ss((const float *)(const void *)(p))
#define MULADD _mm256_fmadd_ps
#include "umap/product_kernel.h"

static kernel *choose(bool bf16, int *rows)
{
    *rows = 8;
    if (bf16)
        return bf16_512;
    if (__builtin_cpu_supports("avx512f"))
        return float_512;
    *rows = 2;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? float_256 : NULL;
}

bool gv_packed_has_bf16(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bf16");
}
#else
static kernel *choose(bool bf16, int *rows)
{
    (void)bf16, (void)rows;
    return NULL;
}

bool gv_packed_has_bf16(void)
{
    return false;
}
#endif

/* The oracle, and the way of processors without vectors of their own. */
static void plain(const uint32_t *restrict a, const uint32_t *restrict b, int64_t depth, bool more, float *restrict c)
{
    for (int r = 0; r < 2; r++)
        for (int l = 0; l < GV_PANEL && !more; l++)
            c[r * GV_BLOCK + l] = 0;
    for (int64_t k = 0; k < depth; k++)
        for (int r = 0; r < 2; r++) {
            float w, x[GV_PANEL];
            memcpy(&w, a + k * GV_PANEL + r, sizeof w);
            memcpy(x, b + k * GV_PANEL, sizeof x);
            for (int l = 0; l < GV_PANEL; l++)
                c[r * GV_BLOCK + l] += w * x[l];
        }
}

void gv_packed_block(const gv_packed *p, int64_t i, int64_t j, uint64_t wanted, float *c)
{
    int rows = 2;
    kernel *k = choose(p->bf16, &rows);
    int64_t panels = (p->n + GV_PANEL - 1) / GV_PANEL;
    for (int r = 0; r < GV_PANELS; r++)
        for (int q = 0; q < GV_PANELS; q++)
            if (i * GV_PANELS + r >= panels || j * GV_PANELS + q >= panels)
                wanted &= ~((uint64_t)1 << (r * GV_PANELS + q));
    for (int64_t from = 0; from < p->depth; from += DEPTH) {
        int64_t depth = p->depth - from < DEPTH ? p->depth - from : DEPTH;
        for (int r = 0; r < GV_BLOCK; r += rows)
            for (int q = 0; q < GV_PANELS; q++) {
                if (!(wanted >> (r / GV_PANEL * GV_PANELS + q) & 1))
                    continue;
                const uint32_t *a = p->word + ((i * GV_PANELS + r / GV_PANEL) * p->depth + from) * GV_PANEL + r % GV_PANEL;
                const uint32_t *b = p->word + ((j * GV_PANELS + q) * p->depth + from) * GV_PANEL;
                (k ? k : plain)(a, b, depth, from > 0, c + (int64_t)r * GV_BLOCK + q * GV_PANEL);
            }
    }
    const float *hi = p->half_norm + i * GV_BLOCK, *hj = p->half_norm + j * GV_BLOCK;
    for (int r = 0; r < GV_BLOCK; r++)
        for (int q = 0; q < GV_PANELS; q++) {
            float *v = c + r * GV_BLOCK + q * GV_PANEL;
            if (wanted >> (r / GV_PANEL * GV_PANELS + q) & 1)
                for (int l = 0; l < GV_PANEL; l++)
                    v[l] -= hi[r] + hj[q * GV_PANEL + l];
            else
                for (int l = 0; l < GV_PANEL; l++)
                    v[l] = -INFINITY;
        }
}

/* ---- packing ---- */

struct pack { gv_packed *p; const float *x, *mean; double *sums; float *rounding; };

enum { SUM_ROWS = 1024 };

static void sum_rows(void *arg, int64_t begin, int64_t end)
{
    struct pack *q = arg;
    int64_t d = q->p->d;
    for (int64_t s = begin; s < end; s++) {
        int64_t last = (s + 1) * SUM_ROWS < q->p->n ? (s + 1) * SUM_ROWS : q->p->n;
        for (int64_t i = s * SUM_ROWS; i < last; i++)
            for (int64_t k = 0; k < d; k++)
                q->sums[s * d + k] += (double)q->x[i * d + k];
    }
}

static inline uint32_t bits(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static inline float number(uint32_t u)
{
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

/* To the nearest bf16, ties to even; v is finite and far from the largest float. */
static inline uint32_t to_bf16(float v)
{
    uint32_t u = bits(v);
    return (u + 0x7fff + ((u >> 16) & 1)) >> 16;
}

static void pack_point(const struct pack *q, int64_t i)
{
    gv_packed *p = q->p;
    uint32_t *to = p->word + i / GV_PANEL * p->depth * GV_PANEL + i % GV_PANEL;
    const float *x = q->x + i * p->d;
    double norm = 0, lost = 0;
    for (int64_t k = 0; k < p->d; k++) {
        float v = x[k] - q->mean[k], kept = v;
        if (p->bf16) {
            uint32_t u = to_bf16(v);
            kept = number(u << 16);
            uint32_t *w = to + k / 2 * GV_PANEL;
            *w = k & 1 ? *w | u << 16 : u;
        } else
            to[k * GV_PANEL] = bits(v);
        norm += (double)kept * (double)kept;
        lost += ((double)v - (double)kept) * ((double)v - (double)kept);
    }
    p->half_norm[i] = (float)(norm / 2);
    q->rounding[i] = (float)sqrt(lost);
}

static void pack_panels(void *arg, int64_t begin, int64_t end)
{
    struct pack *q = arg;
    for (int64_t i = begin * GV_PANEL; i < end * GV_PANEL; i++)
        if (i < q->p->n)
            pack_point(q, i);
        else
            q->p->half_norm[i] = INFINITY;
}

int gv_packed_make(gv_packed *p, const float *x, int64_t n, int64_t d, bool bf16, gv_arena *arena, gv_err *err)
{
    int64_t panels = ((n + GV_BLOCK - 1) / GV_BLOCK) * GV_PANELS, pieces = (n + SUM_ROWS - 1) / SUM_ROWS;
    *p = (gv_packed){ .n = n, .d = d, .depth = bf16 ? (d + 1) / 2 : d, .bf16 = bf16 };
    size_t words;
    if (gv_mul_size((size_t)panels * GV_PANEL * 4, (size_t)p->depth, &words) < 0)
        return gv_fail(err, GV_ESYS, "%lld points of %lld numbers do not fit in memory", (long long)n, (long long)d);
    p->half_norm = gv_arena_alloc(arena, (size_t)(panels * GV_PANEL) * 4, err);
    p->word = gv_arena_alloc(arena, words, err);
    size_t mark = arena->used;
    struct pack q = { .p = p, .x = x };
    float *mean = gv_arena_alloc(arena, (size_t)d * 4, err);
    q.sums = gv_arena_alloc(arena, (size_t)(pieces * d) * 8, err);
    q.rounding = gv_arena_alloc(arena, (size_t)n * 4, err);
    if (!p->half_norm || !p->word || !mean || !q.sums || !q.rounding)
        return GV_ESYS;
    gv_large_pages(p->word, words);
    gv_parallel(pieces, 1, sum_rows, &q);
    for (int64_t k = 0; k < d; k++) {
        double s = 0;
        for (int64_t i = 0; i < pieces; i++)
            s += q.sums[i * d + k];
        mean[k] = (float)(s / (double)n);
    }
    q.mean = mean;
    gv_parallel(panels, 4, pack_panels, &q);
    for (int64_t i = 0; i < n; i++) {
        p->rounding = fmaxf(p->rounding, q.rounding[i]);
        p->length = fmaxf(p->length, sqrtf(2 * p->half_norm[i]));
    }
    gv_arena_rewind(arena, mark);
    return GV_OK;
}

GV_HOT static float distance2_loop(const float *a, const float *b, int64_t d)
{
    float s[32] = { 0 }; /* in one order whatever the width of the vectors */
    int64_t k = 0;
    for (; k + 32 <= d; k += 32)
        for (int l = 0; l < 32; l++) {
            float v = a[k + l] - b[k + l];
            s[l] += v * v;
        }
    for (int l = 0; k < d; k++, l++) {
        float v = a[k] - b[k];
        s[l] += v * v;
    }
    for (int w = 16; w; w /= 2)
        for (int l = 0; l < w; l++)
            s[l] += s[l + w];
    return s[0];
}

/* Not itself GV_HOT: clang gives such a function a name that other files do not find. */
float gv_distance2(const float *a, const float *b, int64_t d)
{
    return distance2_loop(a, b, d);
}
