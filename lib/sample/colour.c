/* colour: Pillow's ImageOps and ImageEnhance on 8-bit images of 1 or 3 channels, bit for bit.
 * Source: Pillow's ImageOps.py, ImageEnhance.py, Blend.c, Filter.c, as behaviour. */
#include "sample/sample.h"
#include <inttypes.h>

/* The image's pixels and channels, or GV_EDATA for what the operation cannot work on. */
static int open_image(const gv_sample *x, size_t *n, int64_t *c, gv_err *err)
{
    *c = x->shape[x->ndim - 1];
    *n = gv_sample_bytes(x) / (size_t)(*c > 0 ? *c : 1);
    if (x->dtype != GV_U8 || (*c != 1 && *c != 3) || x->ndim < 3)
        return gv_fail(err, GV_EDATA, "colours can be changed in 8-bit images of 1 or 3 channels; this one is %s with %" PRId64, gv_dtype_of(x->dtype)->name, *c);
    return GV_OK;
}

/* What depends on an image's own statistics is done to each image of a stack by itself. */
static int each_image(gv_sample *x, void (*change)(uint8_t *p, size_t n, int64_t c, float factor), float factor, gv_err *err)
{
    size_t n;
    int64_t c;
    gv_frames f;
    int r = open_image(x, &n, &c, err);
    if (r < 0 || (r = gv_sample_frames(x, &f, err)) < 0)
        return r;
    size_t one = (size_t)(f.h * f.w);
    for (int64_t i = 0; i < f.n; i++)
        change((uint8_t *)x->data + (size_t)i * one * (size_t)c, one, c, factor);
    return GV_OK;
}

static void apply_tables(uint8_t *p, size_t n, int64_t c, uint8_t (*table)[256])
{
    if (c == 1)
        for (size_t i = 0; i < n; i++)
            p[i] = table[0][p[i]];
    else
        for (size_t i = 0; i < n; i++, p += 3) {
            p[0] = table[0][p[0]];
            p[1] = table[1][p[1]];
            p[2] = table[2][p[2]];
        }
}

static void histograms(const uint8_t *p, size_t n, int64_t c, uint64_t (*h)[256])
{
    memset(h, 0, (size_t)c * sizeof *h);
    if (c == 3)
        for (size_t i = 0; i < n; i++, p += 3) {
            h[0][p[0]]++;
            h[1][p[1]]++;
            h[2][p[2]]++;
        }
    else
        for (size_t i = 0; i < n; i++)
            h[0][p[i]]++;
}

GV_HOT static void invert_bytes(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(255 - p[i]);
}

GV_HOT static void mask_bytes(uint8_t *p, size_t n, uint8_t mask)
{
    for (size_t i = 0; i < n; i++)
        p[i] &= mask;
}

GV_HOT static void solarize_bytes(uint8_t *p, size_t n, int threshold)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(p[i] < threshold ? p[i] : 255 - p[i]);
}

int gv_colour_invert(gv_sample *x, gv_err *err)
{
    size_t n;
    int64_t c;
    int r = open_image(x, &n, &c, err);
    if (r == GV_OK)
        invert_bytes(x->data, n * (size_t)c);
    return r;
}

int gv_colour_posterize(gv_sample *x, int bits, gv_err *err)
{
    size_t n;
    int64_t c;
    int r = open_image(x, &n, &c, err);
    if (r == GV_OK)
        mask_bytes(x->data, n * (size_t)c, (uint8_t)(0xff00 >> bits & 0xff));
    return r;
}

int gv_colour_solarize(gv_sample *x, int threshold, gv_err *err)
{
    size_t n;
    int64_t c;
    int r = open_image(x, &n, &c, err);
    if (r == GV_OK)
        solarize_bytes(x->data, n * (size_t)c, threshold);
    return r;
}

static void autocontrast_image(uint8_t *p, size_t n, int64_t c, float unused)
{
    (void)unused;
    uint64_t h[3][256];
    uint8_t table[3][256];
    histograms(p, n, c, h);
    for (int64_t k = 0; k < c; k++) {
        int lo = 0, hi = 255;
        while (lo < 255 && !h[k][lo])
            lo++;
        while (hi > 0 && !h[k][hi])
            hi--;
        double s = hi > lo ? 255.0 / (hi - lo) : 1, o = hi > lo ? -lo * s : 0;
        for (int i = 0; i < 256; i++) {
            int v = (int)(i * s + o);
            table[k][i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    }
    apply_tables(p, n, c, table);
}

int gv_colour_autocontrast(gv_sample *x, gv_err *err)
{
    return each_image(x, autocontrast_image, 0, err);
}

static void equalize_image(uint8_t *p, size_t n, int64_t c, float unused)
{
    (void)unused;
    uint64_t h[3][256];
    uint8_t table[3][256];
    histograms(p, n, c, h);
    for (int64_t k = 0; k < c; k++) {
        int last = 255;
        while (last > 0 && !h[k][last])
            last--;
        uint64_t step = ((uint64_t)n - h[k][last]) / 255, sum = step / 2;
        for (int i = 0; i < 256; i++) {
            uint64_t v = step ? sum / step : (uint64_t)i;
            table[k][i] = (uint8_t)(v > 255 ? 255 : v);
            sum += h[k][i];
        }
    }
    apply_tables(p, n, c, table);
}

int gv_colour_equalize(gv_sample *x, gv_err *err)
{
    return each_image(x, equalize_image, 0, err);
}

/* deg + f (v - deg) in float, truncated; clamping changes nothing for 0 <= f <= 1. deg becomes the blend. */
GV_HOT static void blend_bytes(uint8_t *restrict deg, const uint8_t *restrict v, size_t n, float f)
{
    for (size_t i = 0; i < n; i++) {
        float t = (float)deg[i] + f * (float)(v[i] - deg[i]);
        t = t < 0 ? 0 : t > 255 ? 255 : t;
        deg[i] = (uint8_t)t;
    }
}

GV_HOT static void blend_constant(uint8_t *p, size_t n, int deg, float f)
{
    for (size_t i = 0; i < n; i++) {
        float t = (float)deg + f * (float)(p[i] - deg);
        t = t < 0 ? 0 : t > 255 ? 255 : t;
        p[i] = (uint8_t)t;
    }
}

GV_HOT static uint64_t sum_grey(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (p[3 * i] * 19595u + p[3 * i + 1] * 38470u + p[3 * i + 2] * 7471u + 32768u) >> 16;
    return sum;
}

int gv_colour_brightness(gv_sample *x, float factor, gv_err *err)
{
    size_t n;
    int64_t c;
    int r = open_image(x, &n, &c, err);
    if (r == GV_OK)
        blend_constant(x->data, n * (size_t)c, 0, factor);
    return r;
}

static void contrast_image(uint8_t *p, size_t n, int64_t c, float factor)
{
    uint64_t sum = 0;
    if (c == 3)
        sum = sum_grey(p, n);
    else
        for (size_t i = 0; i < n; i++)
            sum += p[i];
    blend_constant(p, n * (size_t)c, (int)((double)sum / (double)n + 0.5), factor);
}

int gv_colour_contrast(gv_sample *x, float factor, gv_err *err)
{
    return each_image(x, contrast_image, factor, err);
}

GV_HOT static void saturate_bytes(uint8_t *p, size_t n, float f)
{
    for (size_t i = 0; i < n; i++, p += 3) {
        int g = (int)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 32768u) >> 16);
        for (int k = 0; k < 3; k++) {
            float t = (float)g + f * (float)(p[k] - g);
            t = t < 0 ? 0 : t > 255 ? 255 : t;
            p[k] = (uint8_t)t;
        }
    }
}

int gv_colour_saturation(gv_sample *x, float factor, gv_err *err)
{
    size_t n;
    int64_t c;
    int r = open_image(x, &n, &c, err);
    if (r == GV_OK && c == 3)
        saturate_bytes(x->data, n, factor); /* a grey image is its own grey version */
    return r;
}

/* One inner row of the 3 x 3 smoothing kernel [1 1 1; 1 5 1; 1 1 1] / 13; a above, b this, d below. */
GV_HOT static void smooth_row(const uint8_t *restrict a, const uint8_t *restrict b, const uint8_t *restrict d, uint8_t *restrict out, size_t n, size_t c)
{
    const float one = 1.0f / 13, five = 5.0f / 13;
    for (size_t i = c; i < n - c; i++) {
        float s = 0.5f;
        s += (float)d[i - c] * one + (float)d[i] * one + (float)d[i + c] * one;
        s += (float)b[i - c] * one + (float)b[i] * five + (float)b[i + c] * one;
        s += (float)a[i - c] * one + (float)a[i] * one + (float)a[i + c] * one;
        out[i] = (uint8_t)(s >= 255 ? 255 : s);
    }
}

int gv_colour_sharpness(gv_sample *x, float factor, gv_arena *arena, gv_err *err)
{
    gv_frames f;
    gv_sample y;
    size_t n;
    int64_t c;
    int r = open_image(x, &n, &c, err);
    if (r < 0 || (r = gv_sample_frames(x, &f, err)) < 0 || (r = gv_sample_copy(x, &y, arena, err)) < 0)
        return r;
    size_t row = (size_t)(f.w * f.c);
    for (int64_t k = 0; k < f.n; k++)
        for (int64_t i = 1; i + 1 < f.h && f.w > 2; i++) {
            const uint8_t *in = (const uint8_t *)x->data + (size_t)(k * f.h + i) * row;
            smooth_row(in - row, in, in + row, (uint8_t *)y.data + (size_t)(k * f.h + i) * row, row, (size_t)f.c);
        }
    blend_bytes(y.data, x->data, n * (size_t)c, factor);
    *x = y;
    return GV_OK;
}
