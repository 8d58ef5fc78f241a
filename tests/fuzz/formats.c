/* Fuzz target of the file formats: any bytes give a sample or an error. The seed corpus is tests/fixtures/images.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DGV_SANITIZED -fsanitize=fuzzer,address,undefined -Ilib -I. -include lib/common/banned.h -DGV_MAY_MALLOC \
 *       tests/fuzz/formats.c formats/[a-z]*.c lib/sample/[a-z]*.c lib/common/[a-z]*.c -ljpeg -ltiff -lavformat -lavcodec -lswscale -lavutil -ldeflate -lm -o formats-fuzz
 *   ./formats-fuzz -max_len=20000 CORPUS tests/fixtures/images
 */
#include "formats/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static gv_arena arena;
    gv_err err = { 0 };
    gv_sample x, part;
    if (!arena.base && gv_arena_init(&arena, "fuzz", 256 << 20, &err) < 0)
        return 0;
    gv_arena_reset(&arena);
    uint8_t *p = gv_arena_alloc_dirty(&arena, n + 64, &err);
    if (!p)
        return 0;
    if (n)
        memcpy(p, data, n);
    memset(p + n, 0, 64);
    gv_decode_options o = { .max_output = 4 << 20 };
    int r = gv_decode_bytes((gv_bytes){ p, n }, &x, &arena, &o, &err);
    if (r < 0) {
        if (!err.text[0] || err.code != r)
            __builtin_trap(); /* an error without a reason */
        return 0;
    }
    if (x.ndim < 3)
        return 0;
    gv_region g = { .y = x.shape[0] / 3, .x = x.shape[1] / 2, .h = 1, .w = 1 };
    g.h = (x.shape[x.ndim - 3] - g.y + 1) / 2;
    g.w = (x.shape[x.ndim - 2] - g.x + 1) / 2;
    if (x.ndim != 3 || g.h < 1 || g.w < 1)
        return 0;
    o.region = &g;
    if (gv_decode_bytes((gv_bytes){ p, n }, &part, &arena, &o, &err) < 0 || part.shape[0] != g.h || part.shape[1] != g.w)
        __builtin_trap();
    return 0;
}
