/* umap: each part against what is known of it (the curve, umap-learn's weights, all distances), then layouts: how good, and the same with any threads. */
#include "umap/umap.h"
#include "common/rng.h"
#include "common/threads.h"
#include "tests/unit/tap.h"
#include "umap/internal.h"
#include "umap/product.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static gv_arena arena;
static gv_err err;

static void curve(void)
{
    static const double known[][3] = { { 0.01, 1.8956, 0.8006 }, { 0.05, 1.7502, 0.8421 }, { 0.1, 1.5769, 0.8951 }, { 0.25, 1.1214, 1.0575 }, { 0.5, 0.5830, 1.3342 }, { 0.99, 0.1193, 1.9164 } };
    for (size_t i = 0; i < GV_COUNT(known); i++) {
        double a, b;
        gv_umap_curve(known[i][0], 1, &a, &b);
        ok(fabs(a - known[i][1]) < 1e-4 && fabs(b - known[i][2]) < 1e-4, "min_dist %g: a %.4f b %.4f", known[i][0], a, b);
    }
}

/* Blobs of normal numbers; blob b of `blobs` lies `apart` away from the others. */
static float *blobs(int64_t n, int64_t d, int count, double apart, uint64_t seed)
{
    float *x = gv_arena_alloc(&arena, (size_t)(n * d) * 4, &err);
    for (int64_t i = 0; x && i < n; i++) {
        gv_rng r;
        gv_rng_init(&r, seed, GV_RNG_TEST, (uint64_t)i, 0, 0);
        for (int64_t k = 0; k < d; k++)
            x[i * d + k] = (float)(gv_rng_normal(&r) + (k == i % count ? apart : 0));
    }
    return x;
}

static double share_found(const gv_knn *a, const gv_knn *truth)
{
    int64_t found = 0;
    for (int64_t i = 0; i < a->n; i++)
        for (int p = 0; p < a->k; p++)
            for (int q = 0; q < a->k; q++)
                found += a->index[i * a->k + p] == truth->index[i * a->k + q];
    return (double)found / (double)(a->n * a->k);
}

/* By looking at all pairs. */
static gv_knn plain_neighbours(const float *x, int64_t n, int64_t d, int k)
{
    gv_knn t = { .n = n, .k = k, .index = gv_arena_alloc(&arena, (size_t)(n * k) * 4, &err), .distance = gv_arena_alloc(&arena, (size_t)(n * k) * 4, &err) };
    for (int64_t i = 0; i < n; i++) {
        int have = 0;
        int32_t *index = t.index + i * k;
        float *near = t.distance + i * k;
        for (int64_t j = 0; j < n; j++) {
            float v = sqrtf(gv_distance2(x + i * d, x + j * d, d));
            if (j == i || (have == k && v >= near[k - 1]))
                continue;
            int at = have < k ? have++ : k - 1;
            for (; at > 0 && near[at - 1] > v; at--) {
                near[at] = near[at - 1];
                index[at] = index[at - 1];
            }
            near[at] = v;
            index[at] = (int32_t)j;
        }
    }
    return t;
}

static void neighbours(void)
{
    static const int64_t shape[][3] = { { 20, 3, 5 }, { 193, 7, 14 }, { 500, 33, 14 }, { 1500, 40, 14 }, { 1100, 1100, 14 }, { 6, 2, 5 } };
    for (size_t t = 0; t < GV_COUNT(shape); t++) {
        int64_t n = shape[t][0], d = shape[t][1];
        int k = (int)shape[t][2];
        float *x = blobs(n, d, 3, 5, t);
        gv_knn got, truth = plain_neighbours(x, n, d, k);
        ok(gv_knn_exact(x, n, d, k, NULL, &arena, &got, &err) == GV_OK && !memcmp(got.index, truth.index, (size_t)(n * k) * 4) && !memcmp(got.distance, truth.distance, (size_t)(n * k) * 4),
           "all %d neighbours of %d points of %d numbers, nearest first %s", k, (int)n, (int)d, err.text);
        gv_arena_reset(&arena);
    }
    int64_t n = 2000, d = 24;
    float *x = blobs(n, d, 1, 0, 1);
    for (int64_t i = 0; i < n * d; i++)
        x[i] = x[i] * 1e-3f + 1000; /* far from zero, close together: rounding must not part neighbours */
    gv_knn got, truth = plain_neighbours(x, n, d, 14);
    bool made = gv_knn_exact(x, n, d, 14, NULL, &arena, &got, &err) == GV_OK;
    double share = made ? share_found(&got, &truth) : 0;
    ok(share > 0.9999, "neighbours far from zero: %.5f", share);
    gv_arena_reset(&arena);
    x = blobs(1200, 8, 1, 0, 2);
    for (int64_t i = 0; i < 1200; i++)
        memcpy(x + i * 8, x + i % 30 * 8, 32);
    ok(gv_knn_exact(x, 1200, 8, 14, NULL, &arena, &got, &err) == GV_OK && got.distance[13] == 0 && got.index[0] == 30 && got.index[1] == 60, "of many at one place the first by number");
    gv_arena_reset(&arena);
}

static void packed(void)
{
    static float c[GV_BLOCK * GV_BLOCK];
    int64_t n = 230, d = 1101;
    float *x = blobs(n, d, 2, 3, 5);
    for (int bf16 = 0; bf16 <= gv_packed_has_bf16(); bf16++) {
        gv_packed p;
        double most = 0;
        bool r = gv_packed_make(&p, x, n, d, bf16, &arena, &err) == GV_OK;
        gv_packed_block(&p, 0, 1, ~(uint64_t)0, c);
        for (int i = 0; r && i < GV_BLOCK; i++)
            for (int j = 0; j < n - GV_BLOCK; j++) {
                double v = (double)gv_distance2(x + i * d, x + (GV_BLOCK + j) * d, d);
                most = fmax(most, fabs(-2 * (double)c[i * GV_BLOCK + j] - v) / v);
            }
        ok(r && most < (bf16 ? 3e-3 : 1e-5) && c[n - GV_BLOCK] == -INFINITY && p.rounding < (bf16 ? 0.1f : 1e-30f), "a block of distances by %s products: off by %.1e", bf16 ? "bf16" : "float", most);
    }
    gv_arena_reset(&arena);
}

static void descent(void)
{
    int64_t n = 4000, d = 16;
    float *x = blobs(n, d, 5, 6, 3);
    gv_knn got[3], truth;
    ok(gv_knn_exact(x, n, d, 14, NULL, &arena, &truth, &err) == GV_OK, "the true ones");
    for (int t = 0; t < 3; t++) {
        gv_threads_set(t + 1);
        bool made = gv_knn_descent(x, n, d, 14, 7, NULL, &arena, &got[t], &err) == GV_OK;
        double share = made ? share_found(&got[t], &truth) : 0;
        ok(share >= 0.95, "descent finds %.4f of them with %d threads", share, t + 1);
    }
    gv_threads_set(0);
    ok(!memcmp(got[0].index, got[1].index, (size_t)(n * 14) * 4) && !memcmp(got[0].index, got[2].index, (size_t)(n * 14) * 4), "the same with 1, 2 and 3 threads");
    gv_arena_reset(&arena);
    x = blobs(900, 3, 1, 0, 4);
    memset(x, 0, 600 * 12);
    bool all = gv_knn_descent(x, 900, 3, 14, 7, NULL, &arena, &got[0], &err) == GV_OK;
    for (int64_t e = 0; e < 900 * 14; e++)
        all &= got[0].index[e] >= 0 && got[0].index[e] < 900 && got[0].index[e] != e / 14;
    ok(all, "six hundred points at one place have neighbours");
    gv_arena_reset(&arena);
}

static void golden(void)
{
    FILE *f = fopen("tests/golden/umap.txt", "r");
    int n = 0, d = 0, k = 0, edges = 0;
    if (!ok(f && fscanf(f, "points %d %d %d", &n, &d, &k) == 3 && n < 1000 && d < 100, "the golden file"))
        return;
    float *x = gv_arena_alloc(&arena, (size_t)(n * d) * 4, &err), *sigma = gv_arena_alloc(&arena, (size_t)n * 4, &err), *rho = gv_arena_alloc(&arena, (size_t)n * 4, &err);
    bool read = true;
    for (int i = 0; i < n * d; i++)
        read &= fscanf(f, "%f", &x[i]) == 1;
    gv_knn knn;
    gv_umap_graph g;
    double most = 0;
    ok(read && gv_knn_exact(x, n, d, k - 1, NULL, &arena, &knn, &err) == GV_OK, "neighbours of the golden points");
    gv_umap_smooth(&knn, sigma, rho);
    read &= fscanf(f, " smooth") == 0;
    for (int i = 0; i < n; i++) {
        float s, r;
        read &= fscanf(f, "%f %f", &s, &r) == 2;
        most = fmax(most, fmax(fabs((double)s - (double)sigma[i]) / (double)s, fabs((double)r - (double)rho[i]) / (double)r));
    }
    ok(read && most < 1e-5, "sigma and rho are those of umap-learn, off by %.1e", most);
    bool made = gv_umap_graph_make(&knn, &arena, &g, &err) == GV_OK && fscanf(f, " graph %d", &edges) == 1;
    ok(made && edges == g.edges, "as many edges: %d", edges);
    most = 0;
    for (int64_t i = 0, e = 0; i < n; i++)
        for (; e < g.row[i + 1] && e < edges; e++) {
            int row, col;
            float w;
            read &= fscanf(f, "%d %d %f", &row, &col, &w) == 3 && row == i && col == g.col[e];
            most = fmax(most, fabs((double)w - (double)g.weight[e]));
        }
    ok(read && most < 2e-6, "the same edges with its weights, off by %.1e", most);
    fclose(f);
    gv_arena_reset(&arena);
}

static void graph(void)
{
    int64_t n = 600, d = 5;
    float *x = blobs(n, d, 3, 60, 8);
    int32_t *part = gv_arena_alloc(&arena, (size_t)n * 4, &err);
    gv_knn knn;
    gv_umap_graph g;
    ok(gv_knn_exact(x, n, d, 14, NULL, &arena, &knn, &err) == GV_OK && gv_umap_graph_make(&knn, &arena, &g, &err) == GV_OK, "a graph");
    bool mirrored = true;
    for (int64_t i = 0; i < n; i++)
        for (int64_t e = g.row[i]; e < g.row[i + 1]; e++) {
            bool back = false;
            for (int64_t o = g.row[g.col[e]]; o < g.row[g.col[e] + 1]; o++)
                back |= g.col[o] == i && g.weight[o] == g.weight[e];
            mirrored &= back && g.col[e] != i && g.weight[e] > 0 && g.weight[e] <= 1 && (e == g.row[i] || g.col[e] > g.col[e - 1]);
        }
    ok(mirrored, "it is symmetric, ascending, without loops, weights in (0, 1]");
    ok(gv_umap_components(&g, part, &arena, &err) == 3 && part[0] == 0 && part[1] == 1 && part[2] == 2 && part[3] == 0, "blobs far away are parts of their own");
    gv_arena_reset(&arena);
}

static bool placed(const float *y, int64_t n)
{
    for (int64_t i = 0; i < 2 * n; i++)
        if (!isfinite(y[i]))
            return false;
    return true;
}

/* How far apart blobs are in the layout: the share of points whose nearest neighbour is of their own blob. */
static double own_blob(const float *y, int64_t n, int count)
{
    int64_t own = 0;
    for (int64_t i = 0; i < n; i++) {
        float best = INFINITY;
        int64_t at = 0;
        for (int64_t j = 0; j < n; j++) {
            float dx = y[2 * i] - y[2 * j], dy = y[2 * i + 1] - y[2 * j + 1];
            if (j != i && dx * dx + dy * dy < best) {
                best = dx * dx + dy * dy;
                at = j;
            }
        }
        own += at % count == i % count;
    }
    return (double)own / (double)n;
}

static void layouts(void)
{
    int64_t n = 1500, d = 20;
    float *x = blobs(n, d, 4, 8, 11), *y[5], *other;
    gv_umap_params p = { .n_neighbors = 15, .min_dist = 0.1, .seed = 42 };
    gv_umap_quality q;
    for (int t = 0; t < 3; t++) {
        gv_threads_set(t + 1);
        ok(gv_umap(x, n, d, &p, &arena, &y[t], &err) == GV_OK && placed(y[t], n), "a layout with %d threads %s", t + 1, err.text);
    }
    gv_threads_set(0);
    ok(!memcmp(y[0], y[1], (size_t)n * 8) && !memcmp(y[0], y[2], (size_t)n * 8), "the same bytes");
    bool made = gv_umap_quality_of(x, n, d, y[0], 15, &arena, &q, &err) == GV_OK;
    ok(made && q.trustworthiness > 0.88 && own_blob(y[0], n, 4) > 0.999, "blobs stay blobs: trustworthiness %.4f", q.trustworthiness);
    p.seed = 43;
    ok(gv_umap(x, n, d, &p, &arena, &other, &err) == GV_OK && memcmp(other, y[0], (size_t)n * 8), "another seed, another layout");
    p.exact_limit = 100;
    made = gv_umap(x, n, d, &p, &arena, &y[3], &err) == GV_OK && gv_umap_quality_of(x, n, d, y[3], 15, &arena, &q, &err) == GV_OK;
    ok(made && q.trustworthiness > 0.88, "with neighbours by descent: %.4f", q.trustworthiness);
    gv_arena_reset(&arena);
    x = gv_arena_alloc(&arena, 1000 * 3 * 4, &err); /* a curve in space: neighbours along it stay neighbours */
    for (int i = 0; i < 1000; i++) {
        double t = 6.283185307 * i / 1000;
        x[3 * i] = (float)cos(t), x[3 * i + 1] = (float)sin(t), x[3 * i + 2] = (float)sin(2 * t);
    }
    p = (gv_umap_params){ .n_neighbors = 10, .min_dist = 0.1, .seed = 1 };
    made = gv_umap(x, 1000, 3, &p, &arena, &y[0], &err) == GV_OK && gv_umap_quality_of(x, 1000, 3, y[0], 10, &arena, &q, &err) == GV_OK;
    ok(made && q.trustworthiness > 0.98 && q.recall > 0.6,
       "a closed curve stays one: trustworthiness %.4f, recall %.4f", q.trustworthiness, q.recall);
    gv_arena_reset(&arena);
}

/* Enough points to be sorted first, and to be looked at by boxes. */
static void sorted(void)
{
    static const int64_t width[] = { 20, 70 };
    for (size_t t = 0; t < GV_COUNT(width); t++) {
        int64_t n = 5000, d = width[t];
        float *x = blobs(n, d, 6, 8, 21), *y[3], *in_order;
        int32_t *order;
        gv_knn got, truth;
        gv_umap_params p = { .n_neighbors = 15, .min_dist = 0.1, .seed = 42, .epochs = 100 };
        bool made = true;
        for (int k = 0; k < 3; k++) {
            gv_threads_set(k + 1);
            made &= gv_umap(x, n, d, &p, &arena, &y[k], &err) == GV_OK && placed(y[k], n);
        }
        gv_threads_set(0);
        ok(made && !memcmp(y[0], y[1], (size_t)n * 8) && !memcmp(y[0], y[2], (size_t)n * 8) && own_blob(y[0], n, 6) > 0.99, "5,000 points of %d numbers: the same bytes with 1, 2 and 3 threads, blobs stay blobs", (int)d);
        made = gv_umap_sort(x, n, d, &arena, &order, &in_order, &err) == GV_OK && gv_knn_exact(in_order, n, d, 14, NULL, &arena, &got, &err) == GV_OK;
        truth = plain_neighbours(in_order, n, d, 14);
        ok(made && !memcmp(got.index, truth.index, (size_t)n * 14 * 4), "all neighbours where boxes spare comparisons");
        gv_arena_reset(&arena);
    }
}

static void quality(void)
{
    int64_t n = 200;
    float *x = blobs(n, 2, 1, 0, 12), *y = gv_arena_alloc(&arena, (size_t)n * 8, &err);
    gv_umap_quality same, drawn;
    ok(gv_umap_quality_of(x, n, 2, x, 15, &arena, &same, &err) == GV_OK && same.trustworthiness == 1 && same.recall == 1, "a layout that changes nothing is perfect");
    for (int64_t i = 0; i < 2 * n; i++)
        y[i] = x[(i * 7919 + 13) % (2 * n)];
    bool made = gv_umap_quality_of(x, n, 2, y, 15, &arena, &drawn, &err) == GV_OK;
    ok(made && drawn.trustworthiness < 0.7 && drawn.recall < 0.2, "one drawn at random is not: %.3f", drawn.trustworthiness);
    ok(gv_umap_quality_of(x, 20, 2, y, 10, &arena, &drawn, &err) == GV_EUSAGE, "too few points are refused (%s)", err.text);
    gv_err_clear(&err);
    gv_arena_reset(&arena);
}

static void small(void)
{
    bool fine = true;
    for (int64_t n = 1; n <= 20; n++) {
        float *x = blobs(n, 4, 2, 3, (uint64_t)n), *y;
        gv_umap_params p = { .n_neighbors = 15, .min_dist = 0.1, .seed = 1, .epochs = 50 };
        fine &= gv_umap(x, n, 4, &p, &arena, &y, &err) == GV_OK && placed(y, n);
        memset(x, 0, (size_t)n * 16); /* all at one place */
        fine &= gv_umap(x, n, 4, &p, &arena, &y, &err) == GV_OK && placed(y, n);
        p.n_neighbors = 2;
        fine &= gv_umap(x, n, 4, &p, &arena, &y, &err) == GV_OK && placed(y, n);
        gv_arena_reset(&arena);
    }
    ok(fine, "1 to 20 points, also at one place, have finite coordinates %s", err.text);
    float *x = blobs(400, 6, 2, 4, 1), *y;
    for (int64_t i = 0; i < 300; i++)
        memcpy(x + i * 6, x + i % 10 * 6, 24); /* each of ten thirty times: parts of their own */
    gv_umap_params p = { .n_neighbors = 15, .min_dist = 0.1, .seed = 1, .epochs = 100 };
    ok(gv_umap(x, 400, 6, &p, &arena, &y, &err) == GV_OK && placed(y, 400), "points that are there many times");
    p.min_dist = 5;
    ok(gv_umap(x, 400, 6, &p, &arena, &y, &err) == GV_OK && placed(y, 400), "a min_dist far beyond the spread");
    ok(gv_umap(x, 400, 6, &(gv_umap_params){ .n_neighbors = 1 }, &arena, &y, &err) == GV_EUSAGE && strstr(err.text, "1 neighbours"), "one neighbour is refused (%s)", err.text);
    gv_err_clear(&err);
    gv_arena_reset(&arena);
}

int main(void)
{
    if (gv_arena_init(&arena, "test", (size_t)2 << 30, &err) < 0)
        return 1;
    curve();
    packed();
    neighbours();
    descent();
    golden();
    graph();
    quality();
    layouts();
    sorted();
    small();
    gv_arena_release(&arena);
    return done();
}
