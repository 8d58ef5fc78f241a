/* scan: walk the tags of one msgpack record, complete or not, and bound every size before it is believed. */
#include "stream/internal.h"
#include <inttypes.h>

void gv_scan_init(gv_scan *s)
{
    *s = (gv_scan){ .need = 1, .left = { 1 } };
}

static uint64_t big_endian(const unsigned char *p, int n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

enum shape { SCALAR, TEXT, BYTES, ARRAY, MAP, EXT, NEVER };

/* What a tag announces: `width` bytes of length or value follow it; `fixed` is the length of the fix- forms. */
static enum shape announces(unsigned char t, int *width, uint64_t *fixed)
{
    *width = 0;
    *fixed = 0;
    if (t < 0x80 || t >= 0xe0)
        return SCALAR;
    if (t < 0x90) {
        *fixed = t & 15;
        return MAP;
    }
    if (t < 0xa0) {
        *fixed = t & 15;
        return ARRAY;
    }
    if (t < 0xc0) {
        *fixed = t & 31;
        return TEXT;
    }
    static const signed char scalar[32] = { /* bytes behind tags c0 … df; -1: not a scalar */
        0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    };
    if (scalar[t & 31] >= 0) {
        *width = scalar[t & 31];
        return SCALAR;
    }
    switch (t) {
    case 0xc4: case 0xc5: case 0xc6: *width = 1 << (t - 0xc4); return BYTES;
    case 0xd9: case 0xda: case 0xdb: *width = 1 << (t - 0xd9); return TEXT;
    case 0xdc: case 0xdd: *width = 2 << (t - 0xdc); return ARRAY;
    case 0xde: case 0xdf: *width = 2 << (t - 0xde); return MAP;
    case 0xc1: return NEVER;
    default: return EXT;
    }
}

static int enter(gv_scan *s, uint64_t entries, uint64_t per_entry, gv_err *err)
{
    if (entries > GV_MAX_ITEMS || s->items + entries * per_entry > GV_MAX_ITEMS)
        return gv_fail(err, GV_EDATA, "it claims %" PRIu64 " entries in one %s; at most %d values are read in a record", entries,
                       per_entry == 2 ? "map" : "array", GV_MAX_ITEMS);
    s->items += (uint32_t)(entries * per_entry);
    if (s->depth == GV_MAX_NESTING)
        return gv_fail(err, GV_EDATA, "its values are nested deeper than %d levels", GV_MAX_NESTING);
    s->left[++s->depth] = (uint32_t)(entries * per_entry);
    return GV_OK;
}

int gv_scan_more(gv_scan *s, const unsigned char *p, size_t n, size_t max, gv_err *err)
{
    for (;;) {
        while (s->depth >= 0 && !s->left[s->depth])
            s->depth--;
        if (s->depth < 0)
            return s->pos <= n ? 1 : 0;
        if (s->pos >= n) {
            if (s->need <= s->pos)
                s->need = s->pos + 1;
            return 0;
        }
        unsigned char t = p[s->pos];
        int width;
        uint64_t len;
        enum shape shape = announces(t, &width, &len);
        if (s->pos == 0 && shape != MAP)
            return gv_fail(err, GV_EDATA, "it is not a map (its first byte is 0x%02x)", t);
        if (shape == NEVER || shape == EXT)
            return gv_fail(err, GV_EDATA, "it holds msgpack type 0x%02x at its byte %zu, which streams do not use", t, s->pos);
        if (n - s->pos < 1 + (size_t)width) {
            s->need = s->pos + 1 + (size_t)width;
            return 0;
        }
        if (width && shape != SCALAR)
            len = big_endian(p + s->pos + 1, width);
        if (shape == TEXT && len > GV_MAX_TEXT)
            return gv_fail(err, GV_EDATA, "it claims a text of %" PRIu64 " bytes; at most %d are read", len, GV_MAX_TEXT);
        size_t head = 1 + (size_t)width, body = shape == TEXT || shape == BYTES ? (size_t)len : 0;
        if (body > max || s->pos > max - body || s->pos + body > max - head)
            return gv_fail(err, GV_EDATA, "it claims at least %" PRIu64 " bytes; at most %zu are read (GLOVITA_MAX_RECORD)",
                           (uint64_t)s->pos + head + body, max);
        s->left[s->depth]--;
        s->pos += head + body;
        s->need = s->pos;
        if (shape == ARRAY || shape == MAP)
            if (enter(s, len, shape == MAP ? 2 : 1, err) < 0)
                return err ? err->code : GV_EDATA;
    }
}
