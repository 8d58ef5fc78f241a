/* umap: neighbours, graph, start, layout. */
#include "umap/internal.h"
#include "common/log.h"
#include <inttypes.h>
#include <time.h>

enum { MOST_NEIGHBOURS = 1000, MANY = 10000 };

size_t gv_umap_room(int64_t n, int64_t d, int64_t n_neighbors)
{
    size_t points = (size_t)n + 8192, k = (size_t)(n_neighbors < n ? n_neighbors : n) + 64;
    return points * ((size_t)d * 14 + 8192) + points * k * 64 + ((size_t)512 << 20);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* How long a step took, for --log=debug: by the clock, and of all processors. */
static void took(const char *what, double since[2])
{
    double t = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (what)
        gv_log(GV_DEBUG, "%s: %.3f s, %.3f s of processors", what, t - since[0], cpu - since[1]);
    since[0] = t;
    since[1] = cpu;
}

int gv_umap(const float *x, int64_t n, int64_t d, const gv_umap_params *p, gv_arena *arena, float **y, gv_err *err)
{
    int64_t k = (p->n_neighbors < n ? p->n_neighbors : n) - 1;
    int64_t epochs = p->epochs ? p->epochs : n <= MANY ? 500 : 200, limit = p->exact_limit ? p->exact_limit : GV_UMAP_EXACT_LIMIT;
    if (n < 1 || n >= INT32_MAX || d < 1 || p->n_neighbors < 2)
        return gv_fail(err, GV_EUSAGE, "UMAP of %" PRId64 " points of %" PRId64 " numbers with %" PRId64 " neighbours", n, d, p->n_neighbors);
    if (k > MOST_NEIGHBOURS)
        return gv_fail(err, GV_EUSAGE, "UMAP with %" PRId64 " neighbours; at most %d are taken", k + 1, MOST_NEIGHBOURS + 1);
    if (!(*y = gv_arena_alloc(arena, (size_t)n * 8, err)))
        return GV_ESYS;
    if (n == 1)
        return GV_OK;
    size_t mark = arena->used;
    int32_t *order = NULL;
    float *sorted, *at = *y;
    gv_knn knn;
    gv_umap_graph g;
    double a, b, since[2];
    int r = GV_OK;
    took(NULL, since);
    if (n >= GV_UMAP_SORT_FROM) {
        r = gv_umap_sort(x, n, d, arena, &order, &sorted, err);
        x = sorted;
        if (r == GV_OK && !(at = gv_arena_alloc(arena, (size_t)n * 8, err)))
            r = GV_ESYS;
        took("order", since);
    }
    if (r == GV_OK)
        r = n <= limit ? gv_knn_exact(x, n, d, (int)k, &p->progress, arena, &knn, err) : gv_knn_descent(x, n, d, (int)k, p->seed, &p->progress, arena, &knn, err);
    took("neighbours", since);
    r = r < 0 ? r : gv_umap_graph_make(&knn, arena, &g, err);
    took("graph", since);
    r = r < 0 ? r : gv_umap_spectral(&g, p->seed, arena, at, err);
    took("start", since);
    gv_umap_curve(p->min_dist, 1, &a, &b);
    r = r < 0 ? r : gv_umap_layout(&g, a, b, epochs, p->seed, &p->progress, arena, at, err);
    for (int64_t t = 0; t < n && order && r == GV_OK; t++)
        memcpy(*y + 2 * (int64_t)order[t], at + 2 * t, 8);
    took("layout", since);
    gv_arena_rewind(arena, mark);
    return r;
}
