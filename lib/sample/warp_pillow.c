/* warp_pillow: Image.transform(AFFINE) and Image.rotate, 8 bits, nearest and bicubic, in Pillow's arithmetic.
 * Source: Pillow's Geometry.c and Image.py, as behaviour; golden values in tests/golden/augment. */
#include "sample/sample.h"
#include <math.h>

struct plane {
    const uint8_t *in;
    uint8_t *out;
    int64_t h, w, c;
    const uint8_t *fill;
};

static inline void take(const struct plane *p, int64_t x, int64_t y, bool inside, uint8_t *out)
{
    const uint8_t *v = inside ? p->in + (y * p->w + x) * p->c : p->fill;
    if (p->c == 3) {
        memcpy(out, v, 3);
        return;
    }
    for (int64_t k = 0; k < p->c; k++)
        out[k] = v[k];
}

/* No rotation, no shear: positions are added up in double. */
static void scale(const struct plane *p, const double m[6], int32_t *from)
{
    double at = m[2] + m[0] * 0.5;
    for (int64_t x = 0; x < p->w; x++, at += m[0])
        from[x] = at < 0 || at >= (double)p->w ? -1 : (int32_t)at;
    /* A shift alone: what lies inside is one run. */
    int64_t lo = 0, hi = p->w;
    while (lo < hi && from[lo] < 0)
        lo++;
    while (hi > lo && from[hi - 1] < 0)
        hi--;
    bool run = hi > lo && from[hi - 1] - from[lo] == hi - 1 - lo;
    for (int64_t x = lo; run && x < hi; x++)
        run = from[x] == from[lo] + x - lo;
    at = m[5] + m[4] * 0.5;
    uint8_t *out = p->out;
    for (int64_t y = 0; y < p->h; y++, at += m[4]) {
        int64_t sy = at < 0 || at >= (double)p->h ? -1 : (int64_t)at;
        if (run && sy >= 0)
            memcpy(out + lo * p->c, p->in + (sy * p->w + from[lo]) * p->c, (size_t)((hi - lo) * p->c));
        for (int64_t x = 0; x < p->w; x++, out += p->c) {
            if (run && sy >= 0 && x == lo) {
                out += (hi - lo) * p->c;
                x = hi;
                if (x == p->w)
                    break;
            }
            take(p, from[x], sy, sy >= 0 && from[x] >= 0, out);
        }
    }
}

static int32_t fix(double v)
{
    return (int32_t)floor(v * 65536.0 + 0.5);
}

/* Sixteen bits behind the point, as Pillow does below 32768 pixels. */
static void nearest(const struct plane *p, const double m[6])
{
    int32_t a0 = fix(m[0]), a1 = fix(m[1]), a3 = fix(m[3]), a4 = fix(m[4]);
    int32_t x0 = fix(m[2] + m[0] * 0.5 + m[1] * 0.5), y0 = fix(m[5] + m[3] * 0.5 + m[4] * 0.5);
    uint8_t *out = p->out;
    uint32_t h = (uint32_t)p->h, w = (uint32_t)p->w;
    for (int64_t y = 0; y < p->h; y++, x0 += a1, y0 += a4) {
        int32_t xx = x0, yy = y0;
        for (int64_t x = 0; x < p->w; x++, out += p->c, xx += a0, yy += a3) {
            int32_t sx = xx >> 16, sy = yy >> 16;
            take(p, sx, sy, (uint32_t)sx < w && (uint32_t)sy < h, out);
        }
    }
}

static inline double cubic(double v1, double v2, double v3, double v4, double d)
{
    double p1 = v2, p2 = -v1 + v3, p3 = 2 * (v1 - v2) + v3 - v4, p4 = -v1 + v2 - v3 + v4;
    return p1 + d * (p2 + d * (p3 + d * p4));
}

static inline int64_t clip(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* Where a pixel comes from: false outside the image. */
static inline bool source(const struct plane *p, const double m[6], int64_t q, int64_t r, int64_t *x, int64_t *y, double *dx, double *dy)
{
    double xi = (double)q + 0.5, yi = (double)r + 0.5;
    double xf = m[0] * xi + m[1] * yi + m[2], yf = m[3] * xi + m[4] * yi + m[5];
    if (xf < 0 || xf >= (double)p->w || yf < 0 || yf >= (double)p->h)
        return false;
    xf -= 0.5;
    yf -= 0.5;
    *x = (int64_t)xf - (xf < 0); /* floor: neither is below -0.5 */
    *y = (int64_t)yf - (yf < 0);
    *dx = xf - (double)*x;
    *dy = yf - (double)*y;
    return true;
}

static void bicubic(const struct plane *p, const double m[6])
{
    uint8_t *out = p->out;
    for (int64_t r = 0; r < p->h; r++)
        for (int64_t q = 0; q < p->w; q++, out += p->c) {
            int64_t x, y, xs[4];
            double dx, dy;
            if (!source(p, m, q, r, &x, &y, &dx, &dy)) {
                take(p, 0, 0, false, out);
                continue;
            }
            for (int k = 0; k < 4; k++)
                xs[k] = clip(x - 1 + k, p->w) * p->c;
            for (int64_t k = 0; k < p->c; k++) {
                double v[4];
                for (int j = 0; j < 4; j++) { /* a row outside repeats the one before it; the first is clamped */
                    int64_t sy = y - 1 + j;
                    if (j && (sy < 0 || sy >= p->h)) {
                        v[j] = v[j - 1];
                        continue;
                    }
                    const uint8_t *in = p->in + clip(sy, p->h) * p->w * p->c + k;
                    v[j] = cubic(in[xs[0]], in[xs[1]], in[xs[2]], in[xs[3]], dx);
                }
                double s = cubic(v[0], v[1], v[2], v[3], dy);
                out[k] = (uint8_t)(s <= 0 ? 0 : s >= 255 ? 255 : s);
            }
        }
}

typedef double f64x4 GV_VECTOR(32);
typedef int32_t i32x4 GV_VECTOR(16);

/* Three channels at once; the fourth is the next pixel's, or none behind the last of the image. (Macros: a vector that is
 * returned has no calling convention common to all processors.) */
#define PIXEL3(to, at) \
    do { \
        const uint8_t *in_ = (at); \
        uint32_t w_; \
        if (in_ != last) \
            memcpy(&w_, in_, 4); \
        else \
            w_ = (uint32_t)(in_[0] | in_[1] << 8 | in_[2] << 16); \
        i32x4 all_ = (i32x4){ (int32_t)w_, (int32_t)w_, (int32_t)w_, (int32_t)w_ }; \
        to = __builtin_convertvector((all_ >> (i32x4){ 0, 8, 16, 24 }) & 255, f64x4); \
    } while (0)

#define CUBIC3(v, d) ((v)[1] + (d) * ((-(v)[0] + (v)[2]) + (d) * ((2 * ((v)[0] - (v)[1]) + (v)[2] - (v)[3]) + (d) * (-(v)[0] + (v)[1] - (v)[2] + (v)[3]))))

/* The same numbers in the same order. A distance of 0, as a shear leaves it along one axis, gives the second value exactly. */
GV_HOT static void bicubic3(const struct plane *p, const double m[6])
{
    uint8_t *out = p->out;
    const uint8_t *last = p->in + (p->h * p->w - 1) * 3;
    int64_t w = p->w, h = p->h;
    for (int64_t r = 0; r < h; r++)
        for (int64_t q = 0; q < w; q++, out += 3) {
            int64_t x, y, xs[4];
            double dx, dy;
            if (!source(p, m, q, r, &x, &y, &dx, &dy)) {
                memcpy(out, p->fill, 3);
                continue;
            }
            for (int k = 0; k < 4; k++)
                xs[k] = clip(x - 1 + k, w) * 3;
            f64x4 v[4];
            for (int j = dy == 0; j < (dy == 0 ? 2 : 4); j++) {
                int64_t sy = y - 1 + j;
                if (j && (sy < 0 || sy >= h)) {
                    v[j] = v[j - 1];
                    continue;
                }
                const uint8_t *in = p->in + clip(sy, h) * w * 3;
                if (dx == 0) {
                    PIXEL3(v[j], in + xs[1]);
                    continue;
                }
                f64x4 u[4];
                for (int k = 0; k < 4; k++)
                    PIXEL3(u[k], in + xs[k]);
                v[j] = CUBIC3(u, dx);
            }
            f64x4 s = dy == 0 ? v[1] : CUBIC3(v, dy);
            i32x4 t = __builtin_convertvector(s, i32x4); /* towards 0, and cut off: as cut off before */
            for (int k = 0; k < 3; k++)
                out[k] = (uint8_t)(t[k] < 0 ? 0 : t[k] > 255 ? 255 : t[k]);
        }
}

int gv_sample_warp_pillow(gv_sample *x, const double m[6], gv_interpolation how, const uint8_t *fill, gv_arena *arena, gv_err *err)
{
    gv_frames f;
    gv_sample y;
    int r = gv_sample_frames(x, &f, err);
    if (r < 0)
        return r;
    if (x->dtype != GV_U8 || (how != GV_NEAREST && how != GV_BICUBIC) || f.h >= 32768 / 2 || f.w >= 32768 / 2)
        return gv_fail(err, GV_EDATA, "affine changes work on 8-bit images below 16384 pixels a side, nearest or bicubic; this one is %s", gv_dtype_of(x->dtype)->name);
    if ((r = gv_sample_init(&y, x->dtype, x->ndim, x->shape, arena, err)) < 0)
        return r;
    size_t mark = arena->used, frame = (size_t)(f.h * f.w * f.c);
    int32_t *from = gv_arena_alloc_dirty(arena, (size_t)f.w * sizeof *from, err);
    if (!from)
        return GV_ESYS;
    for (int64_t n = 0; n < f.n; n++) {
        struct plane p = { .in = (const uint8_t *)x->data + (size_t)n * frame, .out = (uint8_t *)y.data + (size_t)n * frame, .h = f.h, .w = f.w, .c = f.c, .fill = fill };
        if (how == GV_BICUBIC && f.c == 3)
            bicubic3(&p, m);
        else if (how == GV_BICUBIC)
            bicubic(&p, m);
        else if (m[1] == 0 && m[3] == 0)
            scale(&p, m, from);
        else
            nearest(&p, m);
    }
    gv_arena_rewind(arena, mark);
    *x = y;
    return GV_OK;
}

/* Python's round(v, 15). */
static double round15(double v)
{
    char text[64];
    snprintf(text, sizeof text, "%.15f", v);
    return strtod(text, NULL);
}

int gv_sample_rotate_pillow(gv_sample *x, double degrees, const uint8_t *fill, gv_arena *arena, gv_err *err)
{
    gv_frames f;
    int r = gv_sample_frames(x, &f, err);
    if (r < 0)
        return r;
    degrees = fmod(degrees, 360.0);
    degrees += degrees < 0 ? 360.0 : 0;
    if (degrees == 0)
        return GV_OK;
    if (degrees == 180) {
        r = gv_sample_flip(x, x->ndim - 2, err);
        return r < 0 ? r : gv_sample_flip(x, x->ndim - 3, err);
    }
    double a = -degrees * (M_PI / 180), c = round15(cos(a)), s = round15(sin(a)), cx = (double)f.w / 2, cy = (double)f.h / 2;
    double m[6] = { c, s, c * -cx + s * -cy + 0.0 + cx, round15(-sin(a)), c, 0 };
    m[5] = m[3] * -cx + c * -cy + 0.0 + cy;
    return gv_sample_warp_pillow(x, m, GV_NEAREST, fill, arena, err);
}
