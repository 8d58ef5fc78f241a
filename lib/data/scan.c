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
