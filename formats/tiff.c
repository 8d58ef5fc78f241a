/* tiff: strips and tiles, chunky and planar, grey, RGB, palette, CMYK, YCbCr in JPEG; 1 to 64 bits, whole numbers and floats.
 * 8-bit and 1-bit files give Pillow's pixels; 2 and 4 bits are scaled to 8, wider samples keep their type. The first page,
 * or all of equal shape as a volume: pages are D; those of an ImageJ stack with channels go round through them.
 * libtiff takes no single allocation above the limit, reads from memory only, and says nothing itself.
 * Source: TIFF 6.0 specification. */
#include "formats/scan.h"
#include <inttypes.h>
#include <stdio.h>
#include <tiffio.h>

struct memory { const uint8_t *p; uint64_t n, at; gv_err *err; bool said; bool dry; };

static tmsize_t mem_read(thandle_t h, void *to, tmsize_t n)
{
    struct memory *m = h;
    uint64_t left = m->at < m->n ? m->n - m->at : 0;
    uint64_t k = n < 0 ? 0 : (uint64_t)n > left ? left : (uint64_t)n;
    m->dry = m->dry || k < (uint64_t)(n < 0 ? 0 : n);
    memcpy(to, m->p + (k ? m->at : 0), (size_t)k);
    m->at += k;
    return (tmsize_t)k;
}

static tmsize_t mem_write(thandle_t h, void *p, tmsize_t n)
{
    (void)h;
    (void)p;
    (void)n;
    return -1;
}

static toff_t mem_seek(thandle_t h, toff_t to, int whence)
{
    struct memory *m = h;
    m->at = whence == SEEK_SET ? to : whence == SEEK_CUR ? m->at + to : m->n + to;
    return m->at;
}

static int mem_close(thandle_t h)
{
    (void)h;
    return 0;
}

static toff_t mem_size(thandle_t h)
{
    return ((struct memory *)h)->n;
}

static int quiet(TIFF *t, void *user, const char *module, const char *fmt, va_list ap)
{
    (void)t;
    (void)user;
    (void)module;
    (void)fmt;
    (void)ap;
    return 1;
}

/* The first thing libtiff complains of is the reason. */
static int complain(TIFF *t, void *user, const char *module, const char *fmt, va_list ap)
{
    struct memory *m = user;
    char text[300];
    (void)t;
    (void)module;
    if (!m->said) {
        vsnprintf(text, sizeof text, fmt, ap);
        size_t n = strlen(text);
        if (n && text[n - 1] == '.')
            text[n - 1] = 0;
        gv_fail(m->err, GV_EDATA, "TIFF is damaged: %s", text);
        m->said = true;
    }
    return 1;
}

static TIFF *open_memory(struct memory *m, size_t max_output)
{
    TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
    if (!o)
        return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(o, (tmsize_t)(max_output + (1 << 20)));
    TIFFOpenOptionsSetErrorHandlerExtR(o, complain, m);
    TIFFOpenOptionsSetWarningHandlerExtR(o, quiet, m);
    /* M: bytes are copied, not mapped; h: the directory is not read before the handlers are known */
    TIFF *t = TIFFClientOpenExt("TIFF", "rm", m, mem_read, mem_write, mem_seek, mem_close, mem_size, NULL, NULL, o);
    TIFFOpenOptionsFree(o);
    if (!t && !m->said)
        gv_fail(m->err, GV_EDATA, "TIFF ends after %" PRIu64 " bytes", m->n);
    return t;
}

struct page {
    uint32_t w, h;
    uint16_t bits, samples, format, planar, photometric, compression;
    uint16_t *palette[3];
    bool tiled;
    gv_dtype stored, dtype; /* as in the file (bits of 8 and more), as given */
    int64_t channels;       /* as given */
};

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 8 && (!memcmp(p, "II*\0", 4) || !memcmp(p, "MM\0*", 4) || !memcmp(p, "II+\0", 4) || !memcmp(p, "MM\0+", 4));
}

static int stored_type(const struct page *g)
{
    switch (g->format == SAMPLEFORMAT_IEEEFP ? 100 + g->bits : g->format == SAMPLEFORMAT_INT ? 200 + g->bits : g->format == SAMPLEFORMAT_UINT || g->format == SAMPLEFORMAT_VOID ? g->bits : 0) {
    case 1: case 2: case 4: case 8: return GV_U8;
    case 16: return GV_U16;
    case 32: return GV_U32;
    case 64: return GV_U64T;
    case 116: return GV_F16;
    case 132: return GV_F32T;
    case 164: return GV_F64T;
    case 208: return GV_I8;
    case 216: return GV_I16;
    case 232: return GV_I32;
    case 264: return GV_I64T;
    }
    return -1;
}

static int read_page(TIFF *t, struct page *g, gv_err *err)
{
    memset(g, 0, sizeof *g);
    if (!TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &g->w) || !TIFFGetField(t, TIFFTAG_IMAGELENGTH, &g->h))
        return gv_fail(err, GV_EDATA, "TIFF does not say its width and height");
    TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &g->bits);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &g->samples);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &g->format);
    TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &g->planar);
    TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &g->compression);
    if (!TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &g->photometric))
        g->photometric = g->samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
    g->tiled = TIFFIsTiled(t);
    if (g->samples < 1 || g->samples > GV_MAX_CHANNELS)
        return gv_fail(err, GV_EDATA, "the header claims %d samples per pixel; 1 to %d are read", g->samples, GV_MAX_CHANNELS);
    int type = stored_type(g);
    if (type < 0)
        return gv_fail(err, GV_EDATA, "TIFF with %d bits of sample format %d is not read", g->bits, g->format);
    if (g->bits < 8 && g->samples > 1)
        return gv_fail(err, GV_EDATA, "TIFF with %d samples of %d bits is not read", g->samples, g->bits);
    g->stored = g->dtype = (gv_dtype)type;
    g->channels = g->samples;
    switch (g->photometric) {
    case PHOTOMETRIC_MINISWHITE: case PHOTOMETRIC_MINISBLACK: /* a second sample is alpha */
        if (g->samples == 2)
            g->channels = 1;
        break;
    case PHOTOMETRIC_RGB:
        if (g->samples == 4)
            g->channels = 3;
        break;
    case PHOTOMETRIC_YCBCR:
        if (g->compression != COMPRESSION_JPEG || g->samples != 3 || g->bits != 8)
            return gv_fail(err, GV_EDATA, "TIFF with YCbCr colours outside JPEG is not read");
        TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        break;
    case PHOTOMETRIC_SEPARATED:
        if (g->samples < 4 || g->bits != 8 || g->dtype != GV_U8)
            return gv_fail(err, GV_EDATA, "TIFF with %d inks of %d bits is not read", g->samples, g->bits);
        g->channels = 3;
        break;
    case PHOTOMETRIC_PALETTE:
        if (g->samples != 1 || g->bits > 8 || !TIFFGetField(t, TIFFTAG_COLORMAP, &g->palette[0], &g->palette[1], &g->palette[2]))
            return gv_fail(err, GV_EDATA, "TIFF has %d samples of %d bits and no palette for them", g->samples, g->bits);
        g->channels = 3;
        break;
    default:
        return gv_fail(err, GV_EDATA, "TIFF with photometric interpretation %d is not read", g->photometric);
    }
    return GV_OK;
}

static gv_sample shape_of(const struct page *g)
{
    return (gv_sample){ .dtype = g->dtype, .ndim = 3, .shape = { g->h, g->w, g->channels } };
}

static int header(const uint8_t *p, size_t n, gv_sample *s, gv_err *err)
{
    struct memory m = { .p = p, .n = n, .err = err };
    struct page g;
    TIFF *t = open_memory(&m, GV_MAX_OUTPUT);
    if (!t)
        return GV_EDATA;
    int r = read_page(t, &g, err);
    TIFFClose(t);
    if (r == GV_OK)
        *s = shape_of(&g);
    return r;
}

/* A run of w pixels of one row as it lies in the file (`in`, bits packed) to the sample; k0: first channel of a plane. */
static void put(const struct page *g, const uint8_t *in, uint8_t *out, int64_t w, int planes, int64_t k0)
{
    int64_t c = g->channels;
    if (g->bits < 8) {
        int max = (1 << g->bits) - 1;
        for (int64_t x = 0; x < w; x++) {
            int shift = 8 - g->bits - (int)(x * g->bits % 8), v = in[x * g->bits / 8] >> shift & max;
            if (g->palette[0])
                for (int k = 0; k < 3; k++)
                    out[3 * x + k] = (uint8_t)(g->palette[k][v] >> 8);
            else
                out[x] = (uint8_t)(v * 255 / max);
        }
    } else if (g->palette[0]) {
        for (int64_t x = 0; x < w; x++)
            for (int k = 0; k < 3; k++)
                out[3 * x + k] = (uint8_t)(g->palette[k][in[x]] >> 8);
    } else if (g->photometric == PHOTOMETRIC_SEPARATED && planes == 1) {
        for (int64_t x = 0; x < w; x++, in += g->samples)
            for (int k = 0; k < 3; k++) {
                unsigned nk = 255u - in[3], v = in[k] * nk + 128;
                int rest = (int)nk - (int)(((v >> 8) + v) >> 8);
                out[3 * x + k] = (uint8_t)(rest < 0 ? 0 : rest);
            }
    } else {
        size_t e = gv_dtype_of(g->stored)->size, from = planes > 1 ? e : e * g->samples, many = planes > 1 ? e : e * (size_t)c;
        if (planes == 1 && from == many)
            memcpy(out, in, many * (size_t)w);
        else
            for (int64_t x = 0; x < w; x++)
                memcpy(out + ((size_t)x * (size_t)c + (size_t)k0) * e, in + (size_t)x * from, many);
    }
}

static void invert(gv_sample *s)
{
    size_t n = gv_sample_bytes(s);
    if (s->dtype == GV_U8)
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)s->data)[i] ^= 0xff;
    else if (s->dtype == GV_U16)
        for (size_t i = 0; i < n / 2; i++)
            ((uint16_t *)s->data)[i] ^= 0xffff;
}

struct blocks { uint32_t w, h; tmsize_t bytes, row; uint8_t *buf; };

static int read_blocks(TIFF *t, const struct page *g, const struct blocks *b, gv_sample *s)
{
    int planes = g->planar == PLANARCONFIG_SEPARATE && g->samples > 1 ? (int)(g->channels) : 1;
    size_t pixel = (size_t)g->channels * gv_dtype_of(g->dtype)->size;
    for (int k = 0; k < planes; k++)
        for (uint32_t y = 0; y < g->h; y += b->h)
            for (uint32_t x = 0; x < g->w; x += b->w) {
                uint32_t rows = g->h - y < b->h ? g->h - y : b->h, cols = g->w - x < b->w ? g->w - x : b->w;
                tmsize_t want = b->row * (tmsize_t)rows;
                tmsize_t got = g->tiled ? TIFFReadEncodedTile(t, TIFFComputeTile(t, x, y, 0, (uint16_t)k), b->buf, b->bytes)
                                        : TIFFReadEncodedStrip(t, TIFFComputeStrip(t, y, (uint16_t)k), b->buf, b->bytes);
                if (got < (g->tiled ? b->bytes : want))
                    return -1;
                for (uint32_t i = 0; i < rows; i++)
                    put(g, b->buf + (size_t)i * (size_t)b->row, (uint8_t *)s->data + ((size_t)(y + i) * g->w + x) * pixel, cols, planes, k);
            }
    return 0;
}

static int decode_page(TIFF *t, const struct memory *m, gv_sample *s, size_t max_output, gv_arena *arena, gv_err *err)
{
    struct page g;
    int r = read_page(t, &g, err);
    if (r < 0)
        return r;
    gv_sample x = shape_of(&g);
    if ((r = gv_shape_check(&x, max_output, err)) < 0)
        return r;
    if (g.photometric == PHOTOMETRIC_SEPARATED && g.planar == PLANARCONFIG_SEPARATE)
        return gv_fail(err, GV_EDATA, "TIFF with inks in separate planes is not read");
    struct blocks b = { .w = g.w, .h = g.h };
    if (g.tiled) {
        if (!TIFFGetField(t, TIFFTAG_TILEWIDTH, &b.w) || !TIFFGetField(t, TIFFTAG_TILELENGTH, &b.h))
            return gv_fail(err, GV_EDATA, "TIFF does not say how large its tiles are");
        b.bytes = TIFFTileSize(t);
        b.row = TIFFTileRowSize(t);
    } else {
        TIFFGetFieldDefaulted(t, TIFFTAG_ROWSPERSTRIP, &b.h);
        b.h = b.h > g.h ? g.h : b.h;
        b.bytes = TIFFStripSize(t);
        b.row = TIFFScanlineSize(t);
    }
    size_t least = ((size_t)b.w * g.bits * (g.planar == PLANARCONFIG_SEPARATE ? 1u : g.samples) + 7) / 8;
    if (!b.w || !b.h || b.bytes <= 0 || b.row <= 0 || (size_t)b.row < least || (uint64_t)b.bytes / (uint64_t)b.row < (b.h < g.h ? b.h : g.h) ||
        (size_t)b.bytes > max_output)
        return gv_fail(err, GV_EDATA, "TIFF has blocks of %" PRIu32 " x %" PRIu32 " pixels (%" PRId64 " bytes), which cannot be", b.h, b.w, (int64_t)b.bytes);
    if ((r = gv_sample_init(&x, x.dtype, 3, x.shape, arena, err)) < 0)
        return r;
    size_t mark = arena->used;
    if (!(b.buf = gv_arena_alloc(arena, (size_t)b.bytes, err)))
        return GV_ESYS;
    if (read_blocks(t, &g, &b, &x) < 0 || m->said)
        return m->said ? GV_EDATA : gv_fail(err, GV_EDATA, "TIFF ends after %" PRIu64 " bytes", m->n);
    gv_arena_rewind(arena, mark);
    if (g.photometric == PHOTOMETRIC_MINISWHITE)
        invert(&x);
    *s = x;
    return GV_OK;
}

static int decode(const uint8_t *p, size_t n, gv_sample *s, const gv_region *part, size_t max_output, gv_arena *arena, gv_err *err)
{
    struct memory m = { .p = p, .n = n, .err = err };
    (void)part;
    TIFF *t = open_memory(&m, max_output);
    if (!t)
        return GV_EDATA;
    int r = decode_page(t, &m, s, max_output, arena, err);
    TIFFClose(t);
    return r;
}

/* ---- volumes ---- */

/* Reduced images and masks beside a page are no page. */
static bool is_page(TIFF *t)
{
    uint32_t kind = 0;
    TIFFGetFieldDefaulted(t, TIFFTAG_SUBFILETYPE, &kind);
    return !(kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK));
}

/* "channels=2" in what ImageJ says of a stack, where its pages go round; otherwise 1. */
static int64_t imagej_channels(TIFF *t)
{
    char *text = NULL;
    if (!TIFFGetField(t, TIFFTAG_IMAGEDESCRIPTION, &text) || !text || strncmp(text, "ImageJ=", 7))
        return 1;
    const char *c = strstr(text, "\nchannels=");
    long n = c ? strtol(c + 10, NULL, 10) : 1;
    return n < 1 || n > GV_MAX_CHANNELS ? 1 : n;
}

static int64_t count_pages(TIFF *t)
{
    int64_t n = 0;
    do
        n += is_page(t);
    while (n <= GV_MAX_SIDE && TIFFReadDirectory(t));
    return TIFFSetDirectory(t, 0) ? n : -1;
}

/* Page i goes to slice i / k, channels from i % k of its own many on. */
static int add_page(gv_sample *v, const gv_sample *page, int64_t i, int64_t k)
{
    size_t e = gv_dtype_of(v->dtype)->size, own = (size_t)page->shape[2] * e, voxel = own * (size_t)k, n = (size_t)(v->shape[1] * v->shape[2]);
    uint8_t *to = (uint8_t *)v->data + (size_t)(i / k) * n * voxel + (size_t)(i % k) * own;
    const uint8_t *from = page->data;
    if (page->dtype != v->dtype || page->shape[0] != v->shape[1] || page->shape[1] != v->shape[2] || page->shape[2] * k != v->shape[3])
        return -1;
    if (k == 1)
        memcpy(to, from, n * voxel);
    else
        for (size_t j = 0; j < n; j++)
            memcpy(to + j * voxel, from + j * own, own);
    return 0;
}

static int read_pages(TIFF *t, struct memory *m, size_t max_output, gv_sample *v, gv_arena *arena, gv_err *err)
{
    int64_t pages = count_pages(t), k = imagej_channels(t), i = 0;
    struct page g;
    if (m->said || pages < 1 || pages > GV_MAX_SIDE)
        return m->said ? GV_EDATA : gv_fail(err, GV_EDATA, "TIFF has %s pages", pages < 1 ? "no" : "too many");
    if (pages % k)
        k = 1;
    int r = read_page(t, &g, err);
    if (r < 0)
        return r;
    *v = (gv_sample){ .dtype = g.dtype, .ndim = 4, .shape = { pages / k, g.h, g.w, g.channels * k } };
    if ((r = gv_shape_check(v, max_output, err)) < 0 || (r = gv_sample_init(v, v->dtype, 4, v->shape, arena, err)) < 0)
        return r;
    while (i < pages) {
        size_t mark = arena->used;
        gv_sample page;
        if (is_page(t)) {
            if ((r = decode_page(t, m, &page, max_output, arena, err)) < 0)
                return gv_fail_in(err, "page %" PRId64, i);
            if (add_page(v, &page, i, k) < 0)
                return gv_fail(err, GV_EDATA, "TIFF page %" PRId64 " is %" PRId64 " x %" PRId64 " x %" PRId64 " %s, not as the first", i, page.shape[0], page.shape[1], page.shape[2], gv_dtype_of(page.dtype)->name);
            gv_arena_rewind(arena, mark);
            i++;
        }
        if (i < pages && !TIFFReadDirectory(t))
            break;
    }
    return i == pages ? GV_OK : gv_fail(err, GV_EDATA, "TIFF ends after page %" PRId64 " of %" PRId64, i, pages);
}

static int volume(const uint8_t *p, size_t n, const gv_scan_options *o, gv_scan *v, gv_arena *arena, gv_err *err)
{
    struct memory m = { .p = p, .n = n, .err = err };
    TIFF *t = open_memory(&m, o->max_output);
    if (!t)
        return GV_EDATA;
    int r = read_pages(t, &m, o->max_output, &v->x, arena, err);
    if (r == GV_OK && m.dry) /* the place of a further page, say, which the library then takes for the end of the list */
        r = gv_fail(err, GV_EDATA, "TIFF ends after %zu bytes", n);
    TIFFClose(t);
    return r;
}

const gv_format gv_format_tiff = {
    .name = "tiff", .summary = "TIFF and BigTIFF: the first page as an image, all as a volume",
    .suffixes = (const char *const[]){ ".tif", ".tiff", NULL },
    .sniff = sniff, .header = header, .decode = decode, .volume = volume,
};
