/*
 * gzip in memory, by libdeflate: two to three times as fast as zlib.
 *
 *   uint8_t *p; size_t n;
 *   gv_gunzip(in, in_n, 1 << 30, &p, &n, &err);    // gv_free(p) afterwards
 *
 * Members follow one another; zeros behind the last one (padding to a block of a tape) are allowed. Refused: what inflates to
 * more than `cap` bytes, before that much memory is taken, and content that is cut or damaged.
 */
#ifndef GV_FORMATS_GZIP_H
#define GV_FORMATS_GZIP_H

#include "common/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool gv_is_gzip(const uint8_t *p, size_t n)
{
    return n >= 2 && p[0] == 0x1f && p[1] == 0x8b;
}

int gv_gunzip(const uint8_t *in, size_t n, size_t cap, uint8_t **data, size_t *len, gv_err *err) GV_MUST_USE;

#endif
