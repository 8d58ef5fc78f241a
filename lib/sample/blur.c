/* blur: an image against one small kernel along rows, then along columns, as OpenCV's sepFilter2D does it in float: rows from left to
 * right, columns from the middle outwards in pairs, fused multiply-adds, halves to the even value.
 * Source: OpenCV 4.14's filter.simd.hpp, as behaviour; golden values in tests/golden/augment/albumentations.txt. */
#include "sample/sample.h"
#include <inttypes.h>
#include <math.h>

enum { LONGEST = 2 * GV_MAX_BLUR + 1 };

/* out[i] = sum of weight[j] in[i + j c]: one row with its border, n = w c numbers. */
GV_HOT static void blur_along(const float *restrict in, float *restrict out, size_t n, size_t c, const float *weight, int size)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] * weight[0];
    for (int j = 1; j < size; j++)
        for (size_t i = 0; i < n; i++)
            out[i] = fmaf(in[i + (size_t)j * c], weight[j], out[i]);
}

/* The pair of rows a and b at distance j from the middle is added. */
GV_HOT static void blur_pair(const float *restrict a, const float *restrict b, float *restrict out, size_t n, float weight)
{
    for (size_t i = 0; i < n; i++)
        out[i] = fmaf(a[i] + b[i], weight, out[i]);
}

GV_HOT static void blur_to_bytes(const float *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = rintf(in[i]);
        out[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

struct blur {
    gv_dtype dtype;
    gv_frames f;
    const float *weight;
    int size;
    float *wide, *sum, *ring[LONGEST]; /* a row with its border; an output row; filtered row y in ring[y % size] */
};

static void filter_row(struct blur *b, const void *frame, int64_t y)
{
    int64_t m = b->size / 2, w = b->f.w, c = b->f.c;
    size_t row = (size_t)(w * c);
    const uint8_t *p = (const uint8_t *)frame + (size_t)y * row;
    const float *q = (const float *)frame + (size_t)y * row;
    float *in = b->wide + m * c;
    if (b->dtype == GV_U8)
        for (size_t i = 0; i < row; i++)
            in[i] = (float)p[i];
    else
        memcpy(in, q, row * sizeof *in);
    for (int64_t i = 1; i <= m; i++) {
        memcpy(in - i * c, in + gv_border_index(GV_BORDER_REFLECT101, -i, w) * c, (size_t)c * sizeof *in);
        memcpy(in + (w - 1 + i) * c, in + gv_border_index(GV_BORDER_REFLECT101, w - 1 + i, w) * c, (size_t)c * sizeof *in);
    }
    blur_along(b->wide, b->ring[y % b->size], row, (size_t)c, b->weight, b->size);
}

static void blur_frame(struct blur *b, const void *frame, void *out)
{
    int64_t m = b->size / 2, h = b->f.h, next = 0;
    size_t row = (size_t)(b->f.w * b->f.c);
    for (int64_t y = 0; y < h; y++) {
        /* Mirrored rows lie within y-m … y+m too, so a ring of `size` rows is enough. */
        for (; next <= y + m && next < h; next++)
            filter_row(b, frame, next);
        float *sum = b->dtype == GV_U8 ? b->sum : (float *)out + (size_t)y * row;
        const float *mid = b->ring[y % b->size];
        for (size_t i = 0; i < row; i++)
            sum[i] = mid[i] * b->weight[m];
        for (int64_t j = 1; j <= m; j++)
            blur_pair(b->ring[gv_border_index(GV_BORDER_REFLECT101, y - j, h) % b->size], b->ring[gv_border_index(GV_BORDER_REFLECT101, y + j, h) % b->size], sum, row, b->weight[m + j]);
        if (b->dtype == GV_U8)
            blur_to_bytes(sum, (uint8_t *)out + (size_t)y * row, row);
    }
}

int gv_opencv_blur(gv_sample *x, const float *weight, int size, gv_arena *arena, gv_err *err)
{
    struct blur b = { .dtype = x->dtype, .weight = weight, .size = size };
    gv_sample y;
    int r = gv_sample_bytes_or_floats(x, "blurring", err);
    if (r < 0 || (r = gv_sample_frames(x, &b.f, err)) < 0)
        return r;
    if (size < 1 || size > LONGEST || size % 2 == 0)
        return gv_fail(err, GV_EINTERNAL, "a kernel of %d; odd sizes up to %d are possible", size, LONGEST);
    if ((r = gv_sample_init(&y, x->dtype, x->ndim, x->shape, arena, err)) < 0)
        return r;
    size_t row = (size_t)(b.f.w * b.f.c), mark = arena->used, bytes = (size_t)(b.f.h * b.f.w * b.f.c) * gv_dtype_of(x->dtype)->size;
    b.wide = gv_arena_alloc_dirty(arena, (row + (size_t)(2 * (size / 2) * b.f.c)) * sizeof(float), err);
    b.sum = b.wide ? gv_arena_alloc_dirty(arena, row * sizeof(float), err) : NULL;
    float *rows = b.sum ? gv_arena_alloc_dirty(arena, (size_t)size * row * sizeof(float), err) : NULL;
    if (!rows)
        return GV_ESYS;
    for (int i = 0; i < size; i++)
        b.ring[i] = rows + (size_t)i * row;
    for (int64_t k = 0; k < b.f.n; k++)
        blur_frame(&b, (const char *)x->data + (size_t)k * bytes, (char *)y.data + (size_t)k * bytes);
    gv_arena_rewind(arena, mark);
    *x = y;
    return GV_OK;
}
