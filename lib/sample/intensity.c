/* intensity: values of float32 samples brought to a common scale, each channel by itself, sums in double. */
#include "sample/sample.h"
#include <inttypes.h>
#include <math.h>

static int floats(const gv_sample *x, const char *what, gv_err *err)
{
    return x->dtype == GV_F32T ? GV_OK : gv_fail(err, GV_EDATA, "%s takes float32 values, not %s", what, gv_dtype_of(x->dtype)->name);
}

int gv_sample_finite(const gv_sample *x, gv_err *err)
{
    size_t n = gv_sample_bytes(x) / gv_dtype_of(x->dtype)->size;
    const float *p = x->data;
    if (x->dtype != GV_F32T)
        return GV_OK;
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += p[i] * 0; /* NaN from NaN and from Inf */
    if (sum == 0)
        return GV_OK;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(p[i]))
            return gv_fail(err, GV_EDATA, "value %zu of %zu is %s", i, n, isnan(p[i]) ? "no number (NaN)" : "infinite");
    return GV_OK;
}

int gv_sample_zscore(gv_sample *x, bool nonzero, gv_err *err)
{
    int r = floats(x, "a z-score", err);
    if (r < 0)
        return r;
    int64_t c = x->shape[x->ndim - 1], n = (int64_t)(gv_sample_bytes(x) / 4) / c;
    for (int64_t k = 0; k < c; k++) {
        float *p = (float *)x->data + k;
        double sum = 0, squares = 0;
        int64_t counted = 0;
        for (int64_t i = 0; i < n; i++)
            if (!nonzero || p[i * c] != 0) {
                sum += (double)p[i * c];
                counted++;
            }
        double mean = counted ? sum / (double)counted : 0;
        for (int64_t i = 0; i < n; i++)
            if (!nonzero || p[i * c] != 0)
                squares += ((double)p[i * c] - mean) * ((double)p[i * c] - mean);
        double std = fmax(counted ? sqrt(squares / (double)counted) : 0, 1e-8);
        for (int64_t i = 0; i < n; i++)
            if (!nonzero || p[i * c] != 0)
                p[i * c] = (float)(((double)p[i * c] - mean) / std);
    }
    return GV_OK;
}

int gv_sample_levels(gv_sample *x, double low, double high, gv_err *err)
{
    int r = floats(x, "a window", err);
    if (r < 0)
        return r;
    if (!(low < high))
        return gv_fail(err, GV_EUSAGE, "a window from %g to %g is empty", low, high);
    float *p = x->data;
    size_t n = gv_sample_bytes(x) / 4;
    double scale = 1 / (high - low);
    for (size_t i = 0; i < n; i++) {
        double v = ((double)p[i] - low) * scale;
        p[i] = (float)(v < 0 ? 0 : v > 1 ? 1 : v);
    }
    return GV_OK;
}
