/*
 * One status for every function that can fail, and the text of the first failure.
 *
 *   if (x < 0)
 *       return gv_fail(err, GV_EDATA, "the header claims %d channels; at most %d are read", x, max);
 *   if (decode(f, err) < 0)
 *       return gv_fail_in(err, "record %" PRIu64, i);          // "record 12: the header claims …"
 *
 * Functions return GV_OK (0) or one of the negative codes; streams return 1 a record, 0 the end, < 0 an error.
 * A message says what could not be done, to what, where and why with the numbers; lower case, no full stop.
 */
#ifndef GV_COMMON_ERR_H
#define GV_COMMON_ERR_H

#include "common/compiler.h"
#include <stdarg.h>

enum {
    GV_OK = 0,
    GV_EDATA = -1,     /* bad or cut input                            exit 3 */
    GV_EUSAGE = -2,    /* command line or configuration               exit 2 */
    GV_ESYS = -3,      /* I/O, memory, disk, device                   exit 4 */
    GV_EPIPE = -4,     /* the reader has gone                         quiet: 128+SIGPIPE */
    GV_ENAN = -5,      /* NaN or Inf beyond policy                    exit 5 */
    GV_EPEER = -6,     /* a peer was lost                             exit 6 */
    GV_ESAVED = -7,    /* stopped by a signal, state saved, run again exit 75 */
    GV_EBUSY = -8,     /* the directory is in use                     exit 100 */
    GV_EINTERNAL = -9, /* our mistake                                 exit 70 */
};

typedef struct gv_err {
    int code;        /* GV_OK until the first failure */
    char text[2000]; /* the message, without program name */
} gv_err;

/* Fill err (NULL is allowed: the code alone is returned) unless it holds a failure already. Returns code. */
int gv_fail(gv_err *err, int code, const char *fmt, ...) GV_PRINTF(3, 4);

/* The same with ": strerror(errno)" behind; the code is GV_EPIPE for EPIPE, GV_ESYS otherwise. */
int gv_fail_sys(gv_err *err, const char *fmt, ...) GV_PRINTF(2, 3);

/* Put "where: " before the text. Returns err->code, so that a caller ends with `return gv_fail_in(…)`. */
int gv_fail_in(gv_err *err, const char *fmt, ...) GV_PRINTF(2, 3);

void gv_err_clear(gv_err *err);

/* The exit status of a code: the table of DESIGN (0 2 3 4 5 6 70 75 100). GV_EPIPE gives 141. */
int gv_exit_status(int code);

#endif
