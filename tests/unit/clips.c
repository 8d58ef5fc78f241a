/* clips: which frames the samplers take. Expected numbers are those of the formulas in clips.h, worked out by hand. */
#include "augment/augment.h"
#include "data/clips.h"
#include "tap.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double times[100];
static int64_t frame[64];
static bool beyond[64];

static void choose(gv_clip_plan p, int64_t n, double fps, uint64_t seed)
{
    gv_rng rng;
    for (int64_t i = 0; i < n; i++)
        times[i] = (double)i / fps;
    gv_video_info info = { .frames = n, .times = times, .duration = (double)n / fps };
    gv_rng_init(&rng, seed, GV_RNG_CLIP, 1, 2, 3);
    gv_clip_choose(&p, &info, &rng, frame, beyond);
}

static bool same(const int64_t *want, int n)
{
    for (int i = 0; i < n; i++)
        if (frame[i] != want[i])
            return false;
    return true;
}
#define SAME(...) same((int64_t[]){ __VA_ARGS__ }, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)))

static void samplers(void)
{
    choose((gv_clip_plan){ .sampler = GV_CLIP_CONSTANT, .views = 3, .frames = 4, .rate = 2 }, 20, 10, 1);
    ok(SAME(0, 2, 4, 6, 6, 8, 10, 12, 13, 15, 17, 19), "constant: from the first frame to the last");
    choose((gv_clip_plan){ .sampler = GV_CLIP_CONSTANT, .views = 1, .frames = 3, .rate = 1 }, 20, 10, 1);
    ok(SAME(0, 1, 2), "constant: one clip begins at the beginning");
    choose((gv_clip_plan){ .sampler = GV_CLIP_UNIFORM, .views = 3, .frames = 4, .rate = 1 }, 18, 10, 1);
    ok(SAME(0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 17, 17) && !beyond[9] && beyond[10] && beyond[11], "uniform: clips that follow each other, the last reaches behind the end");
    choose((gv_clip_plan){ .sampler = GV_CLIP_WHOLE, .views = 1, .frames = 5, .rate = 1 }, 10, 10, 1);
    ok(SAME(0, 2, 4, 6, 9), "whole: floor(k (n - 1) / (frames - 1))");
    choose((gv_clip_plan){ .sampler = GV_CLIP_WHOLE, .views = 1, .frames = 4, .rate = 1 }, 2, 10, 1);
    ok(SAME(0, 0, 0, 1) && !beyond[3], "whole: more frames than there are");
    choose((gv_clip_plan){ .sampler = GV_CLIP_CONSTANT, .views = 2, .frames = 4, .fps = 5 }, 40, 25, 1);
    ok(SAME(0, 5, 10, 15, 20, 25, 30, 35), "5 frames a second of 25");
    choose((gv_clip_plan){ .sampler = GV_CLIP_CONSTANT, .views = 1, .frames = 4, .fps = 20 }, 40, 10, 1);
    ok(SAME(0, 0, 1, 1), "20 frames a second of 10: each twice");
    choose((gv_clip_plan){ .sampler = GV_CLIP_CONSTANT, .views = 2, .frames = 3, .seconds = 1 }, 40, 20, 1);
    ok(SAME(0, 9, 19, 20, 29, 39), "3 frames spread over the 20 of each second");
    choose((gv_clip_plan){ .sampler = GV_CLIP_CONSTANT, .views = 1, .frames = 5, .rate = 2 }, 6, 10, 1);
    ok(SAME(0, 2, 4, 5, 5) && !beyond[2] && beyond[3] && beyond[4], "a short video: the last frame again, and it is told");
}

static void drawn(void)
{
    bool inside = true, first = false, last = false, whole = true;
    int64_t before;
    for (uint64_t seed = 0; seed < 400; seed++) {
        choose((gv_clip_plan){ .sampler = GV_CLIP_RANDOM, .train = true, .views = 1, .frames = 4, .rate = 3 }, 20, 10, seed);
        inside = inside && frame[0] >= 0 && frame[3] == frame[0] + 9 && frame[3] < 20 && !beyond[3];
        first |= frame[0] == 0;
        last |= frame[3] == 19;
        choose((gv_clip_plan){ .sampler = GV_CLIP_UNIFORM, .train = true, .views = 1, .frames = 4, .rate = 1 }, 18, 10, seed);
        whole = whole && frame[0] % 4 == 0;
    }
    ok(inside && first && last, "random: anywhere it fits, both ends included");
    ok(whole, "uniform in training: one of those that follow each other");
    choose((gv_clip_plan){ .sampler = GV_CLIP_RANDOM, .train = true, .views = 1, .frames = 2, .fps = 10 }, 100, 25, 7);
    before = frame[0];
    choose((gv_clip_plan){ .sampler = GV_CLIP_RANDOM, .train = true, .views = 1, .frames = 2, .fps = 10 }, 100, 25, 7);
    ok(frame[0] == before && (frame[1] == before + 2 || frame[1] == before + 3), "the same draws, the same clip");
}

static void headers(void)
{
    static gv_arena arena;
    gv_err err = { 0 };
    gv_record h;
    gv_clip_plan a = { .sampler = GV_CLIP_RANDOM, .train = true, .views = 1, .frames = 8, .rate = 1, .fps = 7.5, .folder_fps = 30, .allow_cut = true }, b = a, c;
    b.sampler = GV_CLIP_UNIFORM;
    b.train = false;
    b.views = 5;
    if (gv_arena_init(&arena, "test", 1 << 20, &err) < 0)
        return;
    gv_record_init(&h, GV_SAMPLE);
    ok(gv_clip_plan_read(&c, &h, true, &err) == 0, "a header without clips");
    gv_item m = gv_clip_plan_item(&a, &b, &arena, &err);
    ok(gv_set(&h, "clips", m, &err) == GV_OK && gv_clip_plan_read(&c, &h, false, &err) == 1 && c.sampler == GV_CLIP_UNIFORM && c.views == 5 && c.frames == 8 && c.fps == 7.5 && c.folder_fps == 30 && c.allow_cut,
        "a plan goes through a header: testing");
    ok(gv_clip_plan_read(&c, &h, true, &err) == 1 && c.sampler == GV_CLIP_RANDOM && c.views == 1, "training");
    m.map.v[3].value = gv_item_i64(1 << 20); /* frames */
    ok(gv_clip_plan_read(&c, &h, true, &err) == GV_EDATA && strstr(err.text, "cannot be used"), "a clip of a million frames: %s", err.text);
    gv_arena_release(&arena);
}

/* Is it a step of a policy that videos can have? (Those for volumes take time for a third spatial axis.) */
static bool of_images(const char *unit)
{
    const gv_policy_set *const sets[] = { &gv_policies_video, &gv_policies_shared_2d, &gv_policies_cifar, &gv_policies_imagenet };
    for (size_t i = 0; i < GV_COUNT(sets); i++)
        for (const gv_policy *p = sets[i]->policies; p->name; p++)
            for (const gv_policy_step *s = p->steps; s->unit; s++)
                if (!strcmp(s->unit, unit))
                    return true;
    return false;
}

/* Every unit changes all frames of a clip alike: as it changes each frame alone with the same draws. */
static void alike(void)
{
    enum { T = 3, H = 40, W = 48, C = 3, EACH = H * W * C };
    static uint8_t px[T * EACH], one[EACH];
    static gv_arena arena;
    gv_err err = { 0 };
    if (gv_arena_init(&arena, "test", 64 << 20, &err) < 0)
        return;
    for (const gv_augment *const *u = gv_augments(); *u; u++) {
        if (!of_images((*u)->name) || !strcmp((*u)->name, "gauss_noise")) /* noise is drawn for each value */
            continue;
        bool good = true;
        for (uint64_t seed = 0; seed < 12 && good; seed++) {
            gv_arena_reset(&arena);
            void *params = gv_arena_alloc(&arena, (*u)->params_size, &err);
            if (!params || gv_fields_default((*u)->fields, params, &arena, &err) < 0)
                break;
            for (int i = 0; i < T * EACH; i++)
                px[i] = (uint8_t)(i * 31 + i / 97 * 7 + i / EACH * 50);
            static uint8_t kept[T * EACH];
            memcpy(kept, px, sizeof px);
            gv_sample all = { .dtype = GV_U8, .ndim = 4, .shape = { T, H, W, C }, .data = px };
            for (int t = -1; t < T && good; t++) {
                gv_sample x = { .dtype = GV_U8, .ndim = 3, .shape = { H, W, C }, .data = one }, *s = t < 0 ? &all : &x;
                gv_region g;
                gv_rng rng;
                if (t >= 0)
                    memcpy(one, kept + t * EACH, EACH);
                gv_rng_init(&rng, seed, GV_RNG_AUGMENT, 1, 2, 3);
                if ((*u)->crop && (*u)->crop(params, H, W, &rng, &g) && gv_sample_crop(s, &g, &arena, &err) < 0)
                    good = false;
                if (good && (*u)->apply && (*u)->apply(params, s, &rng, &arena, &err) < 0)
                    good = false;
                if (t < 0)
                    continue;
                size_t n = gv_sample_bytes(&x);
                good = good && gv_sample_bytes(&all) == n * T && !memcmp((uint8_t *)all.data + (size_t)t * n, x.data, n);
            }
        }
        ok(good, "%s changes all frames of a clip alike %s", (*u)->name, err.text);
        gv_err_clear(&err);
    }
    gv_arena_release(&arena);
}

int main(void)
{
    samplers();
    drawn();
    headers();
    alike();
    return done();
}
