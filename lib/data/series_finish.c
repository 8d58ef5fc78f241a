/* series_finish: from what a file holds to what the network sees, and the statistics of the training split. */
#include "common/log.h"
#include "data/open.h"
#include "data/series.h"
#include "common/file.h"
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- statistics of a split ---- */

struct measure {
    const gv_series_fields *o;
    const gv_data *d;
    gv_roots roots;
    gv_series_table *table;
    gv_arena scratch;
    int64_t channels, length, n; /* n: points so far */
    double *mean, *squares;      /* of each channel; squares: of distances from the mean */
};

static int read_one(struct measure *m, const gv_entry *e, gv_series *s, gv_err *err)
{
    gv_series_options o = gv_series_reading(m->o, e->row >= 0);
    struct stat st;
    int fd, r;
    if (e->row >= 0 && m->table)
        return gv_series_table_read(m->table, e->row, s, &m->scratch, err);
    if ((fd = gv_roots_open(&m->roots, e->path, GV_MAX_INPUT, err)) < 0)
        return fd;
    if (e->row >= 0) {
        r = gv_series_table_open(&m->table, fd, e->path, &o, err);
        return r < 0 ? r : gv_series_table_read(m->table, e->row, s, &m->scratch, err);
    }
    uint8_t *p = fstat(fd, &st) == 0 ? gv_arena_alloc_dirty(&m->scratch, (size_t)st.st_size + 64, err) : NULL;
    int64_t n = p ? gv_read_full(fd, p, (size_t)st.st_size, err) : -1;
    close(fd);
    if (n < 0)
        return gv_fail_in(err, "cannot read '%s'", e->path);
    memset(p + n, 0, 64);
    r = gv_series_decode((gv_bytes){ p, (size_t)n }, &o, s, &m->scratch, err);
    return r < 0 ? gv_fail_in(err, "cannot decode '%s'", e->path) : r;
}

/* Parts put together. Source: Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance", equation 2.1. */
static void add(struct measure *m, const gv_sample *x)
{
    int64_t t = x->shape[0], c = x->shape[1];
    const float *v = x->data;
    for (int64_t k = 0; k < c; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < t; i++)
            sum += (double)v[i * c + k];
        double mean = sum / (double)t, apart = mean - m->mean[k];
        for (int64_t i = 0; i < t; i++)
            squares += ((double)v[i * c + k] - mean) * ((double)v[i * c + k] - mean);
        m->squares[k] += squares + apart * apart * (double)m->n * (double)t / (double)(m->n + t);
        m->mean[k] += apart * (double)t / (double)(m->n + t);
    }
    m->n += t;
}

static int measure_split(struct measure *m, const gv_split *split, bool skip, bool statistics, gv_arena *arena, gv_err *err)
{
    for (int64_t i = 0; i < split->n; i++) {
        const gv_entry *e = &split->v[i];
        gv_series s;
        gv_arena_reset(&m->scratch);
        int r = read_one(m, e, &s, err);
        if (r == GV_OK)
            r = gv_series_finish(m->o, &s, true, &m->scratch, err);
        if (r == GV_OK && m->channels && s.x.shape[1] != m->channels)
            r = gv_fail(err, GV_EDATA, "the series has %" PRId64 " channels; the ones before have %" PRId64, s.x.shape[1], m->channels);
        if (r == GV_EDATA && skip) { /* the run will tell */
            gv_err_clear(err);
            continue;
        }
        if (r < 0)
            return gv_fail_in(err, "sample '%s'", e->id);
        if (!m->channels) {
            m->channels = s.x.shape[1];
            m->length = s.x.shape[0];
            m->mean = gv_arena_alloc(arena, 2 * (size_t)m->channels * sizeof *m->mean, err);
            if (!m->mean)
                return GV_ESYS;
            m->squares = m->mean + m->channels;
        }
        if (!statistics)
            return GV_OK;
        add(m, &s.x);
    }
    return m->channels || !split->n ? GV_OK : gv_fail(err, GV_EDATA, "none of the %" PRId64 " series of the split can be read", split->n);
}

static int set_numbers(gv_config *c, const char *path, const double *v, int64_t n, gv_arena *arena, gv_err *err)
{
    const char **word = gv_arena_alloc(arena, (size_t)n * sizeof *word, err);
    for (int64_t i = 0; word && i < n; i++)
        if (!(word[i] = gv_arena_printf(arena, err, "%.17g", v[i])))
            return GV_ESYS;
    return word ? gv_config_set(c, path, word, (size_t)n, false, err) : GV_ESYS;
}

static int tell(gv_config *c, struct measure *m, bool statistics, gv_arena *arena, gv_err *err)
{
    char text[24];
    const char *word = text;
    snprintf(text, sizeof text, "%" PRId64, m->channels);
    int r = gv_config_set(c, "data.channels", &word, 1, false, err);
    if (r < 0 || !statistics)
        return r;
    for (int64_t k = 0; k < m->channels; k++) {
        m->squares[k] = sqrt(m->squares[k] / (double)m->n);
        m->squares[k] = m->squares[k] < 1e-8 ? 1 : m->squares[k];
    }
    r = set_numbers(c, "data.channel_mean", m->mean, m->channels, arena, err);
    return r < 0 ? r : set_numbers(c, "data.channel_std", m->squares, m->channels, arena, err);
}

int gv_series_measure(gv_config *c, gv_data *d, gv_arena *arena, gv_err *err)
{
    const gv_series_fields *o = c->data.params;
    struct measure m = { .o = o, .d = d };
    bool statistics = o->normalization == GV_NORMALIZE_TRAIN && (!o->channel_mean.v || !o->channel_std.v);
    const gv_split *split = &d->split[GV_SPLIT_TRAIN];
    if (statistics && split->n < 1)
        return gv_fail(err, GV_EUSAGE, "data.normalization is train, but there is no training split here, and data.channel_mean and data.channel_std are not given");
    for (int s = 0; s < GV_SPLITS && split->n < 1; s++)
        split = &d->split[s];
    int r = gv_arena_init(&m.scratch, "statistics", 4ull << 30, err);
    if (r == GV_OK && (r = gv_roots_add(&m.roots, d->root, err)) == GV_OK)
        r = gv_roots_add_list(&m.roots, getenv("GLOVITA_ROOTS"), err);
    if (r == GV_OK)
        r = measure_split(&m, split, c->on_error == GV_ON_ERROR_SKIP, statistics, arena, err);
    if (r == GV_OK && m.channels)
        r = tell(c, &m, statistics, arena, err);
    d->channels = m.channels;
    d->length = o->length != GV_NONE_I64 ? o->length : m.length;
    gv_series_table_close(m.table);
    gv_roots_release(&m.roots);
    gv_arena_release(&m.scratch);
    return r;
}
