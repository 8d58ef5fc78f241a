/*
 * What the kernels with Winograd's F(2x2, 3x3) share (conv_winograd.c, wgrad_winograd.c), for one instruction set: tiles of 2x2 output
 * pixels in the order of rows and images, and the turned input tile B' d B of 4x4 pixels, for VL channels at a time. Included behind vectors.h.
 */

#ifndef GV_NN_ONEDNN_WINOGRAD_H
#define GV_NN_ONEDNN_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>

enum { E = 16 }; /* numbers of a tile */

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

#endif

/* The 4x4 pixels of x [N,H,W,C] that a tile reads; NULL in the padding. True: all are there. */
static inline bool F(tile_pixels)(const T *pixel[E], const T *x, const struct tile *t, const int64_t pad[2], int64_t H, int64_t W, int64_t C)
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

/* One unit in each lane: of a, or of a and b, in T. */
VFN VINLINE void F(put_units)(unit *to, V a, V b)
{
#if PER == 2
    __m512i lo = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(a)), hi = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(b));
    _mm512_storeu_si512(to, _mm512_or_si512(lo, _mm512_slli_epi32(hi, 16)));
#else
    (void)b;
    VST((void *)to, a);
#endif
}

/* One axis of B' d: [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1] */
#undef TURN_INPUT
#define TURN_INPUT(t0, t1, t2, t3, a, b, c, d) (t0 = (a) - (c), t1 = (b) + (c), t2 = (c) - (b), t3 = (b) - (d))

/* d[16] = B' d B of the channels [c, c + VL) */
VFN VINLINE void F(turn_pixels)(V d[E], const T *const pixel[E], bool whole, int64_t c)
{
    V s[E];
    VUNROLL for (int k = 0; k < 4; k++) {
        V p[4];
        if (whole)
            VUNROLL for (int r = 0; r < 4; r++)
                p[r] = F(vget)(pixel[4 * r + k] + c);
        else
            VUNROLL for (int r = 0; r < 4; r++)
                p[r] = pixel[4 * r + k] ? F(vget)(pixel[4 * r + k] + c) : VSET(0);
        TURN_INPUT(s[k], s[4 + k], s[8 + k], s[12 + k], p[0], p[1], p[2], p[3]);
    }
    VUNROLL for (int r = 0; r < 4; r++)
        TURN_INPUT(d[4 * r], d[4 * r + 1], d[4 * r + 2], d[4 * r + 3], s[4 * r], s[4 * r + 1], s[4 * r + 2], s[4 * r + 3]);
}
