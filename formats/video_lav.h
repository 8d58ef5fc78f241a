/* The state of a video file that FFmpeg's libraries read; between video_lav.c, video_table.c and video_frames.c. */
#ifndef GV_FORMATS_VIDEO_LAV_H
#define GV_FORMATS_VIDEO_LAV_H

#include "formats/lav.h"
#include "formats/video_internal.h"

/* A packet of the stream, in the order of decoding. */
struct gv_packet { int64_t pts, seek, pos; bool key, shown; };

struct gv_lav {
    int fd;
    int64_t size, at;         /* of the file, and where the libraries read */
    AVIOContext *io;
    AVFormatContext *fmt;
    int stream;               /* index of the video stream in fmt */
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame, *rgb;
    struct SwsContext *sws;
    bool transpose, flip_x, flip_y; /* after transposing */
    bool held;                /* `packet` holds one that has not been decoded yet */
    bool drained;             /* the decoder has been told that no more come */
    int64_t next;             /* the number of the next packet to decode; -1: unknown */
    struct gv_packet *table;
    int64_t packets;
    int64_t *by_time;         /* [packets] all packets by pts */
    int64_t *shown;           /* [frames] the packet of each frame, in order of time; unused when made by decoding */
    int64_t first;            /* pts of the first frame */
    const int64_t *wanted;    /* pts being looked for, ascending; frames that nothing depends on are skipped unless among them */
    int64_t nwanted;
};

/* Open the container and find the stream; again after gv_lav_shut. */
int gv_lav_start(struct gv_lav *l, const gv_video_options *o, gv_err *err) GV_MUST_USE;
void gv_lav_shut(struct gv_lav *l);
/* The next packet of the stream in l->packet: 1, 0 at the end, < 0 the libraries' code. */
int gv_lav_packet(struct gv_lav *l);
/* Begin at the first packet again, with a container opened anew. */
int gv_lav_restart(gv_video *v, gv_err *err) GV_MUST_USE;
/* The next frame in l->frame: 1, 0 at the end, < 0 an error. */
int gv_lav_frame(gv_video *v, gv_err *err) GV_MUST_USE;

/* The table of frames: from the packets, or by decoding. */
int gv_lav_scan(gv_video *v, gv_err *err) GV_MUST_USE;
int gv_lav_count(gv_video *v, gv_err *err) GV_MUST_USE;
/* Number of the packet with these marks, -1 for none. */
int64_t gv_lav_find(const struct gv_lav *l, int64_t pts, int64_t pos);

int gv_lav_read(gv_video *v, const gv_video_want *want, int64_t n, uint8_t *out, gv_err *err) GV_MUST_USE;

static inline AVStream *gv_lav_stream(const struct gv_lav *l)
{
    return l->fmt->streams[l->stream];
}

static inline int64_t gv_lav_time(const AVFrame *f)
{
    return f->pts != AV_NOPTS_VALUE ? f->pts : f->best_effort_timestamp;
}

#endif
