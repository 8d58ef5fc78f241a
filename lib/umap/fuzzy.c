/* fuzzy: how strongly each neighbour belongs to a point, and the union of both directions. The arithmetic (float, what the mean is of) is that of
 * umap-learn, so that weights agree. */
#include "umap/internal.h"
#include "common/threads.h"
#include <math.h>

enum { ROUNDS = 64 };
static const double TOLERANCE = 1e-5, LEAST_SCALE = 1e-3;

struct smooth { const gv_knn *knn; float *sigma, *rho; double mean; };

/* The scale at which the strengths of a row sum to log2(k + 1); the point itself counts as a neighbour. */
static double scale_of(const float *d, int k, double rho)
{
    double lo = 0, hi = INFINITY, mid = 1, target = log2(k + 1.0);
    for (int round = 0; round < ROUNDS; round++) {
        double sum = 0;
        for (int j = 0; j < k; j++) {
            double over = (double)d[j] - rho;
            sum += over > 0 ? exp(-over / mid) : 1;
        }
        if (fabs(sum - target) < TOLERANCE)
            break;
        if (sum > target) {
            hi = mid;
            mid = (lo + hi) / 2;
        } else {
            lo = mid;
            mid = isinf(hi) ? mid * 2 : (lo + hi) / 2;
        }
    }
    return mid;
}

static void smooth_body(void *arg, int64_t begin, int64_t end)
{
    const struct smooth *s = arg;
    int k = s->knn->k;
    for (int64_t i = begin; i < end; i++) {
        const float *d = s->knn->distance + i * k;
        float rho = 0;
        double mean = 0;
        for (int j = k - 1; j >= 0; j--) {
            rho = d[j] > 0 ? d[j] : rho; /* the nearest that is elsewhere */
            mean += (double)d[j];
        }
        mean /= k + 1;
        double sigma = scale_of(d, k, (double)rho), least = LEAST_SCALE * (rho > 0 ? mean : s->mean);
        s->sigma[i] = (float)(sigma < least ? least : sigma);
        s->rho[i] = rho;
    }
}

void gv_umap_smooth(const gv_knn *knn, float *sigma, float *rho)
{
    struct smooth s = { knn, sigma, rho, 0 };
    for (int64_t i = 0; i < knn->n; i++) {
        double row = 0;
        for (int j = 0; j < knn->k; j++)
            row += (double)knn->distance[i * knn->k + j];
        s.mean += row;
    }
    s.mean /= (double)knn->n * (knn->k + 1);
    gv_parallel(knn->n, 256, smooth_body, &s);
}

typedef struct join {
    const gv_knn *knn;
    int32_t *out_col, *in_col;   /* [n,k] by index; [n*k] by row of the target */
    float *out_w, *in_w;
    int64_t *in_row;
    gv_umap_graph *g;
    bool fill;
} join;

static void strengths(join *s, const float *sigma, const float *rho)
{
    int k = s->knn->k;
    for (int64_t i = 0; i < s->knn->n; i++) {
        int32_t *col = s->out_col + i * k;
        float *w = s->out_w + i * k;
        for (int j = 0; j < k; j++) {
            float over = s->knn->distance[i * k + j] - rho[i];
            float v = over <= 0 || sigma[i] == 0 ? 1 : (float)exp(-(double)over / (double)sigma[i]);
            int32_t c = s->knn->index[i * k + j];
            int at = j;
            for (; at > 0 && col[at - 1] > c; at--) {
                col[at] = col[at - 1];
                w[at] = w[at - 1];
            }
            col[at] = c;
            w[at] = v;
        }
    }
}

/* The same edges by their targets; sources ascend because rows are taken in order. */
static void turn(join *s)
{
    int64_t n = s->knn->n, all = n * s->knn->k;
    for (int64_t e = 0; e < all; e++)
        s->in_row[s->out_col[e] + 1]++;
    for (int64_t i = 0; i < n; i++)
        s->in_row[i + 1] += s->in_row[i];
    for (int64_t i = 0, e = 0; i < n; i++)
        for (int j = 0; j < s->knn->k; j++, e++) {
            int64_t at = s->in_row[s->out_col[e]]++;
            s->in_col[at] = (int32_t)i;
            s->in_w[at] = s->out_w[e];
        }
    for (int64_t i = n; i > 0; i--)
        s->in_row[i] = s->in_row[i - 1];
    s->in_row[0] = 0;
}

static void join_body(void *arg, int64_t begin, int64_t end)
{
    join *s = arg;
    int k = s->knn->k;
    for (int64_t i = begin; i < end; i++) {
        const int32_t *oc = s->out_col + i * k, *ic = s->in_col + s->in_row[i];
        const float *ow = s->out_w + i * k, *iw = s->in_w + s->in_row[i];
        int64_t o = 0, q = 0, in = s->in_row[i + 1] - s->in_row[i], at = s->fill ? s->g->row[i] : 0;
        while (o < k || q < in) {
            int32_t a = o < k ? oc[o] : INT32_MAX, b = q < in ? ic[q] : INT32_MAX;
            float x = a <= b ? ow[o++] : 0, y = b <= a ? iw[q++] : 0, w = (x + y) - x * y;
            if (!(w > 0))
                continue;
            if (s->fill) {
                s->g->col[at] = a < b ? a : b;
                s->g->weight[at] = w;
            }
            at++;
        }
        if (!s->fill)
            s->g->row[i + 1] = at;
    }
}

int gv_umap_graph_make(const gv_knn *knn, gv_arena *arena, gv_umap_graph *out, gv_err *err)
{
    int64_t n = knn->n, all = n * knn->k;
    *out = (gv_umap_graph){ .n = n };
    out->row = gv_arena_alloc(arena, (size_t)(n + 1) * 8, err);
    out->col = gv_arena_alloc_dirty(arena, (size_t)all * 2 * 4, err);
    out->weight = gv_arena_alloc_dirty(arena, (size_t)all * 2 * 4, err);
    size_t mark = arena->used;
    join s = { .knn = knn, .g = out };
    float *sigma = gv_arena_alloc_dirty(arena, (size_t)n * 4, err), *rho = gv_arena_alloc_dirty(arena, (size_t)n * 4, err);
    s.out_col = gv_arena_alloc_dirty(arena, (size_t)all * 4, err);
    s.out_w = gv_arena_alloc_dirty(arena, (size_t)all * 4, err);
    s.in_col = gv_arena_alloc_dirty(arena, (size_t)all * 4, err);
    s.in_w = gv_arena_alloc_dirty(arena, (size_t)all * 4, err);
    s.in_row = gv_arena_alloc(arena, (size_t)(n + 2) * 8, err);
    if (!out->row || !out->col || !out->weight || !sigma || !rho || !s.out_col || !s.out_w || !s.in_col || !s.in_w || !s.in_row)
        return GV_ESYS;
    gv_umap_smooth(knn, sigma, rho);
    strengths(&s, sigma, rho);
    turn(&s);
    gv_parallel(n, 256, join_body, &s);
    for (int64_t i = 0; i < n; i++)
        out->row[i + 1] += out->row[i];
    out->edges = out->row[n];
    s.fill = true;
    gv_parallel(n, 256, join_body, &s);
    gv_arena_rewind(arena, mark);
    return GV_OK;
}

int64_t gv_umap_components(const gv_umap_graph *g, int32_t *component, gv_arena *arena, gv_err *err)
{
    size_t mark = arena->used;
    int32_t *stack = gv_arena_alloc_dirty(arena, (size_t)g->n * 4 + 4, err);
    if (!stack)
        return GV_ESYS;
    int32_t count = 0;
    memset(component, 0xff, (size_t)g->n * 4);
    for (int64_t first = 0; first < g->n; first++) {
        if (component[first] >= 0)
            continue;
        int64_t waiting = 0;
        stack[waiting++] = (int32_t)first;
        component[first] = count;
        while (waiting) {
            int32_t i = stack[--waiting];
            for (int64_t e = g->row[i]; e < g->row[i + 1]; e++)
                if (component[g->col[e]] < 0) {
                    component[g->col[e]] = count;
                    stack[waiting++] = g->col[e];
                }
        }
        count++;
    }
    gv_arena_rewind(arena, mark);
    return count;
}
