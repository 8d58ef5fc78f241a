/* bmp: Windows and OS/2 bitmaps, always as RGB. */
#include "formats/lavimage.h"

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 26 && p[0] == 'B' && p[1] == 'M' && gv_le32(p + 14) >= 12 && gv_le32(p + 14) <= 256;
}

static int header(const uint8_t *p, size_t n, gv_sample *s, gv_err *err)
{
    (void)n; /* sniff has seen 26 bytes */
    int64_t w, h;
    if (gv_le32(p + 14) == 12) {
        w = gv_le16(p + 18);
        h = gv_le16(p + 20);
    } else {
        w = (int32_t)gv_le32(p + 18);
        h = (int32_t)gv_le32(p + 22);
        h = h < 0 ? -h : h; /* rows from the top */
    }
    if (w < 1 || h < 1)
        return gv_fail(err, GV_EDATA, "BMP claims an empty image");
    *s = (gv_sample){ .dtype = GV_U8, .ndim = 3, .shape = { h, w, 3 } };
    return GV_OK;
}

static int decode(const uint8_t *p, size_t n, gv_sample *s, const gv_region *part, size_t max_output, gv_arena *arena, gv_err *err)
{
    gv_sample shape;
    (void)part;
    (void)max_output;
    if (header(p, n, &shape, err) < 0)
        return GV_EDATA;
    /* Uncompressed rows have a known length; a run-length file names its own size. */
    uint32_t start = gv_le32(p + 10), head = gv_le32(p + 14), coding = head >= 40 && n >= 34 ? gv_le32(p + 30) : 0;
    uint64_t depth = head == 12 ? gv_le16(p + 24) : n >= 30 ? gv_le16(p + 28) : 0;
    uint64_t pixels = coding == 0 || coding == 3 ? ((uint64_t)shape.shape[1] * depth + 31) / 32 * 4 * (uint64_t)shape.shape[0] : n >= 38 ? gv_le32(p + 34) : 0;
    if (start > n || pixels > n - start)
        return gv_fail(err, GV_EDATA, "BMP ends after %zu bytes", n);
    return gv_lav_image(AV_CODEC_ID_BMP, "BMP", p, n, &shape, s, arena, err);
}

const gv_format gv_format_bmp = {
    .name = "bmp", .summary = "Windows bitmap",
    .suffixes = (const char *const[]){ ".bmp", ".dib", NULL },
    .sniff = sniff, .header = header, .decode = decode,
};
