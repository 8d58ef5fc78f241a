/* resize_simd: AVX2 (two rows at a time), AVX-512 with VNNI (four), and with VBMI as well (five pixels of one row). Shuffles bring two taps of a channel
 * side by side. */
#include "sample/resize_simd.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

#define VBMI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")))

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

/* ---- AVX-512 with permutations of bytes ----
 * Fifteen lanes are the channels of five pixels, and 64 bytes of the row hold all that these need where it shrinks to a third at most. Where a lane finds
 * its taps and what they weigh is the same for all rows: a table, made once for an image. */

enum { GROUP = 5, SPAN = 64, PAIRS_MOST = 8 };

struct taps2 { __m512i from, hi, lo; }; /* two taps of each lane: places of their bytes, and t->pair's words */

size_t gv_resize_table(const gv_taps *t)
{
    return (size_t)((t->out + GROUP - 1) / GROUP) * PAIRS_MOST * sizeof(struct taps2);
}

/* The table, and how many pairs of taps a group has there; 0: the taps of some group lie too far apart. */
VBMI static int make_table(struct taps2 *to, const gv_taps *t)
{
    const __m512i pixel = _mm512_setr_epi32(0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 0), channel = _mm512_setr_epi32(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0);
    int32_t most = 0;
    for (int64_t x = 0; x < t->out; x++)
        most = t->count[x] > most ? t->count[x] : most;
    int pairs = (most + 1) / 2;
    if (pairs > PAIRS_MOST)
        return 0;
    for (int64_t x = 0; x < t->out; x += GROUP) {
        int64_t n = t->out - x < GROUP ? t->out - x : GROUP, last = x + n - 1;
        if (3 * (t->first[last] + t->count[last] - t->first[x]) > SPAN)
            return 0;
        __mmask16 lanes = (__mmask16)((1u << 3 * n) - 1);
        __m512i first = _mm512_permutexvar_epi32(pixel, _mm512_maskz_loadu_epi32((__mmask16)((1u << n) - 1), t->first + x));
        __m512i at = _mm512_sub_epi32(first, _mm512_set1_epi32(t->first[x])), word = _mm512_mullo_epi32(pixel, _mm512_set1_epi32(t->pairs));
        at = _mm512_add_epi32(_mm512_mullo_epi32(at, _mm512_set1_epi32(3)), channel);
        at = _mm512_or_si512(at, _mm512_slli_epi32(at, 16));
        const int32_t *q = t->pair + x * t->pairs;
        for (int k = 0; k < pairs; k++, to++) { /* a weight of 0 makes every place right */
            to->from = _mm512_add_epi8(at, _mm512_set1_epi32(6 * k | (6 * k + 3) << 16));
            to->hi = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), lanes, word, q + 2 * k, 4);
            to->lo = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), lanes, word, q + 2 * k + 1, 4);
        }
    }
    return pairs;
}

VBMI static inline __attribute__((always_inline)) __m128i pixels5(__m512i v, const struct taps2 *q, int pairs)
{
    __m512i hi = _mm512_setzero_si512(), lo = hi;
    for (int k = 0; k < pairs; k++) {
        __m512i p = _mm512_maskz_permutexvar_epi8(0x5555555555555555ull, q[k].from, v);
        hi = _mm512_dpwssd_epi32(hi, p, q[k].hi);
        lo = _mm512_dpwssd_epi32(lo, p, q[k].lo);
    }
    return _mm512_cvtusepi32_epi8(settle4(hi, lo));
}

VBMI static inline __attribute__((always_inline)) void rows5(const uint8_t *in, uint8_t *out, int64_t rows, const gv_taps *t, const struct taps2 *table, int pairs)
{
    int64_t from = 3 * t->in, to = 3 * t->out, inner = 0; /* pixels whose group reads and writes within the row */
    while (inner + GROUP < t->out && 3 * (int64_t)t->first[inner] + SPAN <= from)
        inner += GROUP;
    for (int64_t y = 0; y < rows; y++, in += from, out += to) {
        const struct taps2 *q = table;
        int64_t x = 0;
        for (; x < inner; x += GROUP, q += pairs)
            _mm_storeu_si128((__m128i *)(void *)(out + 3 * x), pixels5(_mm512_loadu_si512(in + 3 * (int64_t)t->first[x]), q, pairs)); /* the last byte is the next group's */
        for (; x < t->out; x += GROUP, q += pairs) {
            int64_t at = 3 * (int64_t)t->first[x], have = from - at < SPAN ? from - at : SPAN, n = t->out - x < GROUP ? t->out - x : GROUP;
            __m512i v = _mm512_maskz_loadu_epi8(~0ull >> (SPAN - have), in + at);
            _mm_mask_storeu_epi8(out + 3 * x, (__mmask16)((1u << 3 * n) - 1), pixels5(v, q, pairs));
        }
    }
}

VBMI static bool image3_vbmi(const uint8_t *in, uint8_t *out, int64_t rows, const gv_taps *t, void *table)
{
    int pairs = make_table(table, t);
    switch (pairs) { /* the loops over pairs are unrolled */
    case 0: return false;
    case 1: rows5(in, out, rows, t, table, 1); break;
    case 2: rows5(in, out, rows, t, table, 2); break;
    case 3: rows5(in, out, rows, t, table, 3); break;
    case 4: rows5(in, out, rows, t, table, 4); break;
    default: rows5(in, out, rows, t, table, pairs);
    }
    return true;
}

static const gv_resize_passes avx2 = { 2, across3_avx2, down_avx2, NULL }, avx512 = { 4, across3_avx512, down_avx512, NULL },
                              vbmi = { 4, across3_avx512, down_avx512, image3_vbmi };

const gv_resize_passes *gv_resize_simd(int level)
{
    if (level < 2 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return level == 0 && __builtin_cpu_supports("avx512vbmi") ? &vbmi : &avx512;
    return __builtin_cpu_supports("avx2") ? &avx2 : NULL;
}

#else

size_t gv_resize_table(const gv_taps *t)
{
    (void)t;
    return 0;
}

const gv_resize_passes *gv_resize_simd(int level)
{
    (void)level;
    return NULL;
}

#endif
