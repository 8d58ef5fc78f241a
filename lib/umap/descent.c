/* descent: approximate nearest neighbours of many points. Trees of random planes give each point its first list; then each point looks at the
 * neighbours of its neighbours, as long as lists change. Every round reads the lists of the round before and writes its own point's, so that the
 * result does not depend on threads.
 * Source: Dasgupta & Freund 2008; Dong, Charikar & Li 2011. */
#include "umap/internal.h"
#include "umap/product.h"
#include "common/log.h"
#include "common/rng.h"
#include "common/threads.h"
#include <math.h>
#include <stdlib.h>

enum { TREES = 8, LEAF = 48, SPARE = 8, REVERSED = 24, ROUNDS = 12, MOST_SEEN = 4096, DEEPEST = 60 };
static const double STILL = 0.001; /* changed share of the lists that ends it */

typedef struct descent {
    const float *x;
    int64_t n, d;
    int k, m;             /* wanted; kept in a list */
    uint64_t seed;
    int32_t *order;       /* [TREES, n] points by leaf */
    int32_t *leaf;        /* [TREES, n + 1] where leaves begin */
    int64_t leaves[TREES];
    int tree;
    uint64_t *list, *next; /* [n,m] */
    uint8_t *fresh, *next_fresh; /* [n,m] entered in the round before */
    int32_t *reversed;    /* [n,REVERSED] */
    uint8_t *reversed_fresh;
    int32_t *reversed_n;  /* [n] */
    int64_t *changed;     /* [n] */
} descent;

/* ---- trees ---- */

/* Splits order[lo, hi) by the plane between two of its points; returns the first place of the second half. */
static int64_t split(const descent *s, int32_t *order, int32_t *spare, int64_t lo, int64_t hi, gv_rng *r)
{
    const float *a = s->x + order[lo + (int64_t)gv_rng_below(r, (uint64_t)(hi - lo))] * s->d, *b = s->x + order[lo + (int64_t)gv_rng_below(r, (uint64_t)(hi - lo))] * s->d;
    int64_t left = lo, right = 0;
    for (int64_t t = lo; t < hi; t++) {
        const float *x = s->x + order[t] * s->d;
        bool first = gv_distance2(x, a, s->d) < gv_distance2(x, b, s->d);
        if (first)
            order[left++] = order[t];
        else
            spare[right++] = order[t];
    }
    memcpy(order + left, spare, (size_t)right * sizeof *spare);
    return left;
}

static void tree_body(void *arg, int64_t begin, int64_t end)
{
    descent *s = arg;
    for (int64_t t = begin; t < end; t++) {
        int32_t *order = s->order + t * s->n, *leaf = s->leaf + t * (s->n + 1), *spare = (int32_t *)s->next + t * s->n;
        int64_t stack[DEEPEST + 2][3], depth = 0, leaves = 0;
        gv_rng r;
        gv_rng_init(&r, s->seed, GV_RNG_UMAP_TREE, (uint64_t)t, 0, 0);
        for (int64_t i = 0; i < s->n; i++)
            order[i] = (int32_t)i;
        stack[depth][0] = 0, stack[depth][1] = s->n, stack[depth++][2] = 0;
        while (depth) {
            int64_t lo = stack[--depth][0], hi = stack[depth][1], level = stack[depth][2];
            if (hi - lo <= LEAF) {
                leaf[leaves++] = (int32_t)lo;
                continue;
            }
            int64_t at = level < DEEPEST / 2 ? split(s, order, spare, lo, hi, &r) : lo;
            if (at - lo < (hi - lo) / 16 || hi - at < (hi - lo) / 16) /* points that no plane parts */
                at = lo + (hi - lo) / 2;
            stack[depth][0] = at, stack[depth][1] = hi, stack[depth++][2] = level + 1; /* the left one comes next: leaves are in order */
            stack[depth][0] = lo, stack[depth][1] = at, stack[depth++][2] = level + 1;
        }
        leaf[leaves] = (int32_t)s->n;
        s->leaves[t] = leaves;
    }
}

/* As gv_near_put for a list in which the key may be already; says whether it was put. */
static bool put_once(uint64_t *list, int m, uint64_t key)
{
    if (key >= list[m - 1])
        return false;
    for (int a = 0; a < m && list[a] <= key; a++)
        if (list[a] == key)
            return false;
    gv_near_put(list, m, key);
    return true;
}

static void leaf_body(void *arg, int64_t begin, int64_t end)
{
    descent *s = arg;
    const int32_t *order = s->order + s->tree * s->n, *leaf = s->leaf + s->tree * (s->n + 1);
    for (int64_t f = begin; f < end; f++)
        for (int64_t a = leaf[f]; a < leaf[f + 1]; a++)
            for (int64_t b = a + 1; b < leaf[f + 1]; b++) {
                int64_t i = order[a], j = order[b];
                float v = gv_distance2(s->x + i * s->d, s->x + j * s->d, s->d);
                put_once(s->list + i * s->m, s->m, gv_near_key(v, (int32_t)j));
                put_once(s->list + j * s->m, s->m, gv_near_key(v, (int32_t)i));
            }
}

/* ---- rounds ---- */

/* Who has whom in the list: at most REVERSED of each, those of the nearest places first. */
static void reverse(descent *s)
{
    memset(s->reversed_n, 0, (size_t)s->n * sizeof *s->reversed_n);
    for (int a = 0; a < s->m; a++)
        for (int64_t i = 0; i < s->n; i++) {
            uint64_t key = s->list[i * s->m + a];
            if (key == UINT64_MAX)
                continue;
            int32_t j = (int32_t)(uint32_t)key, at = s->reversed_n[j];
            if (at < REVERSED) {
                s->reversed[(int64_t)j * REVERSED + at] = (int32_t)i;
                s->reversed_fresh[(int64_t)j * REVERSED + at] = s->fresh[i * s->m + a];
                s->reversed_n[j]++;
            }
        }
}

static int by_number(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Neighbours of j (both ways) that i may not have met: one of the two steps is new. */
static int add_seen(const descent *s, int64_t i, int32_t j, bool fresh, int32_t *seen, int n)
{
    for (int a = 0; a < s->m && n < MOST_SEEN; a++) {
        uint64_t key = s->list[(int64_t)j * s->m + a];
        if (key != UINT64_MAX && (fresh || s->fresh[(int64_t)j * s->m + a]) && (int32_t)(uint32_t)key != i)
            seen[n++] = (int32_t)(uint32_t)key;
    }
    for (int a = 0; a < s->reversed_n[j] && n < MOST_SEEN; a++) {
        int64_t e = (int64_t)j * REVERSED + a;
        if ((fresh || s->reversed_fresh[e]) && s->reversed[e] != i)
            seen[n++] = s->reversed[e];
    }
    return n;
}

static void round_body(void *arg, int64_t begin, int64_t end)
{
    descent *s = arg;
    int32_t seen[MOST_SEEN];
    for (int64_t i = begin; i < end; i++) {
        const uint64_t *old = s->list + i * s->m;
        uint64_t *now = s->next + i * s->m;
        int n = 0;
        memcpy(now, old, (size_t)s->m * sizeof *now);
        for (int a = 0; a < s->m && old[a] != UINT64_MAX; a++)
            n = add_seen(s, i, (int32_t)(uint32_t)old[a], s->fresh[i * s->m + a], seen, n);
        for (int a = 0; a < s->reversed_n[i]; a++) {
            int64_t e = i * REVERSED + a;
            n = add_seen(s, i, s->reversed[e], s->reversed_fresh[e], seen, n);
            if (s->reversed_fresh[e] && n < MOST_SEEN)
                seen[n++] = s->reversed[e];
        }
        qsort(seen, (size_t)n, sizeof *seen, by_number);
        s->changed[i] = 0;
        for (int t = 0; t < n; t++)
            if (!t || seen[t] != seen[t - 1])
                s->changed[i] += put_once(now, s->m, gv_near_key(gv_distance2(s->x + i * s->d, s->x + seen[t] * s->d, s->d), seen[t]));
        for (int a = 0, b = 0; a < s->m; a++) {
            while (b < s->m && old[b] < now[a])
                b++;
            s->next_fresh[i * s->m + a] = !(b < s->m && old[b] == now[a]);
        }
    }
}

static int make(descent *s, gv_arena *arena, gv_err *err)
{
    size_t lists = (size_t)s->n * (size_t)s->m;
    size_t spare = (size_t)s->n * TREES * 4; /* the trees use it too */
    s->order = gv_arena_alloc_dirty(arena, (size_t)s->n * TREES * 4, err);
    s->leaf = gv_arena_alloc_dirty(arena, ((size_t)s->n + 1) * TREES * 4, err);
    s->list = gv_arena_alloc_dirty(arena, lists * 8, err);
    s->next = gv_arena_alloc_dirty(arena, lists * 8 > spare ? lists * 8 : spare, err);
    s->fresh = gv_arena_alloc_dirty(arena, lists, err);
    s->next_fresh = gv_arena_alloc_dirty(arena, lists, err);
    s->reversed = gv_arena_alloc_dirty(arena, (size_t)s->n * REVERSED * 4, err);
    s->reversed_fresh = gv_arena_alloc_dirty(arena, (size_t)s->n * REVERSED, err);
    s->reversed_n = gv_arena_alloc(arena, (size_t)s->n * 4, err);
    s->changed = gv_arena_alloc(arena, (size_t)s->n * 8, err);
    if (!s->order || !s->leaf || !s->list || !s->next || !s->fresh || !s->next_fresh || !s->reversed || !s->reversed_fresh || !s->reversed_n || !s->changed)
        return GV_ESYS;
    memset(s->list, 0xff, lists * 8);
    memset(s->fresh, 1, lists);
    return GV_OK;
}

static int64_t one_round(descent *s)
{
    int64_t changed = 0;
    reverse(s);
    gv_parallel(s->n, 64, round_body, s);
    for (int64_t i = 0; i < s->n; i++)
        changed += s->changed[i];
    uint64_t *list = s->list;
    uint8_t *fresh = s->fresh;
    s->list = s->next, s->next = list;
    s->fresh = s->next_fresh, s->next_fresh = fresh;
    return changed;
}

/* Lists that a tree or two could not fill (fewer points than wanted share a leaf): any points will do to begin with. */
static void fill(descent *s)
{
    for (int64_t i = 0; i < s->n; i++) {
        uint64_t *list = s->list + i * s->m;
        gv_rng r;
        gv_rng_init(&r, s->seed, GV_RNG_UMAP_DESCENT, (uint64_t)i, 0, 0);
        for (int tries = 0; list[s->k - 1] == UINT64_MAX && tries < 64 * s->k; tries++) {
            int64_t j = (int64_t)gv_rng_below(&r, (uint64_t)s->n);
            if (j != i)
                put_once(list, s->m, gv_near_key(gv_distance2(s->x + i * s->d, s->x + j * s->d, s->d), (int32_t)j));
        }
    }
}

int gv_knn_descent(const float *x, int64_t n, int64_t d, int k, uint64_t seed, const gv_umap_progress *progress, gv_arena *arena, gv_knn *out, gv_err *err)
{
    if (n < 4 * (k + SPARE)) /* a list would hold a good part of all */
        return gv_knn_exact(x, n, d, k, progress, arena, out, err);
    *out = (gv_knn){ .n = n, .k = k };
    out->index = gv_arena_alloc_dirty(arena, (size_t)n * (size_t)k * 4, err);
    out->distance = gv_arena_alloc_dirty(arena, (size_t)n * (size_t)k * 4, err);
    size_t mark = arena->used;
    descent s = { .x = x, .n = n, .d = d, .k = k, .m = k + SPARE, .seed = seed };
    int r = out->index && out->distance ? make(&s, arena, err) : GV_ESYS;
    if (r < 0)
        return r;
    gv_parallel(TREES, 1, tree_body, &s);
    for (s.tree = 0; s.tree < TREES; s.tree++) {
        gv_umap_tell(progress, "neighbours", 0.3 * s.tree / TREES);
        gv_parallel(s.leaves[s.tree], 1, leaf_body, &s);
    }
    fill(&s);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t changed = one_round(&s);
        gv_log(GV_DEBUG, "neighbours: round %d changed %lld places of %lld", round + 1, (long long)changed, (long long)(n * s.m));
        gv_umap_tell(progress, "neighbours", 0.3 + 0.7 * (round + 1) / ROUNDS);
        if ((double)changed < STILL * (double)(n * s.m))
            break;
    }
    for (int64_t i = 0; i < n; i++)
        for (int a = 0; a < k; a++) {
            out->index[i * k + a] = (int32_t)(uint32_t)s.list[i * s.m + a];
            out->distance[i * k + a] = sqrtf(gv_near_distance(s.list[i * s.m + a]));
        }
    gv_arena_rewind(arena, mark);
    return GV_OK;
}
