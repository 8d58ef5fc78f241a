/* gif: the first frame, as RGB. Transparent pixels show their palette colour, as in Pillow's conversion. */
#include "formats/lavimage.h"

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 13 && (!memcmp(p, "GIF87a", 6) || !memcmp(p, "GIF89a", 6));
}

static int header(const uint8_t *p, size_t n, gv_sample *s, gv_err *err)
{
    (void)n;
    int64_t w = gv_le16(p + 6), h = gv_le16(p + 8);
    if (w < 1 || h < 1)
        return gv_fail(err, GV_EDATA, "GIF claims an empty image");
    *s = (gv_sample){ .dtype = GV_U8, .ndim = 3, .shape = { h, w, 3 } };
    return GV_OK;
}

/* Sub-blocks from at: the position behind their terminator, 0 when the file ends before it. */
static size_t blocks(const uint8_t *p, size_t n, size_t at)
{
    while (at < n) {
        if (!p[at])
            return at + 1;
        at += 1 + (size_t)p[at];
    }
    return 0;
}

static int decode(const uint8_t *p, size_t n, gv_sample *s, const gv_region *part, size_t max_output, gv_arena *arena, gv_err *err)
{
    gv_sample shape;
    (void)part;
    (void)max_output;
    if (header(p, n, &shape, err) < 0)
        return GV_EDATA;
    uint8_t *q = gv_arena_alloc_dirty(arena, n + 64, err); /* a copy, in which the first frame is made opaque */
    if (!q)
        return GV_ESYS;
    memcpy(q, p, n);
    memset(q + n, 0, 64);
    size_t at = 13 + (p[10] & 0x80 ? 3u << ((p[10] & 7) + 1) : 0), end = 0;
    while (at && at + 1 < n && !end) {
        if (q[at] == 0x21) { /* extension; 0xf9 is graphic control, bit 0 of its flags is transparency */
            if (q[at + 1] == 0xf9 && at + 3 < n)
                q[at + 3] &= 0xfe;
            at = blocks(q, n, at + 2);
        } else if (q[at] == 0x2c && at + 10 < n) {
            size_t data = at + 10 + (q[at + 9] & 0x80 ? 3u << ((q[at + 9] & 7) + 1) : 0) + 1;
            end = blocks(q, n, data);
            break;
        } else
            break;
    }
    if (!end)
        return gv_fail(err, GV_EDATA, "GIF ends after %zu bytes", n);
    return gv_lav_image(AV_CODEC_ID_GIF, "GIF", q, end, &shape, s, arena, err);
}

const gv_format gv_format_gif = {
    .name = "gif", .summary = "GIF, first frame",
    .suffixes = (const char *const[]){ ".gif", NULL },
    .sniff = sniff, .header = header, .decode = decode,
};
