/* What the parts of video share; stays in this folder. */
#ifndef GV_FORMATS_VIDEO_INTERNAL_H
#define GV_FORMATS_VIDEO_INTERNAL_H

#include "formats/video.h"

/* A frame that is wanted, and the place in the output it goes to. */
typedef struct gv_video_want { int64_t frame, slot; } gv_video_want;

struct gv_video {
    gv_video_info info;
    gv_video_options o;
    double *times;
    /* Wanted frames, ascending and without repeats, to out + slot * h * w * 3. Answers as gv_video_read. */
    int (*read)(gv_video *v, const gv_video_want *want, int64_t n, uint8_t *out, gv_err *err);
    void (*close)(gv_video *v);
    void *state;
};

/* An empty one with the options' defaults filled in. */
gv_video *gv_video_new(const gv_video_options *o, gv_err *err);

/* True if the container claims more bytes than the file has; says so in text. */
bool gv_video_cut(int fd, int64_t size, char *text, size_t n);

#endif
