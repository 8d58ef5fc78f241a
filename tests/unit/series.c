/* Series: files, tables, resampling, and changes, against NumPy and SciPy (scripts/golden/series.py); bad files with their places. */
#include "augment/series.h"
#include "common/file.h"
#include "data/series.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"
#include <fcntl.h>
#include <unistd.h>

#define FIXTURES "tests/fixtures/series/"
enum { MOST = 4096 };

static gv_arena arena;
static gv_err err;
static golden gold;

static int load(const char *name, const gv_series_options *o, gv_series *s)
{
    gv_bytes b;
    char path[256];
    gv_err_clear(&err);
    snprintf(path, sizeof path, FIXTURES "%s", name);
    int r = gv_bytes_load(path, &b, 0, &arena, &err);
    return r < 0 ? r : gv_series_decode(b, o, s, &arena, &err);
}

/* Largest difference from an entry of the golden file; 1e9 when shapes differ. */
static double off(const char *entry, const gv_sample *x)
{
    static double want[MOST];
    int64_t n = golden_get(&gold, entry, want, MOST);
    double worst = 0;
    if (n < 1 || x->ndim != 2 || x->shape[0] * x->shape[1] != n)
        return 1e9;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)((float *)x->data)[i] - want[i]);
        worst = d > worst || isnan(d) ? d : worst;
    }
    return worst;
}

static gv_sample series(void)
{
    static double v[MOST];
    gv_sample x;
    int64_t n = golden_get(&gold, "x", v, MOST);
    ok(n == 150 && gv_sample_init(&x, GV_F32T, 2, (int64_t[]){ 50, 3 }, &arena, &err) == GV_OK, "the series of the golden file");
    for (int64_t i = 0; i < n; i++)
        ((float *)x.data)[i] = (float)v[i];
    return x;
}

static void near(int r, const char *entry, const gv_sample *x)
{
    double d = r == GV_OK ? off(entry, x) : 1e9;
    ok(d < 1e-6, "%s (%.0e)%s%s", entry, d, r < 0 ? ": " : "", err.text);
}

static const double *draws(const char *entry, int64_t n)
{
    double *v = gv_arena_alloc(&arena, (size_t)n * sizeof *v, &err);
    return golden_get(&gold, entry, v, n) == n ? v : NULL;
}

/* ---- changes: values of about 3 in float32 round at 2e-7 ---- */

static void changes(void)
{
    double out[64], want[64], worst = 0;
    static const int knots[] = { 0, 1, 2, 3, 4, 9 };
    for (size_t i = 0; i < GV_COUNT(knots); i++) {
        char a[32], b[32];
        snprintf(a, sizeof a, "knots%d", knots[i]);
        snprintf(b, sizeof b, "curve%d", knots[i]);
        double v[16];
        if (golden_get(&gold, a, v, 16) != knots[i] + 2 || golden_get(&gold, b, want, 64) != 50)
            worst = 1;
        gv_spline_even(v, knots[i] + 2, out, 50);
        for (int k = 0; k < 50; k++)
            worst = fabs(out[k] - want[k]) > worst ? fabs(out[k] - want[k]) : worst;
    }
    ok(worst < 1e-14, "splines through 2 to 11 knots are SciPy's (%.0e)", worst);
    gv_sample x = series();
    gv_series_scale(&x, draws("factor", 3), false);
    near(GV_OK, "scaling", &x);
    x = series();
    gv_series_scale(&x, draws("curves", 150), true);
    near(GV_OK, "magnitude_warp", &x);
    x = series();
    near(gv_series_time_warp(&x, draws("speed", 50), &arena, &err), "time_warp", &x);
    x = series();
    near(gv_series_slice(&x, 7, 31, &arena, &err), "slice_7_31", &x);
    x = series();
    near(gv_series_window_warp(&x, 11, 13, 0.5, &arena, &err), "window_11_13_0.5", &x);
    x = series();
    near(gv_series_window_warp(&x, 11, 13, 2, &arena, &err), "window_11_13_2", &x);
    x = series();
    ok(gv_series_permute(&x, (int64_t[]){ 2, 0, 3, 1 }, 4, &arena, &err) == GV_OK && off("permutation", &x) == 0, "permutation");
}

static void resampling(void)
{
    static const struct { int64_t n; double step; } to[] = { { 20, 2.5 }, { 97, 0.5 }, { 60, 49.0 / 59 } };
    for (size_t i = 0; i < GV_COUNT(to); i++)
        for (int how = 0; how < 2; how++) {
            char entry[32];
            gv_sample x = series();
            snprintf(entry, sizeof entry, "%s_%d", how == GV_RESAMPLE_SINC ? "sinc" : "linear", (int)to[i].n);
            near(gv_series_resample(&x, to[i].n, to[i].step, (gv_resampling)how, &arena, &err), entry, &x);
        }
    double mean[3], std[3];
    gv_sample x = series();
    gv_series_moments(&x, mean, std);
    gv_series_normalize(&x, mean, std);
    near(GV_OK, "zscore", &x);
    x = series();
    float first = ((float *)x.data)[0], middle = ((float *)x.data)[20 * 3];
    ok(gv_series_fit(&x, 54, GV_FIT_CENTER, GV_PAD_EDGE, &arena, &err) == GV_OK && x.shape[0] == 54 && ((float *)x.data)[0] == first && ((float *)x.data)[2 * 3] == first, "padding on both sides with the first value");
    x = series();
    ok(gv_series_fit(&x, 10, GV_FIT_CENTER, GV_PAD_ZERO, &arena, &err) == GV_OK && x.shape[0] == 10 && ((float *)x.data)[0] == middle, "the middle");
    x = series();
    ok(gv_series_fit(&x, 60, GV_FIT_START, GV_PAD_ZERO, &arena, &err) == GV_OK && ((float *)x.data)[0] == first && ((float *)x.data)[59 * 3] == 0, "zeros behind");
}

/* ---- units: the same draws give the same series, p 0 changes nothing, what they draw is as wide as they say ---- */

static void unit(const char *name)
{
    const gv_augment *u = gv_augment_find(name);
    if (!ok(u != NULL, "unit %s", name))
        return;
    char *params = gv_arena_alloc(&arena, u->params_size, &err);
    const gv_field *p = gv_field_find(u->fields, "p", 1);
    ok(gv_fields_default(u->fields, params, &arena, &err) == GV_OK && p, "%s: its fields", name);
    gv_sample a = series(), b = series(), before = series();
    gv_rng r, s;
    int bad = 0;
    size_t bytes = gv_sample_bytes(&a);
    bool changed = false;
    *(double *)(void *)(params + p->offset) = !strcmp(name, "channel_drop") ? 0.5 : 1;
    for (int i = 0; i < 10; i++) {
        gv_rng_init(&r, 5, GV_RNG_TEST, (uint64_t)i, 0, 0);
        s = r;
        bad += u->apply(params, &a, &r, &arena, &err) < 0 || u->apply(params, &b, &s, &arena, &err) < 0 || gv_sample_bytes(&a) != bytes || memcmp(a.data, b.data, bytes);
        changed = changed || memcmp(a.data, before.data, bytes);
        for (int64_t k = 0; k < 150; k++)
            bad += !isfinite(((float *)a.data)[k]);
    }
    ok(!bad && changed, "%s: the same draws, the same change%s%s", name, err.code ? ": " : "", err.text);
    *(double *)(void *)(params + p->offset) = 0;
    a = series();
    gv_rng_init(&r, 5, GV_RNG_TEST, 1, 0, 0);
    ok(u->apply(params, &a, &r, &arena, &err) == GV_OK && !memcmp(a.data, before.data, bytes), "%s: nothing with p 0", name);
    gv_sample image = { .dtype = GV_U8, .ndim = 3, .shape = { 2, 2, 3 }, .data = "0123456789ab" };
    ok(u->apply(params, &image, &r, &arena, &err) == GV_EDATA && strstr(err.text, "[T,C]"), "%s: refuses an image", name);
    gv_err_clear(&err);
}

static void draws_of_units(void)
{
    struct { double std, p; } o = { 0.5, 1 };
    gv_rng r;
    gv_sample x;
    double sum = 0, squares = 0;
    gv_rng_init(&r, 1, GV_RNG_TEST, 0, 0, 0);
    if (gv_sample_init(&x, GV_F32T, 2, (int64_t[]){ 20000, 1 }, &arena, &err) < 0)
        return;
    memset(x.data, 0, gv_sample_bytes(&x));
    ok(gv_augment_jitter.apply(&o, &x, &r, &arena, &err) == GV_OK, "jitter");
    for (int i = 0; i < 20000; i++) {
        sum += (double)((float *)x.data)[i];
        squares += (double)((float *)x.data)[i] * (double)((float *)x.data)[i];
    }
    /* four deviations of the mean and of the variance of 20,000 normal numbers */
    ok(fabs(sum / 20000) < 4 * 0.5 / sqrt(20000) && fabs(squares / 20000 / 0.25 - 1) < 4 * sqrt(2.0 / 20000), "jitter: mean %.4f, deviation %.4f of 0.5", sum / 20000, sqrt(squares / 20000));
    struct { double p; } d = { 1 };
    x = series();
    gv_sample before = series();
    int kept = 0, bad = 0;
    for (int k = 0; k < 3; k++) {
        x = series();
        gv_rng_init(&r, (uint64_t)k, GV_RNG_TEST, 0, 0, 0);
        bad += gv_augment_channel_drop.apply(&d, &x, &r, &arena, &err) < 0;
        for (int c = 0; c < 3; c++) {
            int same = 1, none = 1;
            for (int i = 0; i < 50; i++) {
                same &= ((float *)x.data)[3 * i + c] == ((float *)before.data)[3 * i + c];
                none &= ((float *)x.data)[3 * i + c] == 0;
            }
            kept += same;
            bad += !same && !none;
        }
    }
    ok(!bad && kept == 3, "channel drop with p 1 leaves one channel");
}

static void policies(void)
{
    for (int level = 1; level <= 4; level++) {
        char name[32];
        gv_pipeline *p = NULL;
        gv_sample x = series(), y = series();
        snprintf(name, sizeof name, "default_1d_%d", level);
        gv_policy_request q = { .dataset = "generic_timeseries_dataset", .spatial_dims = 1, .train = true, .policy = name, .channels = 3, .kwargs = { 1, (const char *[]){ "crop" }, (const char *[]){ "40" } } };
        int r = gv_policy_resolve(&q, &p, &arena, &err);
        ok(r == GV_OK && gv_pipeline_apply(p, &x, 1, 2, 3, 0, &arena, &err) == GV_OK && x.shape[0] == 40 && gv_pipeline_apply(p, &y, 1, 2, 3, 0, &arena, &err) == GV_OK &&
           !memcmp(x.data, y.data, gv_sample_bytes(&x)), "policy %s: %zu changes%s", name, p ? p->n : 0, err.text);
    }
}

/* ---- files ---- */

static void values(const char *name, const gv_series_options *o, int64_t t, int64_t c, double rate, const float *want)
{
    gv_series s = { 0 };
    int r = load(name, o, &s);
    ok(r == GV_OK && s.x.ndim == 2 && s.x.shape[0] == t && s.x.shape[1] == c && s.rate == rate && !memcmp(s.x.data, want, (size_t)(t * c) * sizeof *want), "%s%s%s", name, r < 0 ? ": " : "", err.text);
}

static void tables(void)
{
    gv_series_options time = { .time_column = "time" };
    values("plain.csv", &time, 3, 2, 2, (float[]){ 1.5f, -2, 2.5f, 1e-3f, 3.5f, 7 });
    values("plain.csv", NULL, 3, 3, 0, (float[]){ 0, 1.5f, -2, 0.5f, 2.5f, 1e-3f, 1, 3.5f, 7 });
    gv_series_options turned = { .columns = { 2, (const char *[]){ "ay", "time" } } };
    values("plain.csv", &turned, 3, 2, 0, (float[]){ -2, 0, 1e-3f, 0.5f, 7, 1 });
    values("semicolons.csv", NULL, 3, 2, 0, (float[]){ 1, 2, 3, 4, 5, 6 });
    gv_series_options second = { .columns = { 1, (const char *[]){ "1" } } };
    values("semicolons.csv", &second, 3, 1, 0, (float[]){ 2, 4, 6 });
    values("tabs.tsv", NULL, 2, 3, 0, (float[]){ 1, 2, 3, 4, 5, 6 });
    values("one.csv", NULL, 3, 1, 0, (float[]){ 1, 2, 4 });
    gv_series_options t = { .time_column = "t" };
    values("uneven.csv", &t, 4, 1, 0.75, (float[]){ 0, 40.0f / 3, 80.0f / 3, 40 });
    gv_series_options zero = { .missing = GV_MISSING_ZERO }, between = { .missing = GV_MISSING_INTERPOLATE };
    values("missing.csv", &zero, 4, 2, 0, (float[]){ 1, 2, 0, 4, 5, 6, 7, 0 });
    values("missing.csv", &between, 4, 2, 0, (float[]){ 1, 2, 3, 4, 5, 6, 7, 6 });
}

static void arrays(void)
{
    static const char *const sounds[] = { "s16", "u8", "s32", "f32" };
    gv_series s;
    for (size_t i = 0; i < GV_COUNT(sounds); i++) {
        char name[32], entry[32];
        snprintf(name, sizeof name, "%s.wav", sounds[i]);
        snprintf(entry, sizeof entry, "wav_%s", sounds[i]);
        int r = load(name, NULL, &s);
        ok(r == GV_OK && s.rate == 8000 && off(entry, &s.x) < 1e-7, "%s has SciPy's samples%s%s", name, r < 0 ? ": " : "", err.text);
    }
    gv_sample x = series();
    ok(load("one.h5", NULL, &s) == GV_OK && s.x.shape[0] == 6 && s.x.shape[1] == 3 && !memcmp(s.x.data, x.data, 18 * sizeof(float)), "one.h5 %s", err.text);
    ok(load("one.h5", &(gv_series_options){ .dataset = "other" }, &s) == GV_EDATA && strstr(err.text, "no data set 'other'"), "one.h5 has no such data set: %s", err.text);
    ok(load("array.npy", NULL, &s) == GV_OK && s.x.shape[0] == 9 && !memcmp(s.x.data, x.data, 27 * sizeof(float)), "array.npy %s", err.text);
    gv_series_options turned = { .channels_first = true };
    ok(load("array.npy", &turned, &s) == GV_OK && s.x.shape[0] == 3 && s.x.shape[1] == 9 && ((float *)s.x.data)[1] == ((float *)x.data)[3], "array.npy, channels first");
}

static void one_file(void)
{
    static const char *const names[] = { "table.npy", "table.h5" };
    for (size_t i = 0; i < GV_COUNT(names); i++) {
        char path[64];
        gv_series_table *t = NULL;
        gv_series s = { 0 };
        gv_err_clear(&err);
        snprintf(path, sizeof path, FIXTURES "%s", names[i]);
        int r = gv_series_table_open(&t, open(path, O_RDONLY | O_CLOEXEC), path, &(gv_series_options){ 0 }, &err);
        r = r < 0 ? r : gv_series_table_read(t, 1, &s, &arena, &err);
        gv_sample x = series();
        bool same = r == GV_OK && s.x.shape[0] == 8 && s.x.shape[1] == 2;
        for (int k = 0; same && k < 16; k++)
            same = ((float *)s.x.data)[k] == ((float *)x.data)[24 + k / 2 * 3 + k % 2];
        ok(same && gv_series_table_count(t) == (i ? 2 : 3) && !gv_series_table_id(t, 0), "%s: its second series%s%s", names[i], r < 0 ? ": " : "", err.text);
        gv_series_table_close(t);
    }
    gv_series_table *t = NULL;
    gv_series s = { 0 };
    gv_series_options o = { .id_column = "id", .time_column = "t" };
    gv_err_clear(&err);
    int r = gv_series_table_open(&t, open(FIXTURES "long.csv", O_RDONLY | O_CLOEXEC), "long.csv", &o, &err);
    r = r < 0 ? r : gv_series_table_read(t, 1, &s, &arena, &err);
    ok(r == GV_OK && gv_series_table_count(t) == 2 && !strcmp(gv_series_table_id(t, 1), "k") && s.x.shape[0] == 3 && s.x.shape[1] == 2 && s.rate == 1 &&
       !memcmp(s.x.data, (float[]){ 5, 6, 7, 8, 9, 10 }, 6 * sizeof(float)), "long.csv: the series 'k'%s%s", r < 0 ? ": " : "", err.text);
    gv_series_table_close(t);
    r = gv_series_table_open(&t, open(FIXTURES "apart.csv", O_RDONLY | O_CLOEXEC), "apart.csv", &(gv_series_options){ .id_column = "id" }, &err);
    ok(r == GV_EDATA && strstr(err.text, "line 2 and line 4"), "apart.csv: %s", err.text);
}

static void bad(void)
{
    static const struct { const char *name, *time, *text; } cases[] = {
        { "ragged.csv", NULL, "line 3 has 1 cells; the first has 2" }, { "text.csv", NULL, "line 4, column 'b': 'six' is no number" },
        { "missing.csv", NULL, "line 3, column 'a': the value is missing" }, { "huge.csv", NULL, "line 3, column 'b'" }, { "back.csv", "t", "line 4: time 2 does not come after 2" },
        { "quote.csv", NULL, "line 2: a quote is not closed" }, { "empty.csv", NULL, "is empty" }, { "plain.csv", "when", "no column 'when'" },
        { "cut.wav", NULL, "WAV ends after 120 of 204 bytes" }, { "../images/grey.png", NULL, "a png file holds no series" }, { "../four.gv", NULL, "no known format of series" },
    };
    for (size_t i = 0; i < GV_COUNT(cases); i++) {
        gv_series s;
        int r = load(cases[i].name, &(gv_series_options){ .time_column = cases[i].time }, &s);
        ok(r == GV_EDATA && strstr(err.text, cases[i].text), "%s: %s", cases[i].name, err.text);
    }
    float nan[4] = { 1, 2, NAN, 4 };
    gv_sample x = { .dtype = GV_F32T, .ndim = 2, .shape = { 2, 2 }, .data = nan };
    gv_err_clear(&err);
    ok(gv_series_fill(&x, GV_MISSING_FAIL, &err) == GV_EDATA && strstr(err.text, "row 1, column 0"), "NaN in an array: %s", err.text);
    nan[2] = INFINITY;
    ok(gv_series_fill(&x, GV_MISSING_ZERO, &err) == GV_EDATA && strstr(err.text, "row 1, column 0"), "infinity in an array: %s", err.text);
    gv_sample image;
    gv_bytes b;
    gv_err_clear(&err);
    ok(gv_bytes_load(FIXTURES "plain.csv", &b, 0, &arena, &err) == GV_OK && gv_decode_bytes(b, &image, &arena, NULL, &err) == GV_EDATA && strstr(err.text, "not an image"), "a table is no image: %s", err.text);
}

int main(void)
{
    static const char *const units[] = { "jitter", "scaling", "magnitude_warp", "time_warp", "window_slice", "window_warp", "permutation", "channel_drop" };
    ok(gv_arena_init(&arena, "test", 256 << 20, &err) == GV_OK && golden_open(&gold, "tests/golden/series/changes.gold") == 0, "golden values");
    changes();
    resampling();
    for (size_t i = 0; i < GV_COUNT(units); i++)
        unit(units[i]);
    draws_of_units();
    policies();
    tables();
    arrays();
    one_file();
    bad();
    gv_free(gold.text);
    gv_arena_release(&arena);
    return done();
}
