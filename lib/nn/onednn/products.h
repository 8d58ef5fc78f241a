/*
 * Small products of f32 or bf16, for own kernels whose operands stay in the cache, and the ways to lay out their operands. Included behind
 * vectors.h, once for each instruction set.
 */
#include "nn/onednn/amx.h"
#include "nn/onednn/turn16.h"

#undef TILE_ROWS
#undef TILE_VECTORS
#undef STEP_ROWS
#undef STEP_UNITS

/* ---- products ----
 * c [M, nv VL] f32 = (or +=) a b over K units. a: unit (m, k) stands at a + m rs + k ks; b: rows of nv vectors of units, ldb apart.
 *
 * M and K are rounded up to STEP_ROWS and STEP_UNITS, which are more than 1 for tiles: that much of a and b is read, that much of c is written. In the
 * units behind K must be zeros in one of a and b, and no NaN or Inf in the other. For tiles ks is 1. A thread calls products_begin before its first
 * product and products_end behind its last. */

#if defined(GV_AMX)

#define STEP_ROWS 16
#define STEP_UNITS 16

VFN VINLINE void F(by_tiles)(const int rt, const int ct, const unit *a, int64_t lda, const unit *b, int64_t ldb, int64_t steps, float *c, int64_t ldc, bool add)
{
    if (add)
        dn_amx_load(rt, ct, c, ldc);
    else
        dn_amx_zero(rt, ct);
    dn_amx_steps(rt, ct, a, lda, b, ldb, 16, steps);
    dn_amx_store(rt, ct, c, ldc);
}

VFN static void F(product)(int64_t M, int64_t nv, int64_t K, const unit *a, int64_t rs, int64_t ks, const unit *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
    int64_t steps = (K + STEP_UNITS - 1) / STEP_UNITS;
    (void)ks;
    for (int64_t m = 0; m < M; m += 32, a += 32 * rs, c += 32 * ldc)
        for (int64_t v = 0; v < nv; v += 2) {
            if (M - m > 16 && nv - v > 1)
                F(by_tiles)(2, 2, a, rs, b + v * VL, ldb, steps, c + v * VL, ldc, add);
            else if (M - m > 16)
                F(by_tiles)(2, 1, a, rs, b + v * VL, ldb, steps, c + v * VL, ldc, add);
            else if (nv - v > 1)
                F(by_tiles)(1, 2, a, rs, b + v * VL, ldb, steps, c + v * VL, ldc, add);
            else
                F(by_tiles)(1, 1, a, rs, b + v * VL, ldb, steps, c + v * VL, ldc, add);
        }
}

VFN static inline void F(products_begin)(void)
{
    dn_amx_begin();
}

VFN static inline void F(products_end)(void)
{
    dn_amx_end();
}

#else

#define STEP_ROWS 1
#define STEP_UNITS 1
#define TILE_ROWS 6
#define TILE_VECTORS (VL == 16 ? 4 : 2) /* TILE_ROWS * TILE_VECTORS sums, and room for b, in the registers there are */

VFN VINLINE void F(tile)(const int rows, const int vectors, const unit *a, int64_t rs, int64_t ks, const unit *b, int64_t ldb, int64_t K, float *c, int64_t ldc, bool add)
{
    V acc[TILE_ROWS][TILE_VECTORS];
    VUNROLL for (int r = 0; r < rows; r++)
        VUNROLL for (int v = 0; v < vectors; v++)
            acc[r][v] = VSET(0);
    for (int64_t k = 0; k < K; k++) {
        V w[TILE_VECTORS];
        VUNROLL for (int v = 0; v < vectors; v++)
            w[v] = VLD((const void *)(b + k * ldb + v * VL));
        VUNROLL for (int r = 0; r < rows; r++) {
            V u = VUNIT(a + r * rs + k * ks);
            VUNROLL for (int v = 0; v < vectors; v++)
                acc[r][v] = VDOT(u, w[v], acc[r][v]);
        }
    }
    VUNROLL for (int r = 0; r < rows; r++)
        VUNROLL for (int v = 0; v < vectors; v++)
            VST(c + r * ldc + v * VL, acc[r][v] + (add ? VLD(c + r * ldc + v * VL) : VSET(0))); /* so that long sums are sums of shorter ones */
}

#define TILE(r, v) \
    VFN static void F(tile_##r##_##v)(const unit *a, int64_t rs, int64_t ks, const unit *b, int64_t ldb, int64_t K, float *c, int64_t ldc, bool add) \
    { F(tile)(r, v, a, rs, ks, b, ldb, K, c, ldc, add); }
#define TILES(v) TILE(1, v) TILE(2, v) TILE(3, v) TILE(4, v) TILE(5, v) TILE(6, v)
#define NAMES(v) { F(tile_1_##v), F(tile_2_##v), F(tile_3_##v), F(tile_4_##v), F(tile_5_##v), F(tile_6_##v) }
TILES(1)
TILES(2)
#if VL == 16
TILES(3)
TILES(4)
#endif
static void (*const F(tiles)[TILE_VECTORS][TILE_ROWS])(const unit *, int64_t, int64_t, const unit *, int64_t, int64_t, float *, int64_t, bool) = {
    NAMES(1), NAMES(2),
#if VL == 16
    NAMES(3), NAMES(4),
#endif
};
#undef TILE
#undef TILES
#undef NAMES

static inline void F(product)(int64_t M, int64_t nv, int64_t K, const unit *a, int64_t rs, int64_t ks, const unit *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
    for (int64_t v = 0, panels = (nv + TILE_VECTORS - 1) / TILE_VECTORS; panels; panels--) {
        int64_t w = (nv - v + panels - 1) / panels; /* panels of about the same width */
        for (int64_t m = 0, h, left = (M + TILE_ROWS - 1) / TILE_ROWS; left; m += h, left--) {
            h = (M - m + left - 1) / left; /* and tiles of about the same height */
            F(tiles)[w - 1][h - 1](a + m * rs, rs, ks, b + v * VL, ldb, K, c + m * ldc + v * VL, ldc, add);
        }
        v += w;
    }
}

static inline void F(products_begin)(void)
{
}

static inline void F(products_end)(void)
{
}

#endif

/* ---- operands ---- */

VINLINE int64_t F(steps)(int64_t units)
{
    return (units + STEP_UNITS - 1) / STEP_UNITS * STEP_UNITS;
}

#if VL == 16
/* n <= 32 / PER numbers; what is behind them is zero. */
VFN VINLINE __m512i F(load_units)(const T *x, int64_t n)
{
#if PER == 2
    return _mm512_maskz_loadu_epi16(n >= 32 ? 0xffffffffu : n > 0 ? (1u << n) - 1 : 0, x);
#else
    return _mm512_maskz_loadu_epi32((__mmask16)(n >= 16 ? 0xffffu : n > 0 ? (1u << n) - 1 : 0), x);
#endif
}
#endif

/* n rows of d numbers, `stride` apart, as the first operand of a product, *ld units apart: where they stand, or copied with zeros around them to
 * `to` [n up to STEP_ROWS, d / PER up to STEP_UNITS]. */
VFN static inline const unit *F(first_rows)(const T *x, int64_t stride, int64_t n, int64_t d, unit *to, int64_t *ld)
{
#if STEP_UNITS > 1
    int64_t row = *ld = F(steps)(d / PER);
    for (int64_t r = 0; r < n; r++)
        for (int64_t i = 0; i < row; i += 16)
            _mm512_storeu_si512(to + r * row + i, F(load_units)(x + r * stride + i * PER, d - i * PER));
    memset(to + n * row, 0, (size_t)((-n & (STEP_ROWS - 1)) * row) * sizeof *to);
    return to;
#else
    (void)n, (void)d, (void)to;
    *ld = stride / PER;
    return (const unit *)(const void *)x;
#endif
}

#if VL == 16
/* 16 units of each of 16 rows of x, turned; zero where there are fewer than 16 rows or 16 PER numbers. */
VFN VINLINE void F(load_turned)(const T *x, int64_t stride, int64_t n, int64_t d, __m512i r[16])
{
    if (n >= 16)
        DN_UNROLL for (int i = 0; i < 16; i++)
            r[i] = F(load_units)(x + i * stride, d);
    else
        DN_UNROLL for (int i = 0; i < 16; i++)
            r[i] = i < n ? F(load_units)(x + i * stride, d) : _mm512_setzero_si512();
    dn_turn16(r);
}
#endif

/* to [d / PER up to STEP_UNITS, ld] = x' : x has n rows of d numbers, `stride` apart; columns n … ld (whole vectors) are zero, and so are added rows. */
VFN static inline void F(pack_turned)(const T *x, int64_t stride, int64_t n, int64_t d, unit *to, int64_t ld)
{
    int64_t units = d / PER;
#if VL == 16
    int64_t rows = F(steps)(units);
    for (int64_t j = 0; j < ld; j += 16)
        for (int64_t u = 0; u < rows; u += 16) {
            __m512i r[16];
            F(load_turned)(x + j * stride + u * PER, stride, n - j, d - u * PER, r);
            unit *t = to + u * ld + j;
            if (rows - u >= 16)
                DN_UNROLL for (int i = 0; i < 16; i++)
                    _mm512_storeu_si512(t + i * ld, r[i]);
            else
                DN_UNROLL for (int i = 0; i < 16; i++)
                    if (i < rows - u)
                        _mm512_storeu_si512(t + i * ld, r[i]);
        }
#else
    for (int64_t j = 0; j < n; j++)
        for (int64_t u = 0; u < units; u++)
            to[u * ld + j] = ((const unit *)(const void *)(x + j * stride))[u];
    for (int64_t u = 0; u < units; u++)
        for (int64_t j = n; j < ld; j++)
            to[u * ld + j] = 0;
#endif
}

/* to [n / PER up to STEP_UNITS, ld]: PER rows of x at a time, number by number, in whole vectors; what is not there is zero. */
VFN static inline void F(pack_rows)(const T *x, int64_t stride, int64_t n, int64_t d, unit *to, int64_t ld)
{
    int64_t units = (n + PER - 1) / PER;
    for (int64_t r = 0; r < n; r += PER, to += ld) {
        const T *a = x + r * stride;
#if PER == 2
        const T *b = r + 1 < n ? a + stride : a;
        for (int64_t i = 0; i < ld; i += 16) {
            __mmask16 m = (__mmask16)(d - i >= 16 ? 0xffffu : i < d ? (1u << (d - i)) - 1 : 0);
            __m512i lo = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, a + i)), hi = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(b == a ? 0 : m, b + i));
            _mm512_storeu_si512(to + i, _mm512_or_si512(lo, _mm512_slli_epi32(hi, 16)));
        }
#else
        memcpy(to, a, (size_t)d * sizeof *a);
        for (int64_t i = d; i < ld; i++)
            to[i] = 0;
#endif
    }
    memset(to, 0, (size_t)((F(steps)(units) - units) * ld) * sizeof *to);
}
