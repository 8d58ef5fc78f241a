/*
 * The weight gradient of 3x3 convolutions with stride 1 by the transpose of Winograd's F(2x2, 3x3) (conv_winograd.c), for processors with
 * AVX-512-BF16. With v = B' d B of the 4x4 pixels of x that a tile reads and z = A dy A' of its 2x2 pixels of dy,
 *
 *   dw = G' (sum over tiles of v * z) G
 *
 * where the * element by element, and each of the 16 elements is a product of matrices over all tiles: s[e][o][c] = sum over t of z[e][t][o] v[e][t][c].
 * vdpbf16ps multiplies pairs, so tiles are packed two by two. Blocks of tiles are turned by all threads, then each thread
 * multiplies its share of elements and output channels, so sums do not depend on the number of threads. v and z are rounded to bf16 (sums of at
 * most four values), products are summed in f32.
 *
 * Source: Lavin & Gray 2015, arXiv:1509.09308, section 4.1, transposed.
 */
#include "nn/onednn/wgrad_winograd.h"
#include "nn/onednn/own.h"
#include "nn/ops/attr.h"

#if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 10)
#include "nn/onednn/winograd.h"

enum { ROWS = 8, PANEL = 32, PAIRS_MOST = 256, APART = 48 };

struct job {
    const uint16_t *x, *dy;
    float *dw, *s;                 /* s [E][O][C] */
    int64_t N, H, W, C, OH, OW, O, pad[2], down, across, tiles, cuts; /* cuts: parts of the output channels */
    uint32_t *v, *z;               /* of a block: [E][C/PANEL][room][PANEL], [E][O/LANES][room][LANES] */
    int64_t room, v_e, z_e;        /* pairs of a whole block; from element to element of v and z */
    int64_t first, n, pairs;       /* the block's tiles */
};

static size_t v_bytes(const struct job *j)
{
    return dn_round((size_t)(E * j->v_e) * 4);
}

static size_t z_bytes(const struct job *j)
{
    return dn_round((size_t)(E * j->z_e) * 4);
}

static size_t s_bytes(const struct job *j)
{
    return dn_round((size_t)(E * j->C * j->O) * sizeof(float));
}

/* ---- tiles ---- */

/* Two tiles side by side in each lane, as bf16. */
ALWAYS __m512i pair_up(__m512 a, __m512 b)
{
    __m512i lo = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a)), hi = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
    return _mm512_or_si512(lo, _mm512_slli_epi32(hi, 16));
}

/* z[16] = A dy A' of the channels [o, o + 16); A = [1 0; 1 1; 1 -1; 0 -1] */
ALWAYS void turn_dy(__m512 z[E], const uint16_t *const pixel[4], int64_t o)
{
    __m512 d[4], s[4][2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        d[i] = pixel[i] ? widen(pixel[i] + o) : _mm512_setzero_ps();
#pragma GCC unroll 2
    for (int k = 0; k < 2; k++) {
        s[0][k] = d[k];
        s[1][k] = _mm512_add_ps(d[k], d[2 + k]);
        s[2][k] = _mm512_sub_ps(d[k], d[2 + k]);
        s[3][k] = _mm512_sub_ps(_mm512_setzero_ps(), d[2 + k]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++) {
        z[4 * r] = s[r][0];
        z[4 * r + 1] = _mm512_add_ps(s[r][0], s[r][1]);
        z[4 * r + 2] = _mm512_sub_ps(s[r][0], s[r][1]);
        z[4 * r + 3] = _mm512_sub_ps(_mm512_setzero_ps(), s[r][1]);
    }
}

static void dy_pixels(const uint16_t *pixel[4], const struct job *j, const struct tile *t)
{
    for (int i = 0; i < 4; i++) {
        int64_t y = 2 * t->row + i / 2, k = 2 * t->col + i % 2;
        pixel[i] = y < j->OH && k < j->OW ? j->dy + ((t->image * j->OH + y) * j->OW + k) * j->O : NULL;
    }
}

/* Pairs [begin, end) of the block. A pair that lacks its second tile gets zeros. */
BF16 static void winograd_turn(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    static const uint16_t *const nothing[E] = { NULL };
    struct tile at = tile_at(j->first + 2 * begin, j->down, j->across);
    for (int64_t pair = begin; pair < end; pair++) {
        const uint16_t *x[2][E], *dy[2][4];
        bool whole[2], two = 2 * pair + 1 < j->n;
        for (int i = 0; i < 2; i++, tile_next(&at, j->down, j->across)) {
            whole[i] = (!i || two) && tile_pixels(x[i], j->x, &at, j->pad, j->H, j->W, j->C);
            if (!i || two)
                dy_pixels(dy[i], j, &at);
            else
                memcpy(x[i], nothing, sizeof x[i]), memcpy(dy[i], nothing, sizeof dy[i]);
        }
        for (int64_t c = 0; c < j->C; c += LANES) {
            __m512 a[E], b[E];
            uint32_t *to = j->v + (c / PANEL * j->room + pair) * PANEL + c % PANEL;
            turn_pixels(a, x[0], whole[0], c);
            turn_pixels(b, x[1], whole[1], c);
#pragma GCC unroll 16
            for (int e = 0; e < E; e++)
                _mm512_storeu_si512(to + e * j->v_e, pair_up(a[e], b[e]));
        }
        for (int64_t o = 0; o < j->O; o += LANES) {
            __m512 a[E], b[E];
            uint32_t *to = j->z + (o / LANES * j->room + pair) * LANES;
            turn_dy(a, dy[0], o);
            turn_dy(b, dy[1], o);
#pragma GCC unroll 16
            for (int e = 0; e < E; e++)
                _mm512_storeu_si512(to + e * j->z_e, pair_up(a[e], b[e]));
        }
    }
}

/* ---- products ---- */

/* s[8 rows, ld apart][32] += z[pair][8 of 16]' v[pair][32] */
ALWAYS void multiply(const uint32_t *z, const uint32_t *v, int64_t pairs, float *s, int64_t ld)
{
    __m512 sum[ROWS][2];
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
        for (int k = 0; k < 2; k++)
            sum[r][k] = _mm512_loadu_ps(s + r * ld + LANES * k);
    for (int64_t i = 0; i < pairs; i++, z += LANES, v += PANEL) {
        __m512i b0 = _mm512_loadu_si512(v), b1 = _mm512_loadu_si512(v + LANES);
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) {
            __m512i a = _mm512_set1_epi32((int)z[r]);
            sum[r][0] = _mm512_dpbf16_ps(sum[r][0], (__m512bh)a, (__m512bh)b0);
            sum[r][1] = _mm512_dpbf16_ps(sum[r][1], (__m512bh)a, (__m512bh)b1);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
        for (int k = 0; k < 2; k++)
            _mm512_storeu_ps(s + r * ld + LANES * k, sum[r][k]);
}

/* Units [begin, end): unit u is element u / cuts and that part of the output channels. */
BF16 static void winograd_products(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    for (int64_t u = begin; u < end; u++) {
        int64_t e = u / j->cuts, part = u % j->cuts, all = j->O / LANES;
        const uint32_t *v = j->v + e * j->v_e, *z = j->z + e * j->z_e;
        for (int64_t c = 0; c < j->C; c += PANEL)
            for (int64_t o = all * part / j->cuts * LANES; o < all * (part + 1) / j->cuts * LANES; o += ROWS)
                multiply(z + o / LANES * j->room * LANES + o % LANES, v + c * j->room, j->pairs, j->s + (e * j->O + o) * j->C + c, j->C);
    }
}

/* ---- weights ---- */

/* One axis of G' s: [1 1/2 1/2 0; 0 1/2 -1/2 0; 0 1/2 1/2 1] */
#define TURN_SUMS(t0, t1, t2, a, b, c, d)                                                     \
    do {                                                                                      \
        __m512 p_ = _mm512_mul_ps(half, _mm512_add_ps(b, c));                                 \
        t0 = _mm512_add_ps(a, p_);                                                            \
        t1 = _mm512_mul_ps(half, _mm512_sub_ps(b, c));                                        \
        t2 = _mm512_add_ps(p_, d);                                                            \
    } while (0)

BF16 static void winograd_collect(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    const __m512 half = _mm512_set1_ps(0.5f);
    for (int64_t o = begin; o < end; o++)
        for (int64_t c = 0; c < j->C; c += LANES) {
            __m512 s[E], t[3][4];
            float g[9][LANES];
            for (int e = 0; e < E; e++)
                s[e] = _mm512_loadu_ps(j->s + (e * j->O + o) * j->C + c);
            for (int k = 0; k < 4; k++)
                TURN_SUMS(t[0][k], t[1][k], t[2][k], s[k], s[4 + k], s[8 + k], s[12 + k]);
            for (int r = 0; r < 3; r++) {
                __m512 w[3];
                TURN_SUMS(w[0], w[1], w[2], t[r][0], t[r][1], t[r][2], t[r][3]);
                for (int k = 0; k < 3; k++)
                    _mm512_storeu_ps(g[3 * r + k], w[k]);
            }
            float *to = j->dw + (o * j->C + c) * 9;
            for (int i = 0; i < LANES; i++)
                for (int k = 0; k < 9; k++)
                    to[9 * i + k] = g[k][i];
        }
}

/* ---- the whole ---- */

static struct job describe(const gv_onednn *ctx, const gv_call *c)
{
    const gv_conv_attr *a = c->attr;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    struct job j = { .N = x->shape[0], .H = x->shape[1], .W = x->shape[2], .C = x->shape[3], .OH = dy->shape[1], .OW = dy->shape[2], .O = dy->shape[3],
                     .pad = { a->window.pad[0], a->window.pad[1] } };
    j.down = dn_ceil_div(j.OH, 2);
    j.across = dn_ceil_div(j.OW, 2);
    j.tiles = j.N * j.down * j.across;
    /* Few channels: the block stays in the second cache. Many: the sums, which do not fit there, are read and written less often. */
    j.room = dn_min(PAIRS_MOST, dn_max(64, j.C * j.O / 128));
    /* Not a power of two apart, or all elements of a pair would fall in one set of the cache. */
    j.v_e = j.room * j.C + APART;
    j.z_e = j.room * j.O + APART;
    j.cuts = dn_min(j.O / LANES, dn_ceil_div(ctx->threads, E));
    return j;
}

static int run(const gv_call *c)
{
    struct job j = describe(c->self, c);
    char *scratch = (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    j.x = c->x[0];
    j.dy = c->x[1];
    j.dw = c->y[0];
    j.s = (float *)scratch;
    j.v = (uint32_t *)(scratch + s_bytes(&j));
    j.z = (uint32_t *)((char *)j.v + v_bytes(&j));
    memset(j.s, 0, s_bytes(&j));
    for (j.first = 0; j.first < j.tiles; j.first += 2 * j.room) {
        j.n = dn_min(2 * j.room, j.tiles - j.first);
        j.pairs = dn_ceil_div(j.n, 2);
        gv_parallel(j.pairs, 8, winograd_turn, &j);
        gv_parallel(E * j.cuts, 1, winograd_products, &j);
    }
    gv_parallel(j.O, dn_max(1, 4096 / j.C), winograd_collect, &j);
    return GV_OK;
}

static bool serves(const gv_call *c)
{
    const gv_window *w = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    if (dn_best_set(GV_BF16) < DN_SET_AVX512_BF16 || w->dims != 2 || w->groups != 1 || x->dtype != GV_BF16 || dy->dtype != GV_BF16 || c->out[0].dtype != GV_F32T ||
        x->shape[3] % PANEL || dy->shape[3] % PANEL || !x->count || !dy->count)
        return false;
    for (int i = 0; i < 2; i++)
        if (w->kernel[i] != 3 || w->stride[i] != 1 || w->dilation[i] != 1)
            return false;
    return true;
}

int dn_winograd_wgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    if (!serves(c))
        return GV_UNSUPPORTED;
    struct job j = describe(ctx, c);
    int r = dn_own(ctx, k, run, 64 + s_bytes(&j) + v_bytes(&j) + z_bytes(&j));
    k->name = "winograd:avx512_bf16";
    k->in_place[0] = 0;
    return r;
}
#else
int dn_winograd_wgrad(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED, gv_err *err GV_UNUSED) { return GV_UNSUPPORTED; }
#endif
