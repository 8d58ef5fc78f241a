/*
 * The weight gradient of a bf16 convolution with one group as a matrix product of our own, for processors with AVX-512-BF16:
 *
 *   dw[o][i][tap] = sum over output pixels r of dy[r][o] * x[pixel of r under tap][i]
 *
 * Blocks of output pixels are packed so that two pixels stand side by side, which is what vdpbf16ps multiplies: x in panels of 48 channels
 * (they stay in the first cache), dy in tiles of 8 (from the second). A tile of 8 x 48 sums lives in 24 registers while a block goes by,
 * and the next block is on its way from memory.
 * Pixels that a tap sees in the padding, and the one that an odd number lacks, are rows of zeros.
 *
 * oneDNN's kernel for 1x1 reaches half of the multiply-add rate, and its kernel for larger windows falls to a hundredth of it on rows of
 * one or two pixels (tests/bench/LOG.md). Threads share the pixels (each with sums of its own, added in order) or, where the sums are
 * many, the output channels.
 */
#include "nn/onednn/own.h"
#include "nn/onednn/wgrad_bf16.h"
#include "nn/ops/attr.h"

#if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 10)
#include <immintrin.h>

enum { PANEL = 48, TILE = 8, BLOCK = 256, MANY_SUMS = 1 << 19 };
#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

struct job {
    const gv_call *c;
    const gv_window *win;
    int64_t I, O, R, taps, block;       /* R: output pixels; block: of them, at a time */
    int64_t in[3], out[3];              /* space, 1 where there is no such axis */
    int64_t parts_r, parts_o;           /* how threads share the work; one of them is 1 */
    float *sums;                        /* [parts_r][O][taps][I] */
    size_t part_bytes;
    char *part;                         /* scratch of each thread: see below */
};

struct room { uint32_t *y, *x; uint16_t *zero; const uint16_t **row; };

static int64_t tiles(int64_t O)
{
    return (O + TILE - 1) / TILE;
}

/* From tile to tile; not a power of two, or all tiles of a pair would fall in one set of the cache. */
static int64_t tile_stride(const struct job *j)
{
    return j->block / 2 * TILE + 16;
}

static size_t room_bytes(const struct job *j)
{
    size_t y = (size_t)(tiles(j->O) * tile_stride(j)) * 4, x = (size_t)(PANEL * j->block / 2) * 4;
    return dn_round(y) + dn_round(x) + dn_round((size_t)(j->I + PANEL) * 2) + dn_round((size_t)j->block * sizeof(void *));
}

static struct room room_of(const struct job *j, int64_t part)
{
    char *p = j->part + (size_t)part * j->part_bytes;
    struct room m;
    m.y = (uint32_t *)p, p += dn_round((size_t)(tiles(j->O) * tile_stride(j)) * 4);
    m.x = (uint32_t *)p, p += dn_round((size_t)(PANEL * j->block / 2) * 4);
    m.zero = (uint16_t *)p, p += dn_round((size_t)(j->I + PANEL) * 2);
    m.row = (const uint16_t **)p;
    return m;
}

static struct job describe(const gv_onednn *ctx, const gv_call *c)
{
    const gv_conv_attr *a = c->attr;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    struct job j = { .c = c, .win = &a->window, .I = x->shape[x->ndim - 1], .O = dy->shape[dy->ndim - 1], .taps = 1, .parts_r = 1, .parts_o = 1 };
    j.R = dy->count / j.O;
    j.block = j.O > 1024 ? BLOCK / 2 : BLOCK;
    for (int d = 0; d < 3; d++) {
        j.in[d] = d < a->window.dims ? x->shape[1 + d] : 1;
        j.out[d] = d < a->window.dims ? dy->shape[1 + d] : 1;
        j.taps *= d < a->window.dims ? a->window.kernel[d] : 1;
    }
    int64_t most = dn_max(1, dn_min(ctx->threads, j.R * j.O / 4096)), sums = j.I * j.O * j.taps;
    if (sums * most <= MANY_SUMS || j.O < 2 * TILE * most)
        j.parts_r = dn_min(most, dn_max(1, j.R / 64));
    else
        j.parts_o = dn_min(most, tiles(j.O));
    j.part_bytes = room_bytes(&j);
    return j;
}

/* Where the pixels [r, r + n) of the output lie in x under a tap. */
static void find_rows(const struct job *j, int64_t r, int64_t n, int64_t tap, const uint16_t *zero, const uint16_t **row)
{
    const gv_window *w = j->win;
    int64_t at[3], t[3], D = w->dims, left = r;
    for (int d = 2; d >= 0; d--) {
        at[d] = left % j->out[d];
        left /= j->out[d];
        t[d] = d < D ? tap % w->kernel[d] : 0;
        tap /= d < D ? w->kernel[d] : 1;
    }
    for (int64_t k = 0; k < n; k++) {
        int64_t place = left;
        bool inside = true;
        for (int d = 0; d < 3; d++) {
            int64_t p = d < D ? at[d] * w->stride[d] - w->pad[d] + t[d] * w->dilation[d] : 0;
            inside = inside && p >= 0 && p < j->in[d];
            place = place * j->in[d] + p;
        }
        row[k] = inside ? (const uint16_t *)j->c->x[0] + place * j->I : zero;
        for (int d = 2; d >= 0; d--) {
            if (++at[d] < j->out[d])
                break;
            at[d] = 0;
            left += d == 0;
        }
    }
}

/* 32 channels of two rows, side by side: 16 pairs in *lo, 16 in *hi. */
static inline __attribute__((always_inline)) BF16 void interleave(__m512i a, __m512i b, __m512i *lo, __m512i *hi)
{
    const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    *lo = _mm512_permutex2var_epi16(a, first, b);
    *hi = _mm512_permutex2var_epi16(a, _mm512_add_epi16(first, _mm512_set1_epi16(16)), b);
}

/* A panel of `wide` <= 48 channels of `pairs` pairs of rows: to[pair][48], zeros behind `wide`. */
BF16 static void pack_x(const uint16_t *const *row, int64_t pairs, int64_t channel, int64_t wide, uint32_t *to)
{
    __mmask32 m0 = wide >= 32 ? 0xffffffffu : (1u << wide) - 1, m1 = wide > 32 ? (1u << (wide - 32)) - 1 : 0;
    for (int64_t k = 0; k < pairs; k++, to += PANEL) {
        const uint16_t *a = row[2 * k] + channel, *b = row[2 * k + 1] + channel;
        __m512i lo, hi;
        interleave(_mm512_maskz_loadu_epi16(m0, a), _mm512_maskz_loadu_epi16(m0, b), &lo, &hi);
        _mm512_store_si512(to, lo);
        _mm512_store_si512(to + 16, hi);
        interleave(_mm512_maskz_loadu_epi16(m1, a + 32), _mm512_maskz_loadu_epi16(m1, b + 32), &lo, &hi);
        _mm512_store_si512(to + 32, lo);
    }
}

/* Channels [from, to) of n rows of dy in tiles: y[tile][pair][8]. */
BF16 static void pack_y(const struct job *j, const struct room *m, int64_t r, int64_t n, int64_t from, int64_t to)
{
    int64_t wide = to - from, pairs = (n + 1) / 2, stride = tile_stride(j);
    for (int64_t k = 0; k < pairs; k++) {
        const uint16_t *a = (const uint16_t *)j->c->x[1] + (r + 2 * k) * j->O + from, *b = a + j->O;
        uint32_t *y = m->y + k * TILE;
        bool two = 2 * k + 1 < n;
        for (int64_t o = 0; o < wide; o += 32) {
            __mmask32 mask = wide - o >= 32 ? 0xffffffffu : (1u << (wide - o)) - 1;
            __m512i lo, hi;
            interleave(_mm512_maskz_loadu_epi16(mask, a + o), two ? _mm512_maskz_loadu_epi16(mask, b + o) : _mm512_setzero_si512(), &lo, &hi);
            __m256i four[4] = { _mm512_castsi512_si256(lo), _mm512_extracti64x4_epi64(lo, 1), _mm512_castsi512_si256(hi), _mm512_extracti64x4_epi64(hi, 1) };
#pragma GCC unroll 4
            for (int t = 0; t < 4; t++, y += stride)
                if (o + t * TILE < wide)
                    _mm256_store_si256((__m256i *)y, four[t]);
        }
    }
}

/* sums[8 rows, `ld` apart][48] += y[pairs][8]' x[pairs][48]; rows and the lanes of the last vector that do not exist are left alone. */
#define LANE(v) (v == vectors - 1 ? last : (__mmask16)0xffff)
static inline __attribute__((always_inline)) BF16 void multiply(const uint32_t *y, const uint32_t *x, int64_t pairs, float *sums, int64_t ld, int rows, __mmask16 last, const int vectors)
{
    __m512 s[TILE][3];
#pragma GCC unroll 8
    for (int o = 0; o < TILE; o++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            s[o][v] = _mm512_setzero_ps();
    for (int64_t k = 0; k < pairs; k++, x += PANEL, y += TILE) {
        __m512i b[3];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            b[v] = _mm512_load_si512(x + 16 * v);
#pragma GCC unroll 8
        for (int o = 0; o < TILE; o++) {
            __m512i a = _mm512_set1_epi32((int)y[o]);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                s[o][v] = _mm512_dpbf16_ps(s[o][v], (__m512bh)a, (__m512bh)b[v]);
        }
    }
#pragma GCC unroll 8
    for (int o = 0; o < TILE; o++)
        if (o < rows)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) {
                float *p = sums + o * ld + 16 * v;
                _mm512_mask_storeu_ps(p, LANE(v), _mm512_add_ps(s[o][v], _mm512_maskz_loadu_ps(LANE(v), p)));
            }
}

BF16 static void tile(const uint32_t *y, const uint32_t *x, int64_t pairs, float *sums, int64_t ld, int rows, int64_t wide)
{
    __mmask16 last = wide % 16 ? (__mmask16)((1u << wide % 16) - 1) : (__mmask16)0xffff;
    switch ((wide + 15) / 16) {
    case 1: multiply(y, x, pairs, sums, ld, rows, last, 1); break;
    case 2: multiply(y, x, pairs, sums, ld, rows, last, 2); break;
    default: multiply(y, x, pairs, sums, ld, rows, last, 3); break;
    }
}

/* Part `i` of `n` of what [at, at + bytes) holds comes nearer. */
static void fetch(const char *at, size_t bytes, int64_t i, int64_t n)
{
    size_t a = bytes * (size_t)i / (size_t)n & ~(size_t)63, b = bytes * (size_t)(i + 1) / (size_t)n;
    for (; a < b; a += 64)
        __builtin_prefetch(at + a, 0, 2);
}

static void share(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    for (int64_t part = begin; part < end; part++) {
        struct room m = room_of(j, part);
        bool by_rows = j->parts_r > 1 || j->parts_o == 1;
        int64_t first = by_rows ? j->R * part / j->parts_r : 0, last = by_rows ? j->R * (part + 1) / j->parts_r : j->R, nt = tiles(j->O);
        int64_t from = by_rows ? 0 : nt * part / j->parts_o * TILE, to = by_rows ? j->O : dn_min(j->O, nt * (part + 1) / j->parts_o * TILE), ld = j->taps * j->I;
        float *sums = j->sums + (by_rows ? part * j->O * ld : 0);
        memset(m.zero, 0, (size_t)(j->I + PANEL) * 2);
        memset(sums + from * ld, 0, (size_t)((to - from) * ld) * sizeof *sums);
        for (int64_t r = first; r < last; r += j->block) {
            int64_t n = dn_min(j->block, last - r), pairs = (n + 1) / 2;
            int64_t next = dn_min(j->block, last - r - n), calls = (to - from + TILE - 1) / TILE * ((j->I + PANEL - 1) / PANEL) * j->taps, call = 0;
            const char *dy = (const char *)j->c->x[1] + (size_t)((r + n) * j->O) * 2, *x = (const char *)j->c->x[0] + (size_t)((r + n) * j->I) * 2;
            bool whole = from == 0 && to == j->O, same = j->R * j->I == j->c->in[0].count; /* pixels of x and dy go side by side */
            pack_y(j, &m, r, n, from, to);
            for (int64_t tap = 0; tap < j->taps; tap++) {
                find_rows(j, r, n, tap, m.zero, m.row);
                if (n % 2)
                    m.row[n] = m.zero;
                for (int64_t i = 0; i < j->I; i += PANEL) {
                    int64_t wide = dn_min(PANEL, j->I - i);
                    pack_x(m.row, pairs, i, wide, m.x);
                    for (int64_t o = from, t = 0; o < to; o += TILE, t++, call++) {
                        if (whole)
                            fetch(dy, (size_t)(next * j->O) * 2, call, calls);
                        if (same)
                            fetch(x, (size_t)(next * j->I) * 2, call, calls);
                        tile(m.y + t * tile_stride(j), m.x, pairs, sums + o * ld + tap * j->I + i, ld, (int)dn_min(TILE, to - o), wide);
                    }
                }
            }
        }
    }
}

/* dw[o][i][tap] = the sum over the parts of sums[part][o][tap][i] */
GV_HOT static void onednn_wgrad_collect(const float *sums, float *dw, int64_t parts, int64_t size, int64_t I, int64_t taps)
{
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t i = 0; i < I; i++) {
            float s = sums[tap * I + i];
            for (int64_t part = 1; part < parts; part++)
                s += sums[part * size + tap * I + i];
            dw[i * taps + tap] = s;
        }
}

static void collect(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    int64_t row = j->taps * j->I;
    for (int64_t o = begin; o < end; o++)
        onednn_wgrad_collect(j->sums + o * row, (float *)j->c->y[0] + o * row, j->parts_r, j->O * row, j->I, j->taps);
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
