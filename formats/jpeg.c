/* jpeg: baseline and progressive JPEG by libjpeg-turbo's classic interface, which can decode a part of an image.
 * Pixels are those of Pillow (same library, accurate DCT, smooth upsampling); grey stays one channel; CMYK and YCCK become
 * RGB as Pillow converts them, taking them for inverted as Adobe writes them. The usual photograph is decoded by
 * jpeg_baseline.c, faster and to the same pixels. */
#include "formats/format.h"
#include "formats/jpeg_baseline.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>

enum { MAX_SCANS = 500 }; /* writers use about ten; each costs the time of a whole image */

struct handler {
    struct jpeg_error_mgr mgr;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    gv_err *err;
    size_t n;
};

static void fatal(j_common_ptr c)
{
    struct handler *h = (struct handler *)c->err;
    char text[JMSG_LENGTH_MAX];
    c->err->format_message(c, text);
    if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
        text[0] = (char)(text[0] + 32);
    gv_fail(h->err, GV_EDATA, "%s", text);
    longjmp(h->back, 1);
}

static void quiet(j_common_ptr c, int level) /* damage inside the entropy-coded data is passed over, as Pillow does */
{
    (void)c;
    (void)level;
}

static void quiet_message(j_common_ptr c)
{
    (void)c;
}

static void count_scans(j_common_ptr c)
{
    struct handler *h = (struct handler *)c->err;
    if (((j_decompress_ptr)c)->input_scan_number > MAX_SCANS) {
        gv_fail(h->err, GV_EDATA, "JPEG has more than %d scans", MAX_SCANS);
        longjmp(h->back, 1);
    }
}

static boolean ends(j_decompress_ptr c)
{
    struct handler *h = (struct handler *)c->err;
    gv_fail(h->err, GV_EDATA, "JPEG ends after %zu bytes", h->n);
    longjmp(h->back, 1);
}

static void skip(j_decompress_ptr c, long n)
{
    if (n <= 0)
        return;
    if ((size_t)n > c->src->bytes_in_buffer)
        (void)ends(c);
    c->src->next_input_byte += n;
    c->src->bytes_in_buffer -= (size_t)n;
}

static void nothing(j_decompress_ptr c)
{
    (void)c;
}

static void begin(struct jpeg_decompress_struct *c, struct handler *h, struct jpeg_source_mgr *src, const uint8_t *p, size_t n, gv_err *err)
{
    c->err = jpeg_std_error(&h->mgr);
    h->mgr.error_exit = fatal;
    h->mgr.emit_message = quiet;
    h->mgr.output_message = quiet_message;
    h->err = err;
    h->n = n;
    *src = (struct jpeg_source_mgr){ .next_input_byte = p, .bytes_in_buffer = n, .init_source = nothing, .fill_input_buffer = ends,
                                     .skip_input_data = skip, .resync_to_restart = jpeg_resync_to_restart, .term_source = nothing };
}

static bool sniff(const uint8_t *p, size_t n)
{
    return n >= 3 && p[0] == 0xff && p[1] == 0xd8 && p[2] == 0xff;
}

static int header(const uint8_t *p, size_t n, gv_sample *s, gv_err *err)
{
    struct jpeg_decompress_struct c;
    struct handler h;
    struct jpeg_source_mgr src;
    begin(&c, &h, &src, p, n, err);
    if (setjmp(h.back)) {
        jpeg_destroy_decompress(&c);
        return GV_EDATA;
    }
    jpeg_create_decompress(&c);
    c.src = &src;
    (void)jpeg_read_header(&c, TRUE);
    int comps = c.num_components;
    *s = (gv_sample){ .dtype = GV_U8, .ndim = 3, .shape = { c.image_height, c.image_width, comps == 1 ? 1 : 3 } };
    jpeg_destroy_decompress(&c);
    if (comps != 1 && comps != 3 && comps != 4)
        return gv_fail(err, GV_EDATA, "JPEG has %d components; 1, 3 and 4 are read", comps);
    return GV_OK;
}

/* A part may be decoded without reading the rest, so the end is looked for first: cut files fail in either case. */
bool gv_jpeg_has_end(const uint8_t *p, size_t n)
{
    for (size_t i = n; i >= 2; i--)
        if (p[i - 1] == 0xd9 && p[i - 2] == 0xff)
            return true;
    return false;
}

GV_HOT static void cmyk_to_rgb(const uint8_t *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned k = in[4 * i + 3];
        for (int j = 0; j < 3; j++) {
            unsigned t = (255u - in[4 * i + j]) * k + 128;
            int v = (int)k - (int)(((t >> 8) + t) >> 8);
            out[3 * i + j] = (uint8_t)(v < 0 ? 0 : v);
        }
    }
}

struct target { uint8_t *out; size_t row; JSAMPROW line; };

/* Rows y0 … y0+h-1, columns x0 … x0+w-1. The decoder is moved to whole blocks: one of margin on each side, because smooth
 * upsampling looks at the neighbours. */
static void read_part(struct jpeg_decompress_struct *c, const gv_region *g, const struct target *t, int samples)
{
    JDIMENSION block_w = (JDIMENSION)(c->max_h_samp_factor * 8), block_h = (JDIMENSION)(c->max_v_samp_factor * 8);
    JDIMENSION x0 = (JDIMENSION)g->x, w = (JDIMENSION)g->w, y0 = (JDIMENSION)g->y;
    JDIMENSION from = x0 < 2 * block_w ? 0 : (x0 / block_w - 1) * block_w;
    JDIMENSION to = x0 + w + block_w > c->output_width ? c->output_width : (x0 + w + 2 * block_w) / block_w * block_w;
    to = to > c->output_width ? c->output_width : to;
    JDIMENSION wide = to - from;
    if (wide < c->output_width)
        jpeg_crop_scanline(c, &from, &wide);
    JDIMENSION skip_rows = y0 < 2 * block_h ? 0 : (y0 / block_h - 1) * block_h;
    if (skip_rows)
        (void)jpeg_skip_scanlines(c, skip_rows);
    JSAMPROW line = t->line;
    while (c->output_scanline < y0)
        (void)jpeg_read_scanlines(c, &line, 1);
    uint8_t *out = t->out;
    for (int64_t y = 0; y < g->h; y++, out += t->row) {
        (void)jpeg_read_scanlines(c, &line, 1);
        const uint8_t *in = line + (size_t)(x0 - from) * (size_t)samples;
        if (samples == 4)
            cmyk_to_rgb(in, out, w);
        else
            memcpy(out, in, t->row);
    }
}

static void read_all(struct jpeg_decompress_struct *c, const struct target *t, int samples)
{
    uint8_t *out = t->out;
    while (c->output_scanline < c->output_height) {
        JSAMPROW rows[16];
        JDIMENSION n = c->output_height - c->output_scanline;
        n = n > 16 ? 16 : n;
        for (JDIMENSION i = 0; i < n; i++)
            rows[i] = samples == 4 ? t->line : out + i * t->row;
        n = jpeg_read_scanlines(c, rows, samples == 4 ? 1 : n);
        if (samples == 4)
            cmyk_to_rgb(t->line, out, c->output_width);
        out += n * t->row;
    }
}

static int decode(const uint8_t *p, size_t n, gv_sample *s, const gv_region *part, size_t max_output, gv_arena *arena, gv_err *err)
{
    struct jpeg_decompress_struct c;
    struct handler h;
    struct jpeg_source_mgr src;
    int fast = gv_jpeg_baseline(p, n, part, s, arena, err);
    if (fast)
        return fast < 0 ? fast : GV_OK;
    begin(&c, &h, &src, p, n, err);
    if (setjmp(h.back)) {
        jpeg_destroy_decompress(&c);
        return err && err->code < 0 ? err->code : GV_EDATA;
    }
    jpeg_create_decompress(&c);
    c.mem->max_memory_to_use = (long)max_output;
    c.src = &src;
    h.progress.progress_monitor = count_scans;
    c.progress = &h.progress;
    (void)jpeg_read_header(&c, TRUE);
    if (!gv_jpeg_has_end(src.next_input_byte, src.bytes_in_buffer))
        (void)ends(&c);
    int samples = c.num_components;
    c.out_color_space = samples == 1 ? JCS_GRAYSCALE : samples == 4 ? JCS_CMYK : JCS_RGB;
    c.dct_method = JDCT_ISLOW;
    (void)jpeg_start_decompress(&c);
    int64_t shape[3] = { part ? part->h : c.output_height, part ? part->w : c.output_width, samples == 1 ? 1 : 3 };
    gv_sample x;
    int r = gv_sample_init(&x, GV_U8, 3, shape, arena, err);
    struct target t = { .row = (size_t)(shape[1] * shape[2]) };
    if (r == GV_OK && !(t.line = gv_arena_alloc_dirty(arena, (size_t)c.output_width * (size_t)samples + 64, err)))
        r = GV_ESYS;
    if (r == GV_OK) {
        t.out = x.data;
        if (part)
            read_part(&c, part, &t, samples);
        else
            read_all(&c, &t, samples);
        *s = x;
    }
    jpeg_destroy_decompress(&c);
    return r;
}

const gv_format gv_format_jpeg = {
    .name = "jpeg", .summary = "JPEG, baseline and progressive",
    .suffixes = (const char *const[]){ ".jpg", ".jpeg", ".jpe", ".jfif", NULL },
    .sniff = sniff, .header = header, .decode = decode, .parts = true,
    .ratio = 2048, /* a block of 64 takes a bit in each of its scans; colours at a quarter of the size count double */
};
