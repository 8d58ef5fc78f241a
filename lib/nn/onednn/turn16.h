/* r: 16 rows of 16 units of 32 bits; turned, so that row i holds what stood in column i. AVX-512; stays in registers. */
#ifndef GV_NN_ONEDNN_TURN16_H
#define GV_NN_ONEDNN_TURN16_H

#include <immintrin.h>

#if defined(__clang__)
#define DN_UNROLL _Pragma("unroll")
#else
#define DN_UNROLL _Pragma("GCC unroll 16")
#endif

static inline __attribute__((always_inline, target("avx512f"))) void dn_turn16(__m512i r[16])
{
    __m512i s[16];
    DN_UNROLL for (int i = 0; i < 8; i++) {
        s[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        s[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    DN_UNROLL for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(s[4 * i], s[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(s[4 * i], s[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(s[4 * i + 1], s[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(s[4 * i + 1], s[4 * i + 3]);
    } /* r[4 i + c]: column c of each quarter, of rows 4 i … 4 i + 3 */
    DN_UNROLL for (int c = 0; c < 4; c++) {
        __m512i lo = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x88), hi = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88);
        __m512i lo2 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xdd), hi2 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xdd);
        s[c] = _mm512_shuffle_i32x4(lo, hi, 0x88);
        s[8 + c] = _mm512_shuffle_i32x4(lo, hi, 0xdd);
        s[4 + c] = _mm512_shuffle_i32x4(lo2, hi2, 0x88);
        s[12 + c] = _mm512_shuffle_i32x4(lo2, hi2, 0xdd);
    }
    DN_UNROLL for (int i = 0; i < 16; i++)
        r[i] = s[i];
}

#endif
