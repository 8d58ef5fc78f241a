/* zip_write: stored members, aligned; zip64 records where a size or offset needs them.
 * Source: PKWARE APPNOTE 6.3; the "FB" padding field is that of caffe2/serialize. */
#include "weights/zip_write.h"
#include <libdeflate.h>

enum { ALIGN = 64, PAD_FIELD = 0x4246, DAY_ONE = 0x21 /* 1 January 1980 */ };

/* A record under construction: little-endian numbers one after the other. */
struct record { unsigned char b[256]; size_t n; };

static void add(struct record *r, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        r->b[r->n++] = (unsigned char)(v >> 8 * i);
}

static uint64_t cap32(uint64_t v)
{
    return v < 0xffffffff ? v : 0xffffffff;
}

static int emit(struct gv_zip_out *z, const void *p, size_t n, gv_err *err)
{
    z->at += n;
    return gv_out_write(z->out, p, n, err);
}

/* Version to extract, flags, method, time, date, crc, both sizes, length of the name: the same in both headers. */
static void add_common(struct record *r, int wide, uint32_t crc, size_t n, size_t name)
{
    add(r, wide ? 45 : 20, 2);
    add(r, 0, 2);
    add(r, 0, 2);
    add(r, 0, 2);
    add(r, DAY_ONE, 2);
    add(r, crc, 4);
    add(r, wide ? 0xffffffff : n, 4);
    add(r, wide ? 0xffffffff : n, 4);
    add(r, name, 2);
}

int gv_zip_add(struct gv_zip_out *z, const char *name, const void *p, size_t n, gv_err *err)
{
    size_t len = strlen(name);
    uint64_t header = z->at;
    int wide = n >= 0xffffffff;
    uint32_t crc = libdeflate_crc32(0, n ? p : "", n);
    struct record l = { .n = 0 }, d = { .n = 0 };
    size_t fixed = 30 + len + (wide ? 20 : 0) + 4, pad = (ALIGN - (header + fixed) % ALIGN) % ALIGN;
    add(&l, 0x04034b50, 4);
    add_common(&l, wide, crc, n, len);
    add(&l, (wide ? 20 : 0) + 4 + pad, 2);
    int r = emit(z, l.b, l.n, err);
    if (r == GV_OK)
        r = emit(z, name, len, err);
    l.n = 0;
    if (wide) {
        add(&l, 1, 2);
        add(&l, 16, 2);
        add(&l, n, 8);
        add(&l, n, 8);
    }
    add(&l, PAD_FIELD, 2);
    add(&l, pad, 2);
    memset(l.b + l.n, 'Z', pad);
    if (r == GV_OK)
        r = emit(z, l.b, l.n + pad, err);
    if (r == GV_OK)
        r = emit(z, p, n, err);

    int far = header >= 0xffffffff;
    add(&d, 0x02014b50, 4);
    add(&d, 45, 2);
    add_common(&d, wide || far, crc, n, len);
    if (far && !wide) { /* only the offset is wide: the sizes stand as they are */
        d.n -= 10;
        add(&d, n, 4);
        add(&d, n, 4);
        add(&d, len, 2);
    }
    add(&d, wide || far ? 4 + (wide ? 16 : 0) + (far ? 8 : 0) : 0, 2);
    add(&d, 0, 2); /* comment */
    add(&d, 0, 2); /* volume */
    add(&d, 0, 2);
    add(&d, 0, 4);
    add(&d, cap32(header), 4);
    if (r == GV_OK)
        r = gv_buf_add(&z->directory, d.b, d.n, err);
    if (r == GV_OK)
        r = gv_buf_add(&z->directory, name, len, err);
    d.n = 0;
    if (wide || far) {
        add(&d, 1, 2);
        add(&d, (wide ? 16 : 0) + (far ? 8 : 0), 2);
    }
    if (wide) {
        add(&d, n, 8);
        add(&d, n, 8);
    }
    if (far)
        add(&d, header, 8);
    if (r == GV_OK)
        r = gv_buf_add(&z->directory, d.b, d.n, err);
    z->count++;
    return r;
}

int gv_zip_end(struct gv_zip_out *z, gv_err *err)
{
    uint64_t at = z->at, bytes = z->directory.len, n = z->count;
    int r = emit(z, z->directory.data, z->directory.len, err);
    uint64_t record = z->at;
    struct record e = { .n = 0 };
    if (n >= 0xffff || bytes >= 0xffffffff || at >= 0xffffffff) {
        add(&e, 0x06064b50, 4);
        add(&e, 44, 8);
        add(&e, 45, 2);
        add(&e, 45, 2);
        add(&e, 0, 4);
        add(&e, 0, 4);
        add(&e, n, 8);
        add(&e, n, 8);
        add(&e, bytes, 8);
        add(&e, at, 8);
        add(&e, 0x07064b50, 4);
        add(&e, 0, 4);
        add(&e, record, 8);
        add(&e, 1, 4);
    }
    uint64_t few = n < 0xffff ? n : 0xffff;
    add(&e, 0x06054b50, 4);
    add(&e, 0, 4);
    add(&e, few, 2);
    add(&e, few, 2);
    add(&e, cap32(bytes), 4);
    add(&e, cap32(at), 4);
    add(&e, 0, 2);
    return r == GV_OK ? emit(z, e.b, e.n, err) : r;
}

void gv_zip_out_release(struct gv_zip_out *z)
{
    gv_buf_release(&z->directory);
}
