/* layout: neighbours attract, points drawn at random repel. Points move in TURNS groups: those of a turn read where the others are now and each other
 * as they were, so that the result does not depend on how many threads move them. Within a turn LANES points of like degree move at once, one
 * in each lane, step by step: 2 attractions and 5 repulsions a step. An edge pulls a point twice for each sample, as its head and as its tail. */
#include "umap/internal.h"
#include "common/philox_many.h"
#include "common/threads.h"
#include <math.h>

enum { TURNS = 4, PULLS = 2, PUSHES = GV_UMAP_NEGATIVES, LANES = 16, WORDS = 4, LIST = 2048, BUCKETS = 4096 };

typedef float lanes GV_VECTOR(4 * LANES);
typedef int32_t words GV_VECTOR(4 * LANES);
typedef union { lanes v; float f[LANES]; } numbers;

typedef struct layout {
    int64_t n, turn;
    const int64_t *row;
    const int32_t *col;
    const uint32_t *share; /* chance of an edge in an epoch, of 2^32 */
    const int32_t *order;  /* [n] points by degree */
    float a, b, least, alpha; /* least: of squared distances, so that their powers are floats */
    uint32_t epoch;
    gv_rng rng;            /* key and purpose */
    float *y;              /* [n,2] */
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
    numbers px, py;
    for (int l = 0; l < LANES; l++) {
        px.f[l] = s->y[2 * at[l]];
        py.f[l] = s->y[2 * at[l] + 1];
    }
    lanes dx = *x - px.v, dy = *y - py.v, d2 = dx * dx + dy * dy, least = d2 * 0 + s->least;
    d2 = PICK(d2 > least, d2, least);
    lanes p = d2;
    power(&p, s->b);
    lanes c = pull ? -2 * s->a * s->b * p / (d2 * (1 + s->a * p)) : 2 * s->b / ((d2 + 0.001f) * (1 + s->a * p));
    dx *= c;
    dy *= c;
    if (!pull) { /* attraction stays below 2 */
        clamp(&dx, -4, 4);
        clamp(&dy, -4, 4);
    }
    *fx += dx;
    *fy += dy;
}

/* The edges of this epoch of LANES points -> list [entries, LANES]; behind a point's own, the point. Returns the longest. */
static inline __attribute__((always_inline)) int64_t sample(const layout *s, const int32_t *point, int32_t *list, int64_t *count)
{
    int64_t most = 0;
    for (int l = 0; l < LANES; l++) {
        int64_t n = 0;
        for (int64_t e = s->row[point[l]]; e < s->row[point[l] + 1]; e++) {
            list[n * LANES + l] = s->col[e];
            n += s->epoch * s->share[e] < s->share[e] && n < LIST; /* the multiples of its share pass a whole number */
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
        a[l] = t < n ? list[i * LANES + l] : point[l];
        b[l] = t < n ? list[j * LANES + l] : point[l];
    }
}

static inline __attribute__((always_inline)) void move(const layout *s, int64_t first, int64_t step, int64_t points, int32_t *list)
{
    int32_t point[LANES], at[PULLS][LANES], away[LANES];
    uint32_t word[WORDS * LANES];
    int64_t count[LANES];
    numbers x, y, active;
    gv_rng rng = s->rng;
    for (int l = 0; l < LANES; l++) {
        point[l] = s->order[first + (l < points ? l : 0) * step];
        x.f[l] = s->y[2 * point[l]];
        y.f[l] = s->y[2 * point[l] + 1];
    }
    int64_t most = sample(s, point, list, count);
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
    const layout *s = arg;
    int32_t list[(LIST + 1) * LANES];
    for (int64_t t = begin; t < end; t++) {
        int64_t first = t * LANES * TURNS + s->turn, points = (s->n - first + TURNS - 1) / TURNS;
        move(s, first, TURNS, points < LANES ? points : LANES, list);
    }
}

/* Edges that will be sampled at least once, their chances, and points by what they will have in an epoch, most first. */
static int prepare(layout *s, const gv_umap_graph *g, int64_t epochs, gv_arena *arena, gv_err *err)
{
    float most = 0;
    for (int64_t e = 0; e < g->edges; e++)
        most = fmaxf(most, g->weight[e]);
    int64_t *row = gv_arena_alloc(arena, (size_t)(g->n + 1) * 8, err), kept = 0, from[BUCKETS + 1] = { 0 };
    int32_t *col = gv_arena_alloc_dirty(arena, (size_t)g->edges * 4 + 4, err), *order = gv_arena_alloc_dirty(arena, (size_t)g->n * 4, err);
    uint32_t *share = gv_arena_alloc_dirty(arena, (size_t)g->edges * 4 + 4, err), *degree = gv_arena_alloc(arena, (size_t)g->n * 4, err);
    s->moved = gv_arena_alloc(arena, (size_t)g->n * 8, err);
    if (!row || !col || !share || !order || !degree || !s->moved)
        return GV_ESYS;
    for (int64_t i = 0; i < g->n; i++) {
        double sum = 0;
        for (int64_t e = g->row[i]; e < g->row[i + 1]; e++)
            if (g->weight[e] >= most / (float)epochs) {
                double p = (double)g->weight[e] / (double)most;
                share[kept] = p < 1 - 0x1p-32 ? (uint32_t)(p * 0x1p32) : UINT32_MAX;
                col[kept++] = g->col[e];
                sum += p;
            }
        row[i + 1] = kept;
        degree[i] = (uint32_t)fmax(BUCKETS - 1 - 16 * sum, 0);
        from[degree[i] + 1]++;
    }
    for (int b = 0; b < BUCKETS; b++)
        from[b + 1] += from[b];
    for (int64_t i = 0; i < g->n; i++)
        order[from[degree[i]]++] = (int32_t)i;
    s->row = row;
    s->col = col;
    s->share = share;
    s->order = order;
    return GV_OK;
}

int gv_umap_layout(const gv_umap_graph *g, double a, double b, int64_t epochs, uint64_t seed, const gv_umap_progress *progress, gv_arena *arena, float *y, gv_err *err)
{
    size_t mark = arena->used;
    layout s = { .n = g->n, .a = (float)a, .b = (float)b, .least = (float)exp2(-fmin(120 / b, 100)), .y = y };
    int r = prepare(&s, g, epochs, arena, err);
    gv_rng_init(&s.rng, seed, GV_RNG_UMAP_LAYOUT, 0, 0, 0);
    for (int64_t epoch = 1; epoch < epochs && r == GV_OK; epoch++) { /* none is sampled in epoch 0 */
        s.epoch = (uint32_t)epoch;
        s.rng.ctr[2] = (uint32_t)epoch;
        s.alpha = (float)(1 - (double)(epoch - 1) / (double)epochs);
        for (s.turn = 0; s.turn < TURNS && s.turn < g->n; s.turn++) {
            int64_t points = (g->n - s.turn + TURNS - 1) / TURNS;
            gv_parallel((points + LANES - 1) / LANES, 4, turn_body, &s);
            for (int64_t t = s.turn; t < g->n; t += TURNS)
                memcpy(y + 2 * s.order[t], s.moved + 2 * s.order[t], 8);
        }
        gv_umap_tell(progress, "layout", (double)(epoch + 1) / (double)epochs);
    }
    gv_arena_rewind(arena, mark);
    return r;
}
