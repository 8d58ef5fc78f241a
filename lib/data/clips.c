/* clips: the plan in a header, and the choice of frames. */
#include "data/clips.h"
#include <math.h>
#include <string.h>

const char *const gv_clip_samplers[] = { "random", "uniform", "constant", "whole", NULL };

/* ---- the plan in a header ---- */

gv_item gv_clip_plan_item(const gv_clip_plan *train, const gv_clip_plan *test, gv_arena *arena, gv_err *err)
{
    const gv_pair pairs[] = {
        { "train_sampler", gv_item_text(gv_clip_samplers[train->sampler]) }, { "test_sampler", gv_item_text(gv_clip_samplers[test->sampler]) },
        { "test_clips", gv_item_i64(test->views) }, { "frames", gv_item_i64(train->frames) }, { "rate", gv_item_i64(train->rate) },
        { "fps", gv_item_f64(train->fps) }, { "seconds", gv_item_f64(train->seconds) }, { "folder_fps", gv_item_f64(train->folder_fps) },
        { "allow_cut", gv_item_bool(train->allow_cut) },
    };
    gv_item item = { .type = GV_NIL };
    gv_pair *v = gv_arena_alloc(arena, sizeof pairs, err);
    if (!v)
        return item;
    memcpy(v, pairs, sizeof pairs);
    item.type = GV_MAPPING;
    item.map.v = v;
    item.map.n = GV_COUNT(pairs);
    return item;
}

static const gv_item *member(const gv_item *map, const char *key)
{
    for (size_t i = 0; i < map->map.n; i++)
        if (!strcmp(map->map.v[i].key, key))
            return &map->map.v[i].value;
    return NULL;
}

static int sampler_of(const gv_item *v)
{
    for (int i = 0; v && v->type == GV_TEXT && gv_clip_samplers[i]; i++)
        if (!strcmp(v->text.s, gv_clip_samplers[i]))
            return i;
    return -1;
}

int gv_clip_plan_read(gv_clip_plan *p, const gv_record *header, bool train, gv_err *err)
{
    const gv_item *m = gv_get(header, "clips"), *cut;
    if (!m)
        return 0;
    *p = (gv_clip_plan){ .train = train, .views = 1, .rate = 1 };
    if (m->type != GV_MAPPING)
        return gv_fail(err, GV_EDATA, "the header's 'clips' is no map");
    p->sampler = sampler_of(member(m, train ? "train_sampler" : "test_sampler"));
    const gv_item *frames = member(m, "frames"), *rate = member(m, "rate"), *views = member(m, "test_clips"), *fps = member(m, "fps"), *seconds = member(m, "seconds"), *folder = member(m, "folder_fps");
    bool good = p->sampler >= 0 && frames && gv_item_i64_of(frames, &p->frames) && (!rate || gv_item_i64_of(rate, &p->rate)) && (train || !views || gv_item_i64_of(views, &p->views)) &&
        (!fps || gv_item_f64_of(fps, &p->fps)) && (!seconds || gv_item_f64_of(seconds, &p->seconds)) && (!folder || gv_item_f64_of(folder, &p->folder_fps));
    good = good && p->frames >= 1 && p->frames <= GV_MAX_CLIP_FRAMES && p->views >= 1 && p->views <= GV_MAX_VIEWS && p->rate >= 1 && p->rate <= GV_VIDEO_FRAMES &&
        p->fps >= 0 && p->fps < 1e6 && p->seconds >= 0 && p->seconds < 1e9 && p->folder_fps >= 0 && p->folder_fps < 1e6;
    if (!good)
        return gv_fail(err, GV_EDATA, "the header's 'clips' cannot be used: it wants train_sampler, test_sampler (random, uniform, constant, whole) and frames (1 to %d)", GV_MAX_CLIP_FRAMES);
    if (p->sampler == GV_CLIP_WHOLE)
        p->views = 1;
    cut = member(m, "allow_cut");
    p->allow_cut = cut && cut->type == GV_ITEM_BOOL && cut->b;
    return 1;
}

/* ---- the choice ---- */

/* floor(k (n - 1) / (parts - 1)): parts places from 0 to n - 1. */
static int64_t spread(int64_t k, int64_t n, int64_t parts)
{
    return parts > 1 ? k * (n - 1) / (parts - 1) : 0;
}

/* Where view v begins, in frames (by number) or seconds: `all` of them, a clip takes `clip`, `room` is what may lie before it. */
static double begins(const gv_clip_plan *p, int64_t v, double all, double clip, double room, bool whole_numbers, gv_rng *rng)
{
    double at;
    if (p->sampler == GV_CLIP_RANDOM)
        at = whole_numbers ? (double)gv_rng_below(rng, (uint64_t)room + 1) : gv_rng_range(rng, 0, room);
    else if (p->sampler == GV_CLIP_CONSTANT)
        at = (double)v * room / (double)(p->views > 1 ? p->views - 1 : 1);
    else {
        double fit = ceil(all / clip - 1e-9);
        int64_t n = fit > 1 ? fit < 1e15 ? (int64_t)fit : (int64_t)1e15 : 1;
        at = (double)(p->train ? (int64_t)gv_rng_below(rng, (uint64_t)n) : n > INT64_MAX / (p->views + 1) ? 0 : spread(v, n, p->views)) * clip;
    }
    return whole_numbers ? floor(at) : at;
}

static void by_number(const gv_clip_plan *p, const gv_video_info *i, int64_t v, gv_rng *rng, int64_t *frame, bool *beyond)
{
    double span = (double)(p->frames - 1) * (double)p->rate + 1, all = (double)i->frames;
    /* Clips that follow each other begin frames * rate apart: the next one takes up the rhythm of the last. */
    double clip = p->sampler == GV_CLIP_UNIFORM ? (double)p->frames * (double)p->rate : span;
    int64_t at = (int64_t)begins(p, v, all, clip, all > span ? all - span : 0, true, rng);
    for (int64_t k = 0; k < p->frames; k++) {
        int64_t f = at + k * p->rate;
        beyond[k] = f >= i->frames;
        frame[k] = beyond[k] ? i->frames - 1 : f;
    }
}

static void by_time(const gv_clip_plan *p, const gv_video_info *i, int64_t v, gv_rng *rng, int64_t *frame, bool *beyond)
{
    double clip = p->seconds > 0 ? p->seconds : (double)p->frames / p->fps, room = i->duration > clip ? i->duration - clip : 0;
    double at = begins(p, v, i->duration, clip, room, false, rng);
    if (p->seconds > 0) { /* the frames that appear in [at, at + seconds), at least one, evenly thinned */
        int64_t a = gv_video_at(i, at), b = gv_video_at(i, at + clip);
        a += i->times[a] < at && a < b;
        b -= i->times[b] >= at + clip && b > a;
        for (int64_t k = 0; k < p->frames; k++) {
            frame[k] = a + spread(k, b - a + 1, p->frames);
            beyond[k] = false;
        }
        return;
    }
    for (int64_t k = 0; k < p->frames; k++) {
        double t = at + (double)k / p->fps;
        beyond[k] = t >= i->duration;
        frame[k] = gv_video_at(i, t + 1e-9); /* times are sums of fractions */
    }
}

void gv_clip_choose(const gv_clip_plan *p, const gv_video_info *i, gv_rng *rng, int64_t *frame, bool *beyond)
{
    for (int64_t v = 0; v < p->views; v++, frame += p->frames, beyond += p->frames) {
        if (p->sampler == GV_CLIP_WHOLE)
            for (int64_t k = 0; k < p->frames; k++) {
                frame[k] = spread(k, i->frames, p->frames);
                beyond[k] = false;
            }
        else if (p->fps > 0 || p->seconds > 0)
            by_time(p, i, v, rng, frame, beyond);
        else
            by_number(p, i, v, rng, frame, beyond);
    }
}
