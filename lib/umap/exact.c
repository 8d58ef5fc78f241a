/* exact: the nearest neighbours of every point. Blocks of products give each point a list of candidates; their distances are then computed from
 * differences.
 *
 * With all dimensions the candidates are proven: a rounded point is at most `rounding` from the point, so no point outside the list is nearer than
 * the list's last less twice that. Points where this does not reach their k-th neighbour are done again in float.
 * Many points of many dimensions are first looked at along their LEADING main directions, where a distance is that along the directions plus
 * what is expected of the rest. That is checked on a sample of points; where it misses neighbours, all dimensions are taken.
 * Panels of points whose boxes are further apart than any of their points still looks are passed over. */
#include "umap/internal.h"
#include "umap/product.h"
#include "common/log.h"
#include "common/rng.h"
#include "common/threads.h"
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

enum { SPARE = 16, LEADING = 256, LEADING_SPARE = 34, LEADING_FROM = 16384, SAMPLE = 32, LOCKS = 1024, BAND = 6 };
#define ALL_PAIRS (((uint64_t)1 << (GV_PANELS * GV_PANELS)) - 1)
static const double FEWEST_FOUND = 0.995; /* of the sample's neighbours */

typedef struct search {
    const float *x;
    int64_t n, d, blocks;
    int k, m;
    const gv_packed *p;
    const float *rest;      /* [n] squared length outside the leading directions, halved; NULL: there is no outside */
    uint64_t *list;         /* [n,2m] keys in no order: the m smallest so far and those that came since */
    int32_t *count;         /* [n] */
    float *reach;           /* [blocks * GV_BLOCK] minus half the squared distance of the m-th when it was last looked for */
    float *tiles;           /* a tile for each thread */
    float *box;             /* [panels,2,GV_BOX] least and largest place of a panel's points along main directions; NULL: not known */
    float *box_rest;        /* [panels] the least rest of its points; NULL with rest */
    atomic_llong passed;    /* pairs of panels that boxes spared */
    int32_t *index;
    float *distance;        /* [n,k], squared until the end */
    uint8_t *open;          /* [n] not proven */
    const gv_umap_progress *progress;
    atomic_llong next, last, spot; /* tiles to do; threads that have begun */
    pthread_mutex_t lock[LOCKS];
} search;

/* The m smallest of n keys come first, in no order, the largest of them last. */
static void select_smallest(uint64_t *v, int n, int m)
{
    int lo = 0, hi = n - 1;
    while (lo < hi) {
        uint64_t a = v[lo], b = v[(lo + hi) / 2], c = v[hi], pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
        int i = lo, j = hi;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                uint64_t t = v[i];
                v[i++] = v[j];
                v[j--] = t;
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

static inline void insert(search *s, int64_t i, int64_t j, float v)
{
    uint64_t *list = s->list + i * 2 * s->m;
    list[s->count[i]++] = gv_near_key(-2 * v, (int32_t)j);
    if (s->count[i] < 2 * s->m)
        return;
    select_smallest(list, 2 * s->m, s->m);
    s->count[i] = s->m;
    s->reach[i] = gv_near_distance(list[s->m - 1]) / -2;
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

/* Place t of a triangle of rows of b, b - 1, … places. */
static void triangle_at(int64_t b, int64_t t, int64_t *row, int64_t *place)
{
    double c = (double)(2 * b + 1), guess = (c - sqrt(c * c - 8 * (double)t)) / 2;
    int64_t r = guess > 1 ? (int64_t)guess - 1 : 0;
    while (r + 1 < b && (r + 1) * b - (r + 1) * r / 2 <= t)
        r++;
    *row = r;
    *place = t - (r * b - r * (r - 1) / 2);
}

/* First the tiles near the diagonal, so that all lists soon reach no further than needed (points are sorted); then row by row, since a
 * block of rows stays in the cache. */
static int64_t tiles_near(int64_t blocks)
{
    int64_t band = blocks < BAND ? blocks : BAND;
    return band * blocks - band * (band - 1) / 2;
}

static void tile_at(int64_t blocks, int64_t t, int64_t *i, int64_t *j)
{
    int64_t band = blocks < BAND ? blocks : BAND, near = tiles_near(blocks), away;
    if (t < near) {
        triangle_at(blocks, t, &away, i);
        *j = *i + away;
    } else {
        triangle_at(blocks - band, t - near, i, j);
        *j += *i + band;
    }
}

/* The lists of two blocks, always in the order of the locks. */
static void lock_blocks(search *s, int64_t i, int64_t j, bool lock)
{
    pthread_mutex_t *a = &s->lock[i % LOCKS], *b = &s->lock[j % LOCKS], *low = a < b ? a : b, *high = a < b ? b : a;
    if (lock)
        pthread_mutex_lock(low);
    if (low != high)
        (lock ? pthread_mutex_lock : pthread_mutex_unlock)(high);
    if (!lock)
        pthread_mutex_unlock(low);
}

/* Which pairs of panels of two blocks may hold candidates: along orthonormal directions distances only get shorter, so that boxes far enough apart hold
 * none. Which other tiles have been done decides how soon that is seen, not what the lists hold in the end: what would be passed over later
 * is no candidate now. */
GV_HOT static uint64_t near_panels(const search *s, int64_t i, int64_t j)
{
    float reach[2][GV_PANELS];
    uint64_t wanted = 0;
    if (!s->box)
        return ~wanted;
    for (int r = 0; r < GV_PANELS; r++) {
        const float *a = s->reach + i * GV_BLOCK + r * GV_PANEL, *b = s->reach + j * GV_BLOCK + r * GV_PANEL;
        float least_a = 0, least_b = 0; /* points behind the last have +infinity */
        for (int t = 0; t < GV_PANEL; t++) {
            least_a = a[t] < least_a ? a[t] : least_a;
            least_b = b[t] < least_b ? b[t] : least_b;
        }
        reach[0][r] = -2 * least_a;
        reach[1][r] = -2 * least_b;
    }
    for (int r = 0; r < GV_PANELS; r++)
        for (int q = i == j ? r : 0; q < GV_PANELS; q++) {
            const float *a = s->box + (i * GV_PANELS + r) * 2 * GV_BOX, *b = s->box + (j * GV_PANELS + q) * 2 * GV_BOX;
            float gap2[GV_BOX], most = reach[0][r] > reach[1][q] ? reach[0][r] : reach[1][q];
            for (int k = 0; k < GV_BOX; k++) {
                float gap = a[k] - b[GV_BOX + k], other = b[k] - a[GV_BOX + k];
                gap = gap > other ? gap : other;
                gap = gap > 0 ? gap : 0;
                gap2[k] = gap * gap;
            }
            for (int w = GV_BOX / 2; w; w /= 2)
                for (int k = 0; k < w; k++)
                    gap2[k] += gap2[k + w];
            if (s->rest)
                gap2[0] += 2 * (s->box_rest[i * GV_PANELS + r] + s->box_rest[j * GV_PANELS + q]);
            if (gap2[0] * 0.99f <= most) /* rounding is far below a hundredth */
                wanted |= (uint64_t)1 << (r * GV_PANELS + q) | (i == j ? (uint64_t)1 << (q * GV_PANELS + r) : 0);
        }
    return wanted;
}

static void tiles_body(void *arg, int64_t begin, int64_t end)
{
    search *s = arg;
    int64_t tiles = s->blocks * (s->blocks + 1) / 2, i, j;
    long long last = atomic_load(&s->last);
    for (int64_t part = begin; part < end; part++) {
        float *c = s->tiles + atomic_fetch_add(&s->spot, 1) * GV_BLOCK * GV_BLOCK;
        for (long long t; (t = atomic_fetch_add(&s->next, 1)) < last;) {
            tile_at(s->blocks, t, &i, &j);
            lock_blocks(s, i, j, true);
            uint64_t wanted = near_panels(s, i, j);
            lock_blocks(s, i, j, false);
            atomic_fetch_add(&s->passed, GV_PANELS * GV_PANELS - __builtin_popcountll(wanted & ALL_PAIRS));
            if (!(wanted & ALL_PAIRS))
                continue;
            gv_packed_block(s->p, i, j, wanted, c);
            if (s->rest)
                add_rest(s, i, j, c);
            lock_blocks(s, i, j, true);
            select_tile(s, i, j, c);
            lock_blocks(s, i, j, false);
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
    for (int a = 0; a < m; a++) {
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

/* Lists hold more than they must: their m smallest say how far a point still has to look. */
static void tighten_body(void *arg, int64_t begin, int64_t end)
{
    search *s = arg;
    for (int64_t i = begin; i < end; i++)
        if (s->count[i] > s->m) {
            uint64_t *list = s->list + i * 2 * s->m;
            select_smallest(list, s->count[i], s->m);
            s->count[i] = s->m;
            s->reach[i] = gv_near_distance(list[s->m - 1]) / -2;
        }
}

static void refine_body(void *arg, int64_t begin, int64_t end)
{
    search *s = arg;
    double twice = 2 * (double)s->p->rounding, sums = summing_error(s->p);
    for (int64_t i = begin; i < end; i++) {
        uint64_t *list = s->list + i * 2 * s->m;
        float *distance = s->distance + i * s->k;
        int m = s->count[i] < s->m ? s->count[i] : s->m;
        select_smallest(list, s->count[i], m);
        gv_near_refine(s->x, s->d, i, list, m, s->k, s->index + i * s->k, distance);
        double last = s->n - 1 <= m ? INFINITY : (double)gv_near_distance(list[m - 1]) - sums;
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

/* Boxes around the panels by places y [n,stride] along `by` orthonormal directions. The last side of a box is the length along all directions from there on:
 * lengths differ by no more than points do. */
static int make_boxes(search *s, const float *y, int64_t stride, int by, const float *rest, gv_arena *arena, gv_err *err)
{
    int64_t panels = (s->n + GV_BLOCK - 1) / GV_BLOCK * GV_PANELS;
    s->box = gv_arena_alloc(arena, (size_t)panels * 2 * GV_BOX * 4, err);
    s->box_rest = gv_arena_alloc(arena, (size_t)panels * 4, err);
    if (!s->box || !s->box_rest)
        return GV_ESYS;
    for (int64_t i = 0; i < s->n; i++) {
        float *b = s->box + i / GV_PANEL * 2 * GV_BOX, *least = s->box_rest + i / GV_PANEL;
        double tail = 0;
        for (int k = GV_BOX - 1; k < by; k++)
            tail += (double)y[i * stride + k] * (double)y[i * stride + k];
        for (int k = 0; k < GV_BOX && k < by; k++) {
            float v = k < GV_BOX - 1 ? y[i * stride + k] : (float)sqrt(tail);
            b[k] = i % GV_PANEL ? fminf(b[k], v) : v;
            b[GV_BOX + k] = i % GV_PANEL ? fmaxf(b[GV_BOX + k], v) : v;
        }
        if (rest)
            *least = i % GV_PANEL ? fminf(*least, rest[i]) : rest[i];
    }
    return GV_OK;
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
    s->list = gv_arena_alloc_dirty(arena, (size_t)s->n * (size_t)m * 16, err);
    s->count = gv_arena_alloc(arena, (size_t)s->n * 4, err);
    s->reach = gv_arena_alloc(arena, (size_t)(s->blocks * GV_BLOCK) * 4, err);
    s->tiles = gv_arena_alloc(arena, (size_t)threads * GV_BLOCK * GV_BLOCK * 4, err);
    if (!s->list || !s->count || !s->reach || !s->tiles)
        return GV_ESYS;
    for (int64_t i = 0; i < s->blocks * GV_BLOCK; i++)
        s->reach[i] = i < s->n ? -INFINITY : INFINITY;
    atomic_store(&s->next, 0);
    atomic_store(&s->spot, 0);
    atomic_store(&s->passed, 0);
    atomic_store(&s->last, tiles_near(s->blocks));
    gv_parallel(threads, 1, tiles_body, s);
    gv_parallel(s->n, 256, tighten_body, s);
    atomic_store(&s->next, tiles_near(s->blocks));
    atomic_store(&s->spot, 0);
    atomic_store(&s->last, s->blocks * (s->blocks + 1) / 2);
    gv_parallel(threads, 1, tiles_body, s);
    gv_log(GV_DEBUG, "neighbours: %lld of %lld pairs of panels were too far apart", (long long)atomic_load(&s->passed), (long long)(s->blocks * (s->blocks + 1) / 2 * GV_PANELS * GV_PANELS));
    gv_parallel(s->n, 64, refine_body, s);
    gv_arena_rewind(arena, mark);
    return GV_OK;
}

static int all_dimensions(search *s, gv_arena *arena, gv_err *err)
{
    if (!s->box && s->n >= GV_UMAP_SORT_FROM) {
        int64_t q = s->d < GV_BOX ? s->d : GV_BOX;
        float *y;
        int r = gv_umap_project(s->x, s->n, s->d, q, arena, &y, err);
        r = r < 0 ? r : make_boxes(s, y, q + 1, (int)q + 1, NULL, arena, err);
        if (r < 0)
            return r;
    }
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
    if (make_boxes(s, y, LEADING, LEADING, rest, arena, err) < 0)
        return GV_ESYS;
    r = gv_packed_make(&p, y, s->n, LEADING, gv_packed_has_bf16(), arena, err);
    r = r < 0 ? r : pass(s, &p, rest, m, arena, err);
    gv_arena_rewind(arena, mark);
    s->box = NULL; /* it went with the rest */
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
