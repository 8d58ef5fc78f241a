#include "formats/gzip.h"
#include "common/arena.h"
#include <libdeflate.h>
#include <string.h>

enum { MAX_RATIO = 1040 }; /* deflate cannot do better than 1032:1 */

/* One gzip member after another. The last four bytes of a member give its length modulo 2^32, which is only a first guess. */
int gv_gunzip(const uint8_t *in, size_t n, size_t cap, uint8_t **data, size_t *len, gv_err *err)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    size_t guess = n >= 18 ? in[n - 4] | (size_t)in[n - 3] << 8 | (size_t)in[n - 2] << 16 | (size_t)in[n - 1] << 24 : 0, used = 0, done = 0;
    uint8_t *out = NULL;
    int r = d ? GV_OK : gv_fail(err, GV_ESYS, "out of memory for inflating");
    if (r == GV_OK && guess / MAX_RATIO > n)
        r = gv_fail(err, GV_EDATA, "gzip data are damaged or cut: their last bytes claim that %zu bytes inflate to %zu", n, guess);
    else if (r == GV_OK && guess > cap)
        r = gv_fail(err, GV_EDATA, "gzip data claim to inflate from %zu to %zu bytes; at most %zu are read", n, guess, cap);
    size_t room = guess + 1;
    if (r == GV_OK && !(out = gv_alloc(room, err)))
        r = GV_ESYS;
    while (r == GV_OK && used < n) {
        size_t in_used = 0, out_used = 0;
        enum libdeflate_result q = libdeflate_gzip_decompress_ex(d, in + used, n - used, out + done, room - done, &in_used, &out_used);
        if (q == LIBDEFLATE_INSUFFICIENT_SPACE && room <= cap && room / 2 < n * MAX_RATIO) { /* several members, or a wrong length */
            size_t more = room * 2 > cap ? cap + 1 : room * 2;
            uint8_t *p = gv_alloc(more, err);
            if (!p) {
                r = GV_ESYS;
                break;
            }
            memcpy(p, out, done);
            gv_free(out);
            out = p;
            room = more;
        } else if (q != LIBDEFLATE_SUCCESS)
            r = q == LIBDEFLATE_INSUFFICIENT_SPACE ? gv_fail(err, GV_EDATA, "gzip data inflate to more than %zu bytes", cap)
                                                   : gv_fail(err, GV_EDATA, "gzip data of %zu bytes are damaged or cut: they do not inflate", n);
        else {
            used += in_used;
            done += out_used;
            while (used < n && !in[used]) /* padding */
                used++;
        }
    }
    libdeflate_free_decompressor(d);
    if (r == GV_OK && done > cap)
        r = gv_fail(err, GV_EDATA, "gzip data inflate to more than %zu bytes", cap);
    if (r < 0) {
        gv_free(out);
        return r;
    }
    *data = out;
    *len = done;
    return GV_OK;
}
