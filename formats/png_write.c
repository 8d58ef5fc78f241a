/* png_write: an image as PNG, each row as differences from the pixel to its left, deflated.
 * Source: W3C PNG specification (third edition), chapters 5, 9.2 and 10. */
#include "formats/png.h"
#include <libdeflate.h>

enum { LEVEL = 6, SUB = 1 };

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Length, type, bytes, CRC of type and bytes. */
static int chunk(gv_buf *out, const char *type, const void *bytes, size_t n, gv_err *err)
{
    uint8_t word[4];
    put32(word, (uint32_t)n);
    if (gv_buf_add(out, word, 4, err) < 0 || gv_buf_add(out, type, 4, err) < 0 || gv_buf_add(out, bytes, n, err) < 0)
        return GV_ESYS;
    put32(word, libdeflate_crc32(libdeflate_crc32(0, type, 4), bytes, n));
    return gv_buf_add(out, word, 4, err);
}

static int pixels(gv_buf *out, const gv_sample *x, size_t row, size_t c, gv_err *err)
{
    size_t h = (size_t)x->shape[0], n = h * (row + 1), most = 0;
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(LEVEL);
    uint8_t *raw = gv_alloc(n, err), *packed = NULL, *to = raw;
    if (z)
        packed = gv_alloc(most = libdeflate_zlib_compress_bound(z, n), err);
    for (size_t y = 0; raw && y < h; y++) {
        const uint8_t *from = (const uint8_t *)x->data + y * row;
        *to++ = SUB;
        for (size_t i = 0; i < row; i++)
            *to++ = (uint8_t)(from[i] - (i < c ? 0 : from[i - c]));
    }
    size_t got = raw && packed ? libdeflate_zlib_compress(z, raw, n, packed, most) : 0;
    int r = got ? chunk(out, "IDAT", packed, got, err) : gv_fail(err, GV_ESYS, "out of memory");
    libdeflate_free_compressor(z);
    gv_free(raw);
    gv_free(packed);
    return r;
}

int gv_png_encode(const gv_sample *x, gv_buf *out, gv_err *err)
{
    static const uint8_t magic[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    uint8_t head[13] = { [8] = 8 };
    size_t bytes = gv_sample_bytes(x);
    if (x->dtype != GV_U8 || x->ndim != 3 || (x->shape[2] != 1 && x->shape[2] != 3) || !bytes || bytes > (size_t)2000 << 20)
        return gv_fail(err, GV_EINTERNAL, "a PNG is written of uint8 [H,W,1] or [H,W,3], of at most 2000 MiB");
    put32(head, (uint32_t)x->shape[1]);
    put32(head + 4, (uint32_t)x->shape[0]);
    head[9] = x->shape[2] == 3 ? 2 : 0; /* colour, grey */
    int r = gv_buf_add(out, magic, sizeof magic, err);
    if (r == GV_OK)
        r = chunk(out, "IHDR", head, sizeof head, err);
    if (r == GV_OK)
        r = pixels(out, x, (size_t)(x->shape[1] * x->shape[2]), (size_t)x->shape[2], err);
    return r == GV_OK ? chunk(out, "IEND", "", 0, err) : r;
}
