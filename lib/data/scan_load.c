/* scan_load: a volume as the plan of its data set wants it. */
#include "data/scan.h"
#include "common/file.h"
#include "json/json.h"
#include "sample/volume.h"
#include <inttypes.h>
#include <math.h>
#include <strings.h>
#include <unistd.h>

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
