/* png: every colour type and depth, interlaced or not. Palettes become RGB, alpha is dropped, 16 bits stay 16 (Pillow clips
 * grey ones at 255 and keeps the high byte of coloured ones). The first image of an animated PNG.
 * Read here and not by FFmpeg, which takes a stream that inflates to too few rows for a whole image, and inflates slower.
 * Source: W3C PNG specification (third edition), chapters 5, 7 to 11. */
#include "formats/format.h"
#include "formats/png.h"
#include <inttypes.h>
#include <libdeflate.h>

static const uint8_t magic[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };

enum { MAX_RATIO = 1040 }; /* deflate gains 1032 at most */

struct png {
    uint32_t w, h;
    int depth, colour, samples; /* samples: of a pixel in the file */
    bool interlaced;
    const uint8_t *palette;
    uint32_t colours;
    uint8_t *packed;            /* all IDAT chunks as one */
    size_t n;
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 8 && !memcmp(p, magic, 8);
}

static int read_header(const uint8_t *p, size_t n, struct png *g, gv_err *err)
{
    static const int samples[7] = { 1, 0, 3, 1, 2, 0, 4 };
    *g = (struct png){ 0 };
    if (n < 33 || memcmp(p + 12, "IHDR", 4))
        return gv_fail(err, GV_EDATA, "PNG ends after %zu bytes", n);
    g->w = be32(p + 16);
    g->h = be32(p + 20);
    g->depth = p[24];
    g->colour = p[25];
    g->interlaced = p[28];
    g->samples = g->colour < 7 ? samples[g->colour] : 0;
    bool low = g->depth == 1 || g->depth == 2 || g->depth == 4, known = g->depth == 8 || (g->depth == 16 && g->colour != 3) || (low && (g->colour == 0 || g->colour == 3));
    if (!g->samples || !known || p[26] || p[27] || p[28] > 1)
        return gv_fail(err, GV_EDATA, "PNG has colour type %d with %d bits, compression %d, filter %d and interlace %d, which the format does not define", g->colour, g->depth, p[26], p[27], p[28]);
    return GV_OK;
}

static gv_sample shape_of(const struct png *g)
{
    return (gv_sample){ .dtype = g->depth == 16 ? GV_U16 : GV_U8, .ndim = 3, .shape = { g->h, g->w, g->colour == 0 || g->colour == 4 ? 1 : 3 } };
}

static int header(const uint8_t *p, size_t n, gv_sample *s, gv_err *err)
{
    struct png g;
    int r = read_header(p, n, &g, err);
    if (r == GV_OK)
        *s = shape_of(&g);
    return r;
}

/* All chunks, whole and with the right check sums, up to IEND. */
static int read_chunks(const uint8_t *p, size_t n, struct png *g, gv_arena *arena, gv_err *err)
{
    g->packed = gv_arena_alloc_dirty(arena, n, err);
    if (!g->packed)
        return GV_ESYS;
    for (size_t at = 8; n - at >= 12;) {
        uint32_t len = be32(p + at);
        const uint8_t *type = p + at + 4, *data = p + at + 8;
        if (len > n - at - 12)
            break;
        if (!(type[0] & 32) && libdeflate_crc32(0, type, 4 + (size_t)len) != be32(data + len))
            return gv_fail(err, GV_EDATA, "PNG is damaged: the check sum of its %.4s chunk at byte %zu is wrong", (const char *)type, at);
        if (!memcmp(type, "IEND", 4))
            return g->colour == 3 && !g->colours ? gv_fail(err, GV_EDATA, "PNG is damaged: it has no palette") : GV_OK;
        if (!memcmp(type, "IDAT", 4)) {
            memcpy(g->packed + g->n, data, len);
            g->n += len;
        } else if (!memcmp(type, "PLTE", 4)) {
            g->palette = data;
            g->colours = len / 3;
        }
        at += 12 + (size_t)len;
    }
    return gv_fail(err, GV_EDATA, "PNG ends after %zu bytes", n);
}

/* ---- filters: bytes of a row from those before and above ---- */

GV_HOT static void png_up(uint8_t *restrict row, const uint8_t *restrict above, size_t n)
{
    for (size_t i = 0; i < n; i++)
        row[i] = (uint8_t)(row[i] + above[i]);
}

static inline void sub(uint8_t *row, size_t n, size_t bpp)
{
    for (size_t i = bpp; i < n; i++)
        row[i] = (uint8_t)(row[i] + row[i - bpp]);
}

static inline void average(uint8_t *row, const uint8_t *above, size_t n, size_t bpp)
{
    for (size_t i = 0; i < bpp; i++)
        row[i] = (uint8_t)(row[i] + above[i] / 2);
    for (size_t i = bpp; i < n; i++)
        row[i] = (uint8_t)(row[i] + (row[i - bpp] + above[i]) / 2);
}

static inline void paeth(uint8_t *row, const uint8_t *above, size_t n, size_t bpp)
{
    for (size_t k = 0; k < bpp; k++) { /* one sample of the pixel after the other: left and corner stay in registers */
        int a = 0, c = 0;
        for (size_t i = k; i < n; i += bpp) {
            int b = above[i], pa = b - c, pb = a - c, pc = pa + pb;
            pa = pa < 0 ? -pa : pa;
            pb = pb < 0 ? -pb : pb;
            pc = pc < 0 ? -pc : pc;
            int near = pb < pa ? b : a, least = pb < pa ? pb : pa;
            near = pc < least ? c : near;
            c = b;
            a = (row[i] + near) & 255;
            row[i] = (uint8_t)a;
        }
    }
}

static inline void filter(int type, uint8_t *row, const uint8_t *above, size_t n, size_t bpp)
{
    if (type == 1)
        sub(row, n, bpp);
    else if (type == 3)
        average(row, above, n, bpp);
    else if (type == 4)
        paeth(row, above, n, bpp);
}

static int unfilter(int type, uint8_t *row, const uint8_t *above, size_t n, size_t bpp)
{
    if (type > 4)
        return -1;
    if (type == 2)
        png_up(row, above, n);
    else if (bpp == 3)
        filter(type, row, above, n, 3);
    else if (bpp == 4)
        filter(type, row, above, n, 4);
    else if (bpp == 1)
        filter(type, row, above, n, 1);
    else
        filter(type, row, above, n, bpp);
    return 0;
}

/* ---- rows of the file to rows of the sample ---- */

static void expand(const struct png *g, const uint8_t *in, uint8_t *out, size_t w)
{
    size_t s = (size_t)g->samples, c = g->colour == 0 || g->colour == 4 ? 1 : 3;
    if (g->depth == 16) {
        uint16_t *to = (uint16_t *)(void *)out;
        for (size_t x = 0; x < w; x++, in += 2 * s)
            for (size_t k = 0; k < c; k++)
                *to++ = (uint16_t)(in[2 * k] << 8 | in[2 * k + 1]);
    } else if (g->colour == 3) {
        static const uint8_t black[3];
        int bits = g->depth, max = (1 << bits) - 1;
        for (size_t x = 0; x < w; x++, out += 3) {
            size_t at = x * (size_t)bits;
            unsigned v = (unsigned)(in[at / 8] >> (8 - bits - (int)(at % 8)) & max);
            memcpy(out, v < g->colours ? g->palette + 3 * v : black, 3);
        }
    } else if (g->depth < 8) {
        int bits = g->depth, max = (1 << bits) - 1;
        for (size_t x = 0; x < w; x++) {
            size_t at = x * (size_t)bits;
            out[x] = (uint8_t)((in[at / 8] >> (8 - bits - (int)(at % 8)) & max) * 255 / max);
        }
    } else if (s == c)
        memcpy(out, in, w * c);
    else if (s == 4)
        for (size_t x = 0; x < w; x++) {
            out[3 * x] = in[4 * x];
            out[3 * x + 1] = in[4 * x + 1];
            out[3 * x + 2] = in[4 * x + 2];
        }
    else
        for (size_t x = 0; x < w; x++)
            out[x] = in[2 * x];
}

struct pass { uint32_t x0, y0, dx, dy, w, h; size_t row; }; /* row: bytes without the filter's */

static int passes_of(const struct png *g, struct pass out[7])
{
    static const uint8_t adam7[7][4] = { { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 }, { 0, 2, 2, 4 }, { 1, 0, 2, 2 }, { 0, 1, 1, 2 } };
    static const uint8_t one[4] = { 0, 0, 1, 1 };
    int n = 0;
    for (int i = 0; i < (g->interlaced ? 7 : 1); i++) {
        const uint8_t *a = g->interlaced ? adam7[i] : one;
        struct pass p = { a[0], a[1], a[2], a[3], g->w > a[0] ? (g->w - a[0] + a[2] - 1) / a[2] : 0, g->h > a[1] ? (g->h - a[1] + a[3] - 1) / a[3] : 0, 0 };
        p.row = ((size_t)p.w * (size_t)(g->samples * g->depth) + 7) / 8;
        if (p.w && p.h)
            out[n++] = p;
    }
    return n;
}

/* raw: the rows of one pass, each behind its filter's number; zero: a row of zeros. Returns the bytes used, 0 for a bad filter. */
static size_t read_pass(const struct png *g, const struct pass *p, uint8_t *raw, const uint8_t *zero, uint8_t *line, gv_sample *s)
{
    size_t pixel = (size_t)s->shape[2] * gv_dtype_of(s->dtype)->size, bpp = (size_t)(g->samples * g->depth + 7) / 8;
    const uint8_t *above = zero;
    uint8_t *start = raw;
    for (uint32_t y = 0; y < p->h; y++, raw += p->row + 1) {
        if (unfilter(raw[0], raw + 1, above, p->row, bpp) < 0)
            return 0;
        above = raw + 1;
        uint8_t *out = (uint8_t *)s->data + (size_t)(p->y0 + y * p->dy) * g->w * pixel;
        if (!g->interlaced) {
            expand(g, above, out, p->w);
            continue;
        }
        expand(g, above, line, p->w);
        for (size_t x = 0; x < p->w; x++)
            memcpy(out + (p->x0 + x * p->dx) * pixel, line + x * pixel, pixel);
    }
    return (size_t)(raw - start);
}

static int inflate(const struct png *g, uint8_t *raw, size_t want, gv_err *err)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    size_t got = 0;
    if (!d)
        return gv_fail(err, GV_ESYS, "out of memory for inflating PNG");
    enum libdeflate_result q = libdeflate_zlib_decompress(d, g->packed, g->n, raw, want, &got);
    libdeflate_free_decompressor(d);
    if (q == LIBDEFLATE_INSUFFICIENT_SPACE)
        return gv_fail(err, GV_EDATA, "PNG is damaged: it holds more than the %zu bytes of its %" PRIu32 " x %" PRIu32 " pixels", want, g->h, g->w);
    if (q != LIBDEFLATE_SUCCESS)
        return gv_fail(err, GV_EDATA, "PNG is damaged: its %zu bytes of pixels do not inflate", g->n);
    if (got != want)
        return gv_fail(err, GV_EDATA, "PNG is cut: it holds %zu of the %zu bytes of its %" PRIu32 " x %" PRIu32 " pixels", got, want, g->h, g->w);
    return GV_OK;
}

static int decode(const uint8_t *p, size_t n, gv_sample *s, const gv_region *part, size_t max_output, gv_arena *arena, gv_err *err)
{
    struct png g;
    struct pass passes[7];
    (void)part;
    (void)max_output;
    int r = read_header(p, n, &g, err);
    if (r < 0)
        return r;
    int np = passes_of(&g, passes);
    size_t want = 0, line = (size_t)g.w * 8 + 8;
    for (int i = 0; i < np; i++)
        want += (passes[i].row + 1) * passes[i].h;
    if (want / MAX_RATIO > n)
        return gv_fail(err, GV_EDATA, "PNG of %zu bytes cannot hold the %" PRIu32 " x %" PRIu32 " pixels its header claims", n, g.h, g.w);
    gv_sample shape = shape_of(&g), x;
    if ((r = gv_sample_init(&x, shape.dtype, 3, shape.shape, arena, err)) < 0)
        return r;
    size_t mark = arena->used;
    if ((r = read_chunks(p, n, &g, arena, err)) < 0)
        return r;
    uint8_t *raw = gv_arena_alloc_dirty(arena, want + 8, err), *rows = raw ? gv_arena_alloc(arena, 2 * line, err) : NULL;
    if (!rows)
        return GV_ESYS;
    if ((r = inflate(&g, raw, want, err)) < 0)
        return r;
    for (int i = 0; i < np; i++) {
        size_t used = read_pass(&g, &passes[i], raw, rows, rows + line, &x);
        if (!used)
            return gv_fail(err, GV_EDATA, "PNG is damaged: it names a filter that does not exist");
        raw += used;
    }
    gv_arena_rewind(arena, mark);
    *s = x;
    return GV_OK;
}

const gv_format gv_format_png = {
    .name = "png", .summary = "PNG, 1 to 16 bits",
    .suffixes = (const char *const[]){ ".png", ".apng", NULL },
    .sniff = sniff, .header = header, .decode = decode, .encode = gv_png_encode,
};
