/* series: what the units for series compute. */
#include "augment/series.h"

void gv_series_scale(gv_sample *x, const double *factor, bool over_time)
{
    int64_t t = x->shape[0], c = x->shape[1];
    float *v = x->data;
    for (int64_t i = 0; i < t; i++)
        for (int64_t k = 0; k < c; k++)
            v[i * c + k] = (float)((double)v[i * c + k] * factor[over_time ? k * t + i : k]);
}

/* y[i,k] = the line through (place[j], x[j,k]) at `at(i)`: first + i * step. */
static int interpolate(gv_sample *x, const double *place, double step, int64_t points, gv_arena *scratch, gv_err *err)
{
    gv_sample y;
    int64_t n = x->shape[0], c = x->shape[1];
    int r = gv_sample_init(&y, GV_F32T, 2, (int64_t[]){ points, c }, scratch, err);
    if (r < 0)
        return r;
    for (int64_t i = 0; i < points; i++)
        for (int64_t k = 0; k < c; k++)
            ((float *)y.data)[i * c + k] = (float)gv_interp(place, (const float *)x->data + k, c, n, (double)i * step);
    *x = y;
    return GV_OK;
}

/* n places evenly from 0 to `last`. */
static double *evenly(int64_t n, double last, gv_arena *scratch, gv_err *err)
{
    double *p = gv_arena_alloc(scratch, (size_t)n * sizeof *p, err);
    for (int64_t i = 0; p && i < n; i++)
        p[i] = n > 1 ? last * (double)i / (double)(n - 1) : 0;
    return p;
}

int gv_series_time_warp(gv_sample *x, const double *speed, gv_arena *scratch, gv_err *err)
{
    int64_t t = x->shape[0];
    double *place = evenly(t, 0, scratch, err), sum = 0;
    if (!place)
        return GV_ESYS;
    for (int64_t i = 0; i < t; i++)
        place[i] = sum += speed[i];
    for (int64_t i = 0; i < t; i++)
        place[i] *= (double)(t - 1) / sum;
    return interpolate(x, place, 1, t, scratch, err);
}

int gv_series_slice(gv_sample *x, int64_t start, int64_t length, gv_arena *scratch, gv_err *err)
{
    int64_t t = x->shape[0];
    double *place = evenly(length, (double)(length - 1), scratch, err);
    gv_sample part = { .dtype = GV_F32T, .ndim = 2, .shape = { length, x->shape[1] }, .data = (float *)x->data + start * x->shape[1] };
    int r = place ? interpolate(&part, place, t > 1 ? (double)(length - 1) / (double)(t - 1) : 0, t, scratch, err) : GV_ESYS;
    if (r == GV_OK)
        *x = part;
    return r;
}

int gv_series_window_warp(gv_sample *x, int64_t start, int64_t length, double scale, gv_arena *scratch, gv_err *err)
{
    int64_t t = x->shape[0], c = x->shape[1], wide = (int64_t)((double)length * scale);
    wide = wide < 1 ? 1 : wide;
    double *place = evenly(length, (double)(length - 1), scratch, err);
    gv_sample whole, window = { .dtype = GV_F32T, .ndim = 2, .shape = { length, c }, .data = (float *)x->data + start * c };
    int r = place ? interpolate(&window, place, wide > 1 ? (double)(length - 1) / (double)(wide - 1) : 0, wide, scratch, err) : GV_ESYS;
    int64_t all = t - length + wide, rest = t - start - length;
    if (r < 0 || (r = gv_sample_init(&whole, GV_F32T, 2, (int64_t[]){ all, c }, scratch, err)) < 0)
        return r;
    float *to = whole.data;
    memcpy(to, x->data, (size_t)(start * c) * sizeof *to);
    memcpy(to + start * c, window.data, (size_t)(wide * c) * sizeof *to);
    memcpy(to + (start + wide) * c, (const float *)x->data + (start + length) * c, (size_t)(rest * c) * sizeof *to);
    place = evenly(all, (double)(t - 1), scratch, err);
    r = place ? interpolate(&whole, place, 1, t, scratch, err) : GV_ESYS;
    if (r == GV_OK)
        *x = whole;
    return r;
}

int gv_series_permute(gv_sample *x, const int64_t *order, int64_t n, gv_arena *scratch, gv_err *err)
{
    gv_sample y;
    int64_t t = x->shape[0], c = x->shape[1], each = t / n, longer = t % n;
    int r = gv_sample_init(&y, GV_F32T, 2, x->shape, scratch, err);
    float *to = r < 0 ? NULL : y.data;
    for (int64_t i = 0; to && i < n; i++) {
        int64_t k = order[i], start = k * each + (k < longer ? k : longer), length = each + (k < longer);
        memcpy(to, (const float *)x->data + start * c, (size_t)(length * c) * sizeof *to);
        to += length * c;
    }
    if (r == GV_OK)
        *x = y;
    return r;
}

void gv_series_curve(gv_rng *rng, double std, int64_t knots, double *out, int64_t t)
{
    double v[GV_SPLINE_KNOTS];
    for (int64_t i = 0; i < knots + 2; i++)
        v[i] = 1 + std * gv_rng_normal(rng);
    gv_spline_even(v, (int)knots + 2, out, t);
}
