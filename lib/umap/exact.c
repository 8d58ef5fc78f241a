/* exact: the nearest neighbours of every point. Blocks of products give each point a list of candidates; their distances are then computed from
 * differences.
 *
 * With all dimensions the candidates are proven: a rounded point is at most `rounding` from the point, so no point outside the list is nearer than
 * the list's last less twice that. Points where this does not reach their k-th neighbour are done again in float.
 * Many points of many dimensions are first looked at along their LEADING main directions, where a distance is that along the directions plus
 * what is expected of the rest. That is checked on a sample of points; where it misses neighbours, all dimensions are taken. */
#include "umap/internal.h"
#include "umap/product.h"
#include "common/log.h"
#include "common/rng.h"
#include "common/threads.h"
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

enum { SPARE = 16, LEADING = 256, LEADING_SPARE = 34, LEADING_FROM = 16384, SAMPLE = 64, LOCKS = 1024 };
static const double FEWEST_FOUND = 0.995; /* of the sample's neighbours */

typedef struct search {
    const float *x;
    int64_t n, d, blocks;
    int k, m;
    const gv_packed *p;
    const float *rest;      /* [n] squared length outside the leading directions, halved; NULL: there is no outside */
    uint64_t *list;         /* [n,m] ascending */
    float *reach;           /* [blocks * GV_BLOCK] minus half the squared distance of the list's last */
    float *tiles;           /* a tile for each thread */
    int32_t *index;
    float *distance;        /* [n,k], squared until the end */
    uint8_t *open;          /* [n] not proven */
    const gv_umap_progress *progress;
    atomic_llong next, spot;
    pthread_mutex_t lock[LOCKS];
} search;

static void insert(search *s, int64_t i, int64_t j, float v)
{
    uint64_t *list = s->list + i * s->m;
    gv_near_put(list, s->m, gv_near_key(-2 * v, (int32_t)j));
    uint64_t last = list[s->m - 1];
    s->reach[i] = last == UINT64_MAX ? -INFINITY : gv_near_distance(last) / -2;
}

/* Rows and columns of a tile go to the lists of their points; on the diagonal each pair is there twice. */
GV_HOT static void select_tile(search *s, int64_t bi, int64_t bj, const float *c)
{
    const float *col = s->reach + bj * GV_BLOCK;
    int64_t rows = s->n - bi * GV_BLOCK < GV_BLOCK ? s->n - bi * GV_BLOCK : GV_BLOCK;
    bool diagonal = bi == bj;
    for (int64_t r = 0; r < rows; r++) {
        int64_t i = bi * GV_BLOCK + r;
        for (int q = 0; q < GV_BLOCK; q += GV_PANEL) {
            const float *v = c + r * GV_BLOCK + q;
            float row = s->reach[i];
            int hit = 0;
            for (int l = 0; l < GV_PANEL; l++) {
                float t = col[q + l] < row ? col[q + l] : row;
                hit |= v[l] >= t;
            }
            if (!hit)
                continue;
            for (int l = 0; l < GV_PANEL; l++) {
                int64_t j = bj * GV_BLOCK + q + l;
                if (j >= s->n || j == i)
                    continue;
                if (v[l] >= s->reach[i])
                    insert(s, i, j, v[l]);
                if (!diagonal && v[l] >= s->reach[j])
                    insert(s, j, i, v[l]);
            }
        }
    }
}

/* What is expected of the dimensions left out: nothing in common. */
GV_HOT static void add_rest(const search *s, int64_t bi, int64_t bj, float *c)
{
    const float *ri = s->rest + bi * GV_BLOCK, *rj = s->rest + bj * GV_BLOCK;
    for (int r = 0; r < GV_BLOCK; r++)
        for (int l = 0; l < GV_BLOCK; l++)
            c[r * GV_BLOCK + l] -= ri[r] + rj[l];
}

/* Tiles in the order of their distance from the diagonal: near ones share no block, and lists fill early. */
static void tile_at(int64_t blocks, int64_t t, int64_t *i, int64_t *j)
{
    int64_t away = 0;
    double b = (double)(2 * blocks + 1), guess = (b - sqrt(b * b - 8 * (double)t)) / 2;
    away = guess > 1 ? (int64_t)guess - 1 : 0;
    while (away + 1 < blocks && (away + 1) * blocks - (away + 1) * away / 2 <= t)
        away++;
    *i = t - (away * blocks - away * (away - 1) / 2);
    *j = *i + away;
}

static void tiles_body(void *arg, int64_t begin, int64_t end)
{
    search *s = arg;
    int64_t tiles = s->blocks * (s->blocks + 1) / 2, i, j;
    for (int64_t part = begin; part < end; part++) {
        float *c = s->tiles + atomic_fetch_add(&s->spot, 1) * GV_BLOCK * GV_BLOCK;
        for (long long t; (t = atomic_fetch_add(&s->next, 1)) < tiles;) {
            tile_at(s->blocks, t, &i, &j);
            gv_packed_block(s->p, i, j, c);
            if (s->rest)
                add_rest(s, i, j, c);
            pthread_mutex_t *a = &s->lock[i % LOCKS], *b = &s->lock[j % LOCKS], *low = a < b ? a : b, *high = a < b ? b : a;
            pthread_mutex_lock(low);
            if (low != high)
                pthread_mutex_lock(high);
            select_tile(s, i, j, c);
            if (low != high)
                pthread_mutex_unlock(high);
            pthread_mutex_unlock(low);
            if (part == 0 && t % 256 == 0)
                gv_umap_tell(s->progress, "neighbours", (double)t / (double)tiles);
        }
    }
}

void gv_near_refine(const float *x, int64_t d, int64_t i, const uint64_t *list, int m, int k, int32_t *index, float *distance2)
{
    uint64_t best[1024];
    int keep = k < 1024 ? k : 1024;
    for (int a = 0; a < keep; a++)
        best[a] = UINT64_MAX;
    for (int a = 0; a < m && list[a] != UINT64_MAX; a++) {
        int32_t j = (int32_t)(uint32_t)list[a];
        gv_near_put(best, keep, gv_near_key(gv_distance2(x + i * d, x + j * d, d), j));
    }
    for (int a = 0; a < keep; a++) {
        index[a] = (int32_t)(uint32_t)best[a];
        distance2[a] = gv_near_distance(best[a]);
    }
}

void gv_near_all(const float *x, int64_t n, int64_t d, int64_t i, int k, int32_t *index, float *distance2)
{
    uint64_t best[1024];
    for (int a = 0; a < k; a++)
        best[a] = UINT64_MAX;
    for (int64_t j = 0; j < n; j++)
        if (j != i)
            gv_near_put(best, k, gv_near_key(gv_distance2(x + i * d, x + j * d, d), (int32_t)j));
    for (int a = 0; a < k; a++) {
        index[a] = (int32_t)(uint32_t)best[a];
        distance2[a] = gv_near_distance(best[a]);
    }
}

/* Sums in float of depth products err by so much of the product of two lengths. */
static double summing_error(const gv_packed *p)
{
    double terms = (double)p->depth + 8;
    return terms * 0x1p-23 * (double)p->length * (double)p->length;
}

static void refine_body(void *arg, int64_t begin, int64_t end)
{
    search *s = arg;
    double twice = 2 * (double)s->p->rounding, sums = summing_error(s->p);
    for (int64_t i = begin; i < end; i++) {
        const uint64_t *list = s->list + i * s->m;
        float *distance = s->distance + i * s->k;
        gv_near_refine(s->x, s->d, i, list, s->m, s->k, s->index + i * s->k, distance);
        double last = list[s->m - 1] == UINT64_MAX ? INFINITY : (double)gv_near_distance(list[s->m - 1]) - sums;
        double kth = sqrt((double)distance[s->k - 1]);
        s->open[i] = kth > 0 && !(kth <= sqrt(last > 0 ? last : 0) - twice);
    }
}

static void again_body(void *arg, int64_t begin, int64_t end)
{
    search *s = arg;
    for (int64_t i = begin; i < end; i++)
        if (s->open[i])
            gv_near_all(s->x, s->n, s->d, i, s->k, s->index + i * s->k, s->distance + i * s->k);
}

/* Candidates by these packed points, and their distances. */
static int pass(search *s, const gv_packed *p, const float *rest, int m, gv_arena *arena, gv_err *err)
{
    size_t mark = arena->used;
    int threads = gv_threads();
    s->p = p;
    s->rest = rest;
    s->m = m;
    s->blocks = (s->n + GV_BLOCK - 1) / GV_BLOCK;
    s->list = gv_arena_alloc_dirty(arena, (size_t)s->n * (size_t)m * 8, err);
    s->reach = gv_arena_alloc(arena, (size_t)(s->blocks * GV_BLOCK) * 4, err);
    s->tiles = gv_arena_alloc(arena, (size_t)threads * GV_BLOCK * GV_BLOCK * 4, err);
    if (!s->list || !s->reach || !s->tiles)
        return GV_ESYS;
    memset(s->list, 0xff, (size_t)s->n * (size_t)m * 8);
    for (int64_t i = 0; i < s->blocks * GV_BLOCK; i++)
        s->reach[i] = i < s->n ? -INFINITY : INFINITY;
    atomic_store(&s->next, 0);
    atomic_store(&s->spot, 0);
    gv_parallel(threads, 1, tiles_body, s);
    gv_parallel(s->n, 64, refine_body, s);
    gv_arena_rewind(arena, mark);
    return GV_OK;
}

static int all_dimensions(search *s, gv_arena *arena, gv_err *err)
{
    for (int bf16 = gv_packed_has_bf16() && s->n > 1024; bf16 >= 0; bf16--) {
        size_t mark = arena->used;
        gv_packed p;
        int m = (int)(s->k + SPARE < s->n - 1 ? s->k + SPARE : s->n - 1);
        int r = gv_packed_make(&p, s->x, s->n, s->d, bf16, arena, err);
        r = r < 0 ? r : pass(s, &p, NULL, m, arena, err);
        gv_arena_rewind(arena, mark);
        if (r < 0)
            return r;
        int64_t open = 0;
        for (int64_t i = 0; i < s->n; i++)
            open += s->open[i];
        gv_log(GV_DEBUG, "neighbours: %lld of %lld points not proven by %s products", (long long)open, (long long)s->n, bf16 ? "bf16" : "float");
        if (!bf16 || open <= s->n / 64) {
            gv_parallel(s->n, 1, again_body, s);
            return GV_OK;
        }
    }
    return GV_OK;
}

struct check { search *s; int64_t *found; };

static void check_body(void *arg, int64_t begin, int64_t end)
{
    struct check *c = arg;
    search *s = c->s;
    int32_t index[1024];
    float distance[1024];
    for (int64_t t = begin; t < end; t++) {
        gv_rng r;
        gv_rng_init(&r, 0, GV_RNG_UMAP_CHECK, (uint64_t)t, 0, 0);
        int64_t i = (int64_t)gv_rng_below(&r, (uint64_t)s->n);
        gv_near_all(s->x, s->n, s->d, i, s->k, index, distance);
        c->found[t] = 0;
        for (int a = 0; a < s->k; a++) /* as near as the true one is as good */
            c->found[t] += s->distance[i * s->k + a] <= distance[s->k - 1];
    }
}

/* 1 done, 0 the directions do not tell neighbours well enough. */
static int leading_directions(search *s, gv_arena *arena, gv_err *err)
{
    size_t mark = arena->used;
    gv_packed p;
    float *y, *rest;
    int64_t blocks = (s->n + GV_BLOCK - 1) / GV_BLOCK, found[SAMPLE], all = 0;
    int r = gv_umap_project(s->x, s->n, s->d, LEADING, arena, &y, err);
    if (r < 0)
        return r;
    if (!(rest = gv_arena_alloc(arena, (size_t)(blocks * GV_BLOCK) * 4, err)))
        return GV_ESYS;
    for (int64_t i = 0; i < s->n; i++) {
        float left = y[i * (LEADING + 1) + LEADING];
        rest[i] = left * left / 2;
        memmove(y + i * LEADING, y + i * (LEADING + 1), LEADING * sizeof *y);
    }
    int m = s->k + LEADING_SPARE;
    r = gv_packed_make(&p, y, s->n, LEADING, gv_packed_has_bf16(), arena, err);
    r = r < 0 ? r : pass(s, &p, rest, m, arena, err);
    gv_arena_rewind(arena, mark);
    if (r < 0)
        return r;
    struct check c = { s, found };
    gv_parallel(SAMPLE, 1, check_body, &c);
    for (int t = 0; t < SAMPLE; t++)
        all += found[t];
    double share = (double)all / (double)(SAMPLE * s->k);
    gv_log(GV_DEBUG, "neighbours: %d leading directions find %.5f of a sample's", LEADING, share);
    return share >= FEWEST_FOUND;
}

int gv_knn_exact(const float *x, int64_t n, int64_t d, int k, const gv_umap_progress *progress, gv_arena *arena, gv_knn *out, gv_err *err)
{
    *out = (gv_knn){ .n = n, .k = k };
    out->index = gv_arena_alloc(arena, (size_t)n * (size_t)k * 4, err);
    out->distance = gv_arena_alloc(arena, (size_t)n * (size_t)k * 4, err);
    size_t mark = arena->used;
    search *s = gv_arena_alloc(arena, sizeof *s, err);
    uint8_t *open = gv_arena_alloc(arena, (size_t)n, err);
    if (!out->index || !out->distance || !s || !open)
        return GV_ESYS;
    *s = (search){ .x = x, .n = n, .d = d, .k = k, .index = out->index, .distance = out->distance, .open = open, .progress = progress };
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_init(&s->lock[i], NULL);
    int r = n >= LEADING_FROM && d >= 2 * LEADING && k < LEADING ? leading_directions(s, arena, err) : 0;
    if (r == 0)
        r = all_dimensions(s, arena, err);
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&s->lock[i]);
    for (int64_t i = 0; i < n * k && r >= 0; i++)
        out->distance[i] = sqrtf(out->distance[i]);
    gv_arena_rewind(arena, mark);
    return r < 0 ? r : GV_OK;
}
