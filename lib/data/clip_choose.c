/* clip_choose: which frames of a video make its clips. Apart from the plan, since it needs what reads videos. */
#include "data/clips.h"
#include <math.h>

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
