/* clips: the plan in a header; clip_choose.c has the choice of frames. */
#include "data/clips.h"
#include "data/data.h"
#include <math.h>
#include <string.h>

const char *const gv_clip_samplers[] = { "random", "uniform", "constant", "whole", NULL };

int64_t gv_data_views(const gv_data *d, bool train)
{
    return d->clips && d->clips[!train].views > 1 ? d->clips[!train].views : 1;
}

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
