/* series_measure: channels of the series, and mean and deviation of each over the training split. The samples come from glovita-index and
 * glovita-decode, as they will in training, but neither normalised nor cut: the driver itself opens no file of samples. */
#include "common/file.h"
#include "data/series.h"
#include "stream/stream.h"
#include <inttypes.h>

struct measure {
    const gv_series_fields *o;
    int64_t channels, length, n; /* n: points so far */
    double *mean, *squares;      /* of each channel; squares: of distances from the mean */
};

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

static int take(struct measure *m, const gv_record *rec, gv_arena *arena, gv_err *err)
{
    const gv_tensor *t = gv_get_tensor(rec, "x");
    const char *id = gv_get_text(rec, "id");
    if (!t || t->ndim != 2 || t->dtype != GV_F32T || !t->shape[0])
        return gv_fail(err, GV_EDATA, "sample '%s' is no series", id ? id : "?");
    if (m->channels && t->shape[1] != m->channels)
        return gv_fail(err, GV_EDATA, "sample '%s': the series has %" PRId64 " channels; the ones before have %" PRId64, id ? id : "?", t->shape[1], m->channels);
    if (!m->channels) {
        m->channels = t->shape[1];
        m->length = t->shape[0];
        if (!(m->mean = gv_arena_alloc(arena, 2 * (size_t)m->channels * sizeof *m->mean, err)))
            return GV_ESYS;
        m->squares = m->mean + m->channels;
    }
    gv_sample x = { .dtype = t->dtype, .ndim = 2, .shape = { t->shape[0], t->shape[1] } }, own = x;
    gv_arena scratch = { 0 };
    int r = gv_arena_init(&scratch, "a series", t->bytes + 4096, err);
    if (r == GV_OK && (r = gv_sample_init(&own, x.dtype, 2, x.shape, &scratch, err)) == GV_OK) { /* aligned */
        memcpy(own.data, t->data, t->bytes);
        add(m, &own);
    }
    gv_arena_release(&scratch);
    return r;
}

static int read_all(struct measure *m, int fd, bool skip, gv_arena *arena, gv_err *err)
{
    gv_reader *in = NULL;
    gv_record rec;
    int64_t seen = 0;
    int r = gv_reader_open(&in, fd, "the series", err);
    for (; r == GV_OK && (r = gv_next(in, &rec, err)) > 0; seen++) {
        const char *id = gv_get_text(&rec, "id"), *why = gv_get_text(&rec, "reason");
        r = rec.kind == GV_TENSOR ? take(m, &rec, arena, err) : gv_fail(err, GV_EDATA, "sample '%s': %s", id ? id : "?", why ? why : "it cannot be read");
        if (r == GV_EDATA && skip) { /* the run will tell */
            gv_err_clear(err);
            r = GV_OK;
        }
    }
    gv_reader_close(in);
    return r == GV_OK && seen && !m->channels ? gv_fail(err, GV_EDATA, "none of the %" PRId64 " series of the split can be read", seen) : r;
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

/* What lists and decodes the split, as a line for the shell. */
static int command(const gv_config *c, int split, bool all, gv_buf *out, gv_err *err)
{
    static const char *const index_blocks[] = { "data", "training.seed", "training.cv_folds", NULL };
    const char *decode_blocks[64] = { "data.dataset", "data.data_root_dir", "model.encoder.input_channels" };
    size_t n = 3;
    for (const char *const *f = gv_dataset_find(c->data.dataset->name)->decode_fields; *f && n + 1 < GV_COUNT(decode_blocks); f++)
        decode_blocks[n++] = *f;
    char program[4200];
    snprintf(program, sizeof program, "%s/glovita-index", gv_self_dir());
    int r = gv_shell_quote(out, program, err);
    r = r < 0 ? r : gv_config_args(c, index_blocks, out, err);
    r = r < 0 ? r : gv_buf_printf(out, err, " --split %s --epochs 1 --no_shuffle%s |", gv_split_names[split], all ? "" : " --limit 1");
    snprintf(program, sizeof program, "%s/glovita-decode", gv_self_dir());
    r = r < 0 ? r : gv_shell_quote(out, program, err);
    return r < 0 ? r : gv_config_args(c, decode_blocks, out, err);
}

int gv_series_measure(gv_config *c, gv_data *d, gv_arena *arena, gv_err *err)
{
    gv_series_fields *o = c->data.params;
    struct measure m = { .o = o };
    bool statistics = o->normalization == GV_NORMALIZE_TRAIN && (!o->channel_mean.v || !o->channel_std.v);
    int split = GV_SPLIT_TRAIN, fd = -1;
    pid_t pid = 0;
    gv_buf line = { 0 };
    if (statistics && d->split[split].n < 1)
        return gv_fail(err, GV_EUSAGE, "data.normalization is train, but there is no training split here, and data.channel_mean and data.channel_std are not given");
    for (int s = 0; s < GV_SPLITS && d->split[split].n < 1; s++)
        split = s;
    if (d->split[split].n < 1)
        return GV_OK;
    const gv_series_fields was = *o;
    o->normalization = GV_NORMALIZE_NONE;
    o->length = GV_NONE_I64;
    int r = command(c, split, statistics || c->on_error == GV_ON_ERROR_SKIP, &line, err);
    o->normalization = was.normalization;
    o->length = was.length;
    if (r == GV_OK)
        r = gv_shell_start(line.data, d->root, &pid, &fd, err);
    if (r == GV_OK) {
        r = read_all(&m, fd, c->on_error == GV_ON_ERROR_SKIP, arena, err);
        r = gv_shell_end(pid, r, err);
    }
    gv_buf_release(&line);
    if (r == GV_OK && m.channels)
        r = tell(c, &m, statistics, arena, err);
    d->channels = m.channels;
    d->length = o->length != GV_NONE_I64 ? o->length : m.length;
    return r;
}
