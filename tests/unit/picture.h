/* Images by formula, the same as scripts/golden/augment.py makes, and the digest golden values are given as. */
#ifndef GV_TESTS_PICTURE_H
#define GV_TESTS_PICTURE_H
#include "sample/sample.h"
#include <libdeflate.h>

__attribute__((unused)) static int picture(gv_sample *s, int64_t h, int64_t w, int64_t c, gv_arena *a, gv_err *err)
{
    int r = gv_sample_init(s, GV_U8, 3, (int64_t[]){ h, w, c }, a, err);
    uint8_t *p = r < 0 ? NULL : s->data;
    for (int64_t y = 0; p && y < h; y++)
        for (int64_t x = 0; x < w; x++)
            for (int64_t k = 0; k < c; k++)
                *p++ = (uint8_t)(x * 3 + y * 2 + k * 40 + (x / 8 + y / 8) % 2 * 60 + (x * y) % 23 * (1 + k));
    return r;
}

__attribute__((unused)) static uint32_t digest(const gv_sample *s)
{
    return libdeflate_crc32(0, s->data, gv_sample_bytes(s));
}
#endif
