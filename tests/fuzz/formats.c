/* Fuzz target of the file formats: any bytes give a sample or an error, as an image, a volume and a series. The seed corpora are
 * tests/fixtures/images, tests/fixtures/volumes and tests/fixtures/series. HDF5 and b2nd are left out: their libraries fall over damaged files, which is
 * why decode is a process of its own.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -DGV_SANITIZED -fsanitize=fuzzer,address,undefined -Ilib -I. -include lib/common/banned.h -DGV_MAY_MALLOC \
 *       tests/fuzz/formats.c formats/[a-z]*.c lib/sample/[a-z]*.c lib/common/[a-z]*.c \
 *       $(pkg-config --cflags --libs hdf5) -ljpeg -ltiff -ldeflate -ldl -lm -o formats-fuzz
 *   ./formats-fuzz -max_len=20000 CORPUS tests/fixtures/images tests/fixtures/volumes tests/fixtures/series
 */
#include "formats/gzip.h"
#include "formats/scan.h"
#include "formats/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void answered(int r, const gv_err *err)
{
    if (r < 0 && (!err->text[0] || err->code != r))
        __builtin_trap(); /* an error without a reason */
}

/* True for what another library reads, also inside gzip. */
static bool left_out(const uint8_t *p, size_t n)
{
    const gv_format *f = gv_format_sniff(p, n);
    return f && (!strcmp(f->name, "hdf5") || !strcmp(f->name, "b2nd"));
}

static void as_volume(const uint8_t *p, size_t n, gv_arena *arena)
{
    gv_err err = { 0 };
    gv_scan v;
    uint8_t *inner = NULL;
    size_t len;
    bool out = gv_is_gzip(p, n) && gv_gunzip(p, n, 8 << 20, &inner, &len, NULL) == GV_OK && left_out(inner, len);
    gv_free(inner);
    if (!out)
        answered(gv_scan_decode((gv_bytes){ p, n }, &(gv_scan_options){ .max_output = 4 << 20, .ras = n % 2 }, &v, arena, &err), &err);
}

/* What comes out is finite, whatever went in. */
static void as_series(const uint8_t *p, size_t n, gv_arena *arena)
{
    gv_err err = { 0 };
    gv_series s;
    gv_series_options o = { .max_output = 4 << 20, .missing = (gv_missing)(n % 3), .time_column = n % 5 ? NULL : "t", .channels_first = n % 2 };
    int r = gv_series_decode((gv_bytes){ p, n }, &o, &s, arena, &err);
    answered(r, &err);
    for (int64_t i = 0; r == GV_OK && i < s.x.shape[0] * s.x.shape[1]; i++)
        if (!isfinite(((float *)s.x.data)[i]))
            __builtin_trap();
}

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
    if (left_out(p, n))
        return 0;
    as_volume(p, n, &arena);
    as_series(p, n, &arena);
    gv_decode_options o = { .max_output = 4 << 20 };
    int r = gv_decode_bytes((gv_bytes){ p, n }, &x, &arena, &o, &err);
    answered(r, &err);
    if (r < 0 || x.ndim < 3)
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
