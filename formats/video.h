/*
 * Videos: any container and codec that FFmpeg's libraries read, or a folder of pictures; frames by their presentation time.
 *
 *   gv_video *v;
 *   gv_video_open(&v, fd, NULL, &err);                            // reads the packets once, decodes none
 *   const gv_video_info *i = gv_video_facts(v);                   // i->frames of them, at i->times seconds
 *   do choose(frame, n, i); while ((r = gv_video_read(v, frame, n, &x, arena, &err)) == 0);   // x: [n,H,W,3] uint8
 *   gv_video_close(v);
 *
 * A file's own count, duration and frame rate are never believed: frames are the packets that carry a picture, ordered by
 * presentation time, or, where the packets cannot tell (no or equal times, a stream that begins inside a group of pictures,
 * VP8's hidden frames), the frames that decoding everything gives. Only what is asked for is decoded: from the nearest keyframe
 * before it, over a seek that is checked against the table; where the file's index leads elsewhere, packets are read from the
 * first one on. If decoding shows that the table was wrong, it is made again by decoding.
 *
 * Pixels are RGB in 8 bits by swscale with accurate rounding, in the bits of its plain C code on every machine: BT.601, 709,
 * 2020 … and the range as the frame says, BT.601 and limited where it says nothing, as the ffmpeg program does. Frames are turned and mirrored by the
 * display matrix (phone videos stand upright). Pixels that are not square stay so. Frames of another size than the first
 * are scaled to it.
 *
 * Files are not trusted: no protocol is open to the libraries, formats that name other files (playlists, SDP, …) are refused,
 * sizes are capped, text from the file is cleaned before it is shown, and nothing reaches stderr but through our log.
 * Source: torchcodec's and PyAV's documentation, as behaviour; ffmpeg_filter.c, get_rotation and autorotation, as behaviour.
 */
#ifndef GV_FORMATS_VIDEO_H
#define GV_FORMATS_VIDEO_H

#include "sample/sample.h"

enum { GV_VIDEO_FRAMES = 1 << 24, GV_VIDEO_PIXELS = 1 << 26, GV_VIDEO_SECONDS = 3600 };

typedef struct gv_video gv_video;

typedef struct gv_video_options {
    int64_t max_frames;   /* 0: GV_VIDEO_FRAMES */
    int64_t max_pixels;   /* of one frame; 0: GV_VIDEO_PIXELS */
    size_t max_output;    /* bytes gv_video_read may give at once; 0: 1 GiB */
    double max_cpu;       /* seconds of this thread's time for one file; 0: GV_VIDEO_SECONDS */
    bool allow_cut;       /* take the frames of a cut file instead of refusing it */
    double folder_fps;    /* frames per second of a folder; 0: 25 */
} gv_video_options;

typedef struct gv_video_info {
    const char *container, *codec; /* "mov,mp4,…", "h264"; "folder", "png" */
    int64_t frames;       /* at least 1 */
    const double *times;  /* [frames] seconds since the first frame, ascending */
    double start;         /* presentation time of the first frame, in seconds */
    double duration;      /* from the first frame's appearance to the last one's end, in seconds */
    int64_t h, w;         /* as gv_video_read gives them: turned */
    bool by_decoding;     /* the table was made by decoding, not from the packets */
    bool rewound;         /* a seek led elsewhere: packets were read from the first one on */
    int64_t decoded;      /* frames that decoders have given so far */
    char cut[256];        /* allow_cut: what is wrong with the file; "" for a whole one */
} gv_video_info;

/* fd is taken over, in failure too; it must be seekable. GV_EDATA for a file that holds no video, is cut (the message says
 * how many frames there are), refused or above a limit; GV_ESYS for memory and reading. */
int gv_video_open(gv_video **v, int fd, const gv_video_options *o, gv_err *err) GV_MUST_USE;
/* The pictures directly in a folder (jpg, jpeg, png, bmp, tif, tiff, webp in any case; names that begin with '.' are not looked
 * at), in byte order of their names; all of one size. dirfd is taken over. */
int gv_video_open_folder(gv_video **v, int dirfd, const gv_video_options *o, gv_err *err) GV_MUST_USE;
/* Would a file of that name be a frame of a folder? */
bool gv_video_picture(const char *name);
const gv_video_info *gv_video_facts(const gv_video *v);

/* n frames by number (any order, repeats allowed) as x [n,H,W,3] uint8 in the arena. 1: read. 0: decoding has shown that the
 * table was wrong, it is new: choose again (at most once in a video's life). GV_EDATA for damaged frames. */
int gv_video_read(gv_video *v, const int64_t *frame, int64_t n, gv_sample *x, gv_arena *arena, gv_err *err) GV_MUST_USE;
void gv_video_close(gv_video *v); /* NULL is allowed */

/* The first frame shown at time t or, before the first one, the first: the last i with times[i] <= t. */
int64_t gv_video_at(const gv_video_info *i, double t);

#endif
