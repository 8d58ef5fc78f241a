/* video: what files and folders have in common: options, the choice of frames, times. */
#include "formats/video_internal.h"
#include <inttypes.h>
#include <stdlib.h>

gv_video *gv_video_new(const gv_video_options *o, gv_err *err)
{
    gv_video *v = gv_alloc(sizeof *v, err);
    if (!v)
        return NULL;
    v->o = o ? *o : (gv_video_options){ 0 };
    v->o.max_frames = v->o.max_frames ? v->o.max_frames : GV_VIDEO_FRAMES;
    v->o.max_pixels = v->o.max_pixels ? v->o.max_pixels : GV_VIDEO_PIXELS;
    v->o.max_output = v->o.max_output ? v->o.max_output : (size_t)1 << 30;
    v->o.max_cpu = v->o.max_cpu > 0 ? v->o.max_cpu : GV_VIDEO_SECONDS;
    v->o.folder_fps = v->o.folder_fps > 0 ? v->o.folder_fps : 25;
    return v;
}

const gv_video_info *gv_video_facts(const gv_video *v)
{
    return &v->info;
}

void gv_video_close(gv_video *v)
{
    if (!v)
        return;
    if (v->close)
        v->close(v);
    gv_free(v->times);
    gv_free(v);
}

int64_t gv_video_at(const gv_video_info *i, double t)
{
    int64_t lo = 0, hi = i->frames; /* times[lo] <= t, or lo is 0; times[hi] > t */
    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        if (i->times[mid] <= t)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static int by_frame(const void *a, const void *b)
{
    const gv_video_want *x = a, *y = b;
    return x->frame != y->frame ? (x->frame > y->frame) - (x->frame < y->frame) : (x->slot > y->slot) - (x->slot < y->slot);
}

int gv_video_read(gv_video *v, const int64_t *frame, int64_t n, gv_sample *x, gv_arena *arena, gv_err *err)
{
    const gv_video_info *info = &v->info;
    gv_sample s = { .dtype = GV_U8, .ndim = 4, .shape = { n, info->h, info->w, 3 } };
    if (n < 1)
        return gv_fail(err, GV_EDATA, "no frame of the video is asked for");
    for (int64_t i = 0; i < n; i++)
        if (frame[i] < 0 || frame[i] >= info->frames)
            return gv_fail(err, GV_EDATA, "the video has %" PRId64 " frames; frame %" PRId64 " is asked for", info->frames, frame[i]);
    size_t bytes = gv_sample_bytes(&s), each = (size_t)(info->h * info->w * 3);
    if (!bytes || bytes > v->o.max_output)
        return gv_fail(err, GV_EDATA, "%" PRId64 " frames of %" PRId64 " x %" PRId64 " pixels are asked for; at most %zu MiB are decoded at once", n, info->h, info->w, v->o.max_output >> 20);
    gv_video_want *want = gv_alloc((size_t)n * 2 * sizeof *want, err), *once = want + n;
    if (!want)
        return GV_ESYS;
    for (int64_t i = 0; i < n; i++)
        want[i] = (gv_video_want){ frame[i], i };
    qsort(want, (size_t)n, sizeof *want, by_frame);
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++)
        if (!i || want[i].frame != want[i - 1].frame)
            once[m++] = want[i];
    int r = gv_sample_init(&s, GV_U8, 4, s.shape, arena, err);
    if (r == GV_OK)
        r = v->read(v, once, m, s.data, err);
    for (int64_t i = 1; i < n && r == 1; i++) /* repeats: from the one before in order */
        if (want[i].frame == want[i - 1].frame)
            memcpy((uint8_t *)s.data + (size_t)want[i].slot * each, (uint8_t *)s.data + (size_t)want[i - 1].slot * each, each);
    gv_free(want);
    if (r == 1)
        *x = s;
    return r;
}
