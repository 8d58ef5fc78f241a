/* sort: points in an order in which those near each other have near numbers: halves of halves, across the main direction in which they spread most. What
 * reads neighbours finds them in the cache, and panels of points that lie far apart need not be compared at all. */
#include "umap/internal.h"
#include "umap/product.h"
#include <math.h>

enum { SPLIT_BY = 16, DEPTH = 64 };

typedef struct pair { float v; int32_t i; } pair;

static inline bool before(pair a, pair b)
{
    return a.v < b.v || (a.v == b.v && a.i < b.i);
}

/* The m smallest come first. */
static void halve(pair *p, int64_t n, int64_t m)
{
    int64_t lo = 0, hi = n - 1;
    while (lo < hi) {
        pair pivot = p[(lo + hi) / 2];
        int64_t i = lo, j = hi;
        while (i <= j) {
            while (before(p[i], pivot))
                i++;
            while (before(pivot, p[j]))
                j--;
            if (i <= j) {
                pair t = p[i];
                p[i++] = p[j];
                p[j--] = t;
            }
        }
        if (m - 1 <= j)
            hi = j;
        else if (m - 1 >= i)
            lo = i;
        else
            break;
    }
}

/* The direction of the largest variance. */
static int widest(const float *y, int64_t stride, const int32_t *order, int64_t n, int directions)
{
    double sum[SPLIT_BY] = { 0 }, square[SPLIT_BY] = { 0 }, most = -1;
    int best = 0;
    for (int64_t t = 0; t < n; t++)
        for (int k = 0; k < directions; k++) {
            double v = (double)y[order[t] * stride + k];
            sum[k] += v;
            square[k] += v * v;
        }
    for (int k = 0; k < directions; k++) {
        double v = square[k] - sum[k] * sum[k] / (double)n;
        if (v > most) {
            most = v;
            best = k;
        }
    }
    return best;
}

int gv_umap_sort(const float *x, int64_t n, int64_t d, gv_arena *arena, int32_t **order, float **sorted, gv_err *err)
{
    int64_t q = d < GV_BOX ? d : GV_BOX, stack[DEPTH][2], depth = 0;
    *order = gv_arena_alloc_dirty(arena, (size_t)n * 4, err);
    *sorted = gv_arena_alloc_dirty(arena, (size_t)n * (size_t)d * 4, err);
    size_t mark = arena->used;
    pair *pairs = gv_arena_alloc_dirty(arena, (size_t)n * sizeof *pairs, err);
    float *y;
    if (!*order || !*sorted || !pairs)
        return GV_ESYS;
    int r = gv_umap_project(x, n, d, q, arena, &y, err);
    if (r < 0)
        return r;
    for (int64_t i = 0; i < n; i++)
        (*order)[i] = (int32_t)i;
    stack[depth][0] = 0, stack[depth++][1] = n;
    while (depth) {
        int64_t lo = stack[--depth][0], hi = stack[depth][1], panels = (hi - lo + GV_PANEL - 1) / GV_PANEL, half = panels / 2 * GV_PANEL;
        if (panels < 2)
            continue;
        int32_t *o = *order + lo;
        int k = widest(y, q + 1, o, hi - lo, (int)(q < SPLIT_BY ? q : SPLIT_BY));
        for (int64_t t = 0; t < hi - lo; t++)
            pairs[t] = (pair){ y[o[t] * (q + 1) + k], o[t] };
        halve(pairs, hi - lo, half);
        for (int64_t t = 0; t < hi - lo; t++)
            o[t] = pairs[t].i;
        stack[depth][0] = lo, stack[depth++][1] = lo + half;
        stack[depth][0] = lo + half, stack[depth++][1] = hi;
    }
    for (int64_t t = 0; t < n; t++)
        memcpy(*sorted + t * d, x + (int64_t)(*order)[t] * d, (size_t)d * 4);
    gv_arena_rewind(arena, mark);
    return GV_OK;
}
