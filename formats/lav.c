/* lav: the log of FFmpeg's libraries. Its text may quote the file, so it is cleaned before anyone sees it. */
#include "formats/lav.h"
#include "common/log.h"
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last[200], why[300];

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

static void install(void)
{
    av_log_set_callback(take);
}

void gv_lav_quiet(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    *last = 0;
}

const char *gv_lav_last(void)
{
    return last;
}

const char *gv_lav_why(int code)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (code < 0)
        av_strerror(code, text, sizeof text);
    if (!*text && !*last)
        return "";
    snprintf(why, sizeof why, " (%s%s%s)", text, *text && *last ? ": " : "", last);
    return why;
}
