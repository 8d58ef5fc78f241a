/* sample: resizing, turning, affine changes and colours against Pillow and OpenCV, bit for bit (tests/golden/augment/sample.txt). */
#include "augment/paint.h"
#include "common/rng.h"
#include "sample/taps.h"
#include "tests/unit/picture.h"
#include "tests/unit/tap.h"
#include <inttypes.h>

static gv_arena arena;
static gv_err err;

static int interpolation(const char *name)
{
    for (int i = 0; gv_interpolation_names[i]; i++)
        if (!strcmp(gv_interpolation_names[i], name))
            return i;
    return -1;
}

static void line(const char *text)
{
    char what[32], how[32];
    long h, w, c, nh, nw, op, mag;
    double v;
    unsigned long want;
    gv_sample x;
    const uint8_t fill[3] = { 128, 128, 128 };
    int r = GV_EDATA;
    gv_err_clear(&err);
    gv_arena_reset(&arena);
    if (sscanf(text, "%31s %ld %ld %ld", what, &h, &w, &c) != 4 || picture(&x, h, w, c, &arena, &err) < 0) {
        ok(0, "golden line is read: %s", text);
        return;
    }
    if (!strcmp(what, "resize") && sscanf(text, "%*s %*d %*d %*d %ld %ld %31s %lu", &nh, &nw, how, &want) == 4)
        r = gv_sample_resize(&x, nh, nw, (gv_interpolation)interpolation(how), &arena, &err);
    else if (!strcmp(what, "rotate_linear") && sscanf(text, "%*s %*d %*d %*d %lf %lu", &v, &want) == 2)
        r = gv_sample_rotate_linear(&x, v, GV_BORDER_REFLECT, &arena, &err);
    else if (!strcmp(what, "rotate_pillow") && sscanf(text, "%*s %*d %*d %*d %lf %lu", &v, &want) == 2)
        r = gv_sample_rotate_pillow(&x, v, fill, &arena, &err);
    else if (!strcmp(what, "randaugment") && sscanf(text, "%*s %*d %*d %*d %ld %ld %lf %lu", &op, &mag, &v, &want) == 4) {
        gv_rng rng;
        uint8_t *p = x.data;
        gv_rng_init(&rng, 1, GV_RNG_TEST, 0, 0, 0);
        for (int64_t i = 0; i < h / 2 * w * c; i++)
            p[i] = (uint8_t)(p[i] / 2 + 30);
        r = gv_randaugment_op(&x, (int)op, (int)mag, v, &rng, &arena, &err);
    }
    ok(r == GV_OK && digest(&x) == want, "%.*s%s%s", (int)strcspn(text, "\n"), text, r < 0 ? ": " : "", r < 0 ? err.text : "");
}

static void golden(void)
{
    char text[256];
    FILE *f = fopen("tests/golden/augment/sample.txt", "r");
    ok(f != NULL, "golden values are there");
    while (f && fgets(text, sizeof text, f))
        line(text);
    if (f)
        fclose(f);
}

static void windows(void)
{
    gv_sample x, y;
    gv_arena_reset(&arena);
    ok(gv_sample_init(&x, GV_U16, 4, (int64_t[]){ 3, 4, 5, 2 }, &arena, &err) == GV_OK, "a volume [3,4,5,2] of 16 bits");
    uint16_t *p = x.data;
    for (int i = 0; i < 120; i++)
        p[i] = (uint16_t)i;
    y = x;
    ok(gv_sample_window(&y, (int64_t[]){ -1, 1, 2 }, (int64_t[]){ 3, 2, 4 }, GV_BORDER_REFLECT101, 0, &arena, &err) == GV_OK, "window with mirrored border");
    int bad = 0;
    const uint16_t *q = y.data;
    for (int d = 0; d < 3; d++)
        for (int r = 0; r < 2; r++)
            for (int c = 0; c < 4; c++)
                for (int k = 0; k < 2; k++) {
                    int sd = d == 0 ? 1 : d - 1, sr = r + 1, sc = c + 2 < 5 ? c + 2 : 3;
                    bad += *q++ != ((sd * 4 + sr) * 5 + sc) * 2 + k;
                }
    ok(!bad, "every element of the window is the right one");
    y = x;
    ok(gv_sample_window(&y, (int64_t[]){ 0, 0, -2 }, (int64_t[]){ 3, 4, 9 }, GV_BORDER_CONSTANT, 0, &arena, &err) == GV_OK &&
       ((uint16_t *)y.data)[3] == 0 && ((uint16_t *)y.data)[4] == 0 && ((uint16_t *)y.data)[5] == 1 && ((uint16_t *)y.data)[13] == 9 && ((uint16_t *)y.data)[14] == 0, "constant border on both sides");
    y = x;
    ok(gv_sample_window(&y, (int64_t[]){ 0, 0, 0 }, (int64_t[]){ 3, 4, 5 }, GV_BORDER_CONSTANT, 0, &arena, &err) == GV_OK && y.data == x.data, "the whole is not copied");
    ok(gv_sample_copy(&x, &y, &arena, &err) == GV_OK && gv_sample_flip(&y, 0, &err) == GV_OK && ((uint16_t *)y.data)[0] == 80, "mirror along depth");
    ok(gv_sample_flip(&y, 2, &err) == GV_OK && ((uint16_t *)y.data)[0] == 88 && ((uint16_t *)y.data)[1] == 89, "mirror along width keeps channels in order");
    ok(gv_sample_flip(&y, 3, NULL) == GV_EDATA, "channels cannot be mirrored");
    for (int i = -7; i < 12; i++)
        bad += gv_border_index(GV_BORDER_REFLECT, i, 1) != 0 || gv_border_index(GV_BORDER_REFLECT101, i, 1) != 0;
    ok(!bad && gv_border_index(GV_BORDER_REFLECT, -1, 4) == 0 && gv_border_index(GV_BORDER_REFLECT, 4, 4) == 3 && gv_border_index(GV_BORDER_REFLECT, -9, 4) == 0 &&
       gv_border_index(GV_BORDER_REFLECT101, -1, 4) == 1 && gv_border_index(GV_BORDER_REFLECT101, 7, 4) == 1 && gv_border_index(GV_BORDER_CONSTANT, 4, 4) == -1, "border rules");
}

/* The 16-bit path against the 8-bit one, which has been compared with OpenCV: within its steps of 1/32 pixel. */
static void wide(void)
{
    gv_sample a, b;
    gv_arena_reset(&arena);
    if (picture(&a, 40, 50, 3, &arena, &err) < 0 || gv_sample_init(&b, GV_U16, 3, a.shape, &arena, &err) < 0)
        return;
    for (int i = 0; i < 6000; i++)
        ((uint16_t *)b.data)[i] = (uint16_t)(257 * (((uint8_t *)a.data)[i] = (uint8_t)(i / 150 * 3 + i % 150 / 3)));
    int r = gv_sample_rotate_linear(&a, 30, GV_BORDER_REFLECT, &arena, &err), q = gv_sample_rotate_linear(&b, 30, GV_BORDER_REFLECT, &arena, &err), worst = 0;
    for (int i = 0; i < 6000 && r == GV_OK && q == GV_OK; i++) {
        int d = abs(((uint8_t *)a.data)[i] - (((uint16_t *)b.data)[i] + 128) / 257);
        worst = d > worst ? d : worst;
    }
    ok(r == GV_OK && q == GV_OK && worst <= 1, "16 bits are turned as 8 bits are (largest difference %d of 255)", worst);
    ok(gv_sample_fill(&b, &(gv_region){ -3, 2, 5, 1 }, (uint8_t[]){ 1, 2, 255 }, &err) == GV_OK && ((uint16_t *)b.data)[6] == 257 && ((uint16_t *)b.data)[8] == 65535 &&
       ((uint16_t *)b.data)[150 + 8] == 65535 && ((uint16_t *)b.data)[300 + 8] != 65535, "a box is painted in 16 bits and clipped");
}

/* Every pass the processor has against the plain ones, at odd sizes, and mirrors of every width. */
static void passes(void)
{
    enum { PLAIN = 3 };
    int bad[PLAIN + 1] = { 0 }, mirrored = 0;
    gv_rng rng;
    gv_rng_init(&rng, 5, GV_RNG_TEST, 0, 0, 0);
    for (int i = 0; i < 150; i++) {
        gv_arena_reset(&arena);
        gv_sample x, y[PLAIN + 1];
        int64_t h = 1 + (int64_t)gv_rng_below(&rng, 90), w = 1 + (int64_t)gv_rng_below(&rng, 120), nh = 1 + (int64_t)gv_rng_below(&rng, 70), nw = 1 + (int64_t)gv_rng_below(&rng, 70);
        if (gv_sample_init(&x, GV_U8, 3, (int64_t[]){ h, w, i % 4 ? 3 : 1 }, &arena, &err) < 0)
            break;
        for (size_t k = 0; k < gv_sample_bytes(&x); k++) /* extremes: overshoot is cut off at both ends */
            ((uint8_t *)x.data)[k] = (uint8_t)(gv_rng_below(&rng, 3) ? gv_rng_below(&rng, 256) : 255 * gv_rng_below(&rng, 2));
        for (int level = 0; level <= PLAIN; level++) {
            y[level] = x;
            gv_resize_limit(level);
            bad[level] += gv_sample_resize(&y[level], nh, nw, i % 2 ? GV_BICUBIC : GV_BILINEAR, &arena, &err) < 0;
        }
        for (int level = 0; level < PLAIN; level++)
            bad[level] += memcmp(y[level].data, y[PLAIN].data, gv_sample_bytes(&y[PLAIN])) != 0;
        gv_sample m;
        bad[PLAIN] += gv_sample_copy(&x, &m, &arena, &err) < 0 || gv_sample_flip(&m, 1, &err) < 0;
        int64_t c = x.shape[2];
        for (int64_t k = 0; k < h * w * c; k++)
            mirrored += ((uint8_t *)m.data)[k] != ((uint8_t *)x.data)[k / (w * c) * w * c + (w - 1 - k / c % w) * c + k % c];
    }
    gv_resize_limit(0);
    ok(!bad[0] && !bad[1] && !bad[2] && !bad[PLAIN], "the passes this processor has equal the plain ones (%d, %d and %d of 150 do not)", bad[0], bad[1], bad[2]);
    ok(!mirrored, "mirrors of every width");
}

static void channels(void)
{
    gv_sample x, y;
    gv_arena_reset(&arena);
    ok(gv_sample_init(&x, GV_U8, 3, (int64_t[]){ 1, 2, 3 }, &arena, &err) == GV_OK, "two pixels");
    memcpy(x.data, (uint8_t[]){ 255, 0, 0, 0, 255, 0 }, 6);
    y = x;
    ok(gv_sample_channels(&y, 1, &arena, &err) == GV_OK && !memcmp(y.data, (uint8_t[]){ 76, 150 }, 2), "luma of red and green: 76 and 150");
    ok(gv_sample_channels(&y, 3, &arena, &err) == GV_OK && !memcmp(y.data, (uint8_t[]){ 76, 76, 76, 150, 150, 150 }, 6), "grey is repeated");
    ok(gv_sample_channels(&y, 4, NULL, &err) == GV_EDATA && strstr(err.text, "3 channels"), "3 to 4 is refused: %s", err.text);
    gv_err_clear(&err);
    ok(gv_sample_init(&x, GV_F32T, 3, (int64_t[]){ 2, 2, 1 }, &arena, &err) == GV_OK, "floats");
    memcpy(x.data, (float[]){ 0, 1, 2, 3 }, 16);
    ok(gv_sample_resize(&x, 1, 1, GV_BILINEAR, &arena, &err) == GV_OK && ((float *)x.data)[0] == 1.5f, "floats are resized in double");
    ok(gv_sample_init(&x, GV_U16, 3, (int64_t[]){ 1, 2, 1 }, &arena, &err) == GV_OK, "16 bits");
    memcpy(x.data, (uint16_t[]){ 0, 65535 }, 4);
    ok(gv_sample_resize(&x, 1, 9, GV_BICUBIC, &arena, &err) == GV_OK && ((uint16_t *)x.data)[0] == 0 && ((uint16_t *)x.data)[8] == 65535, "overshoot of bicubic is clipped, not wrapped");
    ok(gv_sample_init(&x, GV_U8, 3, (int64_t[]){ INT64_MAX / 2, 3, 3 }, &arena, NULL) == GV_EDATA, "a shape that overflows is refused");
    ok(gv_sample_init(&x, GV_U8, 3, (int64_t[]){ 0, 3, 3 }, &arena, NULL) == GV_EDATA, "an empty shape is refused");
    ok(gv_sample_init(&x, GV_U8, 3, (int64_t[]){ 1 << 20, 1 << 20, 3 }, &arena, NULL) == GV_ESYS, "a shape that does not fit the arena is GV_ESYS");
}

int main(void)
{
    if (gv_arena_init(&arena, "test", 256 << 20, &err) < 0)
        return 1;
    golden();
    windows();
    wide();
    passes();
    channels();
    gv_arena_release(&arena);
    return done();
}
