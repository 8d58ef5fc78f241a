/* frames: records in W&B's and TensorBoard's files. */
#include "track/frames.h"
#include <libdeflate.h>
#include <pthread.h>
#include <string.h>

/* ---- W&B ---- */

enum { BLOCK = 32768, HEAD = 7, WHOLE = 1, FIRST, MIDDLE, LAST };

static const unsigned char file_head[HEAD] = { ':', 'W', '&', 'B', 0xe1, 0xbe, 0 };

static int chunk(gv_buf *out, int type, const unsigned char *p, size_t n, gv_err *err)
{
    unsigned char h[HEAD] = { [6] = (unsigned char)type };
    uint32_t crc = libdeflate_crc32(0, h + 6, 1);
    crc = n ? libdeflate_crc32(crc, p, n) : crc;
    for (int i = 0; i < 4; i++)
        h[i] = (unsigned char)(crc >> 8 * i);
    h[4] = (unsigned char)n;
    h[5] = (unsigned char)(n >> 8);
    int r = gv_buf_add(out, h, HEAD, err);
    return r == GV_OK && n ? gv_buf_add(out, p, n, err) : r;
}

int gv_frame_wandb(gv_buf *out, int64_t at, const void *p, size_t n, gv_err *err)
{
    static const unsigned char zero[HEAD] = { 0 };
    const unsigned char *s = p;
    int r = at + (int64_t)out->len ? GV_OK : gv_buf_add(out, file_head, HEAD, err);
    for (bool first = true, more = true; more && r == GV_OK; first = false) {
        size_t room = BLOCK - (size_t)((at + (int64_t)out->len) % BLOCK);
        if (room < HEAD) {
            r = gv_buf_add(out, zero, room, err);
            room = BLOCK;
        }
        size_t take = n < room - HEAD ? n : room - HEAD; /* may be 0: a first chunk without data is legal */
        more = take < n;
        if (r == GV_OK)
            r = chunk(out, first ? more ? FIRST : WHOLE : more ? MIDDLE : LAST, s, take, err);
        s += take;
        n -= take;
    }
    return r;
}

/* ---- TensorBoard ---- */

static uint32_t table[256];

static void fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0); /* Castagnoli's polynomial, lowest bit first */
        table[i] = c;
    }
}

uint32_t gv_crc32c(const void *p, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const unsigned char *s = p;
    uint32_t c = 0xffffffffu;
    pthread_once(&once, fill);
    for (size_t i = 0; i < n; i++)
        c = table[(c ^ s[i]) & 255] ^ c >> 8;
    return ~c;
}

static int masked(gv_buf *out, const void *p, size_t n, gv_err *err)
{
    uint32_t c = gv_crc32c(p, n), m = (c >> 15 | c << 17) + 0xa282ead8u;
    unsigned char s[4];
    for (int i = 0; i < 4; i++)
        s[i] = (unsigned char)(m >> 8 * i);
    return gv_buf_add(out, s, 4, err);
}

int gv_frame_tfevents(gv_buf *out, const void *p, size_t n, gv_err *err)
{
    unsigned char len[8];
    for (int i = 0; i < 8; i++)
        len[i] = (unsigned char)((uint64_t)n >> 8 * i);
    int r = gv_buf_add(out, len, 8, err);
    r = r == GV_OK ? masked(out, len, 8, err) : r;
    r = r == GV_OK && n ? gv_buf_add(out, p, n, err) : r;
    return r == GV_OK ? masked(out, n ? p : "", n, err) : r;
}
