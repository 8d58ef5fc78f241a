/* Contact sheets and the PNG they are written as. */
#include "formats/format.h"
#include "formats/png.h"
#include "sample/sheet.h"
#include "tap.h"
#include <math.h>

static gv_arena arena;
static gv_err err;

static const uint8_t *pixel(const gv_sample *p, int64_t y, int64_t x)
{
    return (const uint8_t *)p->data + (y * p->shape[1] + x) * p->shape[2];
}

static gv_sample sample(gv_dtype t, int ndim, const int64_t *shape)
{
    gv_sample s;
    if (gv_sample_init(&s, t, ndim, shape, &arena, &err) < 0)
        exit(70);
    memset(s.data, 0, gv_sample_bytes(&s));
    return s;
}

/* Dark pixels of the two lines below tile 0. */
static int ink(const gv_sample *p, int64_t tile, int line)
{
    int n = 0;
    for (int64_t y = 0; y < 9; y++)
        for (int64_t x = 0; x < tile; x++)
            n += pixel(p, 6 + tile + 2 + line * 9 + y, 6 + x)[0] == 32;
    return n;
}

static void png(void)
{
    static const int64_t sides[][3] = { { 1, 1, 3 }, { 5, 7, 3 }, { 64, 33, 1 }, { 300, 200, 3 } };
    for (size_t k = 0; k < GV_COUNT(sides); k++) {
        gv_sample x = sample(GV_U8, 3, sides[k]), y;
        gv_buf b = { 0 };
        for (size_t i = 0; i < gv_sample_bytes(&x); i++)
            ((uint8_t *)x.data)[i] = (uint8_t)(i * 37 + i / 11);
        ok(gv_png_encode(&x, &b, &err) == GV_OK, "a PNG of %d x %d x %d is written", (int)sides[k][0], (int)sides[k][1], (int)sides[k][2]);
        gv_decode_options o = { 0 };
        ok(gv_decode_bytes((gv_bytes){ (const uint8_t *)b.data, b.len }, &y, &arena, &o, &err) == GV_OK && !memcmp(y.shape, x.shape, 3 * sizeof *x.shape) &&
           !memcmp(x.data, y.data, gv_sample_bytes(&x)), "and read again as it was");
        gv_buf_release(&b);
    }
    gv_sample wide = sample(GV_U16, 3, (int64_t[]){ 2, 2, 3 });
    gv_buf b = { 0 };
    ok(gv_png_encode(&wide, &b, &err) == GV_EINTERNAL, "other types are refused");
    gv_err_clear(&err);
    gv_buf_release(&b);
}

static void pixels(void)
{
    gv_sheet s = { .tile = 16 };
    gv_sample x = sample(GV_U8, 3, (int64_t[]){ 4, 8, 3 }), p;
    for (int i = 0; i < 32; i++)
        memcpy((uint8_t *)x.data + i * 3, (uint8_t[]){ (uint8_t)i, (uint8_t)(100 + i), 7 }, 3);
    ok(gv_sheet_add(&s, &x, "A", "", &arena, &err) == GV_OK && gv_sheet_add(&s, NULL, "", "", &arena, &err) == GV_OK, "a sample and a failed one");
    ok(gv_sheet_finish(&s, 0, &p, &arena, &err) == GV_OK && p.shape[0] == 6 + 16 + 18 + 6 && p.shape[1] == 6 + 2 * 22, "two tiles stand in a row");
    ok(!memcmp(pixel(&p, 6 + 4, 6), (uint8_t[]){ 0, 100, 7 }, 3) && !memcmp(pixel(&p, 6 + 11, 6 + 15), (uint8_t[]){ 31, 131, 7 }, 3), "pixels are enlarged by two, in the middle of the tile");
    ok(!memcmp(pixel(&p, 6 + 4 + 2, 6 + 5), (uint8_t[]){ 10, 110, 7 }, 3) && !memcmp(pixel(&p, 6 + 4 + 3, 6 + 4), (uint8_t[]){ 10, 110, 7 }, 3), "each in its place");
    ok(pixel(&p, 6, 6)[0] == 224 && pixel(&p, 6, 6 + 22)[0] == 160 && pixel(&p, 0, 0)[0] == 255, "around them is grey, a failed one is darker, between them is paper");
    ok(ink(&p, 16, 0) == 18 && !ink(&p, 16, 1), "the letter A has its 18 pixels");
    gv_sheet_release(&s);
}

static void letters(void)
{
    gv_sheet s = { .tile = 32 };
    gv_sample x = sample(GV_U8, 3, (int64_t[]){ 4, 4, 1 }), p;
    ok(gv_sheet_add(&s, &x, "long/way/to/lll", "\xc3\xa4", &arena, &err) == GV_OK && gv_sheet_finish(&s, 1, &p, &arena, &err) == GV_OK, "text that is too long");
    int dots = 0;
    for (int k = 0; k < 3; k++)
        dots += pixel(&p, 6 + 32 + 2 + 6, 6 + 2 * k)[0] == 32;
    ok(dots == 3, "begins with dots and keeps its end");
    int question = 0;
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 5; k++)
            question += gv_letters['?' - ' '][i] >> k & 1;
    ok(ink(&p, 32, 1) == question, "a letter that is not ASCII is one question mark");
    gv_sheet_release(&s);
}

static void kinds(void)
{
    gv_sheet s = { .tile = 34 };
    gv_sample f = sample(GV_F32T, 3, (int64_t[]){ 1, 2, 1 }), p;
    ((float *)f.data)[0] = NAN, ((float *)f.data)[1] = 5;
    ok(gv_sheet_add(&s, &f, "", "", &arena, &err) == GV_OK, "floats, one of them NaN");
    gv_sample clip = sample(GV_U8, 4, (int64_t[]){ 10, 2, 2, 3 });
    for (int i = 0; i < 10; i++)
        memset((uint8_t *)clip.data + i * 12, i * 10, 12);
    ok(gv_sheet_add(&s, &clip, "", "", &arena, &err) == GV_OK && gv_sheet_finish(&s, 2, &p, &arena, &err) == GV_OK, "a clip of ten frames");
    int64_t x0 = 6 + 40;
    ok(pixel(&p, 6 + 8, x0 + 8)[0] == 0 && pixel(&p, 6 + 8, x0 + 18 + 8)[0] == 30 && pixel(&p, 6 + 18 + 8, x0 + 8)[0] == 60 && pixel(&p, 6 + 18 + 8, x0 + 18 + 8)[0] == 90, "shows four of them, from the first to the last");
    gv_sample big = sample(GV_U8, 3, (int64_t[]){ 100, 3000, 3 });
    memset(big.data, 77, gv_sample_bytes(&big));
    ok(gv_sheet_add(&s, &big, "", "", &arena, &err) == GV_OK && gv_sheet_finish(&s, 0, &p, &arena, &err) == GV_OK, "a wide image");
    ok(pixel(&p, 6 + 58 + 16, 6)[0] == 77 && pixel(&p, 6 + 58, 6)[0] == 224, "is shrunk into its tile");
    gv_sample flat = sample(GV_F32T, 2, (int64_t[]){ 10, 3 });
    ok(gv_sheet_add(&s, &flat, "", "", &arena, &err) == GV_EDATA && strstr(err.text, "no picture"), "of a series there is no picture: %s", err.text);
    gv_err_clear(&err);
    gv_sheet_release(&s);
    ok(gv_sheet_finish(&s, 0, &p, &arena, &err) == GV_EDATA, "nor of nothing");
    gv_err_clear(&err);
}

int main(void)
{
    if (gv_arena_init(&arena, "test", 256 << 20, &err) < 0)
        return 70;
    png();
    pixels();
    letters();
    kinds();
    gv_arena_release(&arena);
    return done();
}
