#include "data/scan.h"
#include "common/file.h"
#include "json/json.h"
#include "sample/volume.h"
#include <inttypes.h>
#include <math.h>
#include <strings.h>
#include <unistd.h>

const char *const gv_orientations[] = { "as_stored", "ras", NULL };
const char *const gv_normalizations[] = { "auto", "none", "zscore", "zscore_nonzero", "window", NULL };

/* ---- the plan in a header ---- */

static int choice(const char *const *of, const char *s)
{
    for (int i = 0; of[i]; i++)
        if (!strcmp(of[i], s))
            return i;
    return -1;
}

gv_item gv_scan_plan_item(const gv_scan_plan *v, gv_arena *arena, gv_err *err)
{
    gv_item m = { .type = GV_MAPPING }, nil = { .type = GV_NIL };
    gv_pair *p = gv_arena_alloc(arena, 6 * sizeof *p, err);
    size_t n = 0;
    if (!p)
        return nil;
    p[n++] = (gv_pair){ "orientation", gv_item_text(gv_orientations[v->ras]) };
    if (v->resample) {
        p[n++] = (gv_pair){ "target_spacing", gv_item_f64s(v->spacing, 3, arena, err) };
        p[n++] = (gv_pair){ "resample_order", gv_item_i64(v->order) };
    }
    p[n++] = (gv_pair){ "normalization", gv_item_text(gv_normalizations[v->normalization]) };
    if (v->normalization == GV_NORMALIZATION_WINDOW)
        p[n++] = (gv_pair){ "window", gv_item_f64s(v->window, 2, arena, err) };
    if (v->dataset)
        p[n++] = (gv_pair){ "hdf5_dataset", gv_item_text(v->dataset) };
    m.map.v = p;
    m.map.n = n;
    for (size_t i = 0; i < n; i++)
        if (p[i].value.type == GV_NIL)
            return nil;
    return m;
}

static int numbers(const gv_item *v, const char *key, double *to, size_t n, gv_err *err)
{
    bool good = v->type == GV_ARRAY && v->array.n == n;
    for (size_t i = 0; good && i < n; i++)
        good = gv_item_f64_of(&v->array.v[i], &to[i]) && isfinite(to[i]);
    return good ? GV_OK : gv_fail(err, GV_EDATA, "the stream's volume '%s' is no list of %zu numbers", key, n);
}

static int read_pair(gv_scan_plan *p, const gv_pair *e, gv_err *err)
{
    const char *text = e->value.type == GV_TEXT ? e->value.text.s : "";
    int64_t order;
    int r = GV_OK;
    if (!strcmp(e->key, "orientation")) {
        int k = choice(gv_orientations, text);
        p->ras = k == GV_ORIENTATION_RAS;
        r = k < 0 ? -1 : 0;
    } else if (!strcmp(e->key, "normalization")) {
        r = p->normalization = choice(gv_normalizations, text);
    } else if (!strcmp(e->key, "target_spacing")) {
        p->resample = true;
        if (numbers(&e->value, e->key, p->spacing, 3, err) < 0)
            return GV_EDATA;
        r = p->spacing[0] > 0 && p->spacing[1] > 0 && p->spacing[2] > 0 ? 0 : -1;
    } else if (!strcmp(e->key, "resample_order")) {
        r = gv_item_i64_of(&e->value, &order) && (order == 0 || order == 1 || order == 3) ? 0 : -1;
        p->order = r < 0 ? 0 : (int)order;
    } else if (!strcmp(e->key, "window")) {
        if (numbers(&e->value, e->key, p->window, 2, err) < 0)
            return GV_EDATA;
    } else if (!strcmp(e->key, "hdf5_dataset"))
        p->dataset = text;
    return r < 0 ? gv_fail(err, GV_EDATA, "the stream's volume has a '%s' that is not known", e->key) : GV_OK;
}

int gv_scan_plan_read(gv_scan_plan *p, const gv_record *header, gv_err *err)
{
    const gv_item *m = gv_get(header, "volume");
    *p = (gv_scan_plan){ .order = 3 };
    if (!m || m->type == GV_NIL)
        return GV_OK;
    if (m->type != GV_MAPPING)
        return gv_fail(err, GV_EDATA, "the stream's 'volume' is no map");
    int r = GV_OK;
    for (size_t i = 0; r == GV_OK && i < m->map.n; i++)
        r = read_pair(p, &m->map.v[i], err);
    return r;
}

/* ---- loading ---- */

static int to_floats(gv_sample *x, size_t max, gv_arena *arena, gv_err *err)
{
    gv_sample y = *x;
    y.dtype = GV_F32T;
    int r = gv_shape_check(&y, max, err);
    return r < 0 ? r : gv_sample_to_float(x, arena, err);
}

/* To the sides nearest to those wanted that fill the same field of view. */
static int resample(gv_scan *v, const gv_scan_plan *p, size_t max, gv_arena *arena, gv_err *err)
{
    int64_t size[3];
    gv_sample to = v->x;
    if (!v->placed)
        return gv_fail(err, GV_EDATA, "it cannot be resampled: the file does not say how large its voxels are (data.target_spacing None)");
    for (int k = 0; k < 3; k++) {
        double n = (double)v->x.shape[k] * v->spacing[k] / p->spacing[k];
        size[k] = to.shape[k] = n < 1 ? 1 : n > 1e9 ? (int64_t)1e9 : llrint(n);
    }
    if (gv_shape_check(&to, max, err) < 0)
        return gv_fail_in(err, "at a spacing of %g x %g x %g mm", p->spacing[0], p->spacing[1], p->spacing[2]);
    for (int k = 0; k < 3; k++) {
        double s = (double)v->x.shape[k] / (double)size[k];
        v->spacing[k] *= s;
        for (int i = 0; i < 3; i++) {
            v->affine[i][3] += v->affine[i][k] * (s - 1) / 2; /* voxels' centres move, the edge stays */
            v->affine[i][k] *= s;
        }
    }
    return gv_sample_resample(&v->x, size, p->order, arena, err);
}

static int normalise(gv_scan *v, const gv_scan_plan *p, gv_err *err)
{
    switch (p->normalization) {
    case GV_NORMALIZATION_AUTO: return strcmp(v->format, "b2nd") ? gv_sample_zscore(&v->x, false, err) : GV_OK;
    case GV_NORMALIZATION_WINDOW: return gv_sample_levels(&v->x, p->window[0], p->window[1], err);
    case GV_NORMALIZATION_ZSCORE: return gv_sample_zscore(&v->x, false, err);
    case GV_NORMALIZATION_ZSCORE_NONZERO: return gv_sample_zscore(&v->x, true, err);
    default: return GV_OK;
    }
}

int gv_scan_beside(const gv_roots *roots, const char *path, double spacing[3], gv_err *err)
{
    static const char *const of[] = { ".tif", ".tiff", ".npy" };
    char name[4096], text[65536];
    size_t n = strlen(path), at = 0;
    for (size_t i = 0; i < GV_COUNT(of); i++)
        if (n > strlen(of[i]) && !strcasecmp(path + n - strlen(of[i]), of[i]))
            at = n - strlen(of[i]);
    if (!at || snprintf(name, sizeof name, "%.*s.json", (int)at, path) >= (int)sizeof name)
        return 0;
    int fd = gv_roots_open(roots, name, sizeof text, NULL);
    if (fd < 0)
        return 0;
    int64_t got = gv_read_full(fd, text, sizeof text, err);
    close(fd);
    json_t *j = got < 0 ? NULL : gv_json_parse(text, (size_t)got, name, err);
    const json_t *v = json_object_get(j, "spacing");
    int r = !j ? err->code : json_array_size(v) == 3 ? 1 : gv_fail(err, GV_EDATA, "'%s' holds no 'spacing' of three numbers", name);
    for (size_t k = 0; r > 0 && k < 3; k++) {
        spacing[k] = json_number_value(json_array_get(v, k));
        if (!(spacing[k] > 0 && spacing[k] < 1e9))
            r = gv_fail(err, GV_EDATA, "'%s' has a spacing of %g mm", name, spacing[k]);
    }
    json_decref(j);
    return r;
}

int gv_scan_load(const gv_scan_plan *p, gv_bytes b, const double *beside, int64_t channels, size_t max, gv_scan *out, gv_arena *arena, gv_err *err)
{
    gv_scan v;
    gv_scan_options o = { .max_output = max, .dataset = p->dataset, .ras = p->ras };
    int r = gv_scan_decode(b, &o, &v, arena, err);
    if (r < 0)
        return r;
    if (beside && !v.placed)
        gv_scan_space(&v, beside);
    if (channels && v.x.shape[3] != channels && v.x.shape[3] != 1)
        return gv_fail(err, GV_EDATA, "it has %" PRId64 " channels; the encoder takes %" PRId64 " (--model.encoder.input_channels %" PRId64 ")", v.x.shape[3], channels, v.x.shape[3]);
    r = to_floats(&v.x, max, arena, err);
    if (r == GV_OK)
        r = gv_sample_finite(&v.x, err);
    if (r == GV_OK && p->resample)
        r = resample(&v, p, max, arena, err);
    if (r == GV_OK)
        r = normalise(&v, p, err);
    if (r == GV_OK && channels)
        r = gv_sample_channels(&v.x, channels, arena, err);
    if (r == GV_OK)
        *out = v;
    return r;
}
