/*
 * FFmpeg's libraries, loaded when the first file asks for them, and kept quiet.
 *
 *   if (gv_lav_load(err) < 0) return GV_ESYS;
 *   gv_lav_quiet();
 *   AVFrame *f = gv_av.av_frame_alloc();
 *
 * They bring some 100 other libraries along, a good 20 ms of each start and 10 MB of each process, which a program that decodes JPEG or NIfTI does without.
 * So no program is linked with them: functions are called through gv_av, and lav_calls.h lists them. What a header makes of other functions
 * (av_err2str, av_opt_…) cannot be used. What the libraries would print to stderr goes to our log (debug), and the last
 * complaint of a thread can be put into a message.
 */
#ifndef GV_FORMATS_LAV_H
#define GV_FORMATS_LAV_H

#include "common/err.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

typedef struct gv_lav_calls {
#define GV_LAV(library, function) __typeof__(function) *function;
#include "formats/lav_calls.h"
#undef GV_LAV
} gv_lav_calls;

extern gv_lav_calls gv_av; /* of use once gv_lav_load has answered GV_OK */

/* Load the libraries of the versions that the program was made for, once. GV_ESYS: one is missing, and err says which. Any thread. */
int gv_lav_load(gv_err *err) GV_MUST_USE;
/* Forget this thread's last complaint. */
void gv_lav_quiet(void);
/* The last error or warning the libraries gave in this thread since gv_lav_quiet, cleaned of control characters; "" if there was none. */
const char *gv_lav_last(void);
/* What a code of theirs means, until the thread's next call. */
const char *gv_lav_error(int code);
/* " (the text)", or "" when there is none: for the end of a message. */
const char *gv_lav_why(int code);

#endif
