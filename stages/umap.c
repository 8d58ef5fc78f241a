/* umap: the points of a feature file in two dimensions: a picture, their coordinates, a page to look around in. */
#include "common/file.h"
#include "common/log.h"
#include "common/threads.h"
#include "data/feature_table.h"
#include "plot/points.h"
#include "sample/sample.h"
#include "stage/stage.h"
#include "umap/umap.h"
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define U struct gv_umap_options
enum { THUMB = 64, SMALL_THUMB = 16, QUALITY_NEIGHBOURS = 15 };

static const gv_field fields[] = {
    GV_UMAP_ROWS,
    GV_OPT_STR(U, pictures, "stream of tensor records, the samples that the features are of: small pictures of them go into the page", .takes = GV_TAKES_FILE),
    GV_END
};

/* ---- small pictures ---- */

struct by_id { const char *id; int64_t at; };

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct by_id *)a)->id, ((const struct by_id *)b)->id);
}

/* 8 bits, grey or RGB, the longer side at most that of a cell, which is that of the first picture up to THUMB. 0: no picture can be made of it. */
static int shrink(const gv_tensor *x, int *side, gv_sample *s, gv_arena *arena, gv_err *err)
{
    if (x->dtype != GV_U8 || x->ndim != 3 || (x->shape[2] != 1 && x->shape[2] != 3))
        return 0;
    *s = (gv_sample){ .dtype = GV_U8, .ndim = 3, .shape = { x->shape[0], x->shape[1], x->shape[2] }, .data = (void *)(uintptr_t)x->data };
    int64_t h = x->shape[0], w = x->shape[1], most = h > w ? h : w;
    if (h < 1 || w < 1)
        return 0;
    if (!*side)
        *side = most > THUMB ? THUMB : most < SMALL_THUMB ? SMALL_THUMB : (int)most;
    if (most <= *side)
        return 1;
    int64_t nh = h * *side / most, nw = w * *side / most;
    return gv_sample_resize(s, nh < 1 ? 1 : nh, nw < 1 ? 1 : nw, GV_BILINEAR, arena, err) < 0 ? err->code : 1;
}

/* Samples come in any order and more of them than points: the id tells whose picture it is. */
static int read_pictures(gv_stage_ctx *st, const gv_feature_table *t, gv_thumbs *thumbs, gv_err *err)
{
    const U *o = st->params;
    gv_reader *in;
    gv_record rec;
    struct by_id *index = gv_arena_alloc(&st->batch, (size_t)t->n * sizeof *index + 8, err);
    int64_t strange = 0;
    int r = index ? gv_open_input(o->pictures, &in, err) : GV_ESYS;
    if (r < 0)
        return r;
    for (int64_t i = 0; i < t->n; i++)
        index[i] = (struct by_id){ t->id[i], i };
    qsort(index, (size_t)t->n, sizeof *index, by_text);
    while ((r = gv_next(in, &rec, err)) > 0) {
        const char *id = gv_get_text(&rec, "id");
        const gv_tensor *x = gv_get_tensor(&rec, "x");
        const struct by_id *found = id && x && rec.kind == GV_TENSOR ? bsearch(&(struct by_id){ id, 0 }, index, (size_t)t->n, sizeof *index, by_text) : NULL;
        gv_sample s;
        if (!found || thumbs->place[found->at] >= 0)
            continue;
        if ((r = shrink(x, &thumbs->side, &s, &st->scratch, err)) > 0)
            r = gv_thumbs_add(thumbs, found->at, s.data, s.shape[0], s.shape[1], s.shape[2], err);
        else
            strange += r == 0;
        gv_arena_reset(&st->scratch);
        if (r < 0)
            break;
        gv_stage_tell("pictures", (double)thumbs->count / (double)(t->n + 1));
    }
    gv_reader_close(in);
    if (r >= 0 && (strange || thumbs->count < t->n))
        gv_log(GV_INFO, "pictures of %" PRId64 " of %" PRId64 " points%s", thumbs->count, t->n, strange ? " (others are no images of 8 bits)" : "");
    return r < 0 ? r : gv_thumbs_finish(thumbs, err);
}

/* ---- names ---- */

/* "a/b.png" with another ending. */
static const char *beside(gv_stage_ctx *st, const char *picture, const char *ending, gv_err *err)
{
    size_t n = strlen(picture);
    return gv_arena_printf(&st->run, err, "%.*s%s", (int)(n - 4), picture, ending);
}

static const char *stem_of(gv_stage_ctx *st, const char *path, gv_err *err)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    return gv_arena_printf(&st->run, err, "%.*s", (int)(dot && dot != base ? dot - base : (long)strlen(base)), base);
}

/* 12,345 */
static const char *thousands(int64_t n, char to[32])
{
    char plain[24];
    int digits = snprintf(plain, sizeof plain, "%" PRId64, n), at = 0;
    for (int i = 0; i < digits; i++) {
        if (i && (digits - i) % 3 == 0)
            to[at++] = ',';
        to[at++] = plain[i];
    }
    to[at] = 0;
    return to;
}

static int folder_of(const char *path, gv_err *err)
{
    const char *slash = strrchr(path, '/');
    char dir[4096];
    if (!slash || slash == path)
        return GV_OK;
    if ((size_t)snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path) >= sizeof dir)
        return gv_fail(err, GV_EUSAGE, "'--output_path' is longer than %zu bytes", sizeof dir);
    return gv_mkdirs(dir, err);
}

/* ---- the work ---- */

/* Cosine: Euclidean distances of unit vectors are in the order of angles. */
static int unit_lengths(const gv_feature_table *t, gv_err *err)
{
    for (int64_t i = 0; i < t->n; i++) {
        double sum = 0;
        float *x = t->x + i * t->dim;
        for (int64_t k = 0; k < t->dim; k++)
            sum += (double)x[k] * (double)x[k];
        if (!(sum > 0))
            return gv_fail(err, GV_EDATA, "point %" PRId64 " (%s) is all zeros and has no direction ('--metric cosine')", i, t->id[i]);
        for (int64_t k = 0; k < t->dim; k++)
            x[k] = (float)((double)x[k] / sqrt(sum));
    }
    return GV_OK;
}

static void tell(void *arg, const char *what, double share)
{
    (void)arg;
    gv_stage_tell(what, share);
}

static int lay_out(const U *o, const gv_feature_table *t, gv_arena *arena, float **y, gv_err *err)
{
    gv_umap_params p = { .n_neighbors = o->n_neighbors, .min_dist = o->min_dist, .seed = (uint64_t)o->seed, .progress = { .tell = tell } };
    if (t->n < 2)
        return gv_fail(err, GV_EDATA, "'%s' has %" PRId64 " points; UMAP needs at least 2", o->h5_path, t->n);
    if (p.n_neighbors >= t->n) {
        p.n_neighbors = t->n > 2 ? t->n - 1 : 2;
        gv_log(GV_WARNING, "'--n_neighbors' is %" PRId64 " and there are %" PRId64 " samples; %" PRId64 " are taken", o->n_neighbors, t->n, p.n_neighbors);
    }
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    int r = gv_umap(t->x, t->n, t->dim, &p, arena, y, err);
    clock_gettime(CLOCK_MONOTONIC, &to);
    gv_stage_tell("layout", 1);
    gv_log(GV_INFO, "%" PRId64 " points laid out in %.2f s", t->n, (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
    return r;
}

static int say_quality(const U *o, const gv_feature_table *t, const float *y, gv_arena *arena, gv_err *err)
{
    gv_umap_quality q;
    int k = t->n > 2 * QUALITY_NEIGHBOURS ? QUALITY_NEIGHBOURS : (int)(t->n - 1) / 2;
    if (!o->quality)
        return GV_OK;
    if (k < 1)
        return gv_fail(err, GV_EUSAGE, "'--quality' needs at least 3 points; there are %" PRId64, t->n);
    if (gv_umap_quality_of(t->x, t->n, t->dim, y, k, arena, &q, err) < 0)
        return err->code;
    printf("trustworthiness %.4f  recall %.4f  (%d neighbours)\n", q.trustworthiness, q.recall, k);
    return GV_OK;
}

static int write_all(gv_stage_ctx *st, const gv_feature_table *t, const float *y, const char *picture, gv_err *err)
{
    const U *o = st->params;
    char n[32], all[32];
    gv_points p = { .n = t->n, .xy = y, .group = t->group, .groups = t->groups, .name = t->name, .value = t->value, .id = t->id };
    p.title = o->title ? o->title : stem_of(st, o->h5_path, err);
    thousands(t->n, n);
    if (t->group)
        p.note = gv_arena_printf(&st->run, err, "n=%s  classes=%" PRId64, n, t->seen);
    else
        p.note = gv_arena_printf(&st->run, err, "n=%s", n);
    if (!p.title || !p.note)
        return GV_ESYS;
    if (t->n < t->all)
        gv_log(GV_INFO, "%s of %s samples are drawn (--max_samples, --max_per_class)", n, thousands(t->all, all));
    gv_thumbs thumbs = { 0 };
    const char *csv = beside(st, picture, ".csv", err), *html = beside(st, picture, ".html", err);
    int r = csv && html ? gv_points_draw(&p, picture, o->dpi, o->legend, err) : GV_ESYS;
    if (r == GV_OK)
        printf("%s\n", picture);
    if (r == GV_OK && o->csv && (r = gv_points_table(&p, csv, err)) == GV_OK)
        printf("%s\n", csv);
    if (r == GV_OK && o->html) {
        if (o->pictures)
            r = gv_thumbs_init(&thumbs, t->n, err);
        if (r == GV_OK && o->pictures)
            r = read_pictures(st, t, &thumbs, err);
        if (r == GV_OK && (r = gv_points_page(&p, thumbs.count ? &thumbs : NULL, html, err)) == GV_OK)
            printf("%s\n", html);
        gv_thumbs_release(&thumbs);
    }
    return r;
}

static int check_options(gv_stage_ctx *st, const char **picture, gv_err *err)
{
    const U *o = st->params;
    if (!o->h5_path)
        return gv_fail(err, GV_EUSAGE, "'--h5_path' is not given: the feature file to draw");
    *picture = o->output_path;
    if (!*picture) {
        const char *stem = stem_of(st, o->h5_path, err);
        *picture = stem ? gv_arena_printf(&st->run, err, "umap_plots/single/%s.png", stem) : NULL;
    }
    if (!*picture)
        return GV_ESYS;
    size_t n = strlen(*picture);
    if (n < 5 || (strcmp(*picture + n - 4, ".png") && strcmp(*picture + n - 4, ".svg")))
        return gv_fail(err, GV_EUSAGE, "'--output_path' is '%s'; it ends in .png or .svg", *picture);
    if (o->pictures && !o->html)
        return gv_fail(err, GV_EUSAGE, "'--pictures' are for the page, and '--no_html' leaves it out");
    return GV_OK;
}

static int run(gv_stage_ctx *st, gv_err *err)
{
    const U *o = st->params;
    gv_feature_choice choice = { o->max_samples, o->max_per_class, (uint64_t)o->seed };
    gv_feature_table t;
    gv_arena arena = { 0 };
    const char *picture = NULL;
    float *y = NULL;
    int64_t points, dim;
    gv_threads_set(o->threads == GV_NONE_I64 ? 0 : (int)o->threads);
    int r = check_options(st, &picture, err);
    r = r < 0 ? r : gv_feature_table_size(o->h5_path, &points, &dim, err);
    if (r < 0)
        return r;
    int64_t most = points < o->max_samples ? points : o->max_samples;
    r = gv_arena_init(&arena, "points", gv_umap_room(most, dim, o->n_neighbors) + (size_t)points * 512, err);
    r = r < 0 ? r : gv_feature_table_read(&t, o->h5_path, &choice, &arena, err);
    if (r == GV_OK && o->metric == GV_UMAP_COSINE)
        r = unit_lengths(&t, err);
    r = r < 0 ? r : folder_of(picture, err);
    r = r < 0 ? r : lay_out(o, &t, &arena, &y, err);
    r = r < 0 ? r : write_all(st, &t, y, picture, err);
    r = r < 0 ? r : say_quality(o, &t, y, &arena, err);
    gv_arena_release(&arena);
    return r;
}

const gv_stage gv_this_stage = {
    .name = "umap", .summary = "lay the points of a feature file out in two dimensions, and draw them",
    .fields = fields, .params_size = sizeof(U), .text_output = true, .run = run,
};
