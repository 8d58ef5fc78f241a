/* What resizing needs of one axis: for each output position the first source position, how many, and their weights. */
#ifndef GV_SAMPLE_TAPS_H
#define GV_SAMPLE_TAPS_H

#include "sample/sample.h"

typedef struct gv_taps {
    int64_t in, out;
    int width;        /* weights per output position; unused ones are 0 */
    int32_t *first;   /* [out] */
    int32_t *count;   /* [out] taps used, >= 1; first + count <= in */
    double *weight;   /* [out][width], they sum to 1 */
    int32_t *fixed;   /* [out][width] weight * 2^22 (Pillow) or * 2^11 (OpenCV) */
    /* Pillow's alone: fixed = hi * 2^11 + lo, two taps in a word, for each two taps the word of hi and that of lo; `pairs` words
     * for an output position, 0 behind its taps. */
    int pairs;
    int32_t *pair;
} gv_taps;

enum { GV_TAPS_PILLOW_BITS = 22, GV_TAPS_OPENCV_BITS = 11, GV_TAPS_SPLIT_BITS = 11 };

int gv_taps_pillow(gv_taps *t, int64_t in, int64_t out, gv_interpolation how, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Two taps each; along rows the weights at the ends stay as computed (second source clamped), along columns they become 1, 0. */
int gv_taps_opencv(gv_taps *t, int64_t in, int64_t out, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* One image of rows x width pixels x c channels, uint8; scratch: gv_resize_scratch bytes. */
size_t gv_resize_scratch(const gv_taps *ty, const gv_taps *tx, int64_t c);
void gv_resize_pillow_u8(const uint8_t *in, uint8_t *out, const gv_taps *ty, const gv_taps *tx, int64_t c, uint8_t *scratch);
/* Only for tests: 0 the processor's best, 1 without permutations of bytes, 2 AVX2 at most, 3 the plain passes. */
void gv_resize_limit(int most);
void gv_resize_opencv_u8(const uint8_t *in, uint8_t *out, const gv_taps *ty, const gv_taps *tx, int64_t c, int32_t *rows);
void gv_resize_half_u8(const uint8_t *in, uint8_t *out, int64_t h, int64_t w, int64_t c);

/* Round and clip n computed values to what an integer type holds; floats stay. */
void gv_settle(double *v, size_t n, gv_dtype t);

#endif
