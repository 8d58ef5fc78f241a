/* quality: trustworthiness and recall of a layout. Of many points a sample answers for all. */
#include "umap/internal.h"
#include "umap/product.h"
#include "common/threads.h"

enum { SAMPLE = 2000, MOST = 256 };

struct quality {
    const float *x, *y;
    int64_t n, d, points;
    int k;
    double *penalty, *found; /* [points] */
};

static void near_in_layout(const float *y, int64_t n, int64_t i, int k, uint64_t *best)
{
    memset(best, 0xff, (size_t)k * sizeof *best);
    for (int64_t j = 0; j < n; j++)
        if (j != i) {
            float dx = y[2 * i] - y[2 * j], dy = y[2 * i + 1] - y[2 * j + 1];
            gv_near_put(best, k, gv_near_key(dx * dx + dy * dy, (int32_t)j));
        }
}

static void quality_body(void *arg, int64_t begin, int64_t end)
{
    struct quality *q = arg;
    uint64_t best[MOST], key[MOST];
    for (int64_t t = begin; t < end; t++) {
        int64_t i = t * q->n / q->points, rank[MOST] = { 0 };
        near_in_layout(q->y, q->n, i, q->k, best);
        for (int a = 0; a < q->k; a++) {
            int32_t j = (int32_t)(uint32_t)best[a];
            key[a] = gv_near_key(gv_distance2(q->x + i * q->d, q->x + j * q->d, q->d), j);
        }
        for (int64_t j = 0; j < q->n; j++) {
            if (j == i)
                continue;
            uint64_t other = gv_near_key(gv_distance2(q->x + i * q->d, q->x + j * q->d, q->d), (int32_t)j);
            for (int a = 0; a < q->k; a++)
                rank[a] += other < key[a];
        }
        for (int a = 0; a < q->k; a++) {
            q->found[t] += rank[a] < q->k;
            q->penalty[t] += rank[a] < q->k ? 0 : (double)(rank[a] + 1 - q->k);
        }
    }
}

int gv_umap_quality_of(const float *x, int64_t n, int64_t d, const float *y, int k, gv_arena *arena, gv_umap_quality *out, gv_err *err)
{
    if (k < 1 || k > MOST || 2 * k >= n)
        return gv_fail(err, GV_EUSAGE, "quality with %d neighbours of %lld points: at most %d, and fewer than half of the points", k, (long long)n, MOST);
    size_t mark = arena->used;
    struct quality q = { .x = x, .y = y, .n = n, .d = d, .points = n < SAMPLE ? n : SAMPLE, .k = k };
    q.penalty = gv_arena_alloc(arena, (size_t)q.points * 8, err);
    q.found = gv_arena_alloc(arena, (size_t)q.points * 8, err);
    if (!q.penalty || !q.found)
        return GV_ESYS;
    gv_parallel(q.points, 1, quality_body, &q);
    double penalty = 0, found = 0, all = (double)q.points;
    for (int64_t t = 0; t < q.points; t++) {
        penalty += q.penalty[t];
        found += q.found[t];
    }
    out->trustworthiness = 1 - 2 * penalty / (all * k * (double)(2 * n - 3 * k - 1));
    out->recall = found / (all * k);
    gv_arena_rewind(arena, mark);
    return GV_OK;
}
