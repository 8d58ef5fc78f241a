/* png: every colour type and depth, interlaced or not. Palettes become RGB, alpha is dropped, 16 bits stay 16 (Pillow clips
 * grey ones at 255 and keeps the high byte of coloured ones). The first image of an animated PNG.
 * Source: W3C PNG specification, chapters 5 and 11. */
#include "formats/lavimage.h"
#include <inttypes.h>

static const uint8_t magic[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 8 && !memcmp(p, magic, 8);
}

static int header(const uint8_t *p, size_t n, gv_sample *s, gv_err *err)
{
    if (n < 33 || memcmp(p + 12, "IHDR", 4))
        return gv_fail(err, GV_EDATA, "PNG ends after %zu bytes", n);
    uint32_t w = gv_be32(p + 16), h = gv_be32(p + 20);
    int depth = p[24], colour = p[25];
    bool known = colour == 0 || colour == 2 || colour == 3 || colour == 4 || colour == 6;
    if (!known || !(depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16))
        return gv_fail(err, GV_EDATA, "PNG has colour type %d with %d bits, which the format does not define", colour, depth);
    *s = (gv_sample){ .dtype = depth == 16 ? GV_U16 : GV_U8, .ndim = 3, .shape = { h, w, colour == 0 || colour == 4 ? 1 : 3 } };
    return GV_OK;
}

/* Every chunk whole, up to IEND: decoders are content with less. */
static int whole(const uint8_t *p, size_t n, gv_err *err)
{
    for (size_t at = 8; n - at >= 12;) {
        uint32_t len = gv_be32(p + at);
        if (len > n - at - 12)
            break;
        if (!memcmp(p + at + 4, "IEND", 4))
            return GV_OK;
        at += 12 + (size_t)len;
    }
    return gv_fail(err, GV_EDATA, "PNG ends after %zu bytes", n);
}

static int decode(const uint8_t *p, size_t n, gv_sample *s, const gv_region *part, size_t max_output, gv_arena *arena, gv_err *err)
{
    gv_sample shape;
    (void)part;
    (void)max_output;
    if (header(p, n, &shape, err) < 0 || whole(p, n, err) < 0)
        return GV_EDATA;
    return gv_lav_image(AV_CODEC_ID_PNG, "PNG", p, n, &shape, s, arena, err);
}

const gv_format gv_format_png = {
    .name = "png", .summary = "PNG, 1 to 16 bits",
    .suffixes = (const char *const[]){ ".png", ".apng", NULL },
    .sniff = sniff, .header = header, .decode = decode,
};
