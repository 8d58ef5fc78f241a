/* zip: a strict reader of ZIP archives in memory. */
#include "weights/zip.h"
#include <libdeflate.h>

enum { MEMBERS_MOST = 1 << 20 };

static int bad(gv_err *err, const char *why)
{
    return gv_fail(err, GV_EDATA, "the zip archive is damaged or built to mislead: %s", why);
}

/* Where the directory lies: the end record closes the file, the zip64 record and its locator, if there, stand before it. */
static int find_directory(const struct gv_zip *z, uint64_t *at, uint64_t *bytes, uint64_t *count, gv_err *err)
{
    if (z->n < 22 || memcmp(z->p + z->n - 22, "PK\5\6", 4))
        return gv_fail(err, GV_EDATA, "the zip archive is cut, or text follows it: its last record is missing");
    const unsigned char *e = z->p + z->n - 22;
    uint64_t end = z->n - 22;
    if (GV_LE16(e + 4) || GV_LE16(e + 6) || GV_LE16(e + 8) != GV_LE16(e + 10) || GV_LE16(e + 20))
        return bad(err, "it has several volumes, or a comment");
    *count = GV_LE16(e + 10);
    *bytes = GV_LE32(e + 12);
    *at = GV_LE32(e + 16);
    if (end >= 20 + 56 && !memcmp(e - 20, "PK\6\7", 4)) {
        uint64_t record = GV_LE64(e - 12);
        if (GV_LE32(e - 16) || record > end - 20 - 56 || memcmp(z->p + record, "PK\6\6", 4))
            return bad(err, "its zip64 record is not where it should be");
        const unsigned char *r = z->p + record;
        if (GV_LE64(r + 4) != end - 20 - record - 12 || GV_LE32(r + 16) || GV_LE32(r + 20) || GV_LE64(r + 24) != GV_LE64(r + 32))
            return bad(err, "its zip64 record has a wrong size, or several volumes");
        if ((*count != 0xffff && *count != GV_LE64(r + 32)) || (*bytes != 0xffffffff && *bytes != GV_LE64(r + 40)) ||
            (*at != 0xffffffff && *at != GV_LE64(r + 48)))
            return bad(err, "its two end records disagree");
        *count = GV_LE64(r + 32);
        *bytes = GV_LE64(r + 40);
        *at = GV_LE64(r + 48);
        end = record;
    }
    if (*at > end || *bytes != end - *at)
        return bad(err, "its directory does not end where the end record begins");
    if (*count > MEMBERS_MOST || *count * 46 > *bytes)
        return bad(err, "it claims more members than it has room for");
    return GV_OK;
}

/* Sizes and offset from the zip64 extra field, for those of the directory that are saturated, in this order. */
static int zip64(const unsigned char *x, size_t n, struct gv_zip_member *m, gv_err *err)
{
    uint64_t *want[] = { &m->bytes, &m->stored, &m->header };
    while (n >= 4) {
        size_t size = GV_LE16(x + 2);
        if (size > n - 4)
            return bad(err, "an extra field is cut");
        if (GV_LE16(x) == 1) {
            const unsigned char *p = x + 4, *end = p + size;
            for (int i = 0; i < 3; i++)
                if (*want[i] == 0xffffffff) {
                    if (end - p < 8)
                        return bad(err, "a zip64 field is cut");
                    *want[i] = GV_LE64(p);
                    p += 8;
                }
            return GV_OK;
        }
        x += 4 + size;
        n -= 4 + size;
    }
    return GV_OK;
}

static int plain_name(const char *s, size_t n)
{
    if (!n || n > 512 || s[0] == '/' || memchr(s, 0, n) || memchr(s, '\\', n) || memchr(s, '\n', n))
        return 0;
    for (size_t i = 0; i + 1 < n; i++)
        if (s[i] == '.' && s[i + 1] == '.' && (!i || s[i - 1] == '/') && (i + 2 == n || s[i + 2] == '/'))
            return 0;
    return 1;
}

/* The local header repeats name and method; its sizes are zero when they follow the data, saturated in zip64. */
static int check_local(struct gv_zip *z, struct gv_zip_member *m, size_t name, uint64_t end, gv_err *err)
{
    if (m->header > end || end - m->header < 30 || memcmp(z->p + m->header, "PK\3\4", 4))
        return bad(err, "a member does not begin where the directory says");
    const unsigned char *h = z->p + m->header;
    size_t skip = 30 + (size_t)GV_LE16(h + 26) + GV_LE16(h + 28);
    if (skip > end - m->header || m->stored > end - m->header - skip)
        return bad(err, "a member is longer than the archive");
    if (GV_LE16(h + 26) != name || memcmp(h + 30, m->name, name) || GV_LE16(h + 8) != m->method)
        return bad(err, "a member and its entry in the directory disagree");
    uint32_t stored = GV_LE32(h + 18), bytes = GV_LE32(h + 22);
    int follow = m->descriptor || stored == 0xffffffff || bytes == 0xffffffff;
    if (!follow && (stored != m->stored || bytes != m->bytes || GV_LE32(h + 14) != m->crc))
        return bad(err, "a member and its entry in the directory disagree");
    m->data = h + skip;
    return GV_OK;
}

static int read_entry(struct gv_zip *z, const unsigned char **at, const unsigned char *end, uint64_t directory, gv_err *err)
{
    const unsigned char *d = *at;
    if (end - d < 46 || memcmp(d, "PK\1\2", 4))
        return bad(err, "an entry of its directory is cut");
    size_t name = GV_LE16(d + 28), extra = GV_LE16(d + 30), comment = GV_LE16(d + 32);
    if ((size_t)(end - d) - 46 < name + extra + comment)
        return bad(err, "an entry of its directory is cut");
    struct gv_zip_member m = { .method = GV_LE16(d + 10), .descriptor = GV_LE16(d + 8) >> 3 & 1, .crc = GV_LE32(d + 16),
                               .stored = GV_LE32(d + 20), .bytes = GV_LE32(d + 24), .header = GV_LE32(d + 42) };
    if (GV_LE16(d + 8) & 1)
        return gv_fail(err, GV_EDATA, "the zip archive is encrypted");
    if (m.method != 0 && m.method != 8)
        return gv_fail(err, GV_EDATA, "the zip archive is packed with method %d; stored and deflated members are read", m.method);
    if (GV_LE16(d + 34) || !plain_name((const char *)d + 46, name))
        return bad(err, "a member's name is not a plain one");
    if (zip64(d + 46 + name, extra, &m, err) < 0)
        return GV_EDATA;
    if (m.method == 0 && m.stored != m.bytes)
        return bad(err, "a stored member has two sizes");
    m.name = z->text.data + z->text.len;
    memcpy(m.name, d + 46, name);
    m.name[name] = 0;
    z->text.len += name + 1;
    if (check_local(z, &m, name, directory, err) < 0)
        return GV_EDATA;
    *at = d + 46 + name + extra + comment;
    size_t index = z->members.len / sizeof m;
    int r = gv_names_add(&z->names, m.name, &index, err);
    if (r == 0)
        return bad(err, "a name occurs twice");
    return r < 0 ? r : gv_buf_add(&z->members, &m, sizeof m, err);
}

static int by_header(const void *a, const void *b)
{
    const struct gv_zip_member *x = *(const struct gv_zip_member *const *)a, *y = *(const struct gv_zip_member *const *)b;
    return (x->header > y->header) - (x->header < y->header);
}

/* Members lie side by side, from the first byte on: nothing hides before them, and no two share bytes. */
static int check_overlap(const struct gv_zip *z, gv_err *err)
{
    size_t n = z->members.len / sizeof(struct gv_zip_member);
    const struct gv_zip_member *m = (const struct gv_zip_member *)z->members.data, **order = gv_alloc((n + 1) * sizeof *order, err);
    if (!order)
        return GV_ESYS;
    for (size_t i = 0; i < n; i++)
        order[i] = &m[i];
    qsort(order, n, sizeof *order, by_header);
    int r = n && order[0]->header ? bad(err, "other bytes stand before its first member") : GV_OK;
    for (size_t i = 0; i + 1 < n && r == GV_OK; i++)
        if (order[i]->data + order[i]->stored > z->p + order[i + 1]->header)
            r = bad(err, "two of its members share bytes");
    gv_free(order);
    return r;
}

int gv_zip_open(struct gv_zip *z, const unsigned char *p, size_t n, gv_err *err)
{
    uint64_t at = 0, bytes = 0, count = 0;
    z->p = p;
    z->n = n;
    int r = find_directory(z, &at, &bytes, &count, err);
    if (r < 0)
        return r;
    r = gv_buf_reserve(&z->text, (size_t)bytes, err); /* all names at once: entries point into the text */
    const unsigned char *d = p + at, *end = d + bytes;
    for (uint64_t i = 0; i < count && r == GV_OK; i++)
        r = read_entry(z, &d, end, at, err);
    if (r == GV_OK && d != end)
        r = bad(err, "its directory is longer than its entries");
    return r == GV_OK ? check_overlap(z, err) : r;
}

void gv_zip_close(struct gv_zip *z)
{
    gv_buf_release(&z->members);
    gv_buf_release(&z->text);
    gv_names_release(&z->names);
}

const struct gv_zip_member *gv_zip_find(const struct gv_zip *z, const char *name)
{
    int64_t i = gv_names_find(&z->names, name);
    return i < 0 ? NULL : (const struct gv_zip_member *)z->members.data + i;
}

const unsigned char *gv_zip_data(const struct gv_zip_member *m, gv_weights *w, gv_err *err)
{
    const unsigned char *p = m->data;
    if (m->method == 8) {
        if (m->bytes / 1032 > m->stored) { /* deflate cannot do better */
            bad(err, "a deflated member claims more bytes than it can hold");
            return NULL;
        }
        unsigned char *space = gv_weights_copy_space(w, (size_t)m->bytes, m->name, err);
        struct libdeflate_decompressor *d = space ? libdeflate_alloc_decompressor() : NULL;
        if (!d) {
            gv_fail(err, GV_ESYS, "out of memory for '%s'", m->name);
            return NULL;
        }
        int r = libdeflate_deflate_decompress(d, m->data, (size_t)m->stored, space, (size_t)m->bytes, NULL);
        libdeflate_free_decompressor(d);
        if (r != LIBDEFLATE_SUCCESS) {
            gv_fail(err, GV_EDATA, "'%s' in the zip archive does not unpack to the %llu bytes it claims", m->name, (unsigned long long)m->bytes);
            return NULL;
        }
        p = space;
    }
    if (libdeflate_crc32(0, p, (size_t)m->bytes) != m->crc) {
        gv_fail(err, GV_EDATA, "'%s' in the zip archive does not match its checksum: the file is damaged", m->name);
        return NULL;
    }
    return p;
}
