/*
 * Small products of f32 or bf16, for own kernels whose operands stay in the cache, and the ways to lay out their operands. Included behind
 * vectors.h, once for each instruction set.
 */
#include "nn/onednn/turn16.h"

#undef TILE_ROWS
#undef TILE_VECTORS
#define TILE_ROWS 6
#define TILE_VECTORS (VL == 16 ? 4 : 2) /* TILE_ROWS * TILE_VECTORS sums, and room for b, in the registers there are */

/* ---- products ----
 * c [M, nv VL] f32 = (or +=) a b over K units. a: unit (m, k) stands at a + m rs + k ks; b: rows of nv vectors of units, ldb apart. */

VFN VINLINE void F(tile)(const int rows, const int vectors, const unit *a, int64_t rs, int64_t ks, const unit *b, int64_t ldb, int64_t K, float *c, int64_t ldc, bool add)
{
    V acc[TILE_ROWS][TILE_VECTORS];
    VUNROLL for (int r = 0; r < rows; r++)
        VUNROLL for (int v = 0; v < vectors; v++)
            acc[r][v] = add ? VLD(c + r * ldc + v * VL) : VSET(0);
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
            VST(c + r * ldc + v * VL, acc[r][v]);
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
        for (int64_t m = 0; m < M; m += TILE_ROWS)
            F(tiles)[w - 1][dn_min(TILE_ROWS, M - m) - 1](a + m * rs, rs, ks, b + v * VL, ldb, K, c + m * ldc + v * VL, ldc, add);
        v += w;
    }
}

/* ---- operands ---- */

/* to [d / PER, ld] = x' : x has n rows of d numbers, `stride` apart; columns n … ld are zero. */
VFN static inline void F(pack_turned)(const T *x, int64_t stride, int64_t n, int64_t d, unit *to, int64_t ld)
{
    int64_t units = d / PER, j = 0;
#if VL == 16
    for (; j + 16 <= n; j += 16) {
        int64_t u = 0;
        for (; u + 16 <= units; u += 16) {
            __m512i r[16];
            VUNROLL for (int i = 0; i < 16; i++)
                r[i] = _mm512_loadu_si512((const unit *)(const void *)(x + (j + i) * stride) + u);
            dn_turn16(r);
            VUNROLL for (int i = 0; i < 16; i++)
                _mm512_storeu_si512(to + (u + i) * ld + j, r[i]);
        }
        for (; u < units; u++)
            for (int i = 0; i < 16; i++)
                to[u * ld + j + i] = ((const unit *)(const void *)(x + (j + i) * stride))[u];
    }
#endif
    for (; j < n; j++)
        for (int64_t u = 0; u < units; u++)
            to[u * ld + j] = ((const unit *)(const void *)(x + j * stride))[u];
    for (int64_t u = 0; u < units; u++)
        for (j = n; j < ld; j++)
            to[u * ld + j] = 0;
}

/* to [n / PER rounded up, ld]: PER rows of x at a time, number by number; what is not there is zero. */
VFN static inline void F(pack_rows)(const T *x, int64_t stride, int64_t n, int64_t d, unit *to, int64_t ld)
{
    for (int64_t r = 0; r < n; r += PER, to += ld) {
        const T *a = x + r * stride;
#if PER == 2
        static const T zeros[1];
        const T *b = r + 1 < n ? a + stride : zeros;
        int64_t step = r + 1 < n;
        if (step)
            for (int64_t i = 0; i < d; i++)
                to[i] = a[i] | (unit)b[i] << 16;
        else
            for (int64_t i = 0; i < d; i++)
                to[i] = a[i];
#else
        memcpy(to, a, (size_t)d * sizeof *a);
#endif
        for (int64_t i = d; i < ld; i++)
            to[i] = 0;
    }
}
