/*
 * The weight gradient of a bf16 convolution with one group as matrix products of our own, for processors with AVX-512-BF16:
 *
 *   dw[o][i][tap] = sum over output pixels r of dy[r][o] * x[pixel of r under tap][i]
 *
 * vdpbf16ps multiplies pairs, so pixels are packed two by two: dy in tiles of 8 channels (for the second cache), x in panels of up to 48
 * (for the first). A tile of 8 x 48 sums lives in 24 registers while a block of output rows goes by, and the next block is on its way from
 * memory. A row of x is packed once for all taps that read it: with stride 1 along the row, once with pairs that begin at even places and
 * once with those that begin at odd ones; a tap further right or down begins a pair or a row later. With a stride, each tap along the row packs for itself.
 * Pixels in the padding, and the one that an odd row lacks, are zeros.
 *
 * oneDNN's kernels reach half (1x1) to two thirds (3x3) of the multiply-add rate, and fall to a hundredth of it on rows of one or two pixels
 * (tests/bench/LOG.md). Threads share the output rows (each with sums of its own, added in order) or, where the sums are many, the output
 * channels.
 */
#include "nn/onednn/own.h"
#include "nn/onednn/wgrad_bf16.h"
#include "nn/onednn/wgrad_collect.h"
#include "nn/ops/attr.h"

#if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 10)
#include <immintrin.h>

enum { PANEL = 48, TILE = 8, BLOCK = 256, MANY_SUMS = 1 << 19 };
#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

/* A unit is a row of output pixels, or a part of one. */
struct job {
    const gv_call *c;
    int64_t I, O, taps;
    int64_t n, in[3], out[3], k[3], stride[3], pad[3], dil[3]; /* axes that are not there: 1, 1, 1, 1, 0, 1 */
    int64_t wide, segments;             /* pixels of a unit (the last of a row may have fewer), units of a row */
    int64_t pairs, units, all;          /* of a unit; of a block; of the job */
    bool shared;                        /* taps along a row share what is packed */
    int64_t x_pairs, slots;             /* packed pairs of a row of x, and rows of x that a block needs at most */
    int64_t parts_r, parts_o;           /* how threads share the work; one of them is 1 */
    float *sums;                        /* [parts_r][O][taps][I] */
    size_t part_bytes;
    char *part;                         /* scratch of each thread: see below */
};

struct slot { int64_t image, row, from; }; /* a row of x: its image (and place along the first axis), its place along the second, the unit's first pixel */
struct room { uint32_t *y, *x; uint16_t *zero; int64_t *first; struct slot *slot; };

static int64_t tiles(int64_t O)
{
    return (O + TILE - 1) / TILE;
}

/* From tile to tile; not a power of two, or all tiles of a pair would fall in one set of the cache. */
static int64_t tile_stride(const struct job *j)
{
    return j->units * j->pairs * TILE + 16;
}

static int64_t parities(const struct job *j)
{
    return j->shared && j->k[2] > 1 ? 2 : 1;
}

static size_t room_of(const struct job *j, int64_t part, struct room *m)
{
    char *p = j->part + (size_t)part * j->part_bytes, *start = p;
    m->y = (uint32_t *)p, p += dn_round((size_t)(tiles(j->O) * tile_stride(j)) * 4);
    m->x = (uint32_t *)p, p += dn_round((size_t)(j->slots * j->x_pairs * parities(j) * PANEL) * 4);
    m->zero = (uint16_t *)p, p += dn_round((size_t)(dn_max(j->I, j->O) + 64) * 2);
    m->first = (int64_t *)p, p += dn_round((size_t)j->units * sizeof *m->first);
    m->slot = (struct slot *)p, p += dn_round((size_t)j->slots * sizeof *m->slot);
    return (size_t)(p - start);
}

static struct job describe(const gv_onednn *ctx, const gv_call *c)
{
    const gv_conv_attr *a = c->attr;
    const gv_window *w = &a->window;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    struct job j = { .c = c, .I = x->shape[x->ndim - 1], .O = dy->shape[dy->ndim - 1], .taps = 1, .n = x->shape[0], .parts_r = 1, .parts_o = 1 };
    bool point = true; /* one tap, every pixel: all pixels are one long row */
    for (int d = 0; d < 3; d++) {
        int i = d - (3 - w->dims);
        j.in[d] = i < 0 ? 1 : x->shape[1 + i];
        j.out[d] = i < 0 ? 1 : dy->shape[1 + i];
        j.k[d] = i < 0 ? 1 : w->kernel[i];
        j.stride[d] = i < 0 ? 1 : w->stride[i];
        j.pad[d] = i < 0 ? 0 : w->pad[i];
        j.dil[d] = i < 0 ? 1 : w->dilation[i];
        j.taps *= j.k[d];
        point = point && j.k[d] == 1 && j.stride[d] == 1 && j.in[d] == j.out[d];
    }
    if (point) {
        j.in[2] = j.out[2] = dy->count / j.O;
        j.n = j.in[0] = j.in[1] = j.out[0] = j.out[1] = 1;
    }
    j.shared = j.stride[2] == 1 && j.dil[2] == 1;
    int64_t block = j.O > 1024 ? BLOCK / 2 : BLOCK;
    j.segments = (j.out[2] + block - 1) / block;
    j.pairs = ((j.out[2] + j.segments - 1) / j.segments + 1) / 2;
    j.wide = 2 * j.pairs;
    j.segments = (j.out[2] + j.wide - 1) / j.wide;
    j.units = dn_max(1, block / j.wide);
    j.all = j.n * j.out[0] * j.out[1] * j.segments;
    j.units = dn_min(j.units, j.all);
    j.x_pairs = j.pairs + (j.shared ? (j.k[2] - 1) / 2 : 0);
    j.slots = j.units * j.stride[1] + (j.units / j.out[1] + 2) * ((j.k[1] - 1) * j.dil[1] + 1);
    int64_t most = dn_max(1, dn_min(ctx->threads, dy->count / 4096)), sums = j.I * j.O * j.taps;
    if (sums * most <= MANY_SUMS || j.O < 2 * TILE * most)
        j.parts_r = dn_min(most, dn_max(1, j.all / j.units));
    else
        j.parts_o = dn_min(most, tiles(j.O));
    struct room m;
    j.part_bytes = room_of(&j, 0, &m);
    return j;
}

/* Unit u: its image with the place along the first axis, its place along the second, its first pixel. Units one below the other follow one another. */
static void unit_at(const struct job *j, int64_t u, int64_t *image, int64_t *row, int64_t *from)
{
    *row = u % j->out[1];
    u /= j->out[1];
    *from = u % j->segments * j->wide;
    *image = u / j->segments;
}

static const uint16_t *dy_row(const struct job *j, int64_t image, int64_t row)
{
    return (const uint16_t *)j->c->x[1] + (image * j->out[1] + row) * j->out[2] * j->O;
}

/* Which rows of x the units [u, u + n) need, each once; first[i]: the one that unit i sees under the first tap along the second axis. */
static int64_t find_slots(const struct job *j, const struct room *m, int64_t u, int64_t n)
{
    int64_t used = 0, image0 = -1, row0 = 0, from0 = 0, high = (j->k[1] - 1) * j->dil[1] + 1;
    for (int64_t i = 0; i < n; i++) {
        int64_t image, row, from, first;
        unit_at(j, u + i, &image, &row, &from);
        bool below = i && image == image0 && from == from0 && row == row0 + 1 && j->stride[1] < high; /* its rows begin inside those of the unit above */
        first = below ? m->first[i - 1] + j->stride[1] : used;
        for (used = below ? used : first; used < first + high; used++)
            m->slot[used] = (struct slot){ image, row * j->stride[1] - j->pad[1] + used - first, from };
        m->first[i] = first;
        image0 = image, row0 = row, from0 = from;
    }
    return used;
}

/* 32 channels of two rows, side by side: 16 pairs in *lo, 16 in *hi. */
static inline __attribute__((always_inline)) BF16 void interleave(__m512i a, __m512i b, __m512i *lo, __m512i *hi)
{
    const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    *lo = _mm512_permutex2var_epi16(a, first, b);
    *hi = _mm512_permutex2var_epi16(a, _mm512_add_epi16(first, _mm512_set1_epi16(16)), b);
}

/* A pair: to[48] from `wide` <= 48 channels of two pixels, zeros behind. */
static inline __attribute__((always_inline)) BF16 void pack_pair(const uint16_t *a, const uint16_t *b, __mmask32 m0, __mmask32 m1, uint32_t *to)
{
    __m512i lo, hi;
    interleave(_mm512_maskz_loadu_epi16(m0, a), _mm512_maskz_loadu_epi16(m0, b), &lo, &hi);
    _mm512_store_si512(to, lo);
    _mm512_store_si512(to + 16, hi);
    interleave(_mm512_maskz_loadu_epi16(m1, a + 32), _mm512_maskz_loadu_epi16(m1, b + 32), &lo, &hi);
    _mm512_store_si512(to + 32, lo);
}

/* Channels [i, i + wide) of n slots for tap t0 along the first axis (and t2 along the last, where taps do not share): x[slot][parity][pair][48]. */
BF16 static void pack_x(const struct job *j, const struct room *m, int64_t n, int64_t t0, int64_t t2, int64_t i, int64_t wide)
{
    __mmask32 m0 = wide >= 32 ? 0xffffffffu : (1u << wide) - 1, m1 = wide > 32 ? (1u << (wide - 32)) - 1 : 0;
    int64_t step = j->shared ? 1 : j->stride[2];
    uint32_t *to = m->x;
    for (int64_t k = 0; k < n; k++) {
        const struct slot *s = &m->slot[k];
        int64_t p0 = s->image % j->out[0] * j->stride[0] - j->pad[0] + t0 * j->dil[0], image = s->image / j->out[0];
        bool there = p0 >= 0 && p0 < j->in[0] && s->row >= 0 && s->row < j->in[1];
        const uint16_t *row = there ? (const uint16_t *)j->c->x[0] + ((image * j->in[0] + p0) * j->in[1] + s->row) * j->in[2] * j->I + i : NULL;
        for (int64_t parity = 0; parity < parities(j); parity++) {
            int64_t w = s->from * step - j->pad[2] + (j->shared ? parity : t2 * j->dil[2]);
            for (int64_t p = 0; p < j->x_pairs; p++, w += 2 * step, to += PANEL) {
                const uint16_t *a = there && w >= 0 && w < j->in[2] ? row + w * j->I : m->zero;
                const uint16_t *b = there && w + step >= 0 && w + step < j->in[2] ? row + (w + step) * j->I : m->zero;
                pack_pair(a, b, m0, m1, to);
            }
        }
    }
}

/* Channels [from, to) of the units [u, u + n) of dy in tiles: y[tile][unit, pair][8]. */
BF16 static void pack_y(const struct job *j, const struct room *m, int64_t u, int64_t n, int64_t from, int64_t to)
{
    int64_t wide = to - from, stride = tile_stride(j);
    for (int64_t i = 0; i < n; i++) {
        int64_t image, row, first;
        unit_at(j, u + i, &image, &row, &first);
        const uint16_t *pixels = dy_row(j, image, row) + first * j->O + from;
        int64_t left = dn_min(j->wide, j->out[2] - first);
        for (int64_t k = 0; k < j->pairs; k++) {
            const uint16_t *a = 2 * k < left ? pixels + 2 * k * j->O : m->zero, *b = 2 * k + 1 < left ? pixels + (2 * k + 1) * j->O : m->zero;
            uint32_t *y = m->y + (i * j->pairs + k) * TILE;
            for (int64_t o = 0; o < wide; o += 32) {
                __mmask32 mask = wide - o >= 32 ? 0xffffffffu : (1u << (wide - o)) - 1;
                __m512i lo, hi;
                interleave(_mm512_maskz_loadu_epi16(mask, a + o), _mm512_maskz_loadu_epi16(mask, b + o), &lo, &hi);
                __m256i four[4] = { _mm512_castsi512_si256(lo), _mm512_extracti64x4_epi64(lo, 1), _mm512_castsi512_si256(hi), _mm512_extracti64x4_epi64(hi, 1) };
#pragma GCC unroll 4
                for (int t = 0; t < 4; t++, y += stride)
                    if (o + t * TILE < wide)
                        _mm256_store_si256((__m256i *)y, four[t]);
            }
        }
    }
}

/* sums[8 rows, `ld` apart][48] += y[unit, pair][8]' x[pair][48], the pairs of unit i at x + first[i] * pitch; rows and the lanes of the last
 * vector that do not exist are left alone. */
#define LANE(v) (v == vectors - 1 ? last : (__mmask16)0xffff)
static inline __attribute__((always_inline)) BF16 void multiply(const uint32_t *y, const uint32_t *x, const int64_t *first, int64_t pitch, int64_t units,
                                                                int64_t pairs, float *sums, int64_t ld, int rows, __mmask16 last, const int vectors)
{
    __m512 s[TILE][3];
#pragma GCC unroll 8
    for (int o = 0; o < TILE; o++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            s[o][v] = _mm512_setzero_ps();
    for (int64_t i = 0; i < units; i++) {
        const uint32_t *p = x + first[i] * pitch;
        for (int64_t k = 0; k < pairs; k++, p += PANEL, y += TILE) {
            __m512i b[3];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                b[v] = _mm512_load_si512(p + 16 * v);
#pragma GCC unroll 8
            for (int o = 0; o < TILE; o++) {
                __m512i a = _mm512_set1_epi32((int)y[o]);
#pragma GCC unroll 4
                for (int v = 0; v < vectors; v++)
                    s[o][v] = _mm512_dpbf16_ps(s[o][v], (__m512bh)a, (__m512bh)b[v]);
            }
        }
    }
#pragma GCC unroll 8
    for (int o = 0; o < TILE; o++)
        if (o < rows)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                float *q = sums + o * ld + 16 * v;
                _mm512_mask_storeu_ps(q, LANE(v), _mm512_add_ps(s[o][v], _mm512_maskz_loadu_ps(LANE(v), q)));
            }
}

BF16 static void tile(const uint32_t *y, const uint32_t *x, const int64_t *first, int64_t pitch, int64_t units, int64_t pairs, float *sums, int64_t ld, int rows, int64_t wide)
{
    __mmask16 last = wide % 16 ? (__mmask16)((1u << wide % 16) - 1) : (__mmask16)0xffff;
    switch ((wide + 15) / 16) {
    case 1: multiply(y, x, first, pitch, units, pairs, sums, ld, rows, last, 1); break;
    case 2: multiply(y, x, first, pitch, units, pairs, sums, ld, rows, last, 2); break;
    default: multiply(y, x, first, pitch, units, pairs, sums, ld, rows, last, 3); break;
    }
}

/* Part `i` of `n` of what [at, at + bytes) holds comes nearer. */
static void fetch(const char *at, size_t bytes, int64_t i, int64_t n)
{
    size_t a = bytes * (size_t)i / (size_t)n & ~(size_t)63, b = bytes * (size_t)(i + 1) / (size_t)n;
    for (; a < b; a += 64)
        __builtin_prefetch(at + a, 0, 2);
}

/* What a thread works on: output channels [from, to) of a block of n units at u, and what comes after it. */
struct block { struct room m; int64_t u, n, from, to, slots, calls, call; const char *next_y, *next_x; size_t next_y_bytes, next_x_bytes; float *sums; };

/* One panel of x under all taps that share what was packed of it. */
static void taps_of(const struct job *j, struct block *b, int64_t t0, int64_t t2, int64_t i, int64_t wide)
{
    int64_t ld = j->taps * j->I, pitch = j->x_pairs * parities(j) * PANEL;
    for (int64_t t1 = 0; t1 < j->k[1]; t1++)
        for (int64_t s = j->shared ? 0 : t2; s < (j->shared ? j->k[2] : t2 + 1); s++) {
            int64_t tap = (t0 * j->k[1] + t1) * j->k[2] + s;
            const uint32_t *x = b->m.x + t1 * j->dil[1] * pitch + (j->shared ? (s % 2) * j->x_pairs * PANEL + s / 2 * PANEL : 0);
            for (int64_t o = b->from, t = 0; o < b->to; o += TILE, t++, b->call++) {
                fetch(b->next_y, b->next_y_bytes, b->call, b->calls);
                fetch(b->next_x, b->next_x_bytes, b->call, b->calls);
                tile(b->m.y + t * tile_stride(j), x, b->m.first, pitch, b->n, j->pairs, b->sums + o * ld + tap * j->I + i, ld, (int)dn_min(TILE, b->to - o), wide);
            }
        }
}

/* Where output rows are in one piece, or all pixels are one row, blocks and what they read lie side by side: whence the next block comes. */
static void look_ahead(const struct job *j, struct block *b, int64_t last)
{
    int64_t n = dn_min(j->units, last - b->u - b->n), wide = j->segments > 1 ? j->wide : j->out[2];
    bool one_row = j->n * j->out[0] * j->out[1] == 1;
    b->next_y_bytes = b->next_x_bytes = 0;
    if (n <= 0 || (j->segments > 1 && !one_row))
        return;
    int64_t all_y = j->c->in[1].count / j->O, all_x = j->c->in[0].count / j->I, r = (b->u + b->n) * wide, pixels = dn_min(n * wide, all_y - r);
    b->next_y = (const char *)j->c->x[1] + (size_t)(r * j->O) * 2;
    b->next_y_bytes = b->to - b->from == j->O ? (size_t)(pixels * j->O) * 2 : 0;
    double share = (double)all_x / (double)all_y;
    b->next_x = (const char *)j->c->x[0] + (size_t)((int64_t)((double)r * share) * j->I) * 2;
    b->next_x_bytes = (size_t)((int64_t)((double)pixels * share) * j->I) * 2;
}

static void share(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    for (int64_t part = begin; part < end; part++) {
        struct block b = { 0 };
        room_of(j, part, &b.m);
        bool by_rows = j->parts_r > 1 || j->parts_o == 1;
        int64_t first = by_rows ? j->all * part / j->parts_r : 0, last = by_rows ? j->all * (part + 1) / j->parts_r : j->all, nt = tiles(j->O), ld = j->taps * j->I;
        int64_t panels = (j->I + PANEL - 1) / PANEL;
        b.from = by_rows ? 0 : nt * part / j->parts_o * TILE;
        b.to = by_rows ? j->O : dn_min(j->O, nt * (part + 1) / j->parts_o * TILE);
        b.sums = j->sums + (by_rows ? part * j->O * ld : 0);
        b.calls = tiles(b.to - b.from) * panels * j->taps;
        memset(b.m.zero, 0, (size_t)(dn_max(j->I, j->O) + 64) * 2);
        memset(b.sums + b.from * ld, 0, (size_t)((b.to - b.from) * ld) * sizeof *b.sums);
        for (b.u = first; b.u < last; b.u += b.n) {
            b.n = dn_min(j->units, last - b.u);
            b.call = 0;
            look_ahead(j, &b, last);
            pack_y(j, &b.m, b.u, b.n, b.from, b.to);
            b.slots = find_slots(j, &b.m, b.u, b.n);
            for (int64_t i = 0, wide, left = panels; i < j->I; i += wide, left--) {
                wide = dn_min(j->I - i, ((j->I - i + 15) / 16 + left - 1) / left * 16); /* panels of about the same width */
                for (int64_t t0 = 0; t0 < j->k[0]; t0++)
                    for (int64_t t2 = 0; t2 < (j->shared ? 1 : j->k[2]); t2++) {
                        pack_x(j, &b.m, b.slots, t0, t2, i, wide);
                        taps_of(j, &b, t0, t2, i, wide);
                    }
            }
        }
    }
}

static void collect(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    int64_t row = j->taps * j->I;
    for (int64_t o = begin; o < end; o++)
        dn_wgrad_collect(j->sums + o * row, (float *)j->c->y[0] + o * row, j->parts_r, j->O * row, j->I, j->taps);
}

static bool straight(const struct job *j)
{
    return j->taps == 1 && j->parts_r == 1;
}

static size_t sums_bytes(const struct job *j)
{
    return straight(j) ? 0 : dn_round((size_t)(j->parts_r * j->O * j->I * j->taps) * sizeof(float));
}

static int run(const gv_call *c)
{
    struct job j = describe(c->self, c);
    char *scratch = (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    j.part = scratch + sums_bytes(&j);
    j.sums = straight(&j) ? c->y[0] : (float *)scratch;
    gv_parallel(dn_max(j.parts_r, j.parts_o), 1, share, &j);
    if (!straight(&j))
        gv_parallel(j.O, dn_max(1, 16384 / (j.I * j.taps)), collect, &j);
    return GV_OK;
}

bool gv_wgrad_bf16_serves(const gv_call *c)
{
    const gv_conv_attr *a = c->attr;
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && a->window.groups == 1 &&
           c->in[0].dtype == GV_BF16 && c->in[1].dtype == GV_BF16 && c->out[0].dtype == GV_F32T && c->in[0].count > 0 && c->in[1].count > 0;
}

int gv_wgrad_bf16(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    struct job j = describe(ctx, c);
    if (j.part_bytes > (size_t)64 << 20)
        return GV_UNSUPPORTED;
    int r = dn_own(ctx, k, run, 64 + sums_bytes(&j) + j.part_bytes * (size_t)dn_max(j.parts_r, j.parts_o));
    k->name = "own:avx512_bf16";
    k->in_place[0] = 0;
    return r;
}
/* A product over rows is a convolution without space: a stands for dy, b for x. */
static gv_call turned(const gv_call *c)
{
    static const gv_conv_attr none = { .window = { .groups = 1 } };
    gv_call t = *c;
    t.attr = &none;
    t.in[0] = c->in[1], t.in[1] = c->in[0];
    t.x[0] = c->x[1], t.x[1] = c->x[0];
    return t;
}

static int run_rows(const gv_call *c)
{
    gv_call t = turned(c);
    return run(&t);
}

int gv_wgrad_bf16_rows(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    gv_call t = turned(c);
    if (!gv_wgrad_bf16_serves(&t))
        return GV_UNSUPPORTED;
    int r = gv_wgrad_bf16(ctx, &t, k);
    k->run = run_rows;
    return r;
}
#else
int gv_wgrad_bf16_rows(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED) { return GV_UNSUPPORTED; }
bool gv_wgrad_bf16_serves(const gv_call *c GV_UNUSED) { return false; }
int gv_wgrad_bf16(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED) { return GV_UNSUPPORTED; }
#endif
