/* png: every colour type, depth and filter, written here by the specification and read back. */
#include "common/rng.h"
#include "formats/format.h"
#include "tests/unit/tap.h"
#include <libdeflate.h>

static gv_arena arena;
static gv_err err;
static gv_rng rng;

static uint8_t predict(int type, int a, int b, int c)
{
    int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    switch (type) {
    case 1: return (uint8_t)a;
    case 2: return (uint8_t)b;
    case 3: return (uint8_t)((a + b) / 2);
    case 4: return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
    }
    return 0;
}

static uint8_t *chunk(uint8_t *p, const char *type, const void *data, size_t n)
{
    memcpy(p, (uint8_t[]){ (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n }, 4);
    memcpy(p + 4, type, 4);
    if (n)
        memcpy(p + 8, data, n);
    uint32_t v = libdeflate_crc32(0, p + 4, n + 4);
    memcpy(p + 8 + n, (uint8_t[]){ (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v }, 4);
    return p + 12 + n;
}

/* rows: h rows of `row` bytes as they are before filtering. */
static gv_bytes write_png(const uint8_t *rows, int w, int h, int depth, int colour, int interlace, int row, int bpp, int only)
{
    static uint8_t raw[1 << 16], packed[1 << 16], out[1 << 17];
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(1);
    uint8_t *q = raw, palette[768];
    for (int y = 0; y < h; y++) {
        int type = only >= 0 ? only : (int)gv_rng_below(&rng, 5);
        *q++ = (uint8_t)type;
        for (int i = 0; i < row; i++) {
            const uint8_t *r = rows + y * row, *u = r - row;
            int a = i >= bpp ? r[i - bpp] : 0, b = y ? u[i] : 0, k = y && i >= bpp ? u[i - bpp] : 0;
            *q++ = (uint8_t)(r[i] - predict(type, a, b, k));
        }
    }
    size_t n = libdeflate_zlib_compress(c, raw, (size_t)(q - raw), packed, sizeof packed);
    libdeflate_free_compressor(c);
    for (int i = 0; i < 768; i++)
        palette[i] = (uint8_t)(i * 7 + 3);
    memcpy(out, "\x89PNG\r\n\x1a\n", 8);
    uint8_t head[13] = { 0, 0, (uint8_t)(w >> 8), (uint8_t)w, 0, 0, (uint8_t)(h >> 8), (uint8_t)h, (uint8_t)depth, (uint8_t)colour, 0, 0, (uint8_t)interlace };
    uint8_t *p = chunk(out + 8, "IHDR", head, 13);
    if (colour == 3)
        p = chunk(p, "PLTE", palette, 3 * (size_t)(depth == 8 ? 200 : 1 << depth));
    p = chunk(p, "IDAT", packed, n / 2); /* in two pieces */
    p = chunk(p, "tEXt", "k\0v", 3);
    p = chunk(p, "IDAT", packed + n / 2, n - n / 2);
    p = chunk(p, "IEND", NULL, 0);
    return (gv_bytes){ out, (size_t)(p - out) };
}

static int samples_of(int colour)
{
    return colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1;
}

/* What sample k of pixel x must be. */
static unsigned expected(const uint8_t *row, int x, int k, int depth, int colour)
{
    int s = samples_of(colour), at = x * s + (colour == 3 ? 0 : k);
    unsigned v = depth == 16 ? row[2 * at] * 256u + row[2 * at + 1] : depth == 8 ? row[at] : row[at * depth / 8] >> (8 - depth - at * depth % 8) & ((1u << depth) - 1);
    if (colour == 3)
        return v < (depth == 8 ? 200u : 1u << depth) ? (uint8_t)((3 * v + (unsigned)k) * 7 + 3) : 0;
    return depth < 8 ? v * 255 / ((1u << depth) - 1) : v;
}

static void check(int w, int h, int depth, int colour, int only, int *bad, int *tried)
{
    static uint8_t rows[1 << 16];
    int s = samples_of(colour), c = colour == 0 || colour == 4 ? 1 : 3;
    int row = (w * s * depth + 7) / 8;
    for (int i = 0; i < row * h; i++)
        rows[i] = (uint8_t)gv_rng_u32(&rng);
    gv_bytes b = write_png(rows, w, h, depth, colour, 0, row, (s * depth + 7) / 8, only);
    gv_sample x;
    gv_arena_reset(&arena);
    ++*tried;
    if (gv_decode_bytes(b, &x, &arena, NULL, &err) < 0 || x.shape[2] != c) {
        ++*bad;
        return;
    }
    for (int y = 0; y < h; y++)
        for (int i = 0; i < w * c; i++) {
            unsigned got = depth == 16 ? ((uint16_t *)x.data)[y * w * c + i] : ((uint8_t *)x.data)[y * w * c + i];
            if (got != expected(rows + y * row, i / c, i % c, depth, colour)) {
                ++*bad;
                return;
            }
        }
}

int main(void)
{
    static const int kinds[][2] = { { 0, 1 }, { 0, 2 }, { 0, 4 }, { 0, 8 }, { 0, 16 }, { 2, 8 }, { 2, 16 }, { 3, 1 }, { 3, 2 }, { 3, 4 }, { 3, 8 }, { 4, 8 }, { 4, 16 }, { 6, 8 }, { 6, 16 } };
    if (gv_arena_init(&arena, "test", 64 << 20, &err) < 0)
        return 1;
    gv_rng_init(&rng, 3, GV_RNG_TEST, 0, 0, 0);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        int bad = 0, tried = 0;
        for (int only = -1; only < 5; only++)
            for (int i = 0; i < 20; i++)
                check(1 + (int)gv_rng_below(&rng, 40), 1 + (int)gv_rng_below(&rng, 20), kinds[k][1], kinds[k][0], only, &bad, &tried);
        ok(!bad, "colour type %d, %d bits: %d of %d read back %s", kinds[k][0], kinds[k][1], tried - bad, tried, err.text);
    }
    uint8_t rows[64] = { 0 };
    gv_sample x;
    gv_bytes b = write_png(rows, 4, 4, 8, 0, 0, 4, 1, 5);
    ok(gv_decode_bytes(b, &x, &arena, NULL, &err) == GV_EDATA && strstr(err.text, "filter"), "%s", err.text);
    /* Interlaced data of any content, every size from 1 x 1 to 9 x 9: the answer is whole or an error, never a stray byte. */
    int answers = 0;
    for (int w = 1; w < 10; w++)
        for (int h = 1; h < 10; h++)
            for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
                gv_err e = { 0 };
                uint8_t noise[3000] = { 0 };
                gv_arena_reset(&arena);
                b = write_png(noise, w, h, kinds[k][1], kinds[k][0], 1, 1 + (int)gv_rng_below(&rng, 80), 1, 0);
                int r = gv_decode_bytes(b, &x, &arena, NULL, &e);
                answers += r == GV_OK || (r == GV_EDATA && e.text[0]);
            }
    ok(answers == 81 * 15, "interlaced: %d of %d answered", answers, 81 * 15);
    gv_arena_release(&arena);
    return done();
}
