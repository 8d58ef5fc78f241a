/*
 * N-D samples: dense, channels last: image [H,W,C], volume [D,H,W,C], video [T,H,W,C], series [T,C].
 *
 *   gv_sample x;
 *   gv_sample_init(&x, GV_U8, 3, (int64_t[]){ h, w, 3 }, arena, err);     // pixels are not cleared
 *   gv_sample_crop(&x, &(gv_region){ 4, 4, 224, 224 }, arena, err);
 *   gv_sample_resize(&x, 224, 224, GV_BILINEAR, arena, err);
 *
 * A changing function either works in place or lets x point at new pixels in `arena`; then the old ones are untouched. On
 * failure x is as it was. Integer pixels are computed in fixed point: the same bytes on every machine.
 * The operations named after images take the last two spatial axes; leading ones are repeated over.
 */
#ifndef GV_SAMPLE_SAMPLE_H
#define GV_SAMPLE_SAMPLE_H

#include "common/arena.h"
#include "common/dtype.h"
#include <stdbool.h>

enum { GV_MAX_SIDE = 65500, GV_MAX_CHANNELS = 64 };

typedef struct gv_sample {
    gv_dtype dtype;
    int ndim;
    int64_t shape[GV_MAX_DIMS];
    void *data; /* NULL: only the shape is known */
    bool lent;  /* data is somebody else's, to be looked at; what makes new pixels clears it */
} gv_sample;

/* A part of an image: rows y … y+h-1, columns x … x+w-1. It may reach outside where a function says so. */
typedef struct gv_region { int64_t y, x, h, w; } gv_region;

/* Memory for a sample of that shape, not cleared. GV_EDATA for a shape that is empty or overflows; GV_ESYS when the arena is full. */
int gv_sample_init(gv_sample *s, gv_dtype dtype, int ndim, const int64_t *shape, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Bytes of the pixels; 0 when the shape is empty or overflows. */
size_t gv_sample_bytes(const gv_sample *s);
int gv_sample_copy(const gv_sample *s, gv_sample *to, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* The axes of images: n images (the product of leading axes) of h x w pixels with c channels. GV_EDATA below 2 spatial axes. */
typedef struct gv_frames { int64_t n, h, w, c; } gv_frames;
int gv_sample_frames(const gv_sample *s, gv_frames *f, gv_err *err) GV_MUST_USE;

/* ---- geometry without arithmetic, any dtype ---- */

typedef enum gv_border {
    GV_BORDER_CONSTANT,
    GV_BORDER_EDGE,       /* aaa|abcdef|fff */
    GV_BORDER_REFLECT,    /* cba|abcdef|fed   OpenCV's REFLECT, NumPy's symmetric */
    GV_BORDER_REFLECT101, /* dcb|abcdef|edc   OpenCV's REFLECT_101, PyTorch's reflect */
} gv_border;

/* The source index of position i of an axis of n under a border; -1 for GV_BORDER_CONSTANT outside. */
int64_t gv_border_index(gv_border b, int64_t i, int64_t n);

/* The part [start, start + size) of every spatial axis (ndim - 1 of them); positions outside are filled by the border rule,
 * constant ones with fill (one byte pattern per element: only 0 or, for uint8, any value). New pixels in arena. */
int gv_sample_window(gv_sample *x, const int64_t *start, const int64_t *size, gv_border border, uint8_t fill, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* The same for the last two spatial axes, constant 0 outside. */
int gv_sample_crop(gv_sample *x, const gv_region *r, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Mirror along spatial axis 0 … ndim-2, in place. */
int gv_sample_flip(gv_sample *x, int axis, gv_err *err) GV_MUST_USE;
/* Axis k of a volume [D,H,W,C] becomes what was axis order[k], mirrored where flip[k]. New pixels in arena, unless nothing changes. */
int gv_sample_turn(gv_sample *x, const int order[3], const bool flip[3], gv_arena *arena, gv_err *err) GV_MUST_USE;
/* To `channels` channels: 1 -> n repeats; 3 -> 1 is ITU-R 601 luma as Pillow computes it; 4 -> 3 and 2 -> 1 drop the last
 * (alpha, without compositing, as Pillow); other pairs are GV_EDATA. */
int gv_sample_channels(gv_sample *x, int64_t channels, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* ---- resampling ---- */

typedef enum gv_interpolation {
    GV_NEAREST,  /* Pillow's NEAREST */
    GV_LINEAR,   /* OpenCV's INTER_LINEAR: two taps a side, no antialiasing */
    GV_BILINEAR, /* Pillow's BILINEAR: antialiased */
    GV_BICUBIC,  /* Pillow's BICUBIC (a = -0.5): antialiased */
    GV_INTERPOLATIONS,
} gv_interpolation;
extern const char *const gv_interpolation_names[]; /* "nearest" "linear" "bilinear" "bicubic", NULL */

/*
 * Resize the last two spatial axes to h x w. uint8 equals Pillow and OpenCV bit for bit; other types are computed in double
 * (as Pillow does for its 32-bit modes) and rounded for integers.
 * Source: Pillow 13's Resample.c (earlier ones go across first always) and OpenCV's resize.cpp, as behaviour; golden values in
 * tests/golden/augment.
 */
int gv_sample_resize(gv_sample *x, int64_t h, int64_t w, gv_interpolation how, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* A float32 volume [D,H,W,C] on a grid of size[3] over the same field of view, by splines of order 0, 1 or 3 (see its file). New
 * values in arena. */
int gv_sample_resample(gv_sample *x, const int64_t size[3], int order, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* y[r,c] = x at (m3 c + m4 r + m5, m0 c + m1 r + m2), the inverse map as OpenCV takes it (WARP_INVERSE_MAP), INTER_LINEAR in
 * steps of 1/32 pixel, same size. uint8 equals OpenCV 4 bit for bit; other types are computed in double, with 0 for fill. */
int gv_sample_warp_linear(gv_sample *x, const double m[6], gv_border border, const uint8_t *fill, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* Turn by degrees (counter-clockwise) about (w/2 - 0.5, h/2 - 0.5), as cv2.getRotationMatrix2D and warpAffine do. */
int gv_sample_rotate_linear(gv_sample *x, double degrees, gv_border border, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* Pillow's Image.transform(size, AFFINE, m, NEAREST or BICUBIC, fillcolor=fill): y[r,c] = x at (m3 c' + m4 r' + m5, …) with
 * pixel centres at + 0.5; same size, uint8, fill has one value per channel. Bit for bit. */
int gv_sample_warp_pillow(gv_sample *x, const double m[6], gv_interpolation how, const uint8_t *fill, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Pillow's Image.rotate(degrees, NEAREST, expand=False, fillcolor=fill), counter-clockwise. */
int gv_sample_rotate_pillow(gv_sample *x, double degrees, const uint8_t *fill, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* ---- float32 samples of any shape, in place ---- */

/* GV_EDATA, naming the first, when a float32 sample has a value that is NaN or infinite. */
int gv_sample_finite(const gv_sample *x, gv_err *err) GV_MUST_USE;
/* (x - mean) / max(deviation, 1e-8) of each channel; nonzero: of the values other than 0, which alone are changed. */
int gv_sample_zscore(gv_sample *x, bool nonzero, gv_err *err) GV_MUST_USE;
/* low to 0, high to 1, cut off outside: a radiologist's window. */
int gv_sample_levels(gv_sample *x, double low, double high, gv_err *err) GV_MUST_USE;

/* ---- colour, uint8 images, in place unless an arena is taken; Pillow's arithmetic bit for bit ---- */

int gv_colour_invert(gv_sample *x, gv_err *err) GV_MUST_USE;                        /* ImageOps.invert */
int gv_colour_autocontrast(gv_sample *x, gv_err *err) GV_MUST_USE;                  /* ImageOps.autocontrast, cutoff 0 */
int gv_colour_equalize(gv_sample *x, gv_err *err) GV_MUST_USE;                      /* ImageOps.equalize */
int gv_colour_posterize(gv_sample *x, int bits, gv_err *err) GV_MUST_USE;           /* ImageOps.posterize, bits 0 … 8 */
int gv_colour_solarize(gv_sample *x, int threshold, gv_err *err) GV_MUST_USE;       /* ImageOps.solarize, 0 … 256 */
int gv_colour_brightness(gv_sample *x, float factor, gv_err *err) GV_MUST_USE;      /* ImageEnhance.Brightness */
int gv_colour_contrast(gv_sample *x, float factor, gv_err *err) GV_MUST_USE;        /* ImageEnhance.Contrast */
int gv_colour_saturation(gv_sample *x, float factor, gv_err *err) GV_MUST_USE;      /* ImageEnhance.Color */
int gv_colour_sharpness(gv_sample *x, float factor, gv_arena *arena, gv_err *err) GV_MUST_USE; /* ImageEnhance.Sharpness */

/* ---- uint8 and float32 images (floats on a scale from 0 to 1); albumentations' arithmetic with OpenCV's, bytes bit for bit but for
 * the end of rows in gv_opencv_hue (see its file), floats within 1e-6 a change ---- */

/* GV_EDATA, naming what was to be done, for other types. */
int gv_sample_bytes_or_floats(const gv_sample *x, const char *what, gv_err *err) GV_MUST_USE;
/* 1 or 3 channels, in place; each image of a stack by itself. A factor of 1 (a hue shift of 0) changes nothing. */
int gv_opencv_brightness(gv_sample *x, double factor, gv_err *err) GV_MUST_USE;
int gv_opencv_contrast(gv_sample *x, double factor, gv_err *err) GV_MUST_USE;       /* about the mean of the grey image */
int gv_opencv_saturation(gv_sample *x, double factor, gv_err *err) GV_MUST_USE;     /* away from the grey image */
int gv_opencv_hue(gv_sample *x, double shift, gv_err *err) GV_MUST_USE;             /* of a whole turn, -0.5 … 0.5 */
/* cv2.sepFilter2D with the same symmetric kernel (odd size) along rows and columns, any channels, GV_BORDER_REFLECT101. */
enum { GV_MAX_BLUR = 31 }; /* pixels on either side of the middle */
int gv_opencv_blur(gv_sample *x, const float *weight, int size, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* Fill a box (clipped to the image) with colour[c] in channel c; types other than uint8 get
 * the same share of their range (65535, 1.0 for floats). */
int gv_sample_fill(gv_sample *x, const gv_region *r, const uint8_t *colour, gv_err *err) GV_MUST_USE;

#endif
