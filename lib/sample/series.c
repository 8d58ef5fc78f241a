/* series: resampling, cutting and padding, normalising, and curves through a few values. */
#include "sample/series.h"
#include <inttypes.h>
#include <math.h>

enum { LOBES = 3, MOST_POINTS = 1 << 28 };

int gv_series_check(const gv_sample *x, const char *what, gv_err *err)
{
    if (x->ndim == 2 && x->dtype == GV_F32T && x->shape[0] > 0 && x->shape[1] > 0)
        return GV_OK;
    return gv_fail(err, GV_EDATA, "%s takes series [T,C] of float32; the sample has %d axes of %s", what, x->ndim, gv_dtype_of(x->dtype)->name);
}

/* ---- resampling ---- */

static double lanczos(double x)
{
    static const double pi = 3.14159265358979323846;
    if (x == 0)
        return 1;
    if (fabs(x) >= LOBES)
        return 0;
    return LOBES * sin(pi * x) * sin(pi * x / LOBES) / (pi * pi * x * x);
}

static void linear_at(const float *in, int64_t n, int64_t c, double at, float *out)
{
    int64_t i = (int64_t)floor(at);
    double w = at - (double)i;
    if (i >= n - 1) {
        i = n - 1;
        w = 0;
    }
    for (int64_t k = 0; k < c; k++)
        out[k] = w > 0 ? (float)((1 - w) * (double)in[i * c + k] + w * (double)in[(i + 1) * c + k]) : in[i * c + k];
}

static void sinc_at(const float *in, int64_t n, int64_t c, double at, double wide, double *sum, float *out)
{
    double last = (double)(n - 1), total = 0;
    at = at > last ? last : at;
    int64_t from = (int64_t)ceil(at - LOBES * wide), to = (int64_t)floor(at + LOBES * wide);
    from = from < 0 ? 0 : from;
    to = to > n - 1 ? n - 1 : to;
    memset(sum, 0, (size_t)c * sizeof *sum);
    for (int64_t i = from; i <= to; i++) {
        double w = lanczos((at - (double)i) / wide);
        total += w;
        for (int64_t k = 0; k < c; k++)
            sum[k] += w * (double)in[i * c + k];
    }
    for (int64_t k = 0; k < c; k++)
        out[k] = (float)(sum[k] / total);
}

int gv_series_resample(gv_sample *x, int64_t points, double step, gv_resampling how, gv_arena *arena, gv_err *err)
{
    gv_sample y;
    int r = gv_series_check(x, "resampling", err);
    if (r < 0)
        return r;
    int64_t n = x->shape[0], c = x->shape[1];
    if (points < 1 || points > MOST_POINTS || !(step > 0) || !isfinite(step))
        return gv_fail(err, GV_EDATA, "a series of %" PRId64 " points cannot be resampled to %" PRId64 " at steps of %g; 1 to %d points are possible", n, points, step, MOST_POINTS);
    double *sum = gv_arena_alloc(arena, (size_t)c * sizeof *sum, err);
    if (!sum || (r = gv_sample_init(&y, GV_F32T, 2, (int64_t[]){ points, c }, arena, err)) < 0)
        return sum ? r : GV_ESYS;
    for (int64_t i = 0; i < points; i++) {
        float *out = (float *)y.data + i * c;
        if (how == GV_RESAMPLE_LINEAR)
            linear_at(x->data, n, c, (double)i * step, out);
        else
            sinc_at(x->data, n, c, (double)i * step, step > 1 ? step : 1, sum, out);
    }
    *x = y;
    return GV_OK;
}

/* ---- length ---- */

int gv_series_part(gv_sample *x, int64_t start, int64_t length, gv_pad_kind pad, gv_arena *arena, gv_err *err)
{
    gv_sample y;
    int r = gv_series_check(x, "cutting", err);
    int64_t n = r < 0 ? 0 : x->shape[0], c = r < 0 ? 0 : x->shape[1];
    if (r < 0 || (start == 0 && length == n) || (r = gv_sample_init(&y, GV_F32T, 2, (int64_t[]){ length, c }, arena, err)) < 0)
        return r;
    const float *in = x->data;
    float *out = y.data;
    for (int64_t i = 0; i < length; i++, out += c) {
        int64_t at = start + i;
        bool outside = at < 0 || at >= n;
        if (outside && pad == GV_PAD_ZERO)
            memset(out, 0, (size_t)c * sizeof *out);
        else
            memcpy(out, in + (at < 0 ? 0 : at >= n ? n - 1 : at) * c, (size_t)c * sizeof *out);
    }
    *x = y;
    return GV_OK;
}

int gv_series_fit(gv_sample *x, int64_t length, gv_fit where, gv_pad_kind pad, gv_arena *arena, gv_err *err)
{
    int64_t room = x->shape[0] - length;
    int64_t start = where == GV_FIT_START ? 0 : where == GV_FIT_END ? room : room < 0 ? -(-room / 2) : room / 2;
    return gv_series_part(x, start, length, pad, arena, err);
}

/* ---- scale ---- */

void gv_series_moments(const gv_sample *x, double *mean, double *std)
{
    int64_t n = x->shape[0], c = x->shape[1];
    const float *v = x->data;
    for (int64_t k = 0; k < c; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)v[i * c + k];
        mean[k] = sum / (double)n;
        for (int64_t i = 0; i < n; i++) {
            double d = (double)v[i * c + k] - mean[k];
            squares += d * d;
        }
        std[k] = sqrt(squares / (double)n);
        std[k] = std[k] < 1e-8 ? 1 : std[k];
    }
}

void gv_series_normalize(gv_sample *x, const double *mean, const double *std)
{
    int64_t n = x->shape[0], c = x->shape[1];
    float *v = x->data;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < c; k++)
            v[i * c + k] = (float)(((double)v[i * c + k] - mean[k]) / std[k]);
}

/* ---- curves ---- */

double gv_interp(const double *place, const float *value, int64_t stride, int64_t n, double at)
{
    int64_t lo = 0, hi = n - 1;
    if (at <= place[0])
        return (double)value[0];
    if (at >= place[hi])
        return (double)value[hi * stride];
    while (hi - lo > 1) { /* place[lo] <= at < place[hi] */
        int64_t mid = lo + (hi - lo) / 2;
        if (place[mid] <= at)
            lo = mid;
        else
            hi = mid;
    }
    double slope = ((double)value[hi * stride] - (double)value[lo * stride]) / (place[hi] - place[lo]);
    return slope * (at - place[lo]) + (double)value[lo * stride];
}

/* m: second derivatives times the square of the knots' distance. The conditions at the ends make the first and last equations short. */
static void second_derivatives(const double *y, int n, double *m)
{
    double upper[GV_SPLINE_KNOTS];
#define BEND(i) (6 * (y[(i) - 1] - 2 * y[i] + y[(i) + 1]))
    memset(m, 0, (size_t)n * sizeof *m);
    if (n < 3)
        return;
    m[1] = BEND(1) / 6;
    m[n - 2] = BEND(n - 2) / 6;
    upper[1] = 0; /* elimination from the second inner knot on: m[i-1] + 4 m[i] + m[i+1] = bend */
    for (int i = 2; i < n - 2; i++) {
        double pivot = 4 - upper[i - 1];
        upper[i] = 1 / pivot;
        m[i] = (BEND(i) - m[i - 1]) / pivot;
    }
    for (int i = n - 3; i >= 2; i--)
        m[i] -= upper[i] * m[i + 1];
    m[0] = n == 3 ? m[1] : 2 * m[1] - m[2];
    m[n - 1] = n == 3 ? m[1] : 2 * m[n - 2] - m[n - 3];
#undef BEND
}

void gv_spline_even(const double *y, int n, double *out, int64_t t)
{
    double m[GV_SPLINE_KNOTS];
    second_derivatives(y, n, m);
    for (int64_t k = 0; k < t; k++) {
        double at = t > 1 ? (double)k * (double)(n - 1) / (double)(t - 1) : 0;
        int i = (int)at;
        i = i > n - 2 ? n - 2 : i;
        double u = at - i, w = 1 - u;
        out[k] = w * y[i] + u * y[i + 1] + m[i] * (w * w * w - w) / 6 + m[i + 1] * (u * u * u - u) / 6;
    }
}
