/* taps: the weights of separable resampling, as Pillow and OpenCV compute them. */
#include "sample/taps.h"
#include <math.h>

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double cubic(double x) /* Keys 1981, a = -0.5 */
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static int reserve(gv_taps *t, int64_t in, int64_t out, int width, gv_arena *arena, gv_err *err)
{
    size_t n = (size_t)out, cells;
    if (gv_mul_size(n, (size_t)width, &cells) < 0)
        return gv_fail(err, GV_ESYS, "the table of weights overflows");
    *t = (gv_taps){ .in = in, .out = out, .width = width };
    t->first = gv_arena_alloc_dirty(arena, n * sizeof *t->first, err);
    t->count = t->first ? gv_arena_alloc_dirty(arena, n * sizeof *t->count, err) : NULL;
    t->weight = t->count ? gv_arena_alloc_dirty(arena, cells * sizeof *t->weight, err) : NULL;
    t->fixed = t->weight ? gv_arena_alloc_dirty(arena, cells * sizeof *t->fixed, err) : NULL;
    return t->fixed ? GV_OK : GV_ESYS;
}

static int32_t two(int32_t a, int32_t b)
{
    return (int32_t)(((uint32_t)a & 0xffff) | (uint32_t)b << 16);
}

static int split(gv_taps *t, gv_arena *arena, gv_err *err)
{
    t->pairs = (t->width + 3) / 4 * 4;
    t->pair = gv_arena_alloc_dirty(arena, (size_t)t->out * (size_t)t->pairs * sizeof *t->pair, err);
    if (!t->pair)
        return GV_ESYS;
    int32_t low = (1 << GV_TAPS_SPLIT_BITS) - 1;
    for (int64_t i = 0; i < t->out; i++)
        for (int k = 0; k < t->pairs; k += 2) {
            const int32_t *q = t->fixed + i * t->width;
            int32_t a = k < t->width ? q[k] : 0, b = k + 1 < t->width ? q[k + 1] : 0, *to = t->pair + i * t->pairs + k;
            to[0] = two(a >> GV_TAPS_SPLIT_BITS, b >> GV_TAPS_SPLIT_BITS);
            to[1] = two(a & low, b & low);
        }
    return GV_OK;
}

/* Inlined for each filter, since a call for each weight takes longer than the weight. */
static inline __attribute__((always_inline)) void fill(gv_taps *t, double support, double wide, double (*filter)(double))
{
    double scale = (double)t->in / (double)t->out, step = 1.0 / wide;
    for (int64_t i = 0; i < t->out; i++) {
        double centre = ((double)i + 0.5) * scale, sum = 0;
        int64_t lo = (int64_t)(centre - support + 0.5), hi = (int64_t)(centre + support + 0.5);
        lo = lo < 0 ? 0 : lo;
        hi = hi > t->in ? t->in : hi;
        double *w = t->weight + i * t->width;
        int32_t *q = t->fixed + i * t->width;
        int n = (int)(hi - lo);
        for (int k = 0; k < n; k++)
            sum += w[k] = filter(((double)(k + lo) - centre + 0.5) * step);
        for (int k = 0; k < n; k++) {
            if (sum != 0.0)
                w[k] /= sum;
            q[k] = (int32_t)((w[k] < 0 ? -0.5 : 0.5) + w[k] * (1 << GV_TAPS_PILLOW_BITS));
        }
        for (int k = n; k < t->width; k++) {
            w[k] = 0;
            q[k] = 0;
        }
        t->first[i] = (int32_t)lo;
        t->count[i] = n;
    }
}

int gv_taps_pillow(gv_taps *t, int64_t in, int64_t out, gv_interpolation how, gv_arena *arena, gv_err *err)
{
    double scale = (double)in / (double)out, wide = scale < 1.0 ? 1.0 : scale; /* enlarging interpolates, shrinking averages */
    double support = (how == GV_BICUBIC ? 2.0 : 1.0) * wide;
    int r = reserve(t, in, out, (int)ceil(support) * 2 + 1, arena, err);
    if (r < 0)
        return r;
    if (how == GV_BICUBIC)
        fill(t, support, wide, cubic);
    else
        fill(t, support, wide, triangle);
    return split(t, arena, err);
}

int gv_taps_opencv(gv_taps *t, int64_t in, int64_t out, gv_arena *arena, gv_err *err)
{
    int r = reserve(t, in, out, 2, arena, err);
    if (r < 0)
        return r;
    double scale = (double)in / (double)out;
    for (int64_t i = 0; i < out; i++) {
        float f = (float)(((double)i + 0.5) * scale - 0.5);
        int64_t s = (int64_t)floorf(f);
        f -= (float)s;
        t->first[i] = (int32_t)s; /* may be -1; users clamp it */
        t->count[i] = 2;
        t->weight[2 * i] = 1.0 - (double)f;
        t->weight[2 * i + 1] = (double)f;
        t->fixed[2 * i] = (int32_t)lrintf((1.0f - f) * (1 << GV_TAPS_OPENCV_BITS));
        t->fixed[2 * i + 1] = (int32_t)lrintf(f * (1 << GV_TAPS_OPENCV_BITS));
    }
    return GV_OK;
}
