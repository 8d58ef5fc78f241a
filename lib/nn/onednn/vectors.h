/*
 * Vectors of floats for own kernels that one text serves for several instruction sets. The includer defines one of
 *
 *   GV_AVX2         8 lanes, 16 registers; f32
 *   GV_AVX512       16 lanes, 32 registers; f32
 *   GV_AVX512_BF16  the same for bf16 in memory: products of pairs (vdpbf16ps), sums in f32
 *   GV_AMX          the same, with products by tiles (amx.h), where DN_AMX is defined
 *
 * A unit is 32 bits along the inner dimension of a product: one float, or a pair of bf16. PER is how many numbers it holds. Everything is
 * compiled for its instruction set function by function (VFN), so the caller asks the processor first.
 *
 *   V, VLD VST VSET VFMA(a, b, c) = a b + c, VNFMA = c - a b, VMAX (a NaN in its second operand stays), VSUM, VTOP
 *   VNEGATIVE(x, a, b)  a where x has its sign set, else b
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
#undef VNEGATIVE
#undef VDOT
#undef VUNIT
#undef PER
#undef T
#undef F

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
#define VNEGATIVE(x, a, b) _mm256_blendv_ps(b, a, x)
#else
#define VL 16
#define V __m512
#define VLD _mm512_loadu_ps
#define VST _mm512_storeu_ps
#define VSET _mm512_set1_ps
#define VFMA _mm512_fmadd_ps
#define VNFMA _mm512_fnmadd_ps
#define VMAX _mm512_max_ps
#define VNEGATIVE(x, a, b) _mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_castps_si512(x)), b, a)
#if defined(GV_AMX)
#define VFN AMXFN
#define F(name) name##_amx
#elif defined(GV_AVX512_BF16)
#define VFN __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define F(name) name##_bf16
#else
#define VFN __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define F(name) name##_avx512
#endif
#endif

#if defined(GV_AVX512_BF16) || defined(GV_AMX)
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

#if defined(GV_AMX)
/* e^x = 2^t, t = log2(e) x: a polynomial over t - floor(t) (minimax, relative error 2.6e-6: what becomes of it is bf16). Half as many operations as below,
 * next to which the products are cheap. */
VFN VINLINE V F(vexp)(V x)
{
    V t = x * VSET(1.44269504f), r = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF);
    V p = VFMA(VSET(0.013534168f), r, VSET(0.05201146f));
    p = VFMA(p, r, VSET(0.24144275f));
    p = VFMA(p, r, VSET(0.69300383f));
    p = VFMA(p, r, VSET(1.0000026f));
    return _mm512_scalef_ps(p, t);
}
#else
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
#endif

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

/* A vector of floats from and to memory in T. */
VFN VINLINE V F(vget)(const T *p)
{
#if PER == 2
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p)), 16));
#else
    return VLD(p);
#endif
}

VFN VINLINE void F(vput)(T *p, V x)
{
#if PER == 2
    _mm256_storeu_si256((__m256i *)(void *)p, (__m256i)_mm512_cvtneps_pbh(x));
#else
    VST(p, x);
#endif
}

/* The same for the first n lanes; the others are zero. */
VFN VINLINE V F(vget_some)(const T *p, int64_t n)
{
    T t[VL] = { 0 };
    for (int64_t i = 0; i < n; i++)
        t[i] = p[i];
    return F(vget)(t);
}

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
