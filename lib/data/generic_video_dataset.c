/* generic_video_dataset: videos in folders (files, or folders of frames), with labels from folders, JSON or CSV, cut into clips as decode
 * reads them (clips.h). */
#include "data/clips.h"
#include "data/generic.h"

struct generic_video_dataset {
    gv_generic_fields generic; /* first: gv_generic_open reads it */
    int train_clip_sampler, test_clip_sampler;
    int64_t frames_per_clip, sampling_rate, test_clips;
    double frames_per_second, clip_seconds, folder_fps;
    bool allow_cut;
};

static int open_videos(const gv_config *c, const gv_data_want *want, gv_arena *arena, gv_data *d, gv_err *err)
{
    const struct generic_video_dataset *o = c->data.params;
    gv_clip_plan *p = gv_arena_alloc(arena, 2 * sizeof *p, err);
    bool fps = !isnan(o->frames_per_second), seconds = !isnan(o->clip_seconds);
    if (!p)
        return GV_ESYS;
    if (fps + seconds + gv_config_typed(c, "data.sampling_rate") > 1)
        return gv_fail(err, GV_EUSAGE, "data.sampling_rate, data.frames_per_second and data.clip_seconds each say how far a clip's frames lie apart: give one of them");
    p[0] = (gv_clip_plan){ .sampler = o->train_clip_sampler, .train = true, .views = 1, .frames = o->frames_per_clip, .rate = o->sampling_rate, .fps = fps ? o->frames_per_second : 0,
                           .seconds = seconds ? o->clip_seconds : 0, .folder_fps = o->folder_fps, .allow_cut = o->allow_cut };
    p[1] = p[0];
    p[1].sampler = o->test_clip_sampler;
    p[1].train = false;
    p[1].views = o->test_clip_sampler == GV_CLIP_WHOLE ? 1 : o->test_clips;
    d->clips = p;
    d->length = o->frames_per_clip;
    return gv_generic_open(c, want, arena, d, err);
}

#define F(kind, m, ...) GV_##kind(struct generic_video_dataset, m, __VA_ARGS__)
static const gv_field fields[] = {
    GV_GENERIC_FIELDS("videos_dir", "videos", "videos", ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .flv .wmv .3gp .ogv .gif"),
    GV_STR(gv_generic_fields, frame_column, "frame", "with subtask framewise: column of the frames' numbers, from 0, in a CSV table of one line a frame"),
    F(ENUM, train_clip_sampler, GV_CLIP_RANDOM, gv_clip_samplers, "where a training clip lies: anywhere, one of those that follow each other, at the beginning, or spread over the whole video"),
    F(ENUM, test_clip_sampler, GV_CLIP_CONSTANT, gv_clip_samplers, "where test clips lie: constant from the beginning to the end, uniform among those that follow each other, random, or one over the whole video"),
    F(I64, frames_per_clip, 16, 1, GV_MAX_CLIP_FRAMES, "frame", "frames of a clip"),
    F(I64, sampling_rate, 1, 1, GV_VIDEO_FRAMES, "frame", "from one frame of a clip to the next, in frames of the video"),
    F(OPT_F64, frames_per_second, 0.001, 100000, "1/s", "instead of sampling_rate: frames of a clip per second of the video, whatever its own rate"),
    F(OPT_F64, clip_seconds, 0.001, 1e8, "s", "instead of sampling_rate: a clip's frames are spread evenly over so many seconds"),
    F(I64, test_clips, 1, 1, GV_MAX_VIEWS, "clip", "clips of a video in testing; predictions are averaged over them"),
    F(F64, folder_fps, 25, 0.001, 100000, "1/s", "frames per second of a video that is a folder of pictures"),
    F(BOOL, allow_cut, false, "use the frames of a file that ends early instead of refusing it"),
    GV_END
};
static const char *const required[] = { "data_root_dir", "num_classes", NULL };
static const char *const defaults[] = { "augmentation.train_policy", "default_video", "augmentation.test_policy", "shared_default_2d", NULL };

const gv_variant gv_dataset_variant_generic_video_dataset = {
    .name = "generic_video_dataset", .class_name = "GenericVideoDatasetConfig", .summary = "videos, or folders of frames, with labels from folders, JSON or CSV",
    .fields = fields, .params_size = sizeof(struct generic_video_dataset), .defaults = defaults, .required = required, .built = true,
};
const gv_dataset gv_dataset_generic_video_dataset = {
    .name = "generic_video_dataset", .content = "video", .variant = &gv_dataset_variant_generic_video_dataset,
    .train_policy = "default_video", .test_policy = "shared_default_2d", .open = open_videos,
};
