/* resample: a volume on another grid over the same field of view, axis by axis: nearest, linear, or cubic B-splines through the values.
 * Centres of voxels count ((i + 0.5) n / m - 0.5), edges go on outside; nothing is smoothed before shrinking, as nnU-Net does it.
 * Source: Unser, Aldroubi & Eden 1993, "B-spline signal processing" (the recursive filter); the numbers are those of
 * scipy.ndimage.zoom(mode="nearest", grid_mode=True), golden values in tests/golden/resample.txt. */
#include "sample/sample.h"
#include <math.h>

enum { LANES = 32, PAD = 12 }; /* columns at a time; the edge's value counts that far: 0.268^12 is 1e-7 */

struct axis { int64_t outer, n, m, inner; };

/* Where output i lies between the inputs. */
static double source(const struct axis *a, int64_t i)
{
    return ((double)i + 0.5) * (double)a->n / (double)a->m - 0.5;
}

static int64_t clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void nearest(const struct axis *a, const float *in, float *out)
{
    for (int64_t o = 0; o < a->outer; o++)
        for (int64_t i = 0; i < a->m; i++)
            memcpy(out + (o * a->m + i) * a->inner, in + (o * a->n + clamp((int64_t)floor(source(a, i) + 0.5), a->n)) * a->inner, (size_t)a->inner * sizeof *out);
}

static void linear(const struct axis *a, const float *in, float *out)
{
    for (int64_t o = 0; o < a->outer; o++)
        for (int64_t i = 0; i < a->m; i++) {
            double s = source(a, i), t = s - floor(s);
            const float *p = in + (o * a->n + clamp((int64_t)floor(s), a->n)) * a->inner, *q = in + (o * a->n + clamp((int64_t)floor(s) + 1, a->n)) * a->inner;
            float *to = out + (o * a->m + i) * a->inner;
            for (int64_t k = 0; k < a->inner; k++)
                to[k] = (float)((1 - t) * (double)p[k] + t * (double)q[k]);
        }
}

/* Values to coefficients in place: [n][LANES], the ends mirrored. */
static void spline_filter(double (*c)[LANES], int64_t n)
{
    const double z = sqrt(3.0) - 2, gain = 6;
    double sum[LANES];
    for (int k = 0; k < LANES; k++)
        sum[k] = c[0][k];
    double zn = z;
    for (int64_t i = 1; i < n && fabs(zn) > 1e-18; i++, zn *= z)
        for (int k = 0; k < LANES; k++)
            sum[k] += zn * c[i][k];
    for (int k = 0; k < LANES; k++)
        c[0][k] = sum[k] * gain;
    for (int64_t i = 1; i < n; i++)
        for (int k = 0; k < LANES; k++)
            c[i][k] = gain * c[i][k] + z * c[i - 1][k];
    for (int k = 0; k < LANES; k++)
        c[n - 1][k] = z / (z * z - 1) * (z * c[n - 2][k] + c[n - 1][k]);
    for (int64_t i = n - 2; i >= 0; i--)
        for (int k = 0; k < LANES; k++)
            c[i][k] = z * (c[i + 1][k] - c[i][k]);
}

static void cubic_columns(const struct axis *a, double (*c)[LANES], float *out, int64_t many)
{
    for (int64_t i = 0; i < a->m; i++) {
        double s = source(a, i), t = s - floor(s), r = 1 - t;
        const double w[4] = { r * r * r / 6, (4 - 6 * t * t + 3 * t * t * t) / 6, (4 - 6 * r * r + 3 * r * r * r) / 6, t * t * t / 6 };
        double (*p)[LANES] = c + PAD + (int64_t)floor(s) - 1;
        for (int64_t k = 0; k < many; k++)
            out[i * a->inner + k] = (float)(w[0] * p[0][k] + w[1] * p[1][k] + w[2] * p[2][k] + w[3] * p[3][k]);
    }
}

static void cubic(const struct axis *a, const float *in, float *out, double (*c)[LANES])
{
    for (int64_t o = 0; o < a->outer; o++)
        for (int64_t from = 0; from < a->inner; from += LANES) {
            int64_t many = a->inner - from < LANES ? a->inner - from : LANES;
            for (int64_t i = 0; i < a->n + 2 * PAD; i++)
                for (int64_t k = 0; k < LANES; k++)
                    c[i][k] = k < many ? (double)in[(o * a->n + clamp(i - PAD, a->n)) * a->inner + from + k] : 0;
            spline_filter(c, a->n + 2 * PAD);
            cubic_columns(a, c, out + o * a->m * a->inner + from, many);
        }
}

int gv_sample_resample(gv_sample *x, const int64_t size[3], int order, gv_arena *arena, gv_err *err)
{
    gv_sample now = *x;
    if (x->ndim != 4 || x->dtype != GV_F32T)
        return gv_fail(err, GV_EDATA, "resampling takes a float32 volume [D,H,W,C], not %s with %d axes", gv_dtype_of(x->dtype)->name, x->ndim);
    if (order != 0 && order != 1 && order != 3)
        return gv_fail(err, GV_EUSAGE, "splines of order %d are not known; 0, 1 and 3 are", order);
    for (int k = 2; k >= 0; k--) { /* the last axis first: it has the longest rows then */
        gv_sample y;
        int64_t shape[4] = { now.shape[0], now.shape[1], now.shape[2], now.shape[3] };
        if (size[k] == shape[k])
            continue;
        struct axis a = { 1, shape[k], size[k], 1 };
        for (int i = 0; i < 4; i++)
            *(i < k ? &a.outer : i > k ? &a.inner : &(int64_t){ 1 }) *= shape[i];
        shape[k] = size[k];
        int r = gv_sample_init(&y, GV_F32T, 4, shape, arena, err);
        if (r < 0)
            return r;
        size_t mark = arena->used;
        double (*c)[LANES] = order == 3 ? gv_arena_alloc_dirty(arena, (size_t)(a.n + 2 * PAD) * sizeof *c, err) : NULL;
        if (order == 3 && !c)
            return GV_ESYS;
        if (order == 3)
            cubic(&a, now.data, y.data, c);
        else
            (order ? linear : nearest)(&a, now.data, y.data);
        gv_arena_rewind(arena, mark);
        now = y;
    }
    *x = now;
    return GV_OK;
}
