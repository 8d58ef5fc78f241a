/*
 * What the kernels with Winograd's F(2x2, 3x3) share (conv_winograd.c, wgrad_winograd.c): tiles of 2x2 output pixels in the order of rows and images,
 * and the turned input tile B' d B of 4x4 pixels, for 16 channels at a time. Only where AVX-512-BF16 is compiled.
 */
#ifndef GV_NN_ONEDNN_WINOGRAD_H
#define GV_NN_ONEDNN_WINOGRAD_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

enum { E = 16, LANES = 16 };
#define BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))
#define ALWAYS static inline __attribute__((always_inline)) BF16

/* Where a tile lies: its output pixels are (2 row, 2 col) and the three beside it. */
struct tile { int64_t image, row, col; };

static inline struct tile tile_at(int64_t i, int64_t down, int64_t across)
{
    return (struct tile){ i / (down * across), i / across % down, i % across };
}

static inline void tile_next(struct tile *t, int64_t down, int64_t across)
{
    if (++t->col == across)
        t->col = 0, t->row++;
    if (t->row == down)
        t->row = 0, t->image++;
}

/* The 4x4 pixels of x [N,H,W,C] that a tile reads; NULL in the padding. True: all are there. */
static inline bool tile_pixels(const uint16_t *pixel[E], const uint16_t *x, const struct tile *t, const int64_t pad[2], int64_t H, int64_t W, int64_t C)
{
    bool whole = true;
    for (int e = 0; e < E; e++) {
        int64_t y = 2 * t->row - pad[0] + e / 4, k = 2 * t->col - pad[1] + e % 4;
        bool there = y >= 0 && y < H && k >= 0 && k < W;
        pixel[e] = there ? x + ((t->image * H + y) * W + k) * C : NULL;
        whole = whole && there;
    }
    return whole;
}

ALWAYS __m512 widen(const uint16_t *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)), 16));
}

/* One axis of B' d: [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1] */
#define TURN_INPUT(t0, t1, t2, t3, a, b, c, d) \
    (t0 = _mm512_sub_ps(a, c), t1 = _mm512_add_ps(b, c), t2 = _mm512_sub_ps(c, b), t3 = _mm512_sub_ps(b, d))

/* d[16] = B' d B of the channels [c, c + 16) */
ALWAYS void turn_pixels(__m512 d[E], const uint16_t *const pixel[E], bool whole, int64_t c)
{
    __m512 s[E];
    if (whole)
#pragma GCC unroll 16
        for (int e = 0; e < E; e++)
            d[e] = widen(pixel[e] + c);
    else
#pragma GCC unroll 16
        for (int e = 0; e < E; e++)
            d[e] = pixel[e] ? widen(pixel[e] + c) : _mm512_setzero_ps();
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++)
        TURN_INPUT(s[k], s[4 + k], s[8 + k], s[12 + k], d[k], d[4 + k], d[8 + k], d[12 + k]);
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++)
        TURN_INPUT(d[4 * r], d[4 * r + 1], d[4 * r + 2], d[4 * r + 3], s[4 * r], s[4 * r + 1], s[4 * r + 2], s[4 * r + 3]);
}

#endif
