/* colour_opencv: brightness, contrast, saturation and hue as albumentations' ColorJitter computes them with OpenCV and NumPy.
 * uint8: the same bytes on every machine, fused multiply-adds where OpenCV's vector code has them. In OpenCV itself a hue shift
 * truncates the pixels of whole vectors (16 to 64, by processor) and rounds the rest of a row; here all are truncated, so rows
 * of a multiple of 64 are OpenCV's everywhere. float32: on a scale from 0 to 1, each change within 1e-6 of OpenCV.
 * Source: albumentations 2.0.8 (functional.py), albucore 0.0.24, OpenCV 4.14's color_hsv.simd.hpp and color_rgb.simd.hpp, as
 * behaviour; golden values in tests/golden/augment/albumentations.txt. */
#include "sample/sample.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>

enum { BLOCK = 64, HUES = 180 };

int gv_sample_bytes_or_floats(const gv_sample *x, const char *what, gv_err *err)
{
    if (x->dtype != GV_U8 && x->dtype != GV_F32T)
        return gv_fail(err, GV_EDATA, "%s works on 8-bit and float32 images; this one is %s (data.eight_bit brings 16-bit images to 8 bits)", what, gv_dtype_of(x->dtype)->name);
    return GV_OK;
}

/* The frames of an image of 1 or 3 channels, bytes or floats. */
static int open_image(const gv_sample *x, gv_frames *f, gv_err *err)
{
    int r = gv_sample_bytes_or_floats(x, "changing colours", err);
    if (r < 0 || (r = gv_sample_frames(x, f, err)) < 0)
        return r;
    if (f->c != 1 && f->c != 3)
        return gv_fail(err, GV_EDATA, "colours can be changed in images of 1 or 3 channels; this one has %" PRId64, f->c);
    return GV_OK;
}

static float unit(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

/* x factor + plus in float, cut to the range; bytes are truncated. */
GV_HOT static void opencv_linear(uint8_t *p, size_t n, float factor, float plus)
{
    for (size_t i = 0; i < n; i++) {
        float v = (float)p[i] * factor + plus;
        p[i] = (uint8_t)(int)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

static void linear(void *data, gv_dtype dtype, size_t n, float factor, float plus)
{
    float *q = data;
    if (dtype == GV_U8)
        opencv_linear(data, n, factor, plus);
    else
        for (size_t i = 0; i < n; i++)
            q[i] = unit((float)((double)q[i] * (double)factor + (double)plus));
}

int gv_opencv_brightness(gv_sample *x, double factor, gv_err *err)
{
    gv_frames f;
    int r = open_image(x, &f, err);
    if (r == GV_OK && factor != 1)
        linear(x->data, x->dtype, (size_t)(f.n * f.h * f.w * f.c), (float)factor, 0);
    return r;
}

static inline uint32_t grey_of(const uint8_t *p)
{
    return (p[0] * 9798u + p[1] * 19235u + p[2] * 3735u + 16384u) >> 15;
}

static inline float grey_of_floats(const float *p)
{
    return p[0] * 0.299f + p[1] * 0.587f + p[2] * 0.114f;
}

GV_HOT static uint64_t opencv_sum_grey(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += grey_of(p + 3 * i);
    return sum;
}

/* The mean of one frame's grey version. */
static double mean_grey(const void *data, gv_dtype dtype, size_t n, int64_t c)
{
    const uint8_t *p = data;
    const float *q = data;
    uint64_t sum = 0;
    double fsum = 0;
    if (dtype == GV_U8 && c == 3)
        sum = opencv_sum_grey(p, n);
    else if (dtype == GV_U8)
        for (size_t i = 0; i < n; i++)
            sum += p[i];
    else
        for (size_t i = 0; i < n; i++)
            fsum += (double)(c == 3 ? grey_of_floats(q + 3 * i) : q[i]);
    return (dtype == GV_U8 ? (double)sum : fsum) / (double)n;
}

int gv_opencv_contrast(gv_sample *x, double factor, gv_err *err)
{
    gv_frames f;
    int r = open_image(x, &f, err);
    if (r < 0 || factor == 1)
        return r;
    size_t n = (size_t)(f.h * f.w), size = n * (size_t)f.c;
    for (int64_t k = 0; k < f.n; k++) { /* each frame about its own mean */
        void *at = (char *)x->data + (size_t)k * size * gv_dtype_of(x->dtype)->size;
        double mean = mean_grey(at, x->dtype, n, f.c);
        if (factor == 0 && x->dtype == GV_U8)
            mean = floor(mean + 0.5);
        linear(at, x->dtype, size, (float)factor, (float)(mean * (1 - factor)));
    }
    return GV_OK;
}

GV_HOT static void opencv_saturate(uint8_t *p, size_t n, float factor, float rest)
{
    for (size_t i = 0; i < n; i++, p += 3) {
        float g = (float)grey_of(p) * rest;
        for (int k = 0; k < 3; k++) {
            float v = rintf(fmaf((float)p[k], factor, g));
            p[k] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    }
}

int gv_opencv_saturation(gv_sample *x, double factor, gv_err *err)
{
    gv_frames f;
    int r = open_image(x, &f, err);
    if (r < 0 || factor == 1 || f.c == 1) /* a grey image is its own grey version */
        return r;
    size_t n = (size_t)(f.n * f.h * f.w);
    float a = (float)factor, b = (float)(1 - factor), *q = x->data;
    if (x->dtype == GV_U8)
        opencv_saturate(x->data, n, a, b);
    else
        for (size_t i = 0; i < n; i++, q += 3) {
            float g = grey_of_floats(q) * b;
            for (int k = 0; k < 3; k++)
                q[k] = unit(fmaf(q[k], a, g));
        }
    return GV_OK;
}

/* ---- hue ---- */

struct block { float h[BLOCK], s[BLOCK], v[BLOCK]; };

/* np.mod: the remainder with the divisor's sign. */
static double modulo(double a, double b)
{
    double r = fmod(a, b);
    return r < 0 ? r + b : r;
}

/* OpenCV's hue, saturation and value of bytes, which they replace: quotients by tables of 1/4096, whose entries rint gives too. */
GV_HOT static void to_hues(int32_t *restrict r0, int32_t *restrict g0, int32_t *restrict b0)
{
    for (int i = 0; i < BLOCK; i++) {
        int32_t r = r0[i], g = g0[i], b = b0[i], hi = r > g ? r : g, lo = r < g ? r : g;
        hi = hi > b ? hi : b;
        lo = lo < b ? lo : b;
        /* Masks instead of branches, which would keep this from becoming vectors. */
        int32_t d = hi - lo, red = -(hi == r), green = ~red & -(hi == g), blue = ~(red | green);
        int32_t h = (red & (g - b)) | (green & (b - r + 2 * d)) | (blue & (r - g + 4 * d));
        h = (h * (int32_t)rintf((float)(HUES << 12) / (float)(6 * (d + (d == 0)))) + 2048) >> 12; /* d = 0: h is 0 too */
        r0[i] = h + (HUES & -(h < 0));
        g0[i] = (d * (int32_t)rintf((float)(255 << 12) / (float)(hi + (hi == 0))) + 2048) >> 12;
        b0[i] = hi;
    }
}

/* n pixels [n,3] to hue (0 … 180, moved), saturation and value (0 … 1). */
static void split_bytes(const uint8_t *p, int n, const float *moved, struct block *o)
{
    const float one = 1.0f / 255;
    int32_t r[BLOCK] = { 0 }, g[BLOCK] = { 0 }, b[BLOCK] = { 0 };
    for (int i = 0; i < n; i++) {
        r[i] = p[3 * i];
        g[i] = p[3 * i + 1];
        b[i] = p[3 * i + 2];
    }
    to_hues(r, g, b);
    for (int i = 0; i < BLOCK; i++)
        o->h[i] = moved[r[i]];
    for (int i = 0; i < BLOCK; i++) {
        o->s[i] = (float)g[i] * one;
        o->v[i] = (float)b[i] * one;
    }
}

/* The same with hue 0 … 360. */
static void split_floats(const float *p, int n, float shift, struct block *o)
{
    for (int i = 0; i < n; i++, p += 3) {
        float r = p[0], g = p[1], b = p[2], hi = fmaxf(fmaxf(r, g), b), d = hi - fminf(fminf(r, g), b);
        float k = 60 / (d + FLT_EPSILON), h = hi == r ? (g - b) * k : hi == g ? (b - r) * k + 120 : (r - g) * k + 240;
        o->h[i] = (float)modulo((double)((h < 0 ? h + 360 : h) + shift), 360);
        o->s[i] = d / (fabsf(hi) + FLT_EPSILON);
        o->v[i] = hi;
    }
}

static inline float unit_of(float v)
{
    v = v > 0 ? v : 0;
    return v < 1 ? v : 1;
}

/* A block back to red, green and blue, which replace hue, saturation and value. `sixth` brings hues to 0 … 6. A colour is value times
 * (1 - saturation x), where x rises or falls by 1 within a sixth of the circle and is 0 or 1 elsewhere. OpenCV has the same x, f or
 * 1 - f of the fraction f, by cases; the differences here are exact in float, but 2 - h is not where h < 1: `first` is green there. */
GV_HOT static void join_hues(struct block *o, float sixth)
{
    for (int i = 0; i < BLOCK; i++) {
        float h = o->h[i] * sixth, s = -o->s[i], v = o->v[i];
        h = h > 0 ? h : 0; /* what is not a number too */
        h = h < 6 ? h : 6; /* the same colours as 0 */
        float after = h > 1 ? h : 1, first = unit_of(1 - h);
        float r = unit_of(2 - fabsf(h - 3)), g = unit_of(fabsf(after - 2) - 1) + first, b = unit_of(fabsf(h - 4) - 1);
        o->h[i] = v * fmaf(s, r, 1);
        o->s[i] = v * fmaf(s, g, 1);
        o->v[i] = v * fmaf(s, b, 1);
    }
}

GV_HOT static void hues_to_bytes(const float *restrict in, uint8_t *restrict out)
{
    for (int i = 0; i < BLOCK; i++) {
        float t = in[i] * 255;
        out[i] = (uint8_t)(int)(t < 0 ? 0 : t > 255 ? 255 : t);
    }
}

int gv_opencv_hue(gv_sample *x, double factor, gv_err *err)
{
    gv_frames f;
    int r = open_image(x, &f, err);
    if (r < 0 || factor == 0 || f.c == 1)
        return r;
    size_t n = (size_t)(f.n * f.h * f.w);
    struct block o = { { 0 }, { 0 }, { 0 } };
    float moved[HUES + 1];
    for (int i = 0; i <= HUES; i++)
        moved[i] = (float)(uint8_t)modulo(i + HUES * factor, HUES);
    for (size_t at = 0; at < n; at += BLOCK) {
        int m = n - at < BLOCK ? (int)(n - at) : BLOCK;
        uint8_t *p = (uint8_t *)x->data + 3 * at;
        float *q = (float *)x->data + 3 * at;
        if (x->dtype == GV_U8) {
            uint8_t c[3][BLOCK];
            split_bytes(p, m, moved, &o);
            join_hues(&o, 6.0f / HUES);
            hues_to_bytes(o.h, c[0]);
            hues_to_bytes(o.s, c[1]);
            hues_to_bytes(o.v, c[2]);
            for (int i = 0; i < m; i++, p += 3) {
                p[0] = c[0][i];
                p[1] = c[1][i];
                p[2] = c[2][i];
            }
        } else {
            split_floats(q, m, (float)(factor * 360), &o);
            join_hues(&o, 6.0f / 360);
            for (int i = 0; i < m; i++, q += 3) {
                q[0] = o.h[i];
                q[1] = o.s[i];
                q[2] = o.v[i];
            }
        }
    }
    return GV_OK;
}
