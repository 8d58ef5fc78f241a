/* warp: OpenCV's affine warp, bilinear. 8 bits: positions in 1/32 pixel, weights in 1/1024; other types in double. */
#include "sample/taps.h"
#include <inttypes.h>
#include <math.h>

enum { STEP_BITS = 5, STEPS = 1 << STEP_BITS, SCALE_BITS = 10, SCALE = 1 << SCALE_BITS };

struct plane {
    const uint8_t *in;
    int64_t h, w, c;
    gv_border border;
    const uint8_t *fill;
};

/* A pixel with a neighbour outside. */
static void border_pixel(const struct plane *p, int64_t x, int64_t y, const int32_t k[4], uint8_t *out)
{
    const uint8_t *v[4];
    int64_t sx[2] = { gv_border_index(p->border, x, p->w), gv_border_index(p->border, x + 1, p->w) };
    int64_t sy[2] = { gv_border_index(p->border, y, p->h), gv_border_index(p->border, y + 1, p->h) };
    for (int i = 0; i < 4; i++)
        v[i] = sx[i & 1] < 0 || sy[i >> 1] < 0 ? p->fill : p->in + (sy[i >> 1] * p->w + sx[i & 1]) * p->c;
    for (int64_t ch = 0; ch < p->c; ch++)
        out[ch] = (uint8_t)((v[0][ch] * k[0] + v[1][ch] * k[1] + v[2][ch] * k[2] + v[3][ch] * k[3] + 512) >> 10);
}

/* Three channels side by side in 64 bits, 21 bits each: sums of 255 * 1024 have room, so a weight multiplies all at once. */
static inline uint64_t spread(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 21 | (uint64_t)p[2] << 42;
}

static inline void inner(const uint8_t *a, const uint8_t *b, int64_t c, const int32_t k[4], uint8_t *out)
{
    if (c == 3) {
        const uint64_t half = 512ull | 512ull << 21 | 512ull << 42;
        uint64_t s = half + spread(a) * (uint64_t)k[0] + spread(a + 3) * (uint64_t)k[1] + spread(b) * (uint64_t)k[2] + spread(b + 3) * (uint64_t)k[3];
        out[0] = (uint8_t)(s >> 10);
        out[1] = (uint8_t)(s >> 31);
        out[2] = (uint8_t)(s >> 52);
    } else
        for (int64_t ch = 0; ch < c; ch++)
            out[ch] = (uint8_t)((a[ch] * k[0] + a[ch + c] * k[1] + b[ch] * k[2] + b[ch + c] * k[3] + 512) >> 10);
}

static inline void row(const struct plane *p, const int32_t *dx, const int32_t *dy, int32_t x0, int32_t y0, uint8_t *out, int64_t c)
{
    int64_t step = p->w * c;
    uint32_t right = (uint32_t)(p->w - 1), bottom = (uint32_t)(p->h - 1);
    for (int64_t i = 0; i < p->w; i++, out += c) {
        int32_t xs = (x0 + dx[i]) >> (SCALE_BITS - STEP_BITS), ys = (y0 + dy[i]) >> (SCALE_BITS - STEP_BITS);
        int32_t fx = xs & (STEPS - 1), fy = ys & (STEPS - 1), x = xs >> STEP_BITS, y = ys >> STEP_BITS;
        int32_t k[4] = { (STEPS - fx) * (STEPS - fy), fx * (STEPS - fy), (STEPS - fx) * fy, fx * fy };
        if ((uint32_t)x >= right || (uint32_t)y >= bottom) { /* below 0 is large */
            border_pixel(p, x, y, k, out);
            continue;
        }
        const uint8_t *a = p->in + y * step + x * c;
        inner(a, a + step, c, k, out);
    }
}

GV_HOT static void warp_row(const struct plane *p, const int32_t *dx, const int32_t *dy, int32_t x0, int32_t y0, uint8_t *out)
{
    if (p->c == 3)
        row(p, dx, dy, x0, y0, out, 3);
    else if (p->c == 1)
        row(p, dx, dy, x0, y0, out, 1);
    else
        row(p, dx, dy, x0, y0, out, p->c);
}

static int32_t fixed(double v)
{
    v = rint(v * SCALE);
    return v > INT32_MAX / 4 ? INT32_MAX / 4 : v < -(INT32_MAX / 4) ? -(INT32_MAX / 4) : (int32_t)v;
}

/* Types other than uint8: positions and weights in double, nothing rounded before the end. in, out: one frame each. */
static void in_double(const double *in, double *out, const gv_frames *f, const double m[6], gv_border border)
{
    for (int64_t y = 0; y < f->h; y++)
        for (int64_t x = 0; x < f->w; x++, out += f->c) {
            double px = m[0] * (double)x + m[1] * (double)y + m[2], py = m[3] * (double)x + m[4] * (double)y + m[5];
            double fx = px - floor(px), fy = py - floor(py), k[4] = { (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy };
            for (int64_t ch = 0; ch < f->c; ch++)
                out[ch] = 0;
            for (int i = 0; i < 4; i++) {
                int64_t sx = gv_border_index(border, (int64_t)floor(px) + (i & 1), f->w), sy = gv_border_index(border, (int64_t)floor(py) + (i >> 1), f->h);
                for (int64_t ch = 0; ch < f->c && sx >= 0 && sy >= 0; ch++)
                    out[ch] += in[(sy * f->w + sx) * f->c + ch] * k[i];
            }
        }
}

static int warp_double(const gv_sample *x, const gv_sample *y, const gv_frames *f, const double m[6], gv_border border, gv_arena *arena, gv_err *err)
{
    size_t frame = (size_t)(f->h * f->w * f->c), e = gv_dtype_of(x->dtype)->size, mark = arena->used;
    double *in = gv_arena_alloc_dirty(arena, 2 * frame * sizeof *in, err), *out = in + frame;
    if (!in)
        return GV_ESYS;
    for (int64_t n = 0; n < f->n; n++) {
        gv_to_f64(x->dtype, (const char *)x->data + (size_t)n * frame * e, in, frame);
        in_double(in, out, f, m, border);
        gv_settle(out, frame, x->dtype);
        gv_from_f64(x->dtype, out, (char *)y->data + (size_t)n * frame * e, frame);
    }
    gv_arena_rewind(arena, mark);
    return GV_OK;
}

int gv_sample_warp_linear(gv_sample *x, const double m[6], gv_border border, const uint8_t *fill, gv_arena *arena, gv_err *err)
{
    gv_frames f;
    gv_sample y;
    int r = gv_sample_frames(x, &f, err);
    if (r < 0)
        return r;
    if ((r = gv_sample_init(&y, x->dtype, x->ndim, x->shape, arena, err)) < 0)
        return r;
    if (x->dtype != GV_U8) {
        if ((r = warp_double(x, &y, &f, m, border, arena, err)) == GV_OK)
            *x = y;
        return r;
    }
    size_t mark = arena->used;
    int32_t *dx = gv_arena_alloc_dirty(arena, 2 * (size_t)f.w * sizeof *dx, err), *dy = dx + f.w;
    static const uint8_t black[GV_MAX_CHANNELS];
    if (!dx)
        return GV_ESYS;
    if (f.c > GV_MAX_CHANNELS)
        return gv_fail(err, GV_EDATA, "a sample of %" PRId64 " channels cannot be turned; at most %d are possible", f.c, GV_MAX_CHANNELS);
    for (int64_t i = 0; i < f.w; i++) {
        dx[i] = fixed(m[0] * (double)i);
        dy[i] = fixed(m[3] * (double)i);
    }
    size_t frame = (size_t)(f.h * f.w * f.c);
    for (int64_t n = 0; n < f.n; n++) {
        struct plane p = { .in = (const uint8_t *)x->data + (size_t)n * frame, .h = f.h, .w = f.w, .c = f.c, .border = border, .fill = fill ? fill : black };
        uint8_t *out = (uint8_t *)y.data + (size_t)n * frame;
        for (int64_t i = 0; i < f.h; i++)
            warp_row(&p, dx, dy, fixed(m[1] * (double)i + m[2]) + SCALE / STEPS / 2, fixed(m[4] * (double)i + m[5]) + SCALE / STEPS / 2, out + i * f.w * f.c);
    }
    gv_arena_rewind(arena, mark);
    *x = y;
    return GV_OK;
}

int gv_sample_rotate_linear(gv_sample *x, double degrees, gv_border border, gv_arena *arena, gv_err *err)
{
    gv_frames f;
    int r = gv_sample_frames(x, &f, err);
    if (r < 0)
        return r;
    double a = cos(degrees * M_PI / 180), b = sin(degrees * M_PI / 180), cx = (double)f.w / 2 - 0.5, cy = (double)f.h / 2 - 0.5;
    double m[6] = { a, b, (1 - a) * cx - b * cy, -b, a, b * cx + (1 - a) * cy };
    double d = 1 / (m[0] * m[4] - m[1] * m[3]); /* inverted in OpenCV's order of operations */
    double q[6] = { m[4] * d, m[1] * -d, 0, m[3] * -d, m[0] * d, 0 };
    q[2] = -q[0] * m[2] - q[1] * m[5];
    q[5] = -q[3] * m[2] - q[4] * m[5];
    return gv_sample_warp_linear(x, q, border, NULL, arena, err);
}
