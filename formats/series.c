/* series: the first bytes choose the format; arrays of any number type; what is missing. */
#include "formats/series.h"
#include <inttypes.h>

int gv_series_shape(int64_t t, int64_t c, size_t max_output, gv_err *err)
{
    if (t < 1 || t > GV_SERIES_POINTS)
        return gv_fail(err, GV_EDATA, "the series has %" PRId64 " points; 1 to %d are read", t, GV_SERIES_POINTS);
    if (c < 1 || c > GV_SERIES_CHANNELS)
        return gv_fail(err, GV_EDATA, "the series has %" PRId64 " channels; 1 to %d are read", c, GV_SERIES_CHANNELS);
    if ((size_t)t * (size_t)c > (max_output ? max_output : GV_MAX_OUTPUT) / sizeof(float))
        return gv_fail(err, GV_EDATA, "the series has %" PRId64 " x %" PRId64 " values; at most %zu MiB are decoded", t, c, (max_output ? max_output : GV_MAX_OUTPUT) >> 20);
    return GV_OK;
}

int gv_series_array(const gv_sample *a, const gv_series_options *o, gv_sample *x, gv_arena *arena, gv_err *err)
{
    enum { BLOCK = 512 };
    double part[BLOCK];
    if (a->ndim != 1 && a->ndim != 2)
        return gv_fail(err, GV_EDATA, "the array has %d axes; a series has two, time and channels, or one", a->ndim);
    bool turn = a->ndim == 2 && o->channels_first;
    int64_t t = a->ndim == 1 ? a->shape[0] : a->shape[turn], c = a->ndim == 1 ? 1 : a->shape[!turn];
    int r = gv_series_shape(t, c, o->max_output, err);
    if (r < 0 || (r = gv_sample_init(x, GV_F32T, 2, (int64_t[]){ t, c }, arena, err)) < 0)
        return r;
    size_t size = gv_dtype_of(a->dtype)->size;
    float *to = x->data;
    for (int64_t i = 0; i < t * c; i += BLOCK) {
        int64_t n = t * c - i < BLOCK ? t * c - i : BLOCK;
        gv_to_f64(a->dtype, (const char *)a->data + (size_t)i * size, part, (size_t)n);
        for (int64_t k = 0; k < n; k++) {
            int64_t at = turn ? (i + k) % t * c + (i + k) / t : i + k;
            to[at] = (float)part[k];
            if (isinf(to[at]))
                return gv_fail(err, GV_EDATA, "row %" PRId64 ", column %" PRId64 " (counted from 0) is %g, which is no finite float32", at / c, at % c, part[k]);
        }
    }
    return GV_OK;
}

/* One channel: missing points between two known ones lie on the line between them; before the first and behind the last they equal it. */
static int interpolate(float *v, int64_t t, int64_t c, int64_t channel, gv_err *err)
{
    int64_t known = -1;
    for (int64_t i = 0; i < t; i++) {
        float now = v[i * c];
        if (isnan(now))
            continue;
        for (int64_t k = known + 1; k < i; k++) { /* in double: the difference of two floats need not be one */
            double w = (double)(k - known) / (double)(i - known);
            v[k * c] = known < 0 ? now : (float)((1 - w) * (double)v[known * c] + w * (double)now);
        }
        known = i;
    }
    if (known < 0)
        return gv_fail(err, GV_EDATA, "column %" PRId64 " (counted from 0) has no value at all", channel);
    for (int64_t k = known + 1; k < t; k++)
        v[k * c] = v[known * c];
    return GV_OK;
}

int gv_series_fill(gv_sample *x, gv_missing rule, gv_err *err)
{
    int64_t t = x->shape[0], c = x->shape[1], first = -1;
    float *v = x->data;
    for (int64_t i = 0; i < t * c; i++) {
        if (isinf(v[i]))
            return gv_fail(err, GV_EDATA, "row %" PRId64 ", column %" PRId64 " (counted from 0) is infinite", i / c, i % c);
        first = first < 0 && isnan(v[i]) ? i : first;
    }
    if (first < 0)
        return GV_OK;
    if (rule == GV_MISSING_FAIL)
        return gv_fail(err, GV_EDATA, "row %" PRId64 ", column %" PRId64 " (counted from 0) is NaN (data.missing zero or interpolate fills it)", first / c, first % c);
    for (int64_t i = first; i < t * c && rule == GV_MISSING_ZERO; i++)
        v[i] = isnan(v[i]) ? 0 : v[i];
    for (int64_t k = 0; k < c && rule == GV_MISSING_INTERPOLATE; k++)
        if (interpolate(v + k, t, c, k, err) < 0)
            return err->code;
    return GV_OK;
}
