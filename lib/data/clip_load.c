/* clip_load: the clips of one sample record. */
#include "data/clips.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The part of a video that counts, as a video of its own; *first: the number of its first frame. */
static int part(const gv_record *rec, const gv_video_info *all, gv_video_info *some, int64_t *first, gv_err *err)
{
    double start = 0, end = all->duration;
    *some = *all;
    *first = 0;
    bool bounded = gv_get_f64(rec, "start", &start);
    bounded |= gv_get_f64(rec, "end", &end);
    if (!bounded)
        return GV_OK;
    int64_t a = gv_video_at(all, start), b = gv_video_at(all, end);
    a += all->times[a] < start;
    b += all->times[b] < end; /* one behind the last that appears before `end` */
    if (!(start >= 0) || !(end > start) || a >= all->frames || b <= a)
        return gv_fail(err, GV_EDATA, "no frame of the video lies between %.3f s and %.3f s; it lasts %.3f s", start, end, all->duration);
    *first = a;
    some->times = all->times + a;
    some->frames = b - a;
    some->duration = (b < all->frames ? all->times[b] : all->duration) - all->times[a];
    return GV_OK;
}

struct choice { int64_t n, first; int64_t *frame; bool *beyond; double *times; };

static int choose(const gv_clip_plan *p, const gv_video_info *info, const gv_record *rec, uint64_t seed, struct choice *c, gv_err *err)
{
    int64_t epoch = 0, index = 0, draw = 0;
    gv_video_info some, *i = &some;
    gv_rng rng;
    if (part(rec, info, &some, &c->first, err) < 0)
        return err->code;
    (void)gv_get_i64(rec, "epoch", &epoch);
    (void)gv_get_i64(rec, "index", &index);
    (void)gv_get_i64(rec, "draw", &draw);
    gv_rng_init(&rng, seed, GV_RNG_CLIP, (uint64_t)index, (uint32_t)epoch, (uint32_t)draw);
    double *times = NULL;
    if (c->first) { /* times count from the first frame that counts */
        if (!(times = gv_alloc((size_t)some.frames * sizeof *times, err)))
            return GV_ESYS;
        for (int64_t k = 0; k < some.frames; k++)
            times[k] = some.times[k] - some.times[0];
        i->times = times;
    }
    gv_clip_choose(p, i, &rng, c->frame, c->beyond);
    for (int64_t k = 0; k < c->n; k++) {
        c->frame[k] += c->first;
        c->times[k] = info->times[c->frame[k]];
    }
    gv_free(times);
    return GV_OK;
}

/* From one label per frame those of the chosen ones. */
static int pick_labels(gv_record *rec, const struct choice *c, const int64_t *shape, int ndim, gv_arena *arena, gv_err *err)
{
    const gv_tensor *y = gv_get_tensor(rec, "y");
    if (!y || y->ndim != 1)
        return GV_OK;
    if (y->dtype != GV_I64T)
        return gv_fail(err, GV_EDATA, "the labels of a video's frames are int64, not %s", gv_dtype_of(y->dtype)->name);
    int64_t *picked = gv_arena_alloc(arena, (size_t)c->n * sizeof *picked, err), label;
    if (!picked)
        return GV_ESYS;
    for (int64_t k = 0; k < c->n; k++) {
        label = -1;
        if (!c->beyond[k] && c->frame[k] < y->shape[0])
            memcpy(&label, (const char *)y->data + (size_t)c->frame[k] * sizeof label, sizeof label);
        picked[k] = label;
    }
    return gv_set_tensor(rec, "y", GV_I64T, shape, ndim, picked, err);
}

static int open_video(const gv_clip_plan *p, const gv_roots *roots, const char *path, gv_video **v, gv_err *err)
{
    gv_video_options o = { .allow_cut = p->allow_cut, .folder_fps = p->folder_fps };
    bool folder;
    int fd = gv_roots_open_any(roots, path, &folder, err);
    if (fd < 0)
        return fd;
    return folder ? gv_video_open_folder(v, fd, &o, err) : gv_video_open(v, fd, &o, err);
}

int gv_clip_load(const gv_clip_plan *p, const gv_roots *roots, gv_record *rec, uint64_t seed, int64_t channels, gv_sample *x, gv_arena *arena, gv_err *err)
{
    const char *path = gv_get_text(rec, "path");
    struct choice c = { .n = p->views * p->frames };
    gv_video *v = NULL;
    int r;
    c.frame = gv_arena_alloc(arena, (size_t)c.n * sizeof *c.frame, err);
    c.beyond = gv_arena_alloc(arena, (size_t)c.n * sizeof *c.beyond, err);
    c.times = gv_arena_alloc(arena, (size_t)c.n * sizeof *c.times, err);
    if (!c.frame || !c.beyond || !c.times)
        return GV_ESYS;
    if ((r = open_video(p, roots, path, &v, err)) == GV_OK)
        for (int tries = 0; r == GV_OK && tries < 2; tries++) /* 0 of gv_video_read: its table is a new one */
            if ((r = choose(p, gv_video_facts(v), rec, seed, &c, err)) == GV_OK)
                r = gv_video_read(v, c.frame, c.n, x, arena, err);
    gv_video_close(v);
    if (r == GV_OK)
        r = gv_fail(err, GV_EDATA, "the video's frames are not the same from one reading to the next");
    if (r < 0)
        return gv_fail_in(err, "cannot decode '%s'", path);
    int64_t places[2] = { p->views, p->frames };
    bool one = p->views == 1;
    if (gv_sample_channels(x, channels, arena, err) < 0 || pick_labels(rec, &c, one ? places + 1 : places, one ? 1 : 2, arena, err) < 0)
        return err->code;
    if (!one) { /* [V T,H,W,C] -> [V,T,H,W,C] */
        memmove(x->shape + 2, x->shape + 1, 3 * sizeof *x->shape);
        memcpy(x->shape, places, sizeof places);
        x->ndim = 5;
    }
    gv_unset(rec, "start");
    gv_unset(rec, "end");
    if (gv_set_tensor(rec, "times", GV_F64T, one ? places + 1 : places, one ? 1 : 2, c.times, err) < 0)
        return err->code;
    return gv_set_tensor(rec, "frames", GV_I64T, one ? places + 1 : places, one ? 1 : 2, c.frame, err);
}
