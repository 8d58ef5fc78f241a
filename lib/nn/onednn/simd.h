/*
 * Compiles one kernel text with intrinsics for AVX2, AVX-512 and AVX-512 with bf16 conversions, each for f32 and for bf16. A file says
 *
 *   #define GV_SIMD "nn/onednn/gelu.c"
 *   #include "nn/onednn/simd.h"
 *   static gv_body *const bodies[DN_ISAS][2] = DN_EACH(gelu_body);     // [dn_isa()][is bf16]; dn_isa() is -1 where none fits
 *
 * and the text, below #ifdef VEC, uses: T the type in memory; VEC of VL floats (VL_IS_16 for #if); TARGET before every function; LOAD(p) and STORE(p, v) with
 * VL elements of type T, LOADN(p, n) and STOREN(p, v, n) with fewer (the others are 0); LOADF and STOREF with floats; SET1 ADD SUB MUL;
 * MULADD(a, b, c) a b + c; MAX(a, b) and MIN(a, b), which are b where one is NaN; FROM(x, least, v): v where x is not below least, else 0;
 * POSITIVE(x, v): v where x is above 0, else 0; CHOOSE(x, v, w): v where x is above 0, else w; HSUM(v) the sum, always in the same order; AHEAD(p, n) asks for n elements of type T that a pass
 * over p reaches soon; F(name) the name with type and instruction set behind.
 * Where the processor has none of the three, loops of GV_HOT serve.
 */
#ifndef GV_NN_ONEDNN_SIMD_H
#define GV_NN_ONEDNN_SIMD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { DN_AVX2, DN_AVX512, DN_AVX512_BF16, DN_ISAS };

/* For tests: the best that may be taken (DN_AVX512_BF16 unless changed; -1: none). */
extern int dn_isa_most;
/* The best of this processor up to dn_isa_most, or -1. */
int dn_isa(void);

#if defined(__x86_64__)
#include <immintrin.h>
#define DN_SIMD 1
#define DN_EACH(name) { { name##_f32_v3, name##_bf16_v3 }, { name##_f32_v4, name##_bf16_v4 }, { name##_f32_v4b, name##_bf16_v4b } }

#define DN_V3 __attribute__((target("avx2,fma")))
#define DN_V4 __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#define DN_V4B __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define DN_ALWAYS static inline __attribute__((always_inline))

/* Asks for n bytes that lie DN_AHEAD bytes behind p: a processor's own prefetchers stop at the end of a page and see little in several arrays
 * read at once. It may ask for what is not there. */
enum { DN_AHEAD = 4096 };
DN_ALWAYS void dn_ahead(const void *p, size_t n)
{
    for (size_t i = 0; i < n; i += 64)
        _mm_prefetch((const char *)((uintptr_t)p + DN_AHEAD + i), _MM_HINT_T0);
}

DN_ALWAYS DN_V3 __m256 dn_widen8(__m128i v)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(v), 16));
}

/* To the nearest, even at the middle; NaN stays NaN. */
DN_ALWAYS DN_V3 __m128i dn_narrow8(__m256 v)
{
    __m256i u = _mm256_castps_si256(v), odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    __m256i r = _mm256_add_epi32(_mm256_add_epi32(u, odd), _mm256_set1_epi32(0x7fff)), nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    r = _mm256_srli_epi32(_mm256_blendv_epi8(r, _mm256_or_si256(u, _mm256_set1_epi32(0x400000)), nan), 16);
    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(r, r), 8));
}

DN_ALWAYS DN_V3 float dn_sum8(__m256 v)
{
    __m128 a = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}

DN_ALWAYS DN_V3 __m256 dn_loadn8_f32(const float *p, int64_t n)
{
    float t[8] = { 0 };
    memcpy(t, p, (size_t)n * sizeof *t);
    return _mm256_loadu_ps(t);
}

DN_ALWAYS DN_V3 void dn_storen8_f32(float *p, __m256 v, int64_t n)
{
    float t[8];
    _mm256_storeu_ps(t, v);
    memcpy(p, t, (size_t)n * sizeof *t);
}

DN_ALWAYS DN_V3 __m256 dn_loadn8_bf16(const uint16_t *p, int64_t n)
{
    uint16_t t[8] = { 0 };
    memcpy(t, p, (size_t)n * sizeof *t);
    return dn_widen8(_mm_loadu_si128((const void *)t));
}

DN_ALWAYS DN_V3 void dn_storen8_bf16(uint16_t *p, __m256 v, int64_t n)
{
    uint16_t t[8];
    _mm_storeu_si128((void *)t, dn_narrow8(v));
    memcpy(p, t, (size_t)n * sizeof *t);
}

DN_ALWAYS DN_V4 __m512 dn_widen16(__m256i v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

DN_ALWAYS DN_V4 __m256i dn_narrow16(__m512 v)
{
    __m512i u = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    __m512i r = _mm512_add_epi32(_mm512_add_epi32(u, odd), _mm512_set1_epi32(0x7fff));
    r = _mm512_mask_or_epi32(r, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), u, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16));
}

DN_ALWAYS DN_V4B __m256i dn_narrow16_bf16(__m512 v)
{
    return (__m256i)_mm512_cvtneps_pbh(v);
}

#define DN_MASK(n) ((__mmask16)((1u << (n)) - 1))
#endif
#endif

#if defined(DN_SIMD) && defined(GV_SIMD)
#define AHEAD(p, n) dn_ahead(p, (size_t)(n) * sizeof(T))
#ifndef GV_SIMD_PASTE
#define GV_SIMD_PASTE_(a, b, c) a##b##c
#define GV_SIMD_PASTE(a, b, c) GV_SIMD_PASTE_(a, b, c)
#endif
#define F(name) GV_SIMD_PASTE(name, TYPE, ISA)

/* ---- AVX2 ---- */
#define ISA _v3
#define VL 8
#define VL_IS_16 0
#define VEC __m256
#define TARGET DN_V3
#define LOADF _mm256_loadu_ps
#define STOREF _mm256_storeu_ps
#define SET1 _mm256_set1_ps
#define ADD _mm256_add_ps
#define SUB _mm256_sub_ps
#define MUL _mm256_mul_ps
#define MULADD _mm256_fmadd_ps
#define MAX _mm256_max_ps
#define MIN _mm256_min_ps
#define FROM(x, least, v) _mm256_and_ps(_mm256_cmp_ps(x, least, _CMP_NLT_UQ), v)
#define POSITIVE(x, v) _mm256_and_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ), v)
#define CHOOSE(x, v, w) _mm256_blendv_ps(w, v, _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ))
#define HSUM dn_sum8
#define LOADNF dn_loadn8_f32
#define STORENF dn_storen8_f32
#define TYPE _f32
#define T float
#define LOAD LOADF
#define STORE STOREF
#define LOADN dn_loadn8_f32
#define STOREN dn_storen8_f32
#include GV_SIMD
#include "nn/onednn/simd_type_end.h"
#define TYPE _bf16
#define T uint16_t
#define LOAD(p) dn_widen8(_mm_loadu_si128((const void *)(p)))
#define STORE(p, v) _mm_storeu_si128((void *)(p), dn_narrow8(v))
#define LOADN dn_loadn8_bf16
#define STOREN dn_storen8_bf16
#include GV_SIMD
#include "nn/onednn/simd_type_end.h"
#undef ISA
#undef VL
#undef VL_IS_16
#undef VEC
#undef TARGET
#undef LOADF
#undef STOREF
#undef SET1
#undef ADD
#undef SUB
#undef MUL
#undef MULADD
#undef MAX
#undef MIN
#undef FROM
#undef POSITIVE
#undef CHOOSE
#undef HSUM
#undef LOADNF
#undef STORENF

/* ---- AVX-512 ---- */
#define VL 16
#define VL_IS_16 1
#define VEC __m512
#define LOADF _mm512_loadu_ps
#define STOREF _mm512_storeu_ps
#define SET1 _mm512_set1_ps
#define ADD _mm512_add_ps
#define SUB _mm512_sub_ps
#define MUL _mm512_mul_ps
#define MULADD _mm512_fmadd_ps
#define MAX _mm512_max_ps
#define MIN _mm512_min_ps
#define FROM(x, least, v) _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, least, _CMP_NLT_UQ), v)
#define POSITIVE(x, v) _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), v)
#define CHOOSE(x, v, w) _mm512_mask_mov_ps(w, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), v)
#define HSUM _mm512_reduce_add_ps
#define LOADNF(p, n) _mm512_maskz_loadu_ps(DN_MASK(n), p)
#define STORENF(p, v, n) _mm512_mask_storeu_ps(p, DN_MASK(n), v)
#define ISA _v4
#define TARGET DN_V4
#define TYPE _f32
#define T float
#define LOAD LOADF
#define STORE STOREF
#define LOADN LOADNF
#define STOREN STORENF
#include GV_SIMD
#include "nn/onednn/simd_type_end.h"
#define TYPE _bf16
#define T uint16_t
#define LOAD(p) dn_widen16(_mm256_loadu_si256((const void *)(p)))
#define STORE(p, v) _mm256_storeu_si256((void *)(p), dn_narrow16(v))
#define LOADN(p, n) dn_widen16(_mm256_maskz_loadu_epi16(DN_MASK(n), p))
#define STOREN(p, v, n) _mm256_mask_storeu_epi16(p, DN_MASK(n), dn_narrow16(v))
#include GV_SIMD
#include "nn/onednn/simd_type_end.h"
#undef ISA
#undef TARGET

/* ---- AVX-512 with bf16 conversions ---- */
#define ISA _v4b
#define TARGET DN_V4B
#define TYPE _f32
#define T float
#define LOAD LOADF
#define STORE STOREF
#define LOADN LOADNF
#define STOREN STORENF
#include GV_SIMD
#include "nn/onednn/simd_type_end.h"
#define TYPE _bf16
#define T uint16_t
#define LOAD(p) dn_widen16(_mm256_loadu_si256((const void *)(p)))
#define STORE(p, v) _mm256_storeu_si256((void *)(p), dn_narrow16_bf16(v))
#define LOADN(p, n) dn_widen16(_mm256_maskz_loadu_epi16(DN_MASK(n), p))
#define STOREN(p, v, n) _mm256_mask_storeu_epi16(p, DN_MASK(n), dn_narrow16_bf16(v))
#include GV_SIMD
#include "nn/onednn/simd_type_end.h"
#undef ISA
#undef TARGET
#undef VL
#undef VL_IS_16
#undef VEC
#undef LOADF
#undef STOREF
#undef SET1
#undef ADD
#undef SUB
#undef MUL
#undef MULADD
#undef MAX
#undef MIN
#undef FROM
#undef POSITIVE
#undef CHOOSE
#undef HSUM
#undef LOADNF
#undef STORENF
#undef F
#undef AHEAD
#undef GV_SIMD
#endif
