/* jpeg_pixels: inverse DCT, smooth upsampling and colours of gv_jpeg, with AVX2.
 * Sources: Loeffler, Ligtenberg & Moschytz 1989 (the DCT); libjpeg's accurate integer DCT, triangle filter and conversion, and
 * libjpeg-turbo's 16-bit form of them, as behaviour: the same pixels, also where 16 bits overflow. */
#include "formats/jpeg_baseline.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* ---- inverse DCT: two blocks, one in each half of the registers ---- */

#define FIX(x) ((int)((x) * 8192 + ((x) < 0 ? -0.5 : 0.5)))
#define PAIR(a, b) _mm256_set1_epi32((int)((uint32_t)(a) << 16 | ((uint32_t)(b) & 0xffff))) /* b for the even word, a for the odd */

/* Sums of 32 bits, shifted and rounded, to 16 bits: x + y and x - y. */
#define OUT(x, y, lo, hi) \
    lo = _mm256_packs_epi32(_mm256_sra_epi32(_mm256_add_epi32(_mm256_add_epi32(x[0], half), y[0]), by), _mm256_sra_epi32(_mm256_add_epi32(_mm256_add_epi32(x[1], half), y[1]), by)); \
    hi = _mm256_packs_epi32(_mm256_sra_epi32(_mm256_sub_epi32(_mm256_add_epi32(x[0], half), y[0]), by), _mm256_sra_epi32(_mm256_sub_epi32(_mm256_add_epi32(x[1], half), y[1]), by))

#define MADD(to, a, b, k) to[0] = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), k); to[1] = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), k)
#define ADD(to, v) to[0] = _mm256_add_epi32(to[0], v[0]); to[1] = _mm256_add_epi32(to[1], v[1])

/* Along the registers: in[k] is frequency k of eight columns. */
AVX2 static inline void dct(__m256i in[8], int shift)
{
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(1 << (shift - 1));
    const __m128i by = _mm_cvtsi32_si128(shift);
    __m256i t0[2], t1[2], t2[2], t3[2], e0[2], e1[2], e2[2], e3[2], z3[2], z4[2];

    MADD(t2, in[2], in[6], PAIR(FIX(0.541196100) - FIX(1.847759065), FIX(0.541196100)));
    MADD(t3, in[2], in[6], PAIR(FIX(0.541196100), FIX(0.541196100) + FIX(0.765366865)));
    __m256i sum = _mm256_add_epi16(in[0], in[4]), dif = _mm256_sub_epi16(in[0], in[4]);
    t0[0] = _mm256_srai_epi32(_mm256_unpacklo_epi16(zero, sum), 3);
    t0[1] = _mm256_srai_epi32(_mm256_unpackhi_epi16(zero, sum), 3);
    t1[0] = _mm256_srai_epi32(_mm256_unpacklo_epi16(zero, dif), 3);
    t1[1] = _mm256_srai_epi32(_mm256_unpackhi_epi16(zero, dif), 3);
    for (int i = 0; i < 2; i++) {
        e0[i] = _mm256_add_epi32(t0[i], t3[i]);
        e3[i] = _mm256_sub_epi32(t0[i], t3[i]);
        e1[i] = _mm256_add_epi32(t1[i], t2[i]);
        e2[i] = _mm256_sub_epi32(t1[i], t2[i]);
    }

    __m256i s3 = _mm256_add_epi16(in[7], in[3]), s4 = _mm256_add_epi16(in[5], in[1]);
    MADD(z3, s3, s4, PAIR(FIX(1.175875602), FIX(1.175875602) - FIX(1.961570560)));
    MADD(z4, s3, s4, PAIR(FIX(1.175875602) - FIX(0.390180644), FIX(1.175875602)));
    MADD(t0, in[7], in[1], PAIR(-FIX(0.899976223), FIX(0.298631336) - FIX(0.899976223)));
    MADD(t3, in[7], in[1], PAIR(FIX(1.501321110) - FIX(0.899976223), -FIX(0.899976223)));
    MADD(t1, in[5], in[3], PAIR(-FIX(2.562915447), FIX(2.053119869) - FIX(2.562915447)));
    MADD(t2, in[5], in[3], PAIR(FIX(3.072711026) - FIX(2.562915447), -FIX(2.562915447)));
    ADD(t0, z3);
    ADD(t1, z4);
    ADD(t2, z3);
    ADD(t3, z4);

    OUT(e0, t3, in[0], in[7]);
    OUT(e1, t2, in[1], in[6]);
    OUT(e2, t1, in[2], in[5]);
    OUT(e3, t0, in[3], in[4]);
}

AVX2 static inline void transpose(__m256i v[8])
{
    __m256i a[8], b[8];
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_epi16(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_epi16(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) { /* a[4i + half]: columns of rows 4i, 4i+1; a[4i + 2 + half]: of rows 4i+2, 4i+3 */
        b[4 * i] = _mm256_unpacklo_epi32(a[4 * i], a[4 * i + 2]);
        b[4 * i + 1] = _mm256_unpackhi_epi32(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm256_unpacklo_epi32(a[4 * i + 1], a[4 * i + 3]);
        b[4 * i + 3] = _mm256_unpackhi_epi32(a[4 * i + 1], a[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        v[2 * i] = _mm256_unpacklo_epi64(b[i], b[i + 4]);
        v[2 * i + 1] = _mm256_unpackhi_epi64(b[i], b[i + 4]);
    }
}

AVX2 static inline __m256i two(const int16_t *a, const int16_t *b)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_load_si128((const __m128i *)(const void *)a)), _mm_load_si128((const __m128i *)(const void *)b), 1);
}

static bool flat(const int16_t *c)
{
    int16_t any = 0;
    for (int i = 8; i < 64; i++)
        any |= c[i];
    return !any;
}

/* Along the columns of damaged files' overflowing blocks: where all but the first row is 0, libjpeg-turbo shifts without limit. */
AVX2 __attribute__((noinline)) static void dct_overflow(__m256i v[8], const int16_t *a, const int16_t *b)
{
    __m256i wrapped = _mm256_slli_epi16(v[0], 2);
    __m256i which = _mm256_setr_epi64x(-flat(a), -flat(a), -flat(b), -flat(b));
    dct(v, 11);
    for (int i = 0; i < 8; i++)
        v[i] = _mm256_blendv_epi8(v[i], wrapped, which);
}

AVX2 void gv_jpeg_idct2(const int16_t *a, const int16_t *qa, uint8_t *to_a, int64_t stride_a, const int16_t *b, const int16_t *qb, uint8_t *to_b, int64_t stride_b)
{
    __m256i v[8];
    for (int i = 0; i < 8; i++)
        v[i] = _mm256_mullo_epi16(two(a + 8 * i, b + 8 * i), two(qa + 8 * i, qb + 8 * i));
    if (_mm256_movemask_epi8(_mm256_cmpeq_epi16(_mm256_srai_epi16(_mm256_slli_epi16(v[0], 2), 2), v[0])) == -1)
        dct(v, 11);
    else
        dct_overflow(v, a, b);
    transpose(v);
    dct(v, 18);
    transpose(v);
    for (int i = 0; i < 8; i += 2) {
        __m256i s = _mm256_xor_si256(_mm256_packs_epi16(v[i], v[i + 1]), _mm256_set1_epi8((char)0x80));
        __m128i l = _mm256_castsi256_si128(s), h = _mm256_extracti128_si256(s, 1);
        _mm_storel_epi64((__m128i *)(void *)(to_a + i * stride_a), l);
        _mm_storel_epi64((__m128i *)(void *)(to_a + (i + 1) * stride_a), _mm_unpackhi_epi64(l, l));
        _mm_storel_epi64((__m128i *)(void *)(to_b + i * stride_b), h);
        _mm_storel_epi64((__m128i *)(void *)(to_b + (i + 1) * stride_b), _mm_unpackhi_epi64(h, h));
    }
}

/* ---- upsampling: a triangle, 3/4 of the nearer sample and 1/4 of the farther, along each halved axis ---- */

/* n samples from `from` on, and their neighbours where the component has them: 2 n values. */
AVX2 static void widen(const uint8_t *near, const uint8_t *far, int64_t from, int64_t n, int64_t width, uint8_t *out)
{
    enum { STRIP = 256 };
    int16_t sums[STRIP + 34];
    int16_t *s = sums + 1; /* s[-1] and s[m]: the neighbours */
    for (int64_t at = 0; at < n; at += STRIP) {
        int64_t m = n - at < STRIP ? n - at : STRIP, lo = from + at, left = lo > 0, right = lo + m < width;
        const uint8_t *a = near + lo, *b = far ? far + lo : NULL;
        for (int64_t i = -left; i < m + right; i += 16) {
            __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(a + i)));
            if (b)
                v = _mm256_add_epi16(_mm256_add_epi16(v, _mm256_add_epi16(v, v)), _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(b + i))));
            _mm256_storeu_si256((__m256i *)(void *)(s + i), v);
        }
        if (!left)
            s[-1] = s[0];
        if (!right)
            s[m] = s[m - 1];
        /* 16ths or 4ths, halves rounded up and down by turns */
        const __m256i even = _mm256_set1_epi16((short)(far ? 8 : 1)), odd = _mm256_set1_epi16((short)(far ? 7 : 2));
        const __m128i by = _mm_cvtsi32_si128(far ? 4 : 2);
        for (int64_t i = 0; i < m; i += 16) {
            __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)(s + i)), l = _mm256_loadu_si256((const __m256i *)(const void *)(s + i - 1)),
                    r = _mm256_loadu_si256((const __m256i *)(const void *)(s + i + 1));
            c = _mm256_add_epi16(c, _mm256_add_epi16(c, c));
            __m256i e = _mm256_srl_epi16(_mm256_add_epi16(_mm256_add_epi16(c, l), even), by), o = _mm256_srl_epi16(_mm256_add_epi16(_mm256_add_epi16(c, r), odd), by);
            _mm256_storeu_si256((__m256i *)(void *)(out + 2 * (at + i)), _mm256_or_si256(e, _mm256_slli_epi16(o, 8)));
        }
    }
}

/* ---- colours ---- */

/* 16 pixels of Y, Cb, Cr to 48 bytes. */
AVX2 static inline void rgb16(const uint8_t *y8, const uint8_t *cb8, const uint8_t *cr8, uint8_t *out)
{
    const __m256i off = _mm256_set1_epi16(128), one = _mm256_set1_epi16(1);
    __m256i y = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)y8));
    __m256i cb = _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)cb8)), off);
    __m256i cr = _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)cr8)), off);
    __m256i cb2 = _mm256_add_epi16(cb, cb), cr2 = _mm256_add_epi16(cr, cr);
    /* 1.402 = 1 + 26345 / 65536; 1.772 = 2 - 14942 / 65536; rounded to the nearest, halves up */
    __m256i r = _mm256_add_epi16(cr, _mm256_srai_epi16(_mm256_add_epi16(_mm256_mulhi_epi16(cr2, _mm256_set1_epi16(26345)), one), 1));
    __m256i b = _mm256_add_epi16(cb2, _mm256_srai_epi16(_mm256_add_epi16(_mm256_mulhi_epi16(cb2, _mm256_set1_epi16(-14942)), one), 1));
    /* -0.34414 cb - 0.71414 cr, the latter as 0.28586 - 1 */
    const __m256i k = _mm256_set1_epi32((int)(18734u << 16 | (uint16_t)-22554)), half = _mm256_set1_epi32(32768);
    __m256i g0 = _mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(_mm256_unpacklo_epi16(cb, cr), k), half), 16);
    __m256i g1 = _mm256_srai_epi32(_mm256_add_epi32(_mm256_madd_epi16(_mm256_unpackhi_epi16(cb, cr), k), half), 16);
    __m256i g = _mm256_sub_epi16(_mm256_packs_epi32(g0, g1), cr);
    __m256i rg = _mm256_packus_epi16(_mm256_add_epi16(y, r), _mm256_add_epi16(y, g)); /* each half: 8 of r, 8 of g */
    __m256i bb = _mm256_packus_epi16(_mm256_add_epi16(y, b), _mm256_add_epi16(y, b));
    /* Each half gives 24 bytes: rgb of its eight pixels. */
    const __m256i rg0 = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 8, -1, 1, 9, -1, 2, 10, -1, 3, 11, -1, 4, 12, -1, 5)),
                  b0 = _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1)),
                  rg1 = _mm256_broadcastsi128_si256(_mm_setr_epi8(13, -1, 6, 14, -1, 7, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1)),
                  b1 = _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, -1, -1, -1, -1, -1, -1));
    __m256i u = _mm256_or_si256(_mm256_shuffle_epi8(rg, rg0), _mm256_shuffle_epi8(bb, b0)), v = _mm256_or_si256(_mm256_shuffle_epi8(rg, rg1), _mm256_shuffle_epi8(bb, b1));
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(u));
    _mm_storel_epi64((__m128i *)(void *)(out + 16), _mm256_castsi256_si128(v));
    _mm_storeu_si128((__m128i *)(void *)(out + 24), _mm256_extracti128_si256(u, 1));
    _mm_storel_epi64((__m128i *)(void *)(out + 40), _mm256_extracti128_si256(v, 1));
}

AVX2 static void rgb_row(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, uint8_t *out, int64_t n)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        rgb16(y + i, cb + i, cr + i, out + 3 * i);
    if (i < n) { /* the planes have room behind them, the image has not */
        uint8_t rest[48];
        rgb16(y + i, cb + i, cr + i, rest);
        memcpy(out + 3 * i, rest, (size_t)(3 * (n - i)));
    }
}

static const uint8_t *row_of(const gv_jpeg_plane *p, int64_t y)
{
    y = y < 0 ? 0 : y >= p->height ? p->height - 1 : y;
    return p->data + (y - p->y) * p->stride - p->x; /* of column 0 */
}

/* Columns x0 … of a component at row y of the image, as many as the image's. space: where an upsampled row may lie. */
static const uint8_t *component(const gv_jpeg *j, int k, int64_t y, int64_t x0, int64_t n, uint8_t *space)
{
    const gv_jpeg_plane *p = &j->plane[k];
    if (p->h == j->h_max)
        return row_of(p, y) + x0;
    int64_t from = x0 / 2, to = (x0 + n - 1) / 2 + 1;
    if (p->v == j->v_max)
        widen(row_of(p, y), NULL, from, to - from, p->width, space);
    else
        widen(row_of(p, y / 2), row_of(p, y % 2 ? y / 2 + 1 : y / 2 - 1), from, to - from, p->width, space);
    return space + x0 % 2;
}

void gv_jpeg_colours(const gv_jpeg *j, const gv_region *g, uint8_t *out, uint8_t *space)
{
    uint8_t *other = space + 2 * (g->w + 64);
    for (int64_t y = g->y; y < g->y + g->h; y++, out += g->w * (j->n == 1 ? 1 : 3)) {
        const uint8_t *light = row_of(&j->plane[0], y) + g->x;
        if (j->n == 1)
            memcpy(out, light, (size_t)g->w);
        else
            rgb_row(light, component(j, 1, y, g->x, g->w, space), component(j, 2, y, g->x, g->w, other), out, g->w);
    }
}

#endif
