/* spectral: the start of the layout. The second and third eigenvectors of the normalised adjacency D^-1/2 W D^-1/2 (the smallest of the Laplacian's
 * but the first) by subspace iteration with Chebyshev filters: small gaps between eigenvalues cost a polynomial of higher degree, not many
 * orthogonalisations. Each connected part by itself.
 * Source: Belkin & Niyogi 2003; Zhou, Saad, Tiago & Chelikowsky 2006. */
#include "umap/internal.h"
#include "common/log.h"
#include "common/rng.h"
#include "common/threads.h"
#include <math.h>
#include <stdlib.h>

enum { B = 8, ROUNDS = 24, DEGREE = 40, AXES = 2 };
static const double TOLERANCE = 2e-3;

typedef struct part {
    int64_t n;
    int64_t *row;
    int32_t *col;
    float *w;            /* scaled by both degrees */
    float *first;        /* [n] the eigenvector of eigenvalue 1 */
    float *x, *ax, *t;   /* [n,B] */
    double *sums;        /* [pieces, B * B] */
    const float *u, *v;  /* what the running body works on */
    float *out;
    float turn[B * B];
    float scale, shift, back;
} part;

/* out = scale * (A - shift) u - back * v */
GV_HOT static void multiply_body(void *arg, int64_t begin, int64_t end)
{
    const part *p = arg;
    for (int64_t i = begin; i < end; i++) {
        float s[B] = { 0 };
        for (int64_t e = p->row[i]; e < p->row[i + 1]; e++) {
            const float *u = p->u + (int64_t)p->col[e] * B;
            float w = p->w[e];
            for (int b = 0; b < B; b++)
                s[b] += w * u[b];
        }
        const float *u = p->u + i * B, *v = p->v + i * B;
        for (int b = 0; b < B; b++)
            p->out[i * B + b] = p->scale * (s[b] - p->shift * u[b]) - p->back * v[b];
    }
}

static void multiply(part *p, const float *u, const float *v, float *out, double scale, double shift, double back)
{
    p->u = u;
    p->v = v;
    p->out = out;
    p->scale = (float)scale;
    p->shift = (float)shift;
    p->back = (float)back;
    gv_parallel(p->n, 512, multiply_body, p);
}

/* sums of u^T v, in pieces of fixed length */
static void gram_body(void *arg, int64_t begin, int64_t end)
{
    const part *p = arg;
    for (int64_t s = begin; s < end; s++) {
        double g[B * B] = { 0 };
        int64_t last = (s + 1) * GV_UMAP_PIECE < p->n ? (s + 1) * GV_UMAP_PIECE : p->n;
        for (int64_t i = s * GV_UMAP_PIECE; i < last; i++)
            for (int a = 0; a < B; a++)
                for (int b = 0; b < B; b++)
                    g[a * B + b] += (double)p->u[i * B + a] * (double)p->v[i * B + b];
        memcpy(p->sums + s * B * B, g, sizeof g);
    }
}

static void gram(part *p, const float *u, const float *v, double g[B * B])
{
    int64_t pieces = (p->n + GV_UMAP_PIECE - 1) / GV_UMAP_PIECE;
    p->u = u;
    p->v = v;
    gv_parallel(pieces, 1, gram_body, p);
    memset(g, 0, B * B * sizeof *g);
    for (int64_t s = 0; s < pieces; s++)
        for (int e = 0; e < B * B; e++)
            g[e] += p->sums[s * B * B + e];
}

/* out = u turn */
GV_HOT static void spectral_turn(void *arg, int64_t begin, int64_t end)
{
    const part *p = arg;
    for (int64_t i = begin; i < end; i++) {
        float s[B] = { 0 };
        for (int a = 0; a < B; a++)
            for (int b = 0; b < B; b++)
                s[b] += p->u[i * B + a] * p->turn[a * B + b];
        memcpy(p->out + i * B, s, sizeof s);
    }
}

static void turn(part *p, float *x, const double t[B * B])
{
    for (int e = 0; e < B * B; e++)
        p->turn[e] = (float)t[e];
    p->u = x;
    p->out = x;
    gv_parallel(p->n, 512, spectral_turn, p);
}

/* Takes the known first eigenvector out, then makes the columns orthonormal; a column that is nothing new becomes zero. */
static void orthonormal(part *p, float *x)
{
    double dot[B] = { 0 }, g[B * B], inverse[B * B] = { 0 }, l[B * B] = { 0 };
    for (int64_t i = 0; i < p->n; i++)
        for (int b = 0; b < B; b++)
            dot[b] += (double)p->first[i] * (double)x[i * B + b];
    for (int64_t i = 0; i < p->n; i++)
        for (int b = 0; b < B; b++)
            x[i * B + b] -= (float)(dot[b] * (double)p->first[i]);
    gram(p, x, x, g);
    for (int a = 0; a < B; a++) /* Cholesky: g = l l^T */
        for (int b = 0; b <= a; b++) {
            double v = g[a * B + b];
            for (int k = 0; k < b; k++)
                v -= l[a * B + k] * l[b * B + k];
            if (a == b)
                l[a * B + a] = v > 1e-10 * g[a * B + a] && v > 1e-60 ? sqrt(v) : 0;
            else
                l[a * B + b] = l[b * B + b] > 0 ? v / l[b * B + b] : 0;
        }
    for (int b = 0; b < B; b++) { /* columns of l^-T */
        if (!(l[b * B + b] > 0))
            continue;
        inverse[b * B + b] = 1 / l[b * B + b];
        for (int a = b - 1; a >= 0; a--) {
            double v = 0;
            for (int k = a + 1; k <= b; k++)
                v += l[k * B + a] * inverse[k * B + b];
            inverse[a * B + b] = l[a * B + a] > 0 ? -v / l[a * B + a] : 0;
        }
    }
    turn(p, x, inverse);
}

/* Eigenvectors of a symmetric matrix by Jacobi's rotations: values descending, vectors in columns. */
static void small_eigen(double h[B * B], double value[B], double vector[B * B])
{
    double v[B * B] = { 0 };
    int order[B];
    for (int a = 0; a < B; a++)
        v[a * B + a] = 1;
    for (int sweep = 0; sweep < 30; sweep++)
        for (int a = 0; a < B; a++)
            for (int b = a + 1; b < B; b++) {
                double off = h[a * B + b];
                if (fabs(off) < 1e-300)
                    continue;
                double theta = (h[b * B + b] - h[a * B + a]) / (2 * off), t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
                double c = 1 / sqrt(t * t + 1), s = t * c;
                for (int k = 0; k < B; k++) {
                    double x = h[k * B + a], y = h[k * B + b];
                    h[k * B + a] = c * x - s * y;
                    h[k * B + b] = s * x + c * y;
                }
                for (int k = 0; k < B; k++) {
                    double x = h[a * B + k], y = h[b * B + k];
                    h[a * B + k] = c * x - s * y;
                    h[b * B + k] = s * x + c * y;
                    x = v[k * B + a], y = v[k * B + b];
                    v[k * B + a] = c * x - s * y;
                    v[k * B + b] = s * x + c * y;
                }
            }
    for (int a = 0; a < B; a++) {
        int at = a;
        for (; at > 0 && h[order[at - 1] * B + order[at - 1]] < h[a * B + a]; at--)
            order[at] = order[at - 1];
        order[at] = a;
    }
    for (int b = 0; b < B; b++) {
        value[b] = h[order[b] * B + order[b]];
        for (int a = 0; a < B; a++)
            vector[a * B + b] = v[a * B + order[b]];
    }
}

/* x becomes the best approximations in its span, ax their images. Returns the largest residual of the wanted two. */
static double ritz(part *p, double value[B])
{
    double h[B * B], vector[B * B], most = 0;
    orthonormal(p, p->x);
    multiply(p, p->x, p->x, p->ax, 1, 0, 0);
    gram(p, p->x, p->ax, h);
    for (int a = 0; a < B; a++)
        for (int b = 0; b < a; b++)
            h[a * B + b] = h[b * B + a] = (h[a * B + b] + h[b * B + a]) / 2;
    small_eigen(h, value, vector);
    turn(p, p->x, vector);
    turn(p, p->ax, vector);
    for (int b = 0; b < AXES; b++) {
        double sum = 0;
        for (int64_t i = 0; i < p->n; i++) {
            double e = (double)p->ax[i * B + b] - value[b] * (double)p->x[i * B + b];
            sum += e * e;
        }
        most = fmax(most, sqrt(sum));
    }
    return most;
}

/* x becomes T(A) x, where T is small on [-1, cut] and grows beyond. */
static void filter(part *p, double cut, double top)
{
    double mid = (cut - 1) / 2, half = (cut + 1) / 2, grow = acosh(fmax((top - mid) / half, 1 + 1e-9));
    int degree = grow > 0 ? (int)fmin(DEGREE, 12 / grow) : DEGREE; /* float holds 1e7 between columns */
    degree = degree < 4 ? 4 : degree;
    float *before = p->x, *now = p->t, *next = p->ax;
    multiply(p, before, before, now, 1 / half, mid, 0);
    for (int k = 1; k < degree; k++) {
        multiply(p, now, before, next, 2 / half, mid, 1);
        float *spare = before;
        before = now, now = next, next = spare;
    }
    p->x = now;
    p->t = before;
    p->ax = next;
}

static void solve(part *p, uint64_t seed, int64_t number)
{
    double value[B];
    for (int64_t i = 0; i < p->n; i++) {
        gv_rng r;
        gv_rng_init(&r, seed, GV_RNG_UMAP_START, (uint64_t)i, (uint32_t)number, 0);
        for (int b = 0; b < B; b++)
            p->x[i * B + b] = (float)gv_rng_uniform(&r) - 0.5f;
    }
    for (int round = 0; round < ROUNDS; round++) {
        double most = ritz(p, value);
        gv_log(GV_DEBUG, "start: round %d, residual %.1e, eigenvalues %.5f %.5f … %.5f", round, most, value[0], value[1], value[B - 1]);
        if (most < TOLERANCE || p->n <= B)
            return;
        double cut = fmin(fmax(value[B - 1], 0), 1 - 1e-6);
        filter(p, cut, fmax(value[0], cut + 1e-6));
    }
    ritz(p, value);
}

/* The part's rows of the graph with its own numbers, and their scaling. */
static int take(part *p, const gv_umap_graph *g, const int32_t *points, const int32_t *local, gv_arena *arena, gv_err *err)
{
    int64_t edges = 0;
    for (int64_t i = 0; i < p->n; i++)
        edges += g->row[points[i] + 1] - g->row[points[i]];
    p->row = gv_arena_alloc(arena, (size_t)(p->n + 1) * 8, err);
    p->col = gv_arena_alloc_dirty(arena, (size_t)edges * 4 + 4, err);
    p->w = gv_arena_alloc_dirty(arena, (size_t)edges * 4 + 4, err);
    p->first = gv_arena_alloc_dirty(arena, (size_t)p->n * 4, err);
    p->sums = gv_arena_alloc(arena, (size_t)((p->n + GV_UMAP_PIECE - 1) / GV_UMAP_PIECE) * B * B * 8, err);
    float **blocks[] = { &p->x, &p->ax, &p->t };
    for (int b = 0; b < 3; b++)
        *blocks[b] = gv_arena_alloc_dirty(arena, (size_t)p->n * B * 4, err);
    if (!p->row || !p->col || !p->w || !p->first || !p->sums || !p->x || !p->ax || !p->t)
        return GV_ESYS;
    double all = 0;
    for (int64_t i = 0; i < p->n; i++) {
        double degree = 0;
        for (int64_t e = g->row[points[i]]; e < g->row[points[i] + 1]; e++)
            degree += (double)g->weight[e];
        p->first[i] = (float)sqrt(degree);
        all += degree;
    }
    int64_t at = 0;
    for (int64_t i = 0; i < p->n; i++) {
        for (int64_t e = g->row[points[i]]; e < g->row[points[i] + 1]; e++, at++) {
            p->col[at] = local[g->col[e]];
            p->w[at] = g->weight[e] / (p->first[i] * p->first[p->col[at]]);
        }
        p->row[i + 1] = at;
    }
    for (int64_t i = 0; i < p->n; i++)
        p->first[i] /= (float)sqrt(all);
    return GV_OK;
}

/* One part within `reach` of its centre; few points lie anywhere there. */
static int place(const gv_umap_graph *g, const int32_t *points, const int32_t *local, int64_t n, int64_t number, double reach, const double centre[AXES], uint64_t seed, gv_arena *arena, float *y,
                 gv_err *err)
{
    double most = 0;
    part p = { .n = n };
    bool few = n <= AXES + 1;
    if (!few && take(&p, g, points, local, arena, err) < 0)
        return GV_ESYS;
    if (!few)
        solve(&p, seed, number);
    for (int64_t i = 0; i < n && !few; i++)
        for (int a = 0; a < AXES; a++)
            most = fmax(most, fabs((double)p.x[i * B + a]));
    for (int64_t i = 0; i < n; i++) {
        gv_rng r;
        gv_rng_init(&r, seed, GV_RNG_UMAP_START, (uint64_t)points[i], 0, 1);
        for (int a = 0; a < AXES; a++) {
            double v = few || !(most > 0) ? gv_rng_range(&r, -1, 1) : (double)p.x[i * B + a] / most;
            y[points[i] * AXES + a] = (float)(centre[a] + reach * v);
        }
    }
    return GV_OK;
}

typedef struct size { int64_t n, part; } size;

static int larger_first(const void *a, const void *b)
{
    const size *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : (x->part > y->part) - (x->part < y->part);
}

/* Parts in discs of an area like their size: the largest in the middle, the others along a spiral around it. */
static int place_all(const gv_umap_graph *g, const int32_t *points, const int32_t *local, const int64_t *first, int64_t parts, uint64_t seed, gv_arena *arena, float *y, gv_err *err)
{
    size *order = gv_arena_alloc(arena, (size_t)parts * sizeof *order, err);
    double area = 0;
    if (!order)
        return GV_ESYS;
    for (int64_t c = 0; c < parts; c++)
        order[c] = (size){ first[c + 1] - first[c], c };
    qsort(order, (size_t)parts, sizeof *order, larger_first);
    for (int64_t k = 0; k < parts; k++) {
        size_t mark = arena->used;
        int64_t c = order[k].part;
        double reach = sqrt((double)order[k].n / (double)order[0].n), away = k ? 1.2 * sqrt(area) + reach : 0, angle = 2.39996322972865332 * (double)k;
        double centre[AXES] = { away * cos(angle), away * sin(angle) };
        if (place(g, points + first[c], local, order[k].n, c, reach, centre, seed, arena, y, err) < 0)
            return GV_ESYS;
        area += reach * reach;
        gv_arena_rewind(arena, mark);
    }
    return GV_OK;
}

/* Largest coordinate 10, a little noise, then each axis from 0 to 10. */
static void scale(float *y, int64_t n, uint64_t seed)
{
    double most = 0;
    for (int64_t i = 0; i < n * AXES; i++)
        most = fmax(most, fabs((double)y[i]));
    double grow = most > 0 ? 10 / most : 1, lo[AXES] = { INFINITY, INFINITY }, hi[AXES] = { -INFINITY, -INFINITY };
    for (int64_t i = 0; i < n; i++) {
        gv_rng r;
        gv_rng_init(&r, seed, GV_RNG_UMAP_START, (uint64_t)i, 0, 2);
        for (int a = 0; a < AXES; a++) {
            double v = (double)y[i * AXES + a] * grow + 1e-4 * gv_rng_normal(&r);
            y[i * AXES + a] = (float)v;
            lo[a] = fmin(lo[a], v);
            hi[a] = fmax(hi[a], v);
        }
    }
    for (int64_t i = 0; i < n * AXES; i++)
        y[i] = (float)(10 * ((double)y[i] - lo[i % AXES]) / fmax(hi[i % AXES] - lo[i % AXES], 1e-12));
}

int gv_umap_spectral(const gv_umap_graph *g, uint64_t seed, gv_arena *arena, float *y, gv_err *err)
{
    size_t mark = arena->used;
    int32_t *component = gv_arena_alloc_dirty(arena, (size_t)g->n * 4 + 4, err), *points = gv_arena_alloc_dirty(arena, (size_t)g->n * 4 + 4, err);
    int32_t *local = gv_arena_alloc_dirty(arena, (size_t)g->n * 4 + 4, err);
    if (!component || !points || !local)
        return GV_ESYS;
    int64_t parts = gv_umap_components(g, component, arena, err);
    int64_t *first = parts > 0 ? gv_arena_alloc(arena, (size_t)(parts + 2) * 8, err) : NULL;
    if (!first)
        return parts < 0 ? (int)parts : parts ? GV_ESYS : GV_OK;
    for (int64_t i = 0; i < g->n; i++)
        first[component[i] + 2]++;
    for (int64_t c = 0; c < parts; c++)
        first[c + 2] += first[c + 1];
    for (int64_t i = 0; i < g->n; i++)
        points[first[component[i] + 1]++] = (int32_t)i;
    for (int64_t at = 0; at < g->n; at++) /* now first[c] is where part c begins */
        local[points[at]] = (int32_t)(at - first[component[points[at]]]);
    int r = place_all(g, points, local, first, parts, seed, arena, y, err);
    if (r == GV_OK)
        scale(y, g->n, seed);
    gv_arena_rewind(arena, mark);
    return r;
}
