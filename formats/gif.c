/* gif: the first frame, as RGB. Transparent pixels show their palette colour, and what the frame leaves of the screen the
 * transparent or else the first colour, as in Pillow's conversion.
 * Source: GIF89a specification. */
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

struct first { size_t end; const uint8_t *palette; unsigned colours, outside; int64_t x, y, w, h; };

/* Find the first frame of q, make it opaque; end stays 0 when the file ends before it does. */
static void find(uint8_t *q, size_t n, struct first *f)
{
    size_t at = 13;
    if (q[10] & 0x80) {
        f->palette = q + 13;
        f->colours = 2u << (q[10] & 7);
        at += 3 * (size_t)f->colours;
    }
    while (at && at + 10 < n) {
        if (q[at] == 0x21) { /* an extension; 0xf9 is graphic control, bit 0 of its flags is transparency */
            if (q[at + 1] == 0xf9 && q[at + 2] == 4 && q[at + 3] & 1) {
                f->outside = q[at + 6];
                q[at + 3] &= 0xfe;
            }
            at = blocks(q, n, at + 2);
        } else if (q[at] == 0x2c) {
            const uint8_t *d = q + at;
            f->x = gv_le16(d + 1);
            f->y = gv_le16(d + 3);
            f->w = gv_le16(d + 5);
            f->h = gv_le16(d + 7);
            at += 10;
            if (d[9] & 0x80) {
                f->palette = q + at;
                f->colours = 2u << (d[9] & 7);
                at += 3 * (size_t)f->colours;
            }
            f->end = at < n ? blocks(q, n, at + 1) : 0;
            return;
        } else
            return;
    }
}

static void fill_outside(gv_sample *s, const struct first *f)
{
    static const uint8_t black[3];
    const uint8_t *c = f->palette && f->outside < f->colours ? f->palette + 3 * f->outside : black;
    uint8_t *p = s->data;
    for (int64_t y = 0; y < s->shape[0]; y++)
        for (int64_t x = 0; x < s->shape[1]; x++, p += 3)
            if (y < f->y || y >= f->y + f->h || x < f->x || x >= f->x + f->w)
                memcpy(p, c, 3);
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
    struct first f = { 0 };
    find(q, n, &f);
    if (!f.end)
        return gv_fail(err, GV_EDATA, "GIF ends after %zu bytes", n);
    int r = gv_lav_image(AV_CODEC_ID_GIF, "GIF", q, f.end, &shape, s, arena, err);
    if (r == GV_OK && (f.x || f.y || f.w < shape.shape[1] || f.h < shape.shape[0]))
        fill_outside(s, &f);
    return r;
}

const gv_format gv_format_gif = {
    .name = "gif", .summary = "GIF, first frame",
    .suffixes = (const char *const[]){ ".gif", NULL },
    .sniff = sniff, .header = header, .decode = decode, .ratio = 8192, /* 12 bits name at most 3838 pixels */
};
