/* resize_simd: AVX2 (two rows at a time) and AVX-512 with VNNI (four). Shuffles bring two taps of a channel side by side. */
#include "sample/resize_simd.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

enum { HALF = 1 << (GV_TAPS_PILLOW_BITS - 1) };

/* Bytes of one 128-bit lane: taps 0 and 1, 2 and 3 of r, g, b as pairs of 16 bits. */
#define TAPS01 0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1
#define TAPS23 6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1

/* Stores of a pixel take four bytes: the last is a stranger, which the next pixel of the row covers. */
static inline void put4(uint8_t *to, uint32_t v)
{
    memcpy(to, &v, 4);
}

static inline void put3(uint8_t *to, uint32_t v)
{
    memcpy(to, &v, 3);
}

/* ---- AVX2 ---- */

AVX2 static inline __m256i settle2(__m256i hi, __m256i lo)
{
    __m256i s = _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(hi, GV_TAPS_SPLIT_BITS), lo), _mm256_set1_epi32(HALF));
    return _mm256_srai_epi32(s, GV_TAPS_PILLOW_BITS);
}

/* One pixel of two rows, as bytes, in words 0 and 4. */
AVX2 static inline __m256i pixel2(const uint8_t *a, const uint8_t *b, const int32_t *q, int n)
{
    const __m256i m01 = _mm256_broadcastsi128_si256(_mm_setr_epi8(TAPS01)), m23 = _mm256_broadcastsi128_si256(_mm_setr_epi8(TAPS23));
    __m256i hi = _mm256_setzero_si256(), lo = hi;
    for (int k = 0; k < n; k += 4, q += 4, a += 12, b += 12) {
        __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)a)), _mm_loadu_si128((const __m128i *)(const void *)b), 1);
        __m256i p = _mm256_shuffle_epi8(v, m01), r = _mm256_shuffle_epi8(v, m23);
        hi = _mm256_add_epi32(hi, _mm256_add_epi32(_mm256_madd_epi16(p, _mm256_set1_epi32(q[0])), _mm256_madd_epi16(r, _mm256_set1_epi32(q[2]))));
        lo = _mm256_add_epi32(lo, _mm256_add_epi32(_mm256_madd_epi16(p, _mm256_set1_epi32(q[1])), _mm256_madd_epi16(r, _mm256_set1_epi32(q[3]))));
    }
    __m256i s = settle2(hi, lo);
    return _mm256_packus_epi16(_mm256_packs_epi32(s, s), s);
}

AVX2 static void across3_avx2(const uint8_t *const *in, uint8_t *const *out, const gv_taps *t)
{
    const uint8_t *a = in[0], *b = in[1];
    uint8_t *c = out[0], *d = out[1];
    const int32_t *q = t->pair, *first = t->first, *count = t->count;
    int64_t last = t->out - 1, step = t->pairs;
    for (int64_t x = 0; x < last; x++, q += step, c += 3, d += 3) {
        __m256i s = pixel2(a + 3 * (int64_t)first[x], b + 3 * (int64_t)first[x], q, count[x]);
        put4(c, (uint32_t)_mm256_extract_epi32(s, 0));
        put4(d, (uint32_t)_mm256_extract_epi32(s, 4));
    }
    __m256i s = pixel2(a + 3 * (int64_t)first[last], b + 3 * (int64_t)first[last], q, count[last]);
    put3(c, (uint32_t)_mm256_extract_epi32(s, 0));
    put3(d, (uint32_t)_mm256_extract_epi32(s, 4));
}

/* 16 bytes of an output row. */
AVX2 static inline __m128i down16(const uint8_t *in, size_t step, const int32_t *q, int taps)
{
    __m256i h0 = _mm256_setzero_si256(), h1 = h0, l0 = h0, l1 = h0;
    for (int k = 0; k < taps; k += 2, q += 2, in += 2 * step) {
        __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)in));
        __m256i b = k + 1 < taps ? _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(in + step))) : _mm256_setzero_si256();
        __m256i u = _mm256_unpacklo_epi16(a, b), v = _mm256_unpackhi_epi16(a, b), qh = _mm256_set1_epi32(q[0]), ql = _mm256_set1_epi32(q[1]);
        h0 = _mm256_add_epi32(h0, _mm256_madd_epi16(u, qh));
        h1 = _mm256_add_epi32(h1, _mm256_madd_epi16(v, qh));
        l0 = _mm256_add_epi32(l0, _mm256_madd_epi16(u, ql));
        l1 = _mm256_add_epi32(l1, _mm256_madd_epi16(v, ql));
    }
    __m256i s = _mm256_packs_epi32(settle2(h0, l0), settle2(h1, l1)); /* unpacking and packing keep to their lanes */
    return _mm_packus_epi16(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
}

static void down_rest(const uint8_t *in, size_t step, uint8_t *out, size_t n, const int32_t *q, int taps)
{
    for (size_t i = 0; i < n; i++) {
        int32_t hi = 0, lo = 0;
        for (int k = 0; k < taps; k++) {
            int shift = k & 1 ? 16 : 0;
            hi += in[i + (size_t)k * step] * (int16_t)((uint32_t)q[k / 2 * 2] >> shift);
            lo += in[i + (size_t)k * step] * (int16_t)((uint32_t)q[k / 2 * 2 + 1] >> shift);
        }
        int32_t v = ((int32_t)((uint32_t)hi << GV_TAPS_SPLIT_BITS) + lo + HALF) >> GV_TAPS_PILLOW_BITS;
        out[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

AVX2 static void down_avx2(const uint8_t *in, size_t step, uint8_t *out, size_t n, const int32_t *q, int taps)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        _mm_storeu_si128((__m128i *)(void *)(out + i), down16(in + i, step, q, taps));
    down_rest(in + i, step, out + i, n - i, q, taps);
}

/* ---- AVX-512 ---- */

AVX512 static inline __m512i settle4(__m512i hi, __m512i lo)
{
    __m512i s = _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(hi, GV_TAPS_SPLIT_BITS), lo), _mm512_set1_epi32(HALF));
    return _mm512_max_epi32(_mm512_srai_epi32(s, GV_TAPS_PILLOW_BITS), _mm512_setzero_si512());
}

/* One pixel of four rows, as bytes. */
AVX512 static inline __m128i pixel4(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d, const int32_t *q, int n)
{
    const __m512i m01 = _mm512_broadcast_i32x4(_mm_setr_epi8(TAPS01)), m23 = _mm512_broadcast_i32x4(_mm_setr_epi8(TAPS23));
    __m512i hi = _mm512_setzero_si512(), lo = hi;
    for (int64_t k = 0; k < n; k += 4, q += 4) {
        __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)(a + 3 * k)));
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(b + 3 * k)), 1);
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(c + 3 * k)), 2);
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(d + 3 * k)), 3);
        __m512i p = _mm512_shuffle_epi8(v, m01), r = _mm512_shuffle_epi8(v, m23);
        hi = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(hi, p, _mm512_set1_epi32(q[0])), r, _mm512_set1_epi32(q[2]));
        lo = _mm512_dpwssd_epi32(_mm512_dpwssd_epi32(lo, p, _mm512_set1_epi32(q[1])), r, _mm512_set1_epi32(q[3]));
    }
    return _mm512_cvtusepi32_epi8(settle4(hi, lo));
}

AVX512 static void across3_avx512(const uint8_t *const *in, uint8_t *const *out, const gv_taps *t)
{
    const uint8_t *a = in[0], *b = in[1], *c = in[2], *d = in[3];
    uint8_t *e = out[0], *f = out[1], *g = out[2], *h = out[3];
    const int32_t *q = t->pair, *first = t->first, *count = t->count;
    int64_t last = t->out - 1, step = t->pairs, x = 0;
    for (; x < last; x++, q += step, e += 3, f += 3, g += 3, h += 3) {
        int64_t at = 3 * (int64_t)first[x];
        __m128i s = pixel4(a + at, b + at, c + at, d + at, q, count[x]);
        put4(e, (uint32_t)_mm_extract_epi32(s, 0));
        put4(f, (uint32_t)_mm_extract_epi32(s, 1));
        put4(g, (uint32_t)_mm_extract_epi32(s, 2));
        put4(h, (uint32_t)_mm_extract_epi32(s, 3));
    }
    int64_t at = 3 * (int64_t)first[x];
    __m128i s = pixel4(a + at, b + at, c + at, d + at, q, count[x]);
    put3(e, (uint32_t)_mm_extract_epi32(s, 0));
    put3(f, (uint32_t)_mm_extract_epi32(s, 1));
    put3(g, (uint32_t)_mm_extract_epi32(s, 2));
    put3(h, (uint32_t)_mm_extract_epi32(s, 3));
}

AVX512 static void down_avx512(const uint8_t *in, size_t step, uint8_t *out, size_t n, const int32_t *q, int taps)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const uint8_t *p = in + i;
        __m512i h0 = _mm512_setzero_si512(), h1 = h0, l0 = h0, l1 = h0;
        for (int k = 0; k < taps; k += 2, p += 2 * step) {
            __m512i a = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)p));
            __m512i b = k + 1 < taps ? _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(p + step))) : _mm512_setzero_si512();
            __m512i u = _mm512_unpacklo_epi16(a, b), v = _mm512_unpackhi_epi16(a, b), qh = _mm512_set1_epi32(q[k]), ql = _mm512_set1_epi32(q[k + 1]);
            h0 = _mm512_dpwssd_epi32(h0, u, qh);
            h1 = _mm512_dpwssd_epi32(h1, v, qh);
            l0 = _mm512_dpwssd_epi32(l0, u, ql);
            l1 = _mm512_dpwssd_epi32(l1, v, ql);
        }
        __m512i s = _mm512_packs_epi32(settle4(h0, l0), settle4(h1, l1));
        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm512_cvtusepi16_epi8(s));
    }
    down_avx2(in + i, step, out + i, n - i, q, taps);
}

static const gv_resize_passes avx2 = { 2, across3_avx2, down_avx2 }, avx512 = { 4, across3_avx512, down_avx512 };

const gv_resize_passes *gv_resize_simd(int level)
{
    if (level == 0 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return &avx512;
    return __builtin_cpu_supports("avx2") ? &avx2 : NULL;
}

#else

const gv_resize_passes *gv_resize_simd(int level)
{
    (void)level;
    return NULL;
}

#endif
