/*
 * Clips: which frames of a video a sample takes, and reading them. The fields of a data set of videos become a map in the header
 * of its listing (`clips`); decode follows it, so a stream tells how its clips were chosen.
 *
 *   gv_clip_plan p;
 *   if (gv_clip_plan_read(&p, gv_reader_header(in), train, &err) > 0)        // the listing is of videos
 *       r = gv_clip_load(&p, &roots, &rec, seed, channels, &x, arena, &err); // x [T,H,W,C], with several views [V,T,H,W,C]
 *
 * A clip is `frames` frames. They lie `rate` frames apart, or 1/fps seconds, or are spread evenly over the frames of `seconds`;
 * frames behind the last one are the last one again. Where it begins, the sampler says:
 *
 *   random    anywhere the whole clip fits, drawn from (seed, epoch, index, draw)
 *   uniform   the video is cut into clips that follow each other (the last may reach behind the end); `views` of them, evenly chosen;
 *             a training clip is one of them, drawn
 *   constant  `views` clips, the first at the beginning, the last at the end, evenly between: i * (duration - clip) / (views - 1)
 *   whole     the frames floor(k (n - 1) / (frames - 1)) of all n
 *
 * Sources: PyTorchVideo's clip_sampling.py and UniformTemporalSubsample, torchvision's UniformClipSampler, as behaviour.
 */
#ifndef GV_DATA_CLIPS_H
#define GV_DATA_CLIPS_H

#include "common/rng.h"
#include "data/open.h"
#include "formats/video.h"
#include "stream/stream.h"

enum { GV_CLIP_RANDOM, GV_CLIP_UNIFORM, GV_CLIP_CONSTANT, GV_CLIP_WHOLE };
extern const char *const gv_clip_samplers[]; /* "random" "uniform" "constant" "whole", NULL */

typedef struct gv_clip_plan {
    int sampler;
    bool train;
    int64_t views;      /* clips of a sample: 1 in training */
    int64_t frames;     /* of a clip */
    int64_t rate;       /* frames from one to the next, where fps and seconds are 0 */
    double fps, seconds;
    double folder_fps;  /* of folders of pictures */
    bool allow_cut;
} gv_clip_plan;

enum { GV_MAX_CLIP_FRAMES = 1 << 16, GV_MAX_VIEWS = 1024 };

/* The two plans of a data set as the header's map, in the arena; nil with err filled when the arena is full. */
gv_item gv_clip_plan_item(const gv_clip_plan *train, const gv_clip_plan *test, gv_arena *arena, gv_err *err);
/* 1; 0: the header has none; GV_EDATA for one that cannot be used. */
int gv_clip_plan_read(gv_clip_plan *p, const gv_record *header, bool train, gv_err *err) GV_MUST_USE;

/* The frames of every view, in order: frame[views * frames], below i->frames; those behind the end are the last one, and
 * beyond[views * frames] tells them. */
void gv_clip_choose(const gv_clip_plan *p, const gv_video_info *i, gv_rng *rng, int64_t *frame, bool *beyond);

/* The clips of a sample record, which names a video file or a folder of pictures (`path`) and may bound the part of it that counts
 * (`start`, `end` in seconds since the first frame). Sets `times` (f8 [T] or [V,T]) and `frames` (i8, the same) in the record, and
 * picks from a `y` of one label per frame those of the frames taken (-1 behind the end). */
int gv_clip_load(const gv_clip_plan *p, const gv_roots *roots, gv_record *rec, uint64_t seed, int64_t channels, gv_sample *x, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
