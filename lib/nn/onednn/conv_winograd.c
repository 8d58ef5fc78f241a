/*
 * 3x3 convolutions with stride 1 by Winograd's F(2x2, 3x3), for processors with AVX-512-BF16: an output tile of 2x2 pixels comes from an
 * input tile d of 4x4 pixels as A' [(G g G') * (B' d B)] A, the * element by element, which takes 16 products for each pair of channels
 * where the definition takes 36. For each of the 16 elements the sums over channels are a product of matrices:
 *
 *   m[e][tile][o] = sum over c of v[e][tile][c] * u[e][c][o],      v = B' d B,  u = G g G'
 *
 * v and u are rounded to bf16 (the sums of at most four pixels, and of weights by quarters), products are summed in f32: the error of a result
 * is about that of rounding inputs and outputs once more. Blocks of TILES tiles are turned, multiplied with 64 output channels at a time, and
 * turned back while they lie in the second cache; vdpbf16ps multiplies pairs of channels, so u is packed two channels by two.
 * The data gradient is the same of dy, with the taps running backward and the channels exchanged.
 *
 * Source: Lavin & Gray 2015, arXiv:1509.09308, section 4.1.
 */
#include "nn/onednn/conv_winograd.h"
#include "nn/onednn/own.h"
#include "nn/ops/attr.h"

#if defined(__x86_64__) && (defined(__clang__) || __GNUC__ >= 10)
#include "nn/onednn/winograd.h"

/* From element to element of m. Like that of v it is no multiple of 4096 bytes, or all elements of a tile would fall in one set of the cache. */
enum { TILES_LEAST = 256, TILES = 48, ROWS = 6, CHUNK = 64, M_E = TILES * CHUNK + 16 };

struct job {
    const uint16_t *x;
    uint16_t *y;
    const void *w;
    const float *bias32;
    const uint16_t *bias16, *more;
    bool w_is_bf16, relu, turned;
    int64_t N, H, W, C, OH, OW, O;  /* of x as it is read, of y as it is written */
    int64_t pad[2], down, across;   /* padding above and to the left; tiles of an image */
    int64_t tiles, blocks, parts, v_e; /* from element to element of v */
    int64_t w_o, w_c;               /* from output channel to output channel of w, and from input channel to input channel; in taps of nine */
    uint16_t *u;                    /* [O/CHUNK][E][C/2][CHUNK][2]; the last chunk has fewer channels */
    char *part;
    size_t part_bytes;
};

static size_t u_bytes(const struct job *j)
{
    return dn_round((size_t)(E * j->C * j->O) * 2);
}

static size_t v_bytes(const struct job *j)
{
    return dn_round((size_t)(E * j->v_e) * 2);
}

static size_t m_bytes(void)
{
    return dn_round((size_t)E * M_E * sizeof(float));
}

/* ---- weights ---- */

/* One axis of G g: [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1] */
#define TURN_WEIGHT(t0, t1, t2, t3, a, b, c)                                                                     \
    do {                                                                                                        \
        __m512 s_ = _mm512_add_ps(a, c);                                                                        \
        t0 = a;                                                                                                 \
        t1 = _mm512_mul_ps(half, _mm512_add_ps(s_, b));                                                         \
        t2 = _mm512_mul_ps(half, _mm512_sub_ps(s_, b));                                                         \
        t3 = c;                                                                                                 \
    } while (0)

/* u[16] of 16 output channels from o and one input channel c. */
ALWAYS void turn_weights(const struct job *j, int64_t o, int64_t c, __m512 u[E])
{
    float g[9][LANES];
    const __m512 half = _mm512_set1_ps(0.5f);
    for (int64_t i = 0; i < LANES; i++) {
        int64_t at = ((o + i) * j->w_o + c * j->w_c) * 9;
        for (int t = 0; t < 9; t++) {
            int64_t from = at + (j->turned ? 8 - t : t);
            if (j->w_is_bf16) {
                uint32_t bits = (uint32_t)((const uint16_t *)j->w)[from] << 16;
                memcpy(&g[t][i], &bits, 4);
            } else
                g[t][i] = ((const float *)j->w)[from];
        }
    }
    __m512 t[4][3];
    for (int k = 0; k < 3; k++)
        TURN_WEIGHT(t[0][k], t[1][k], t[2][k], t[3][k], _mm512_loadu_ps(g[k]), _mm512_loadu_ps(g[3 + k]), _mm512_loadu_ps(g[6 + k]));
    for (int r = 0; r < 4; r++)
        TURN_WEIGHT(u[4 * r], u[4 * r + 1], u[4 * r + 2], u[4 * r + 3], t[r][0], t[r][1], t[r][2]);
}

/* Pairs of input channels [begin, end) for all output channels. */
BF16 static void winograd_weights(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    for (int64_t pair = begin; pair < end; pair++)
        for (int64_t o = 0; o < j->O; o += LANES) {
            __m512 a[E], b[E];
            int64_t chunk = o / CHUNK * CHUNK, wide = dn_min(CHUNK, j->O - chunk);
            turn_weights(j, o, 2 * pair, a);
            turn_weights(j, o, 2 * pair + 1, b);
            for (int e = 0; e < E; e++) {
                __m512i lo = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a[e])), hi = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b[e]));
                uint16_t *to = j->u + (size_t)(E * j->C * chunk + (e * j->C / 2 + pair) * wide * 2 + (o - chunk) * 2);
                _mm512_storeu_si512(to, _mm512_or_si512(lo, _mm512_slli_epi32(hi, 16)));
            }
        }
}

/* ---- input tiles ---- */

/* Tiles [first, first + n): v[e][tile][C] */
BF16 static void turn_input(const struct job *j, int64_t first, int64_t n, uint16_t *v)
{
    struct tile at = tile_at(first, j->down, j->across);
    for (int64_t t = 0; t < n; t++, tile_next(&at, j->down, j->across)) {
        const uint16_t *pixel[E];
        bool whole = tile_pixels(pixel, j->x, &at, j->pad, j->H, j->W, j->C);
        for (int64_t c = 0; c < j->C; c += LANES) {
            __m512 d[E];
            uint16_t *to = v + t * j->C + c;
            turn_pixels(d, pixel, whole, c);
#pragma GCC unroll 16
            for (int e = 0; e < E; e++)
                _mm256_storeu_si256((void *)(to + e * j->v_e), (__m256i)_mm512_cvtneps_pbh(d[e]));
        }
    }
}

/* ---- products ---- */

/* m[6 tiles][wide] = v[6 tiles][C] u[C/2][wide][2]; wide = 16 * vectors. */
ALWAYS void multiply(const uint16_t *v, const uint16_t *u, float *m, int64_t C, const int vectors)
{
    __m512 s[ROWS][4];
#pragma GCC unroll 6
    for (int t = 0; t < ROWS; t++)
#pragma GCC unroll 4
        for (int k = 0; k < vectors; k++)
            s[t][k] = _mm512_setzero_ps();
    for (int64_t c = 0; c < C; c += 2, u += 2 * LANES * vectors) {
        __m512i b[4];
#pragma GCC unroll 4
        for (int k = 0; k < vectors; k++)
            b[k] = _mm512_loadu_si512(u + 2 * LANES * k);
#pragma GCC unroll 6
        for (int t = 0; t < ROWS; t++) {
            int32_t pair;
            memcpy(&pair, v + t * C + c, 4);
            __m512i a = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
            for (int k = 0; k < vectors; k++)
                s[t][k] = _mm512_dpbf16_ps(s[t][k], (__m512bh)a, (__m512bh)b[k]);
        }
    }
#pragma GCC unroll 6
    for (int t = 0; t < ROWS; t++)
#pragma GCC unroll 4
        for (int k = 0; k < vectors; k++)
            _mm512_storeu_ps(m + t * CHUNK + LANES * k, s[t][k]);
}

/* All sixteen products of a block with `wide` output channels. */
BF16 static void products(const struct job *j, const uint16_t *v, const uint16_t *u, float *m, int64_t n, int64_t wide)
{
    for (int e = 0; e < E; e++)
        for (int64_t t = 0; t < n; t += ROWS) {
            const uint16_t *a = v + e * j->v_e + t * j->C, *b = u + e * j->C * wide;
            float *to = m + e * M_E + t * CHUNK;
            switch (wide / LANES) {
            case 1: multiply(a, b, to, j->C, 1); break;
            case 2: multiply(a, b, to, j->C, 2); break;
            case 3: multiply(a, b, to, j->C, 3); break;
            default: multiply(a, b, to, j->C, 4); break;
            }
        }
}

/* ---- output tiles ---- */

ALWAYS void put(const struct job *j, __m512 v, int64_t image, int64_t y, int64_t x, int64_t o, __m512 bias)
{
    if (y >= j->OH || x >= j->OW)
        return;
    int64_t at = ((image * j->OH + y) * j->OW + x) * j->O + o;
    v = _mm512_add_ps(v, bias);
    if (j->more)
        v = _mm512_add_ps(v, widen(j->more + at));
    if (j->relu)
        v = _mm512_max_ps(_mm512_setzero_ps(), v); /* NaN stays */
    _mm256_storeu_si256((void *)(j->y + at), (__m256i)_mm512_cvtneps_pbh(v));
}

/* Tiles [first, first + n), output channels [o, o + wide). A' = [1 1 1 0; 0 1 -1 -1] */
BF16 static void turn_output(const struct job *j, const float *m, int64_t first, int64_t n, int64_t o, int64_t wide)
{
    struct tile at = tile_at(first, j->down, j->across);
    for (int64_t t = 0; t < n; t++, tile_next(&at, j->down, j->across))
        for (int64_t k = 0; k < wide; k += LANES) {
            __m512 s[2][4], bias = j->bias32 ? _mm512_loadu_ps(j->bias32 + o + k) : j->bias16 ? widen(j->bias16 + o + k) : _mm512_setzero_ps();
#pragma GCC unroll 4
            for (int c = 0; c < 4; c++) {
                const float *p = m + t * CHUNK + k;
                __m512 a = _mm512_loadu_ps(p + c * M_E), b = _mm512_loadu_ps(p + (4 + c) * M_E);
                __m512 d = _mm512_loadu_ps(p + (8 + c) * M_E), e = _mm512_loadu_ps(p + (12 + c) * M_E);
                s[0][c] = _mm512_add_ps(_mm512_add_ps(a, b), d);
                s[1][c] = _mm512_sub_ps(_mm512_sub_ps(b, d), e);
            }
#pragma GCC unroll 2
            for (int r = 0; r < 2; r++) {
                put(j, _mm512_add_ps(_mm512_add_ps(s[r][0], s[r][1]), s[r][2]), at.image, 2 * at.row + r, 2 * at.col, o + k, bias);
                put(j, _mm512_sub_ps(_mm512_sub_ps(s[r][1], s[r][2]), s[r][3]), at.image, 2 * at.row + r, 2 * at.col + 1, o + k, bias);
            }
        }
}

/* ---- the whole ---- */

static void share(void *p, int64_t begin, int64_t end)
{
    const struct job *j = p;
    for (int64_t part = begin; part < end; part++) {
        uint16_t *v = (uint16_t *)(j->part + (size_t)part * j->part_bytes);
        float *m = (float *)((char *)v + v_bytes(j));
        for (int64_t b = j->blocks * part / j->parts; b < j->blocks * (part + 1) / j->parts; b++) {
            int64_t first = b * TILES, n = dn_min(TILES, j->tiles - first), whole = dn_up(n, ROWS);
            turn_input(j, first, n, v);
            for (int e = 0; e < E; e++) /* tiles that are not there count as zeros */
                memset(v + e * j->v_e + n * j->C, 0, (size_t)((whole - n) * j->C) * 2);
            for (int64_t o = 0; o < j->O; o += CHUNK) {
                int64_t wide = dn_min(CHUNK, j->O - o);
                products(j, v, j->u + (size_t)(E * j->C * o), m, whole, wide);
                turn_output(j, m, first, n, o, wide);
            }
        }
    }
}

static const gv_desc *optional(const gv_call *c, int i)
{
    return c->nin > i && c->in[i].ndim >= 0 ? &c->in[i] : NULL;
}

static struct job describe(const gv_onednn *ctx, const gv_call *c, bool dgrad)
{
    const gv_conv_attr *a = c->attr;
    const gv_desc *x = &c->in[0], *y = &c->out[0];
    struct job j = { .turned = dgrad, .w_is_bf16 = c->in[1].dtype == GV_BF16, .relu = !dgrad && a->relu, .N = x->shape[0], .H = x->shape[1], .W = x->shape[2], .C = x->shape[3],
                     .OH = y->shape[1], .OW = y->shape[2], .O = y->shape[3] };
    for (int i = 0; i < 2; i++)
        j.pad[i] = dgrad ? 2 - a->window.pad[i] : a->window.pad[i];
    j.w_o = dgrad ? 1 : j.C;
    j.w_c = dgrad ? j.O : 1;
    j.down = dn_ceil_div(j.OH, 2);
    j.across = dn_ceil_div(j.OW, 2);
    j.tiles = j.N * j.down * j.across;
    j.blocks = dn_ceil_div(j.tiles, TILES);
    j.v_e = TILES * j.C + 32;
    j.parts = dn_max(1, dn_min(ctx->threads, j.blocks));
    j.part_bytes = v_bytes(&j) + m_bytes();
    return j;
}

static int run_it(const gv_call *c, bool dgrad)
{
    struct job j = describe(c->self, c, dgrad);
    char *scratch = (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    const gv_desc *bias = dgrad ? NULL : optional(c, 2);
    j.x = c->x[0];
    j.w = c->x[1];
    j.y = c->y[0];
    j.bias32 = bias && bias->dtype == GV_F32T ? c->x[2] : NULL;
    j.bias16 = bias && bias->dtype == GV_BF16 ? c->x[2] : NULL;
    j.more = !dgrad && optional(c, 3) ? c->x[3] : NULL;
    j.u = (uint16_t *)scratch;
    j.part = scratch + u_bytes(&j);
    gv_parallel(j.C / 2, dn_max(1, 1024 / j.O), winograd_weights, &j);
    gv_parallel(j.parts, 1, share, &j);
    return GV_OK;
}

static int run(const gv_call *c)
{
    return run_it(c, false);
}

static int run_dgrad(const gv_call *c)
{
    return run_it(c, true);
}

static bool serves(const gv_call *c, bool dgrad)
{
    const gv_window *w = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *y = &c->out[0], *bias = dgrad ? NULL : optional(c, 2), *more = dgrad ? NULL : optional(c, 3);
    if (dn_best_set(GV_BF16) < DN_SET_AVX512_BF16 || w->dims != 2 || w->groups != 1 || x->dtype != GV_BF16 || y->dtype != GV_BF16 ||
        (c->in[1].dtype != GV_BF16 && c->in[1].dtype != GV_F32T) || (bias && bias->dtype != GV_BF16 && bias->dtype != GV_F32T) ||
        (more && (more->dtype != GV_BF16 || more->count != y->count)) || x->shape[3] % 32 || y->shape[3] % 32 || !x->count || !y->count)
        return false;
    for (int i = 0; i < 2; i++)
        if (w->kernel[i] != 3 || w->stride[i] != 1 || w->dilation[i] != 1 || w->pad[i] > 2 || (!dgrad && y->shape[1 + i] > x->shape[1 + i] + 2) ||
            (dgrad && x->shape[1 + i] > y->shape[1 + i] + 2))
            return false;
    return true;
}

static int make(gv_onednn *ctx, const gv_call *c, bool dgrad, gv_kernel *k)
{
    if (!serves(c, dgrad))
        return GV_UNSUPPORTED;
    struct job j = describe(ctx, c, dgrad);
    int r = dn_own(ctx, k, dgrad ? run_dgrad : run, 64 + u_bytes(&j) + j.part_bytes * (size_t)j.parts);
    k->name = "winograd:avx512_bf16";
    k->in_place[0] = !dgrad && optional(c, 3) ? 1u << 3 : 0; /* an element of `more` is read right before that of y is written */
    return r;
}

/* Where tiles hang over the edges, or weights are turned for few of them, the definition is the faster one. */
bool dn_winograd_pays(const gv_call *c)
{
    const gv_desc *y = c->node->op == GV_OP_conv_wgrad ? &c->in[1] : &c->out[0];
    if (y->ndim != 4 || dn_best_set(GV_BF16) != DN_SET_AVX512_BF16)
        return false;
    int64_t pixels = y->shape[0] * y->shape[1] * y->shape[2], tiles = y->shape[0] * dn_ceil_div(y->shape[1], 2) * dn_ceil_div(y->shape[2], 2);
    return tiles >= TILES_LEAST && 16 * tiles * 4 <= 9 * pixels * 3;
}
#else
static int make(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, bool dgrad GV_UNUSED, gv_kernel *k GV_UNUSED) { return GV_UNSUPPORTED; }
bool dn_winograd_pays(const gv_call *c GV_UNUSED) { return false; }
#endif

int dn_winograd(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return make(ctx, c, false, k);
}

int dn_winograd_dgrad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    return make(ctx, c, true, k);
}
