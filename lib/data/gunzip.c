/* A whole gzip file at once (libdeflate). Deflate cannot grow data more than 1,032 times, so a claimed size above that, or above
 * the caller's cap, is refused before memory is taken. */
#include "data/internal.h"
#include "common/file.h"
#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFLATE_MOST = 1032 };

static int inflate_all(const char *name, const gv_buf *in, size_t cap, gv_buf *out, gv_err *err)
{
    const unsigned char *p = (const unsigned char *)in->data;
    size_t n = in->len;
    if (n < 18)
        return gv_fail(err, GV_EDATA, "'%s' ends after %zu bytes of gzip", name, n);
    /* The size modulo 2^32 stands at the end; where that is not the whole story the space is doubled until it is enough. */
    size_t room = (size_t)p[n - 4] | (size_t)p[n - 3] << 8 | (size_t)p[n - 2] << 16 | (size_t)p[n - 1] << 24;
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    int r = d ? GV_OK : gv_fail(err, GV_ESYS, "out of memory for '%s'", name);
    if (room > cap)
        room = cap;
    if (room > n * DEFLATE_MOST)
        room = n * DEFLATE_MOST;
    for (; r == GV_OK; room = room * 2 < cap ? room * 2 + 1 : cap) {
        size_t got;
        if ((r = gv_buf_reserve(out, room, err)) < 0)
            break;
        enum libdeflate_result e = libdeflate_gzip_decompress(d, p, n, out->data + out->len, room, &got);
        if (e == LIBDEFLATE_SUCCESS) {
            out->len += got;
            out->data[out->len] = 0;
            break;
        }
        if (e != LIBDEFLATE_INSUFFICIENT_SPACE)
            r = gv_fail(err, GV_EDATA, "'%s' is damaged: its gzip data is %s", name, e == LIBDEFLATE_SHORT_OUTPUT ? "too short" : "cut or does not match its checksum");
        else if (room >= cap)
            r = gv_fail(err, GV_EDATA, "'%s' unpacks to more than %zu bytes", name, cap);
    }
    libdeflate_free_decompressor(d);
    return r;
}

int gv_gunzip_fd(int fd, const char *name, size_t cap, gv_buf *out, gv_err *err)
{
    gv_buf in = { 0 };
    struct stat st;
    int r = GV_OK;
    if (fstat(fd, &st) < 0)
        r = gv_fail_sys(err, "cannot read '%s'", name);
    else if (!S_ISREG(st.st_mode))
        r = gv_fail(err, GV_EDATA, "'%s' is not a regular file", name);
    else if ((uint64_t)st.st_size > cap)
        r = gv_fail(err, GV_EDATA, "'%s' has %lld bytes; at most %zu are read", name, (long long)st.st_size, cap);
    else if ((r = gv_buf_reserve(&in, (size_t)st.st_size + 1, err)) == GV_OK) {
        int64_t n = gv_read_full(fd, in.data, (size_t)st.st_size, err);
        if (n < 0)
            r = gv_fail_in(err, "cannot read '%s'", name);
        else {
            in.len = (size_t)n;
            in.data[n] = 0;
            if (n >= 2 && (unsigned char)in.data[0] == 0x1f && (unsigned char)in.data[1] == 0x8b)
                r = inflate_all(name, &in, cap, out, err);
            else if (!out->data) {
                *out = in;
                in = (gv_buf){ 0 };
            } else
                r = gv_buf_add(out, in.data, in.len, err);
        }
    }
    gv_buf_release(&in);
    close(fd);
    return r;
}
