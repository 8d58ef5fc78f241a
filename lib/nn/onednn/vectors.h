/*
 * Vectors of floats for own kernels that one text serves for several instruction sets. The includer defines one of
 *
 *   GV_AVX2         8 lanes, 16 registers; f32
 *   GV_AVX512       16 lanes, 32 registers; f32
 *   GV_AVX512_BF16  the same for bf16 in memory: products of pairs (vdpbf16ps), sums in f32
 *
 * A unit is 32 bits along the inner dimension of a product: one float, or a pair of bf16. PER is how many numbers it holds. Everything is
 * compiled for its instruction set function by function (VFN), so the caller asks the processor first.
 *
 *   V, VLD VST VSET VFMA(a, b, c) = a b + c, VNFMA = c - a b, VMAX (a NaN in its second operand stays), VSUM, VTOP
 *   VDOT(a, b, c)   c + the products of the units in a and b;  VUNIT(p) one unit in every lane
 */
#include <immintrin.h>

#undef VFN
#undef VL
#undef V
#undef VLD
#undef VST
#undef VSET
#undef VFMA
#undef VNFMA
#undef VMAX
#undef VDOT
#undef VUNIT
#undef PER
#undef T
#undef F
#undef TILE_ROWS
#undef TILE_VECTORS

#if defined(GV_AVX2)
#define VFN __attribute__((target("avx2,fma")))
#define F(name) name##_avx2
#define VL 8
#define V __m256
#define VLD _mm256_loadu_ps
#define VST _mm256_storeu_ps
#define VSET _mm256_set1_ps
#define VFMA _mm256_fmadd_ps
#define VNFMA _mm256_fnmadd_ps
#define VMAX _mm256_max_ps
#define TILE_VECTORS 2
#else
#define VL 16
#define V __m512
#define VLD _mm512_loadu_ps
#define VST _mm512_storeu_ps
#define VSET _mm512_set1_ps
#define VFMA _mm512_fmadd_ps
#define VNFMA _mm512_fnmadd_ps
#define VMAX _mm512_max_ps
#define TILE_VECTORS 4
#if defined(GV_AVX512_BF16)
#define VFN __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define F(name) name##_bf16
#else
#define VFN __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define F(name) name##_avx512
#endif
#endif

#define TILE_ROWS 6
#if defined(GV_AVX512_BF16)
#define PER 2
#define T uint16_t
#define VDOT(a, b, c) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))
#define VUNIT(p) _mm512_castsi512_ps(_mm512_set1_epi32((int)*(const unit *)(p)))
#else
#define PER 1
#define T float
#define VDOT VFMA
#define VUNIT(p) VSET(*(const float *)(p))
#endif

#ifndef GV_NN_ONEDNN_VECTORS_H
#define GV_NN_ONEDNN_VECTORS_H
#include <stdint.h>
typedef uint32_t unit __attribute__((may_alias));
#define VINLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define VUNROLL _Pragma("unroll")
#else
#define VUNROLL _Pragma("GCC unroll 8")
#endif
#endif

/* e^x for x <= 1, as dn_exp (vmath.h): 1e-37 instead of less. */
VFN VINLINE V F(vexp)(V x)
{
    x = VMAX(VSET(-86.f), x);
    V n = VFMA(x, VSET(1.44269504f), VSET(12582912.f)); /* rounded to a whole number */
#if VL == 16
    __m512i k = _mm512_slli_epi32(_mm512_castps_si512(n), 23);
#else
    __m256i k = _mm256_slli_epi32(_mm256_castps_si256(n), 23);
#endif
    n = n - VSET(12582912.f);
    V r = VNFMA(n, VSET(-2.12194440e-4f), VNFMA(n, VSET(0.693359375f), x));
    V p = VFMA(VSET(1.f / 5040), r, VSET(1.f / 720));
    p = VFMA(p, r, VSET(1.f / 120));
    p = VFMA(p, r, VSET(1.f / 24));
    p = VFMA(p, r, VSET(1.f / 6));
    p = VFMA(p, r, VSET(0.5f));
    p = VFMA(p * r, r, r + VSET(1.f));
#if VL == 16
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), k));
#else
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), k));
#endif
}

VFN VINLINE float F(vsum)(V x)
{
#if VL == 16
    return _mm512_reduce_add_ps(x);
#else
    float t[8];
    VST(t, x);
    return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]));
#endif
}

VFN VINLINE float F(vtop)(V x)
{
#if VL == 16
    return _mm512_reduce_max_ps(x);
#else
    float t[8], m;
    VST(t, x);
    m = t[0];
    for (int i = 1; i < 8; i++)
        m = t[i] > m ? t[i] : m;
    return m;
#endif
}

/* A vector of floats to memory in T. */
VFN VINLINE void F(vput)(T *p, V x)
{
#if PER == 2
    _mm256_storeu_si256((__m256i *)(void *)p, (__m256i)_mm512_cvtneps_pbh(x));
#else
    VST(p, x);
#endif
}

/* The same for the first n lanes. */
VFN VINLINE void F(vput_some)(T *p, V x, int64_t n)
{
    float t[VL];
    VST(t, x);
    for (int64_t i = 0; i < n; i++)
#if PER == 2
        p[i] = gv_f32_to_bf16(t[i]);
#else
        p[i] = t[i];
#endif
}

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
#if TILE_VECTORS == 4
TILES(3)
TILES(4)
#endif
static void (*const F(tiles)[TILE_VECTORS][TILE_ROWS])(const unit *, int64_t, int64_t, const unit *, int64_t, int64_t, float *, int64_t, bool) = {
    NAMES(1), NAMES(2),
#if TILE_VECTORS == 4
    NAMES(3), NAMES(4),
#endif
};
#undef TILE
#undef TILES
#undef NAMES

static void F(product)(int64_t M, int64_t nv, int64_t K, const unit *a, int64_t rs, int64_t ks, const unit *b, int64_t ldb, float *c, int64_t ldc, bool add)
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
VFN static void F(pack_turned)(const T *x, int64_t stride, int64_t n, int64_t d, unit *to, int64_t ld)
{
    int64_t units = d / PER, j = 0;
#if VL == 16
    for (; j + 16 <= n; j += 16) {
        int64_t u = 0;
        for (; u + 16 <= units; u += 16) {
            __m512i r[16], s[16];
            VUNROLL for (int i = 0; i < 16; i++)
                r[i] = _mm512_loadu_si512((const unit *)(const void *)(x + (j + i) * stride) + u);
            VUNROLL for (int i = 0; i < 8; i++) {
                s[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
                s[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
            }
            VUNROLL for (int i = 0; i < 4; i++) {
                r[4 * i] = _mm512_unpacklo_epi64(s[4 * i], s[4 * i + 2]);
                r[4 * i + 1] = _mm512_unpackhi_epi64(s[4 * i], s[4 * i + 2]);
                r[4 * i + 2] = _mm512_unpacklo_epi64(s[4 * i + 1], s[4 * i + 3]);
                r[4 * i + 3] = _mm512_unpackhi_epi64(s[4 * i + 1], s[4 * i + 3]);
            } /* r[4 i + c]: column c of each quarter, of rows 4 i … 4 i + 3 */
            VUNROLL for (int c = 0; c < 4; c++) {
                __m512i lo = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x88), hi = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88);
                __m512i lo2 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xdd), hi2 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xdd);
                _mm512_storeu_si512(to + (u + c) * ld + j, _mm512_shuffle_i32x4(lo, hi, 0x88));
                _mm512_storeu_si512(to + (u + 8 + c) * ld + j, _mm512_shuffle_i32x4(lo, hi, 0xdd));
                _mm512_storeu_si512(to + (u + 4 + c) * ld + j, _mm512_shuffle_i32x4(lo2, hi2, 0x88));
                _mm512_storeu_si512(to + (u + 12 + c) * ld + j, _mm512_shuffle_i32x4(lo2, hi2, 0xdd));
            }
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
VFN static void F(pack_rows)(const T *x, int64_t stride, int64_t n, int64_t d, unit *to, int64_t ld)
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
