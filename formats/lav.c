/* lav: FFmpeg's libraries by dlopen (lav.h), and their log. Its text may quote the file, so it is cleaned before anyone sees it. */
#include "formats/lav.h"
#include "common/library.h"
#include "common/log.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

gv_lav_calls gv_av;

static _Thread_local char last[200], why[300], meaning[AV_ERROR_MAX_STRING_SIZE];

static void take(void *who, int level, const char *fmt, va_list args)
{
    char text[sizeof last];
    (void)who;
    if (level > AV_LOG_WARNING)
        return;
    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\r\n")] = 0;
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
            *p = '?';
    if (!*text)
        return;
    if (level <= AV_LOG_ERROR || !*last)
        memcpy(last, text, sizeof last);
    gv_log(GV_DEBUG, "libav: %s", text);
}

/* In the order in which they need each other. */
enum { avutil, avcodec, avformat, swscale, LIBRARIES };
static const gv_library library[LIBRARIES] = {
#define NAMED(name, major) [name] = { "FFmpeg", "lib" #name ".so." AV_STRINGIFY(major), "lib" #name AV_STRINGIFY(major) }
    NAMED(avutil, LIBAVUTIL_VERSION_MAJOR),
    NAMED(avcodec, LIBAVCODEC_VERSION_MAJOR),
    NAMED(avformat, LIBAVFORMAT_VERSION_MAJOR),
    NAMED(swscale, LIBSWSCALE_VERSION_MAJOR),
};

static gv_err failure;

static void load(void)
{
    void *of[LIBRARIES];
    for (int i = 0; i < LIBRARIES; i++)
        if (!(of[i] = gv_library_load(&library[i], &failure)))
            return;
#define GV_LAV(in, function) \
    if (gv_library_find(&library[in], of[in], #function, (void **)&gv_av.function, &failure) < 0) \
        return;
#include "formats/lav_calls.h"
#undef GV_LAV
    gv_av.av_log_set_callback(take);
}

int gv_lav_load(gv_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return failure.code ? gv_fail(err, failure.code, "%s", failure.text) : GV_OK;
}

void gv_lav_quiet(void)
{
    *last = 0;
}

const char *gv_lav_error(int code)
{
    return gv_av.av_strerror(code, meaning, sizeof meaning) < 0 ? "unknown error" : meaning;
}

const char *gv_lav_last(void)
{
    return last;
}

const char *gv_lav_why(int code)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (code < 0)
        gv_av.av_strerror(code, text, sizeof text);
    if (!*text && !*last)
        return "";
    snprintf(why, sizeof why, " (%s%s%s)", text, *text && *last ? ": " : "", last);
    return why;
}
