/* series_finish: from what a file holds to what the network sees. */
#include "data/series.h"
#include <inttypes.h>

gv_series_options gv_series_reading(const gv_series_fields *o, bool table)
{
    return (gv_series_options){ .time_column = o->time_column, .id_column = table ? o->id_column : NULL, .columns = o->columns, .dataset = o->hdf5_dataset,
        .channels_first = o->channels_first, .missing = (gv_missing)o->missing };
}

static int resample(const gv_series_fields *o, gv_series *s, gv_arena *arena, gv_err *err)
{
    int64_t t = s->x.shape[0], n = o->resample_length;
    double rate = s->rate > 0 ? s->rate : o->source_rate, step;
    if (n != GV_NONE_I64)
        step = n > 1 && t > 1 ? (double)(t - 1) / (double)(n - 1) : 1;
    else if (isnan(o->sample_rate))
        return GV_OK;
    else if (!(rate > 0))
        return gv_fail(err, GV_EDATA, "data.sample_rate is %g, but the file does not say its own rate (data.source_rate, or data.time_column of a table)", o->sample_rate);
    else {
        step = rate / o->sample_rate;
        n = (int64_t)((double)t / step + 0.5);
        n = n < 1 ? 1 : n;
    }
    return n == t && fabs(step - 1) < 1e-9 ? GV_OK : gv_series_resample(&s->x, n, step, (gv_resampling)o->resampling, arena, err);
}

static int normalize(const gv_series_fields *o, gv_sample *x, gv_arena *arena, gv_err *err)
{
    int64_t c = x->shape[1];
    if (o->normalization == GV_NORMALIZE_NONE)
        return GV_OK;
    if (o->normalization == GV_NORMALIZE_SAMPLE) {
        double *m = gv_arena_alloc(arena, 2 * (size_t)c * sizeof *m, err);
        if (!m)
            return GV_ESYS;
        gv_series_moments(x, m, m + c);
        gv_series_normalize(x, m, m + c);
        return GV_OK;
    }
    if (!o->channel_mean.v || !o->channel_std.v)
        return gv_fail(err, GV_EUSAGE, "data.normalization is train, but data.channel_mean and data.channel_std are not given (glovita_train computes them; here: --data.normalization sample or none)");
    if (o->channel_mean.n != (size_t)c || o->channel_std.n != (size_t)c)
        return gv_fail(err, GV_EDATA, "the series has %" PRId64 " channels; data.channel_mean has %zu numbers, data.channel_std %zu", c, o->channel_mean.n, o->channel_std.n);
    gv_series_normalize(x, o->channel_mean.v, o->channel_std.v);
    return GV_OK;
}

int gv_series_finish(const gv_series_fields *o, gv_series *s, bool measure, gv_arena *arena, gv_err *err)
{
    if (o->channels != GV_NONE_I64 && s->x.shape[1] != o->channels)
        return gv_fail(err, GV_EDATA, "the series has %" PRId64 " channels; %" PRId64 " are wanted (data.channels)", s->x.shape[1], o->channels);
    int r = resample(o, s, arena, err);
    if (r == GV_OK && !measure)
        r = normalize(o, &s->x, arena, err);
    if (r == GV_OK && !measure && o->length != GV_NONE_I64)
        r = gv_series_fit(&s->x, o->length, (gv_fit)o->crop, (gv_pad_kind)o->pad, arena, err);
    return r;
}
