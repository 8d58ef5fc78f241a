/* project: points in an orthonormal basis of the directions that hold most of their variance, found by subspace iteration on a sample.
 * Source: Halko, Martinsson & Tropp 2011, arXiv:0909.4061, algorithm 4.4. */
#include "umap/internal.h"
#include "common/rng.h"
#include "common/threads.h"
#include <math.h>

enum { SAMPLE = 4096, ROUNDS = 2, ROWS = 8, STRIP = 32, PART = 256, MOST = 256 };

struct project { const float *x, *mean, *basis; float *y; int64_t n, d, q, stride; const int64_t *pick; }; /* basis [d,stride]: q columns, then zeros */

/* y [rows,q] = (x - mean) [rows,d] basis [d,q], ROWS points and PART dimensions at a time so that the basis is read less often. */
GV_HOT static void product_rows(const struct project *p, const float *const *x, int rows, float *const *y)
{
    float sums[MOST / STRIP][ROWS][STRIP] = { { { 0 } } }, centred[PART][ROWS];
    for (int64_t from = 0; from < p->d; from += PART) {
        int64_t n = p->d - from < PART ? p->d - from : PART;
        for (int r = 0; r < ROWS; r++)
            for (int64_t k = 0; k < n; k++)
                centred[k][r] = r < rows ? x[r][from + k] - p->mean[from + k] : 0;
        for (int64_t c = 0; c < p->q; c += STRIP) {
            float s[ROWS][STRIP];
            memcpy(s, sums[c / STRIP], sizeof s);
            for (int64_t k = 0; k < n; k++) {
                const float *b = p->basis + (from + k) * p->stride + c;
                for (int r = 0; r < ROWS; r++)
                    for (int l = 0; l < STRIP; l++)
                        s[r][l] += centred[k][r] * b[l];
            }
            memcpy(sums[c / STRIP], s, sizeof s);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int64_t c = 0; c < p->q; c += STRIP)
            memcpy(y[r] + c, sums[c / STRIP][r], (size_t)(p->q - c < STRIP ? p->q - c : STRIP) * sizeof *y[r]);
}

static void project_body(void *arg, int64_t begin, int64_t end)
{
    const struct project *p = arg;
    for (int64_t g = begin; g < end; g++) {
        const float *x[ROWS];
        float *y[ROWS];
        int rows = 0;
        for (int64_t i = g * ROWS; i < p->n && rows < ROWS; i++, rows++) {
            x[rows] = p->x + (p->pick ? p->pick[i] : i) * p->d;
            y[rows] = p->y + i * (p->q + 1);
        }
        product_rows(p, x, rows, y);
        for (int r = 0; r < rows; r++) {
            double all = 0, kept = 0;
            for (int64_t k = 0; k < p->d; k++) {
                double v = (double)(x[r][k] - p->mean[k]);
                all += v * v;
            }
            for (int64_t k = 0; k < p->q; k++)
                kept += (double)y[r][k] * (double)y[r][k];
            y[r][p->q] = (float)sqrt(all > kept ? all - kept : 0);
        }
    }
}

/* back [d,q] = (x - mean)^T y of the sample; a part of the dimensions each. */
struct back { const struct project *p; float *to; };

GV_HOT static void back_body(void *arg, int64_t begin, int64_t end)
{
    const struct back *b = arg;
    const struct project *p = b->p;
    for (int64_t k = begin; k < end; k++)
        memset(b->to + k * p->q, 0, (size_t)p->q * sizeof *b->to);
    for (int64_t i = 0; i < p->n; i++) {
        const float *x = p->x + p->pick[i] * p->d, *y = p->y + i * (p->q + 1);
        for (int64_t k = begin; k < end; k++) {
            float v = x[k] - p->mean[k], *to = b->to + k * p->q;
            for (int64_t c = 0; c < p->q; c++)
                to[c] += v * y[c];
        }
    }
}

/* Orthonormal columns by Gram and Schmidt, twice; a column that is nothing new becomes zero. turned [q,d] is the columns as rows. */
GV_HOT static void orthonormal(float *turned, int64_t q, int64_t d)
{
    for (int64_t c = 0; c < q; c++) {
        float *v = turned + c * d;
        double before = 0, after = 0;
        for (int64_t k = 0; k < d; k++)
            before += (double)v[k] * (double)v[k];
        for (int twice = 0; twice < 2; twice++)
            for (int64_t o = 0; o < c; o++) {
                const float *w = turned + o * d;
                float part[16] = { 0 }, dot = 0;
                for (int64_t k = 0; k + 16 <= d; k += 16)
                    for (int l = 0; l < 16; l++)
                        part[l] += v[k + l] * w[k + l];
                for (int64_t k = d / 16 * 16; k < d; k++)
                    dot += v[k] * w[k];
                for (int l = 0; l < 16; l++)
                    dot += part[l];
                for (int64_t k = 0; k < d; k++)
                    v[k] -= dot * w[k];
            }
        for (int64_t k = 0; k < d; k++)
            after += (double)v[k] * (double)v[k];
        float scale = after > 1e-10 * before && after > 0 ? (float)(1 / sqrt(after)) : 0;
        for (int64_t k = 0; k < d; k++)
            v[k] *= scale;
    }
}

/* to [cols,stride] from [rows,cols] */
static void turn(const float *from, int64_t rows, int64_t cols, int64_t stride, float *to)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            to[j * stride + i] = from[i * cols + j];
}

static int find_basis(struct project *p, const int64_t *pick, int64_t m, float *basis, gv_arena *arena, gv_err *err)
{
    int64_t d = p->d, q = p->q;
    float *y = gv_arena_alloc(arena, (size_t)(m * (q + 1)) * 4, err), *turned = gv_arena_alloc(arena, (size_t)(d * q) * 4, err);
    if (!y || !turned)
        return GV_ESYS;
    gv_rng r;
    gv_rng_init(&r, 0, GV_RNG_UMAP_BASIS, 0, 0, 0);
    for (int64_t i = 0; i < d * q; i++)
        turned[i] = (float)gv_rng_uniform(&r) - 0.5f;
    struct project s = { .x = p->x, .mean = p->mean, .basis = basis, .y = y, .n = m, .d = d, .q = q, .stride = p->stride, .pick = pick };
    for (int round = 0;; round++) {
        orthonormal(turned, q, d);
        turn(turned, q, d, p->stride, basis);
        if (round == ROUNDS)
            return GV_OK;
        gv_parallel((m + ROWS - 1) / ROWS, 8, project_body, &s);
        struct back b = { &s, basis };
        float *to = gv_arena_alloc(arena, (size_t)(d * q) * 4, err);
        if (!to)
            return GV_ESYS;
        b.to = to;
        gv_parallel(d, 16, back_body, &b);
        turn(to, d, q, d, turned);
    }
}

int gv_umap_project(const float *x, int64_t n, int64_t d, int64_t q, gv_arena *arena, float **y, gv_err *err)
{
    int64_t m = n < SAMPLE ? n : SAMPLE;
    *y = gv_arena_alloc_dirty(arena, (size_t)(n * (q + 1)) * 4, err);
    size_t mark = arena->used;
    int64_t stride = (q + STRIP - 1) / STRIP * STRIP;
    float *basis = gv_arena_alloc(arena, (size_t)(d * stride) * 4, err), *mean = gv_arena_alloc(arena, (size_t)d * 4, err);
    double *sum = gv_arena_alloc(arena, (size_t)d * 8, err);
    int64_t *pick = gv_arena_alloc(arena, (size_t)m * 8, err);
    if (!*y || !basis || !mean || !sum || !pick)
        return GV_ESYS;
    for (int64_t i = 0; i < m; i++) {
        pick[i] = i * n / m;
        for (int64_t k = 0; k < d; k++)
            sum[k] += (double)x[pick[i] * d + k];
    }
    for (int64_t k = 0; k < d; k++)
        mean[k] = (float)(sum[k] / (double)m);
    struct project p = { .x = x, .mean = mean, .basis = basis, .y = *y, .n = n, .d = d, .q = q, .stride = stride };
    int r = find_basis(&p, pick, m, basis, arena, err);
    if (r == GV_OK)
        gv_parallel((n + ROWS - 1) / ROWS, 64, project_body, &p);
    gv_arena_rewind(arena, mark);
    return r;
}
