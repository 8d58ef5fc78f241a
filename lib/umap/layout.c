/* layout: neighbours attract, points drawn at random repel. Points move in TURNS groups: those of a turn read where the others are now and each other
 * as they were, so that the result does not depend on how many threads move them. Within a turn LANES points of like degree move at once, one
 * in each lane, step by step: 2 attractions and 5 repulsions a step. An edge pulls a point twice for each sample, as its head and as its tail. */
#include "umap/internal.h"
#include "common/philox_many.h"
#include "common/threads.h"
#include <math.h>
#include <stdatomic.h>

enum { TURNS = 4, PULLS = 2, PUSHES = GV_UMAP_NEGATIVES, LANES = 16, WORDS = 4, LIST = 2032, STRIDE = 2064 /* lanes lie in different sets of the cache */, BUCKETS = 4096 };

typedef float lanes GV_VECTOR(4 * LANES);
typedef int32_t words GV_VECTOR(4 * LANES);
typedef union { lanes v; float f[LANES]; } numbers;
typedef uint64_t places GV_VECTOR(4 * LANES); /* half as many x, y */

typedef struct edge { int32_t to; uint32_t share; } edge; /* share: how often it is sampled in an epoch, of 2^32 */

typedef struct layout {
    int64_t n, end;         /* end: of the places of this turn */
    atomic_llong next;      /* the next of them */
    const int64_t *row;     /* [n + 1] edges by place, so that they are read in their order */
    const edge *edges;
    const int32_t *order;   /* [n] the point at each place: turn by turn, in it by degree */
    float a, b, least, alpha; /* least: of squared distances, so that their powers are floats */
    uint32_t epoch;
    gv_rng rng;            /* key and purpose */
    float *y;              /* [n,2] */
    const uint64_t *place; /* the same, a point at once */
    float *moved;          /* [n,2] of this turn's points */
} layout;

/* Vectors go by address: as arguments they would depend on the instruction set. */
#define PICK(mask, b, a) ((lanes)(((mask) & (words)(b)) | (~(mask) & (words)(a))))

static inline __attribute__((always_inline)) void clamp(lanes *v, float lo, float hi)
{
    lanes l = *v * 0 + lo, h = *v * 0 + hi;
    *v = PICK(*v < l, l, *v);
    *v = PICK(*v > h, h, *v);
}

/* x to x^b for x > 0 with an exponent of the result within a float's, by log2 and exp2 (relative error about 1e-4 b). */
static inline __attribute__((always_inline)) void power(lanes *x, float b)
{
    words u = (words)*x, e = (u >> 23) - 127;
    lanes m = (lanes)((u & 0x7fffff) | 0x3f800000) - 1;
    lanes l = m * (1.44262596f + m * (-0.717392119f + m * (0.443913748f + m * (-0.230334577f + m * 0.0612560786f))));
    lanes t = b * (__builtin_convertvector(e, lanes) + l) + 127;
    words whole = __builtin_convertvector(t, words); /* t is not negative: down */
    lanes f = t - __builtin_convertvector(whole, lanes);
    f = 1 + f * (0.693133187f + f * (0.240661631f + f * (0.0534020306f + f * 0.0127891579f)));
    *x = (lanes)(whole << 23) * f;
}

/* Adds the force of the points `at` on (x, y) to (fx, fy); a point exerts none on itself. */
static inline __attribute__((always_inline)) void force(const layout *s, const int32_t *at, bool pull, const lanes *x, const lanes *y, lanes *fx, lanes *fy)
{
    const uint64_t *p = s->place;
    lanes low = (lanes)(places){ p[at[0]], p[at[1]], p[at[2]], p[at[3]], p[at[4]], p[at[5]], p[at[6]], p[at[7]] };
    lanes high = (lanes)(places){ p[at[8]], p[at[9]], p[at[10]], p[at[11]], p[at[12]], p[at[13]], p[at[14]], p[at[15]] };
    lanes dx = *x - __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    lanes dy = *y - __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    lanes d2 = dx * dx + dy * dy, least = d2 * 0 + s->least;
    d2 = PICK(d2 > least, d2, least);
    lanes w = d2;
    power(&w, s->b);
    lanes c = pull ? -2 * s->a * s->b * w / (d2 * (1 + s->a * w)) : 2 * s->b / ((d2 + 0.001f) * (1 + s->a * w));
    dx *= c;
    dy *= c;
    if (!pull) { /* attraction stays below 2 */
        clamp(&dx, -4, 4);
        clamp(&dy, -4, 4);
    }
    *fx += dx;
    *fy += dy;
}

/* The edges of this epoch of LANES points -> list [LANES, STRIDE]. Returns how many the longest has. */
static inline __attribute__((always_inline)) int64_t sample(const layout *s, int64_t first, int64_t points, int32_t *list, int64_t *count)
{
    int64_t most = 0;
    for (int l = 0; l < LANES; l++) {
        int64_t n = 0;
        for (int64_t e = l < points ? s->row[first + l] : 0, end = l < points ? s->row[first + l + 1] : 0; e < end; e++) {
            list[l * STRIDE + n] = s->edges[e].to;
            n += s->epoch * s->edges[e].share < s->edges[e].share; /* the multiples of its share pass a whole number */
        }
        count[l] = n;
        most = n > most ? n : most;
    }
    return most;
}

/* Places a and b of a list that is gone through twice. */
static inline __attribute__((always_inline)) void next_pulls(const int32_t *list, const int64_t *count, const int32_t *point, int64_t t, int32_t *a, int32_t *b)
{
    for (int l = 0; l < LANES; l++) {
        int64_t n = count[l], i = 2 * t, j = 2 * t + 1;
        i -= i >= n ? n : 0;
        j -= j >= n ? n : 0;
        a[l] = t < n ? list[l * STRIDE + i] : point[l];
        b[l] = t < n ? list[l * STRIDE + j] : point[l];
    }
}

static inline __attribute__((always_inline)) void move(const layout *s, int64_t first, int64_t points, int32_t *list)
{
    int32_t point[LANES], at[PULLS][LANES], away[LANES];
    uint32_t word[WORDS * LANES];
    int64_t count[LANES];
    numbers x, y, active;
    gv_rng rng = s->rng;
    for (int l = 0; l < LANES; l++) {
        point[l] = s->order[first + (l < points ? l : 0)];
        x.f[l] = s->y[2 * point[l]];
        y.f[l] = s->y[2 * point[l] + 1];
    }
    int64_t most = sample(s, first, points, list, count);
    uint32_t call = 0;
    int drawn = WORDS;
    rng.ctr[1] = (uint32_t)first;
    for (int64_t t = 0; t < most; t++) {
        lanes fx = x.v * 0, fy = fx;
        next_pulls(list, count, point, t, at[0], at[1]);
        for (int k = 0; k < PULLS; k++)
            force(s, at[k], true, &x.v, &y.v, &fx, &fy);
        for (int k = 0; k < PUSHES; k++) {
            if (drawn == WORDS) {
                gv_philox_many(&rng, call, LANES, word);
                call += LANES;
                drawn = 0;
            }
            for (int l = 0; l < LANES; l++)
                away[l] = (int32_t)(((uint64_t)word[drawn * LANES + l] * (uint64_t)s->n) >> 32);
            drawn++;
            force(s, away, false, &x.v, &y.v, &fx, &fy);
        }
        for (int l = 0; l < LANES; l++)
            active.f[l] = t < count[l] ? s->alpha : 0;
        x.v += active.v * fx;
        y.v += active.v * fy;
    }
    for (int l = 0; l < LANES && l < points; l++) {
        s->moved[2 * point[l]] = x.f[l];
        s->moved[2 * point[l] + 1] = y.f[l];
    }
}

GV_HOT static void turn_body(void *arg, int64_t begin, int64_t end)
{
    layout *s = arg;
    int32_t list[LANES * STRIDE];
    (void)begin, (void)end;
    for (int64_t first; (first = atomic_fetch_add(&s->next, LANES)) < s->end;) { /* those with the most to do come first */
        int64_t points = s->end - first;
        move(s, first, points < LANES ? points : LANES, list);
    }
}

/* Points by what they will have to do in an epoch, most first, dealt out to the turns; then the edges that will be sampled at least once, in that order. */
static int prepare(layout *s, const gv_umap_graph *g, int64_t epochs, uint64_t seed, gv_arena *arena, gv_err *err)
{
    gv_rng r;
    float most = 0, least;
    int64_t *row = gv_arena_alloc(arena, (size_t)(g->n + 1) * 8, err), from[BUCKETS + 1] = { 0 }, kept = 0, place = 0;
    int32_t *order = gv_arena_alloc_dirty(arena, (size_t)g->n * 4, err), *sorted = gv_arena_alloc_dirty(arena, (size_t)g->n * 4, err);
    edge *edges = gv_arena_alloc_dirty(arena, (size_t)g->edges * sizeof *edges + 8, err);
    uint32_t *degree = gv_arena_alloc(arena, (size_t)g->n * 4, err);
    s->moved = gv_arena_alloc(arena, (size_t)g->n * 8, err);
    if (!row || !order || !sorted || !edges || !degree || !s->moved)
        return GV_ESYS;
    for (int64_t e = 0; e < g->edges; e++)
        most = fmaxf(most, g->weight[e]);
    least = most / (float)epochs;
    for (int64_t i = 0; i < g->n; i++) {
        double sum = 0;
        for (int64_t e = g->row[i]; e < g->row[i + 1]; e++)
            sum += g->weight[e] >= least ? (double)g->weight[e] / (double)most : 0;
        degree[i] = (uint32_t)fmax(BUCKETS - 1 - 16 * sum, 0);
        from[degree[i] + 1]++;
    }
    for (int b = 0; b < BUCKETS; b++)
        from[b + 1] += from[b];
    for (int64_t i = 0; i < g->n; i++)
        sorted[from[degree[i]]++] = (int32_t)i;
    for (int turn = 0; turn < TURNS; turn++)
        for (int64_t t = turn; t < g->n; t += TURNS, place++) {
            int64_t i = order[place] = sorted[t];
            for (int64_t e = g->row[i]; e < g->row[i + 1]; e++)
                if (g->weight[e] >= least && kept - row[place] < LIST) {
                    double p = (double)g->weight[e] / (double)most;
                    edges[kept++] = (edge){ g->col[e], p < 1 - 0x1p-32 ? (uint32_t)(p * 0x1p32) : UINT32_MAX };
                }
            row[place + 1] = kept;
            gv_rng_init(&r, seed, GV_RNG_UMAP_LAYOUT, (uint64_t)place, 0, 1);
            for (int64_t e = kept - 1; e > row[place]; e--) { /* neighbours in the order of their numbers lie beside each other and would pull together */
                int64_t o = row[place] + (int64_t)(((uint64_t)gv_rng_u32(&r) * (uint64_t)(e - row[place] + 1)) >> 32);
                edge t = edges[e];
                edges[e] = edges[o];
                edges[o] = t;
            }
        }
    s->row = row;
    s->edges = edges;
    s->order = order;
    return GV_OK;
}

int gv_umap_layout(const gv_umap_graph *g, double a, double b, int64_t epochs, uint64_t seed, const gv_umap_progress *progress, gv_arena *arena, float *y, gv_err *err)
{
    size_t mark = arena->used;
    layout s = { .n = g->n, .a = (float)a, .b = (float)b, .place = (const uint64_t *)(const void *)y, .least = (float)exp2(-fmin(120 / b, 100)), .y = y };
    int r = prepare(&s, g, epochs, seed, arena, err);
    gv_rng_init(&s.rng, seed, GV_RNG_UMAP_LAYOUT, 0, 0, 0);
    for (int64_t epoch = 1; epoch < epochs && r == GV_OK; epoch++) { /* none is sampled in epoch 0 */
        s.epoch = (uint32_t)epoch;
        s.rng.ctr[2] = (uint32_t)epoch;
        s.alpha = (float)(1 - (double)(epoch - 1) / (double)epochs);
        s.end = 0;
        for (int turn = 0; turn < TURNS && turn < g->n; turn++) {
            int64_t first = s.end;
            s.end += (g->n - turn + TURNS - 1) / TURNS;
            atomic_store(&s.next, first);
            gv_parallel((s.end - first + 4 * LANES - 1) / (4 * LANES), 1, turn_body, &s);
            for (int64_t t = first; t < s.end; t++)
                memcpy(y + 2 * s.order[t], s.moved + 2 * s.order[t], 8);
        }
        gv_umap_tell(progress, "layout", (double)(epoch + 1) / (double)epochs);
    }
    gv_arena_rewind(arena, mark);
    return r;
}
