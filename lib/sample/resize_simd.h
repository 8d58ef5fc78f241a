/* Pillow's passes over 8-bit pixels with 16-bit products, for processors that multiply and add pairs of them.
 * A weight of 22 bits is hi * 2^11 + lo, so a sum of products is (sum of hi) * 2^11 + (sum of lo): exact, whatever the order.
 * The same bytes as the plain passes of resize_u8.c, which run where a processor has none of this. */
#ifndef GV_SAMPLE_RESIZE_SIMD_H
#define GV_SAMPLE_RESIZE_SIMD_H

#include "sample/taps.h"

typedef struct gv_resize_passes {
    /* Rows of three channels, `rows` of them at a time: in[r] -> out[r], tx->out pixels each. in[r] can be read 16 bytes behind
     * its end; nothing is written behind out[r]. */
    int rows;
    void (*across3)(const uint8_t *const *in, uint8_t *const *out, const gv_taps *t);
    /* n bytes of one output row from rows `step` bytes apart; pairs: t->pair of that row. */
    void (*down)(const uint8_t *in, size_t step, uint8_t *out, size_t n, const int32_t *pairs, int taps);
    /* All rows at once, one behind the other; nothing is read or written behind them. table: gv_resize_table(t) bytes at a multiple of 64, for the function's
     * own use. False: not for these taps, and nothing was done. NULL: there is none. */
    bool (*image3)(const uint8_t *in, uint8_t *out, int64_t rows, const gv_taps *t, void *table);
} gv_resize_passes;

/* The passes for this processor; NULL where the plain ones run. level: 0 the best there is; for the tests 1 without permutations of
 * bytes, 2 AVX2 at most. */
const gv_resize_passes *gv_resize_simd(int level);

size_t gv_resize_table(const gv_taps *t);

#endif
