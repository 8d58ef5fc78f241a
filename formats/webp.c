/* webp: lossy and lossless still images, as RGB. Lossy colours are computed as libwebp does, so that pixels equal Pillow's.
 * Source: WebP container specification; RFC 6386 (VP8); libwebp's smooth upsampling, as behaviour. */
#include "formats/lavimage.h"

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 30 && !memcmp(p, "RIFF", 4) && !memcmp(p + 8, "WEBP", 4);
}

static int header(const uint8_t *p, size_t n, gv_sample *s, gv_err *err)
{
    (void)n; /* sniff has seen 30 bytes */
    int64_t w, h;
    if (!memcmp(p + 12, "VP8 ", 4)) {
        w = gv_le16(p + 26) & 0x3fff;
        h = gv_le16(p + 28) & 0x3fff;
    } else if (!memcmp(p + 12, "VP8L", 4)) {
        uint32_t v = gv_le32(p + 21);
        w = (v & 0x3fff) + 1;
        h = (v >> 14 & 0x3fff) + 1;
    } else if (!memcmp(p + 12, "VP8X", 4)) {
        if (p[20] & 2)
            return gv_fail(err, GV_EDATA, "animated WebP is not read");
        w = (int64_t)gv_le24(p + 24) + 1;
        h = (int64_t)gv_le24(p + 27) + 1;
    } else
        return gv_fail(err, GV_EDATA, "WebP begins with an unknown chunk");
    if (w < 1 || h < 1)
        return gv_fail(err, GV_EDATA, "WebP claims an empty image");
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
    if ((uint64_t)gv_le32(p + 4) + 8 > n)
        return gv_fail(err, GV_EDATA, "WebP ends after %zu bytes", n);
    return gv_lav_image(AV_CODEC_ID_WEBP, "WebP", p, n, &shape, s, arena, err);
}

static inline uint8_t clip(int v)
{
    v >>= 6;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static inline void pixel(int y, int u, int v, uint8_t *out)
{
    int l = y * 19077 >> 8;
    out[0] = clip(l + (v * 26149 >> 8) - 14234);
    out[1] = clip(l - (u * 6419 >> 8) - (v * 13320 >> 8) + 8708);
    out[2] = clip(l + (u * 33050 >> 8) - 17685);
}

/* Chroma of luma column x from its nearer and farther chroma rows: 9 3 3 1 sixteenths, rounded in two steps. */
static inline int smooth(const uint8_t *near, const uint8_t *far, int64_t x, int64_t w)
{
    int64_t a = x >> 1, b = x & 1 ? a + 1 : a - 1;
    if (b < 0 || b >= (w + 1) / 2)
        return (3 * near[a] + far[a] + 2) >> 2;
    int sum = near[a] + near[b] + far[a] + far[b] + 8;
    return (((sum + 2 * (near[b] + far[a])) >> 3) + near[a]) >> 1;
}

void gv_webp_rgb(const uint8_t *const plane[3], const int stride[3], uint8_t *out, int64_t h, int64_t w)
{
    for (int64_t y = 0; y < h; y++) {
        int64_t a = y >> 1, b = y & 1 ? a + 1 : a - 1;
        if (b < 0 || b >= (h + 1) / 2)
            b = a;
        const uint8_t *l = plane[0] + y * stride[0], *un = plane[1] + a * stride[1], *uf = plane[1] + b * stride[1];
        const uint8_t *vn = plane[2] + a * stride[2], *vf = plane[2] + b * stride[2];
        for (int64_t x = 0; x < w; x++, out += 3)
            pixel(l[x], smooth(un, uf, x, w), smooth(vn, vf, x, w), out);
    }
}

const gv_format gv_format_webp = {
    .name = "webp", .summary = "WebP, lossy and lossless, still",
    .suffixes = (const char *const[]){ ".webp", NULL },
    .sniff = sniff, .header = header, .decode = decode,
};
