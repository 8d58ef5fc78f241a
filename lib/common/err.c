/* err: the text of the first failure, and the exit status of each code. */
#include "common/err.h"
#include <errno.h>

static int vfail(gv_err *err, int code, const char *fmt, va_list ap)
{
    if (err && err->code == GV_OK) {
        err->code = code;
        vsnprintf(err->text, sizeof err->text, fmt, ap);
    }
    return err ? err->code : code;
}

int gv_fail(gv_err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = vfail(err, code, fmt, ap);
    va_end(ap);
    return r;
}

int gv_fail_sys(gv_err *err, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;
    va_start(ap, fmt);
    if (err && err->code == GV_OK) {
        vfail(err, saved == EPIPE ? GV_EPIPE : GV_ESYS, fmt, ap);
        size_t n = strlen(err->text);
        snprintf(err->text + n, sizeof err->text - n, ": %s", strerror(saved));
    }
    va_end(ap);
    return err ? err->code : saved == EPIPE ? GV_EPIPE : GV_ESYS;
}

int gv_fail_in(gv_err *err, const char *fmt, ...)
{
    if (!err)
        return GV_EINTERNAL;
    char inner[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, ": %s", inner);
    return err->code;
}

void gv_err_clear(gv_err *err)
{
    err->code = GV_OK;
    err->text[0] = 0;
}

int gv_exit_status(int code)
{
    switch (code) {
    case GV_OK: return 0;
    case GV_EUSAGE: return 2;
    case GV_EDATA: return 3;
    case GV_ESYS: return 4;
    case GV_ENAN: return 5;
    case GV_EPEER: return 6;
    case GV_ESAVED: return 75;
    case GV_EBUSY: return 100;
    case GV_EPIPE: return 141;
    default: return 70;
    }
}
