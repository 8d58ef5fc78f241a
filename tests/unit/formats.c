/* formats: pixels as Pillow reads them, parts equal to crops, cut files refused, limits before memory. */
#include "formats/format.h"
#include "common/file.h"
#include "common/rng.h"
#include "formats/idx.h"
#include "formats/jpeg_baseline.h"
#include "sample/resize_simd.h"
#include "tests/unit/picture.h"
#include "tests/unit/tap.h"
#include <inttypes.h>
#include <jpeglib.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGES "tests/fixtures/images/"

static gv_arena arena;
static gv_err err;

static void golden(void)
{
    char text[256], name[64], type[16], path[128];
    long h, w, c;
    unsigned long want;
    FILE *f = fopen("tests/golden/augment/images.txt", "r");
    ok(f != NULL, "golden values are there");
    while (f && fgets(text, sizeof text, f)) {
        gv_sample x = { 0 };
        gv_arena_reset(&arena);
        gv_err_clear(&err);
        if (sscanf(text, "%63s %ld %ld %ld %15s %lu", name, &h, &w, &c, type, &want) != 6) {
            ok(0, "golden line is read: %s", text);
            continue;
        }
        snprintf(path, sizeof path, IMAGES "%s", name);
        gv_decode_info info = { 0 };
        gv_decode_options o = { .channels = c, .info = &info };
        int r = gv_decode_file(path, &x, &arena, &o, &err);
        ok(r == GV_OK && x.shape[0] == h && x.shape[1] == w && x.shape[2] == c && !strcmp(gv_dtype_of(x.dtype)->name, type) && digest(&x) == want,
           "%s has Pillow's pixels%s%s", name, r < 0 ? ": " : "", r < 0 ? err.text : "");
        ok(info.full_h == h && info.full_w == w && !info.cropped && info.format && gv_format_suffix(path), "%s is a %s", name, info.format);
    }
    if (f)
        fclose(f);
}

static int fixed_crop(void *arg, int64_t h, int64_t w, gv_region *g)
{
    (void)h;
    (void)w;
    *g = *(gv_region *)arg;
    return 1;
}

/* Random parts of one file against crops of all of it. */
static int parts(gv_bytes b, const gv_sample *all, gv_rng *rng, int tries)
{
    int bad = 0;
    int64_t h = all->shape[0], w = all->shape[1];
    for (int i = 0; i < tries; i++) {
        size_t mark = arena.used;
        gv_region g = { .h = 1 + (int64_t)gv_rng_below(rng, (uint64_t)h), .w = 1 + (int64_t)gv_rng_below(rng, (uint64_t)w) };
        g.y = (int64_t)gv_rng_below(rng, (uint64_t)(h - g.h + 1));
        g.x = (int64_t)gv_rng_below(rng, (uint64_t)(w - g.w + 1));
        gv_sample part, whole = *all;
        gv_decode_options o = { .crop = fixed_crop, .crop_arg = &g };
        int r = gv_decode_bytes(b, &part, &arena, &o, &err);
        bad += r < 0 || gv_sample_crop(&whole, &g, &arena, &err) < 0 || gv_sample_bytes(&part) != gv_sample_bytes(&whole) ||
               memcmp(part.data, whole.data, gv_sample_bytes(&whole));
        if (bad && bad == 1)
            printf("# differs at y %" PRId64 " x %" PRId64 " h %" PRId64 " w %" PRId64 " %s\n", g.y, g.x, g.h, g.w, r < 0 ? err.text : "");
        gv_arena_rewind(&arena, mark);
    }
    return bad;
}

static unsigned char *compress(const gv_sample *x, int h_samp, int v_samp, int progressive, int restart, unsigned long *n)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    unsigned char *out = NULL;
    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, n);
    c.image_height = (JDIMENSION)x->shape[0];
    c.image_width = (JDIMENSION)x->shape[1];
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    c.comp_info[0].h_samp_factor = h_samp;
    c.comp_info[0].v_samp_factor = v_samp;
    c.restart_interval = (unsigned)restart;
    if (progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    for (JDIMENSION y = 0; y < c.image_height; y++) {
        JSAMPROW row = (uint8_t *)x->data + y * c.image_width * 3;
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return out;
}

static void regions(void)
{
    static const int kinds[][2] = { { 1, 1 }, { 2, 1 }, { 2, 2 }, { 1, 2 }, { 4, 1 }, { 4, 2 } };
    gv_rng rng;
    gv_rng_init(&rng, 7, GV_RNG_TEST, 0, 0, 0);
    for (size_t k = 0; k < GV_COUNT(kinds); k++)
        for (int mode = 0; mode < 3; mode++) {
            gv_sample x, all;
            gv_arena_reset(&arena);
            gv_err_clear(&err);
            int bad = 0, tried = 0;
            for (int size = 0; size < 3; size++) {
                unsigned long n = 0;
                if (picture(&x, 61 + 67 * size, 200 - 71 * size, 3, &arena, &err) < 0)
                    bad++;
                unsigned char *p = compress(&x, kinds[k][0], kinds[k][1], mode == 1, mode == 2 ? 5 : 0, &n);
                gv_bytes b = { p, n };
                bad += gv_decode_bytes(b, &all, &arena, NULL, &err) < 0;
                bad += parts(b, &all, &rng, 60);
                tried += 60;
                (free)(p); /* libjpeg's own */
            }
            ok(!bad, "JPEG %dx%d %s: %d of %d parts equal crops", kinds[k][0], kinds[k][1], mode == 1 ? "progressive" : mode == 2 ? "with restarts" : "baseline", tried - bad, tried);
        }
    static const char *const others[] = { "grey.jpg", "cmyk.jpg", "rgb.png", "lossy.webp" };
    for (size_t i = 0; i < GV_COUNT(others); i++) {
        char path[128];
        gv_bytes b;
        gv_sample all;
        gv_arena_reset(&arena);
        snprintf(path, sizeof path, IMAGES "%s", others[i]);
        ok(gv_bytes_load(path, &b, 0, &arena, &err) == GV_OK && gv_decode_bytes(b, &all, &arena, NULL, &err) == GV_OK && !parts(b, &all, &rng, 40), "%s: parts equal crops", others[i]);
    }
}

/* The same bytes, or the same refusal, from our own decoder and from libjpeg. */
static int differs(gv_bytes b, const gv_region *g)
{
    gv_sample x[2];
    gv_err e[2] = { { 0 }, { 0 } };
    int r[2];
    for (int own = 0; own < 2; own++) {
        gv_jpeg_baseline_enable(own);
        r[own] = gv_decode_bytes(b, &x[own], &arena, &(gv_decode_options){ .region = g }, &e[own]);
    }
    gv_jpeg_baseline_enable(true);
    if (r[0] != r[1] || (r[0] < 0 && strcmp(e[0].text, e[1].text)))
        return 1;
    return r[0] == GV_OK && (gv_sample_bytes(&x[0]) != gv_sample_bytes(&x[1]) || memcmp(x[0].data, x[1].data, gv_sample_bytes(&x[0])));
}

/* Noise, flat parts and edges up to both ends of the range, so that coefficients are large and many. */
static int wild_picture(gv_sample *x, int64_t h, int64_t w, gv_rng *rng)
{
    int r = picture(x, h, w, 3, &arena, &err);
    uint8_t *p = x->data;
    for (int64_t i = 0; r == GV_OK && i < h * w * 3; i++)
        if (i / 700 % 3 == 1)
            p[i] = (uint8_t)gv_rng_below(rng, 256);
        else if (i / 700 % 3 == 2)
            p[i] = i % 40 < 20 ? 0 : 255;
    return r;
}

static void own_decoder(void)
{
    static const int kinds[][2] = { { 1, 1 }, { 2, 1 }, { 2, 2 } };
    gv_rng rng;
    gv_rng_init(&rng, 11, GV_RNG_TEST, 0, 0, 0);
    for (size_t k = 0; k < GV_COUNT(kinds); k++) {
        int parts_bad = 0, damaged_bad = 0, own = 0, n = 0;
        for (int i = 0; i < 60; i++, n++) {
            gv_sample x;
            unsigned long size = 0;
            gv_arena_reset(&arena);
            gv_err_clear(&err);
            int64_t h = 1 + (int64_t)gv_rng_below(&rng, 90), w = 1 + (int64_t)gv_rng_below(&rng, 150);
            if (wild_picture(&x, h, w, &rng) < 0)
                break;
            unsigned char *p = compress(&x, kinds[k][0], kinds[k][1], 0, i % 3 == 1 ? 1 + i % 7 : 0, &size);
            gv_bytes b = { p, size };
            gv_sample y;
            own += gv_jpeg_baseline(p, size, NULL, &y, &arena, &err) == 1;
            parts_bad += differs(b, NULL);
            for (int j = 0; j < 20; j++) {
                gv_region g = { .h = 1 + (int64_t)gv_rng_below(&rng, (uint64_t)h), .w = 1 + (int64_t)gv_rng_below(&rng, (uint64_t)w) };
                g.y = (int64_t)gv_rng_below(&rng, (uint64_t)(h - g.h + 1));
                g.x = (int64_t)gv_rng_below(&rng, (uint64_t)(w - g.w + 1));
                parts_bad += differs(b, &g);
                uint8_t *q = gv_arena_alloc(&arena, size, &err); /* no byte behind it: a checker sees what is read too far */
                memcpy(q, p, size);
                for (int flips = 1 + j % 3; flips; flips--)
                    q[gv_rng_below(&rng, size)] ^= (uint8_t)(1u << gv_rng_below(&rng, 8));
                damaged_bad += differs((gv_bytes){ q, size }, j % 2 ? &g : NULL);
            }
            (free)(p);
        }
        bool could = gv_resize_simd(1) != NULL; /* AVX2 */
        ok(!parts_bad && n == 60, "JPEG %dx%d: wholes and parts equal libjpeg's (%d do not)", kinds[k][0], kinds[k][1], parts_bad);
        ok(!damaged_bad, "damaged ones too, and are refused alike (%d are not)", damaged_bad);
        ok(could ? own > 50 : !own, "%d of %d are decoded without libjpeg", own, n);
    }
}

static void cut(void)
{
    static const char *const names[] = { "rgb420.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "rgb.png", "palette.png", "grey16.png", "rgb.bmp", "bit.bmp",
                                         "palette.gif", "animated.gif", "lossy.webp", "lossless.webp", "rgb.tif", "jpeg.tif", "lzw.tif", "tiled.tif", "tiledplanar.tif", "float.npy" };
    for (size_t i = 0; i < GV_COUNT(names); i++) {
        char path[128];
        gv_bytes b;
        int flagged = 0, tried = 0;
        gv_arena_reset(&arena);
        gv_err_clear(&err);
        snprintf(path, sizeof path, IMAGES "%s", names[i]);
        if (gv_bytes_load(path, &b, 0, &arena, &err) < 0) {
            ok(0, "%s", err.text);
            continue;
        }
        size_t end = strcmp(names[i], "animated.gif") ? b.n - 1 : 0; /* the first frame of a cut animation may be whole */
        if (!end)
            end = 500;
        if (!strcmp(names[i], "palette.gif"))
            end = b.n - 2; /* the trailer is not needed */
        for (int k = 0; k < 200; k++, tried++) {
            size_t mark = arena.used, n = end * (size_t)k / 199;
            gv_sample x;
            gv_err e = { 0 };
            uint8_t *p = gv_arena_alloc(&arena, n + 64, &err);
            if (!p)
                break;
            memcpy(p, b.p, n);
            int r = gv_decode_bytes((gv_bytes){ p, n }, &x, &arena, NULL, &e);
            flagged += r == GV_EDATA && e.text[0];
            if (r == GV_OK)
                printf("# %s cut after %zu of %zu bytes was accepted\n", names[i], n, b.n);
            gv_arena_rewind(&arena, mark);
        }
        ok(flagged == tried && tried == 200, "%s: %d of %d cuts are refused", names[i], flagged, tried);
    }
    gv_sample x;
    gv_arena_reset(&arena);
    gv_err_clear(&err);
    ok(gv_decode_file(IMAGES "cut.jpg", &x, &arena, NULL, &err) == GV_EDATA && strstr(err.text, "JPEG ends after 900 bytes") && strstr(err.text, "cut.jpg"), "%s", err.text);
}

/* A PNG with fewer rows than it claims, all check sums right: nothing is missing but pixels. */
static void short_png(void)
{
    uint8_t p[400], raw[61 * 20] = { 0 };
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    for (int rows = 19; rows <= 20; rows++) {
        memcpy(p, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x14\0\0\0\x14\x08\x02\0\0\0", 29);
        size_t n = libdeflate_zlib_compress(c, raw, 61 * (size_t)rows, p + 41, 200);
        memcpy(p + 33, (uint8_t[]){ 0, 0, (uint8_t)(n >> 8), (uint8_t)n, 'I', 'D', 'A', 'T' }, 8);
        memcpy(p + 45 + n, "\0\0\0\0IEND", 8);
        const struct { size_t at, len; } chunk[] = { { 12, 17 }, { 37, n + 4 }, { 49 + n, 4 } };
        for (int k = 0; k < 3; k++) {
            uint32_t v = libdeflate_crc32(0, p + chunk[k].at, chunk[k].len);
            memcpy(p + chunk[k].at + chunk[k].len, (uint8_t[]){ (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v }, 4);
        }
        gv_sample x;
        gv_arena_reset(&arena);
        gv_err_clear(&err);
        int r = gv_decode_bytes((gv_bytes){ p, 57 + n }, &x, &arena, NULL, &err);
        ok(rows == 20 ? r == GV_OK && x.shape[0] == 20 : r == GV_EDATA && strstr(err.text, "1159 of the 1220 bytes"), "PNG with %d of 20 rows: %s", rows, r ? err.text : "whole");
    }
    libdeflate_free_compressor(c);
}

static void refuse(const char *path, int code, const char *part)
{
    gv_sample x;
    gv_arena_reset(&arena);
    gv_err_clear(&err);
    ok(gv_decode_file(path, &x, &arena, NULL, &err) == code && strstr(err.text, part), "%s", err.text);
}

static void paths(void)
{
    char fifo[64];
    snprintf(fifo, sizeof fifo, "/tmp/gv-formats-%ld", (long)getpid());
    ok(!mkfifo(fifo, 0600), "a FIFO");
    refuse(fifo, GV_EDATA, "not a regular file");
    unlink(fifo);
    refuse("tests", GV_EDATA, "not a regular file");
    refuse("/dev/zero", GV_EDATA, "not a regular file");
    refuse("tests/fixtures/images/none.jpg", GV_ESYS, "No such file");
    refuse("Makefile", GV_EDATA, "no known format");
}

/* A header is changed to claim much; the answer must come before the memory does. */
static void bombs(void)
{
    static const struct { const char *name; size_t at; const char *bytes; size_t n; } cases[] = {
        { "rgb.png", 16, "\0\0\xff\0\0\0\xff\0", 8 }, { "rgb.png", 16, "\x7f\xff\xff\xff\x7f\xff\xff\xff", 8 }, { "rgb.png", 16, "\0\0\0\0\0\0\0\1", 8 },
        { "rgb.png", 16, "\0\0\x0f\0\0\0\x0f\0", 8 }, { "palette.gif", 6, "\0\x0f\0\x0f", 4 },
        { "rgb.bmp", 18, "\0\xff\0\0\0\xff\0\0", 8 }, { "rgb.bmp", 18, "\0\0\0\x80\0\0\0\x80", 8 }, { "palette.gif", 6, "\xdc\xff\xdc\xff", 4 },
        { "lossy.webp", 26, "\xff\x3f\xff\x3f", 4 }, { "rgb420.jpg", 0, NULL, 0 },
    };
    for (size_t i = 0; i < GV_COUNT(cases); i++) {
        char path[128];
        gv_bytes b;
        gv_sample x;
        gv_arena_reset(&arena);
        gv_err_clear(&err);
        snprintf(path, sizeof path, IMAGES "%s", cases[i].name);
        if (gv_bytes_load(path, &b, 0, &arena, &err) < 0) {
            ok(0, "%s", err.text);
            continue;
        }
        uint8_t *p = (uint8_t *)(uintptr_t)b.p;
        if (cases[i].n)
            memcpy(p + cases[i].at, cases[i].bytes, cases[i].n);
        for (size_t k = 0; !cases[i].n && k + 9 < b.n; k++)
            if (p[k] == 0xff && p[k + 1] == 0xc0) { /* the frame header: height and width */
                memcpy(p + k + 5, "\xff\x00\xff\x00", 4);
                break;
            }
        size_t before = arena.used;
        gv_decode_options o = { .max_output = 64 << 20 };
        ok(gv_decode_bytes(b, &x, &arena, &o, &err) == GV_EDATA && arena.peak >= before && arena.used - before < (1 << 20), "%s with a great claim: %s", cases[i].name, err.text);
    }
    gv_decode_options small = { .max_output = 1000 }, tight = { .max_input = 100 };
    gv_sample x;
    gv_err_clear(&err);
    ok(gv_decode_file(IMAGES "rgb.png", &x, &arena, &small, &err) == GV_EDATA && strstr(err.text, "at most"), "max_output: %s", err.text);
    gv_err_clear(&err);
    ok(gv_decode_file(IMAGES "rgb.png", &x, &arena, &tight, &err) == GV_EDATA && strstr(err.text, "at most"), "max_input: %s", err.text);
}

/* The last scan of a progressive file once and 600 times more. */
static void scans(void)
{
    gv_bytes b;
    gv_sample x;
    gv_arena_reset(&arena);
    gv_err_clear(&err);
    if (gv_bytes_load(IMAGES "progressive.jpg", &b, 0, &arena, &err) < 0)
        return;
    size_t last = b.n - 2, len;
    while (last > 2 && !(b.p[last] == 0xff && b.p[last + 1] == 0xda))
        last--;
    len = b.n - 2 - last;
    uint8_t *p = gv_arena_alloc(&arena, b.n + 600 * len + 64, &err);
    for (int many = 1; p && many <= 600; many += 599) {
        memcpy(p, b.p, last);
        for (int i = 0; i < many; i++)
            memcpy(p + last + (size_t)i * len, b.p + last, len);
        size_t n = last + (size_t)many * len;
        memcpy(p + n, "\xff\xd9", 2);
        int r = gv_decode_bytes((gv_bytes){ p, n + 2 }, &x, &arena, NULL, &err);
        ok(many == 1 ? r == GV_OK : r == GV_EDATA && strstr(err.text, "500 scans"), "the last scan %d times: %s", many, r ? err.text : "read");
    }
}

/* A TIFF of 500 x 500 pixels that claims `samples` of `bits` each in one strip. */
static void tiff_claim(unsigned samples, unsigned bits, unsigned rows, uint32_t strip_bytes)
{
    uint8_t p[256] = "II*\0\x08\0\0\0";
    const uint32_t tags[][2] = { { 256, 500 }, { 257, 500 }, { 258, bits }, { 259, 5 }, { 262, samples > 2 ? 2 : 1 }, { 273, 200 }, { 277, samples }, { 278, rows }, { 279, strip_bytes } };
    uint8_t *q = p + 8;
    *q++ = GV_COUNT(tags);
    *q++ = 0;
    for (size_t i = 0; i < GV_COUNT(tags); i++, q += 12) {
        memcpy(q, (uint8_t[]){ (uint8_t)tags[i][0], (uint8_t)(tags[i][0] >> 8), 4, 0, 1, 0, 0, 0 }, 8);
        memcpy(q + 8, &tags[i][1], 4);
    }
    gv_sample x;
    gv_decode_options o = { .max_output = 16 << 20 };
    gv_arena_reset(&arena);
    gv_err_clear(&err);
    ok(gv_decode_bytes((gv_bytes){ p, 192 }, &x, &arena, &o, &err) == GV_EDATA && arena.used < (33 << 20), "TIFF of %u samples, %u bits, %u rows a strip: %s", samples, bits, rows, err.text);
}

static void idx(void)
{
    char path[64];
    gv_idx x;
    snprintf(path, sizeof path, "/tmp/gv-idx-%ld", (long)getpid());
    uint8_t plain[16 + 12] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
    ok(gv_file_write(path, plain, sizeof plain, &err) == GV_OK && gv_idx_open(&x, path, &err) == GV_OK && x.n == 2 && x.ndim == 2 && x.shape[0] == 3 && x.shape[1] == 2 && x.mapped &&
       gv_idx_row(&x, 1)[0] == 7 && !gv_idx_row(&x, 2) && !gv_idx_row(&x, -1), "a plain IDX file is mapped");
    gv_idx_close(&x);
    gv_err_clear(&err);
    ok(gv_file_write(path, plain, sizeof plain - 1, NULL) == GV_OK && gv_idx_open(&x, path, &err) == GV_EDATA && strstr(err.text, "claims 2 rows of 6 bytes"), "%s", err.text);
    uint8_t floats[12 + 8] = { 0, 0, 13, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0 };
    float v[2] = { 0 };
    gv_err_clear(&err);
    if (gv_file_write(path, floats, sizeof floats, &err) == GV_OK && gv_idx_open(&x, path, &err) == GV_OK)
        memcpy(v, x.data, 8);
    ok(v[0] == 1 && v[1] == -2 && x.dtype == GV_F32T, "floats get the machine's byte order");
    gv_idx_close(&x);

    static uint8_t big[16 + 60000], packed[2][4096];
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(9);
    memcpy(big, (uint8_t[]){ 0, 0, 8, 1, 0, 0, 0xea, 0x60 }, 8);
    size_t n = libdeflate_gzip_compress(c, big, 8 + 60000, packed[0], 4096);
    size_t m = libdeflate_gzip_compress(c, big + 8, 30000, packed[1], 4096);
    gv_err_clear(&err);
    ok(gv_file_write(path, packed[0], n, NULL) == GV_OK && gv_idx_open(&x, path, &err) == GV_OK && x.n == 60000 && x.ndim == 0 && x.row_bytes == 1 && !x.mapped, "gzip is inflated %s", err.text);
    gv_idx_close(&x);
    ok(gv_file_write(path, packed[0], n - 9, NULL) == GV_OK && gv_idx_open(&x, path, &err) == GV_EDATA && strstr(err.text, path), "%s", err.text);
    gv_err_clear(&err);
    packed[0][n - 1] = 0x7f;
    ok(gv_file_write(path, packed[0], n, NULL) == GV_OK && gv_idx_open(&x, path, &err) == GV_EDATA, "%s", err.text);
    gv_err_clear(&err);
    n = libdeflate_gzip_compress(c, big, 8 + 30000, packed[0], 4096);
    memcpy(packed[0] + n, packed[1], m);
    uint8_t *data = NULL;
    ok(gv_file_write(path, packed[0], n + m, NULL) == GV_OK && gv_read_gz(path, 1 << 20, &data, &m, &err) == GV_OK && m == 8 + 60000 && !memcmp(data, big, m), "two gzip members are one file");
    gv_free(data);
    ok(gv_read_gz(path, 50000, &data, &m, &err) == GV_EDATA && strstr(err.text, "50000"), "%s", err.text);
    libdeflate_free_compressor(c);
    unlink(path);
    gv_err_clear(&err);
    ok(gv_idx_open(&x, path, &err) == GV_ESYS && !x.map, "%s", err.text);
}

/* BMP of any size: FFmpeg counts lines filled up to 64 pixels against its limit, which must not refuse tall pictures. */
static void sizes(void)
{
    static const int64_t size[][2] = { { 1, 1 }, { 375, 500 }, { 3000, 65 }, { 4000, 1 }, { 9, 1000 } };
    char path[64];
    gv_rng rng;
    snprintf(path, sizeof path, "/tmp/gv-formats-%ld.bmp", (long)getpid());
    gv_rng_init(&rng, 12, GV_RNG_TEST, 0, 0, 0);
    for (size_t i = 0; i < GV_COUNT(size); i++) {
        int64_t h = size[i][0], w = size[i][1], line = (3 * w + 3) / 4 * 4, bad = 0;
        size_t n = 54 + (size_t)(h * line);
        uint8_t *b = gv_alloc(n, &err);
        gv_sample x = { 0 };
        gv_arena_reset(&arena);
        gv_err_clear(&err);
        memcpy(b, "BM", 2);
        b[10] = 54, b[14] = 40, b[26] = 1, b[28] = 24;
        for (int k = 0; k < 4; k++) {
            b[2 + k] = (uint8_t)(n >> 8 * k);
            b[18 + k] = (uint8_t)(w >> 8 * k);
            b[22 + k] = (uint8_t)(h >> 8 * k);
        }
        for (size_t k = 54; k < n; k++)
            b[k] = (uint8_t)gv_rng_u32(&rng);
        gv_decode_options o = { 0 };
        int r = gv_file_write(path, b, n, &err) < 0 ? GV_ESYS : gv_decode_file(path, &x, &arena, &o, &err);
        for (int64_t y = 0; r == GV_OK && y < h; y++)
            for (int64_t k = 0; k < 3 * w; k++)
                bad += ((const uint8_t *)x.data)[y * 3 * w + k] != b[54 + (h - 1 - y) * line + k / 3 * 3 + 2 - k % 3];
        ok(r == GV_OK && x.shape[0] == h && x.shape[1] == w && !bad, "BMP of %d x %d pixels%s%s", (int)w, (int)h, r < 0 ? ": " : "", r < 0 ? err.text : "");
        gv_free(b);
    }
    unlink(path);
}

/* Random bytes changed in real files: any answer but a crash. */
static void damage(void)
{
    static const char *const names[] = { "rgb420.jpg", "progressive.jpg", "cmyk.jpg", "rgb.png", "palette.png", "bit.bmp", "rgb.bmp", "palette.gif", "lossy.webp", "lossless.webp", "lzw.tif", "jpeg.tif", "tiled.tif", "group4.tif", "deflate.tif", "float.npy" };
    gv_rng rng;
    gv_rng_init(&rng, 11, GV_RNG_TEST, 0, 0, 0);
    int answers = 0, tried = 0;
    for (size_t i = 0; i < GV_COUNT(names); i++)
        for (int k = 0; k < 60; k++, tried++) {
            char path[128];
            gv_bytes b;
            gv_sample x = { 0 };
            gv_err e = { 0 };
            gv_arena_reset(&arena);
            snprintf(path, sizeof path, IMAGES "%s", names[i]);
            if (gv_bytes_load(path, &b, 0, &arena, &e) < 0)
                continue;
            for (uint64_t m = 0, n = 1 + gv_rng_below(&rng, 6); m < n; m++)
                ((uint8_t *)(uintptr_t)b.p)[gv_rng_below(&rng, b.n)] = (uint8_t)gv_rng_u32(&rng);
            gv_decode_options o = { .max_output = 8 << 20 };
            int r = gv_decode_bytes(b, &x, &arena, &o, &e);
            answers += r == GV_OK ? x.data != NULL : e.code == r && e.text[0];
        }
    ok(answers == tried, "%d of %d damaged files are answered", answers, tried);
}

int main(void)
{
    if (gv_arena_init(&arena, "test", 1ull << 30, &err) < 0)
        return 1;
    golden();
    regions();
    own_decoder();
    cut();
    short_png();
    paths();
    bombs();
    scans();
    tiff_claim(65000, 8, 500, 60);
    tiff_claim(64, 8, 500, 60);
    tiff_claim(3, 64, 500, 60);
    tiff_claim(1, 8, 0, 60);
    tiff_claim(1, 8, 0xffffffffu, 60);
    tiff_claim(1, 8, 500, 0xfffffff0u);
    idx();
    sizes();
    damage();
    gv_arena_release(&arena);
    return done();
}
