/* jpeg_headers: markers of a baseline JPEG up to its scan. Whatever is not the usual photograph is libjpeg's: 0.
 * Source: ITU-T T.81, annexes B and C; which files are YCbCr: libjpeg's rules. */
#include "formats/jpeg_baseline.h"

/* Tables of the files before: most cameras and programs write the same four, and making one costs as much as a row of blocks. */
enum { KEPT = 6 };
static _Thread_local struct { gv_jpeg_codes codes; int class; uint64_t used; } kept[KEPT];
static _Thread_local uint64_t clock_;

static const uint8_t zigzag[64] = { 0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
                                    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63 };

/* All looks that begin with one code. */
static void fill_looks(gv_jpeg_codes *t, int class, uint32_t code, int length, int symbol)
{
    int size = symbol & 15, step = class ? (symbol >> 4) + 1 : 0, room = GV_JPEG_LOOK - length;
    uint32_t *to = &t->look[code << room];
    if (class && !size && symbol != 0xf0)
        step = 128; /* end of block; 0xf0, sixteen zeros, adds 16 and writes a zero */
    for (uint32_t rest = 0; rest < 1u << room; rest++) {
        if (size > room) {
            to[rest] = (uint32_t)size << 16 | (uint32_t)step << 8 | 0x80u | (uint32_t)length;
            continue;
        }
        int v = size ? (int)(rest >> (room - size)) : 0;
        if (size && v < 1 << (size - 1))
            v -= (1 << size) - 1;
        to[rest] = (uint32_t)v << 16 | (uint32_t)step << 8 | (uint32_t)(length + size);
    }
}

/* Codes that fit into one look together, from the looks of one. */
static void make_two(gv_jpeg_codes *t)
{
    uint32_t all = (1u << GV_JPEG_LOOK) - 1;
    for (uint32_t i = 0; i <= all; i++) {
        uint32_t to = 0, used = 0;
        for (int n = 0; n < 3; n++) {
            uint32_t e = t->look[i << used & all], bits = e & 0x1f, step = e >> 8 & 0xff;
            int value = (int16_t)(e >> 16);
            if (!bits || (e & 0x80) || used + bits > GV_JPEG_LOOK || value > 127 || value < -128 || (n == 2 && step != 128))
                break;
            used += bits;
            if (step == 128) {
                to |= 16;
                break;
            }
            to |= step << (5 + 5 * n) | (uint32_t)(uint8_t)value << (16 + 8 * n);
        }
        t->two[i] = to | used;
    }
}

/* From bits and symbol; false if they make no code. */
static bool make_codes(gv_jpeg_codes *t, int class)
{
    uint32_t code = 0;
    int k = 0;
    memset(t->look, 0, sizeof t->look);
    for (int length = 1; length <= 16; length++, code <<= 1) {
        t->offset[length] = k - (int)code;
        for (int i = 0; i < t->bits[length]; i++, k++, code++) {
            if (code >= (1u << length) || (!class && t->symbol[k] > 15))
                return false;
            if (length <= GV_JPEG_LOOK)
                fill_looks(t, class, code, length, t->symbol[k]);
        }
        t->first[length] = code << (16 - length);
    }
    t->first[17] = UINT32_MAX;
    if (class)
        make_two(t);
    return true;
}

static gv_jpeg_codes *codes_for(int class, const uint8_t *p, int symbols)
{
    int at = 0;
    for (int i = 0; i < KEPT; i++) {
        gv_jpeg_codes *t = &kept[i].codes;
        if (t->set && kept[i].class == class && !memcmp(t->bits + 1, p, 16) && !memcmp(t->symbol, p + 16, (size_t)symbols)) {
            kept[i].used = ++clock_;
            return t;
        }
        if (kept[i].used < kept[at].used)
            at = i;
    }
    gv_jpeg_codes *t = &kept[at].codes;
    t->set = false;
    memcpy(t->bits + 1, p, 16);
    memset(t->symbol, 0, sizeof t->symbol);
    memcpy(t->symbol, p + 16, (size_t)symbols);
    if (!make_codes(t, class))
        return NULL;
    t->set = true;
    kept[at].class = class;
    kept[at].used = ++clock_;
    return t;
}

static int huffman(gv_jpeg *j, const uint8_t *p, size_t n)
{
    while (n) {
        int symbols = 0, class = p[0] >> 4, id = p[0] & 15;
        if (n < 17 || class > 1 || id > 3)
            return 0;
        for (int i = 1; i <= 16; i++)
            symbols += p[i];
        if (symbols > 256 || n < 17 + (size_t)symbols || !(j->codes[class][id] = codes_for(class, p + 1, symbols)))
            return 0;
        p += 17 + symbols;
        n -= 17 + (size_t)symbols;
    }
    return 1;
}

static int quantisation(gv_jpeg *j, const uint8_t *p, size_t n)
{
    for (; n; p += 65, n -= 65) {
        if (n < 65 || p[0] > 3) /* 16-bit tables are rare */
            return 0;
        for (int i = 0; i < 64; i++)
            j->quant[p[0]][zigzag[i]] = p[1 + i];
        j->has_quant[p[0]] = true;
    }
    return 1;
}

static int frame(gv_jpeg *j, const uint8_t *p, size_t n)
{
    if (n < 6 || p[0] != 8 || j->n || (p[5] != 1 && p[5] != 3) || n != 6 + 3 * (size_t)p[5])
        return 0;
    j->height = p[1] << 8 | p[2];
    j->width = p[3] << 8 | p[4];
    j->n = p[5];
    for (int i = 0; i < j->n; i++) {
        const uint8_t *c = p + 6 + 3 * i;
        j->plane[i] = (gv_jpeg_plane){ .id = c[0], .h = c[1] >> 4, .v = c[1] & 15, .table = c[2] };
        if (c[2] > 3)
            return 0;
    }
    if (j->n == 1)
        j->plane[0].h = j->plane[0].v = 1; /* a scan of one component has one block in a group */
    j->h_max = j->plane[0].h;
    j->v_max = j->plane[0].v;
    bool known = j->v_max == 1 ? j->h_max == 1 || j->h_max == 2 : j->v_max == 2 && j->h_max == 2;
    for (int i = 1; i < j->n; i++)
        known = known && j->plane[i].h == 1 && j->plane[i].v == 1;
    for (int i = 0; i < j->n; i++) {
        gv_jpeg_plane *q = &j->plane[i];
        q->width = (j->width * q->h + j->h_max - 1) / j->h_max;
        q->height = (j->height * q->v + j->v_max - 1) / j->v_max;
        known = known && (q->h == j->h_max || q->width > 2); /* libjpeg repeats samples where there are no more */
    }
    return known && j->width && j->height;
}

/* Three components are YCbCr with a JFIF marker, else as Adobe's says, else unless they are named R, G, B; odd names are not ours. */
static bool is_ycc(const gv_jpeg *j, bool jfif, int adobe)
{
    if (j->n == 1 || jfif)
        return true;
    if (adobe >= 0)
        return adobe == 1;
    return j->plane[0].id == 1 && j->plane[1].id == 2 && j->plane[2].id == 3;
}

static int scan(gv_jpeg *j, const uint8_t *p, size_t n)
{
    if (!j->n || n != 4 + 2 * (size_t)j->n || p[0] != j->n)
        return 0;
    for (int i = 0; i < j->n; i++) {
        gv_jpeg_plane *q = &j->plane[i];
        q->dc = p[2 + 2 * i] >> 4;
        q->ac = p[2 + 2 * i] & 15;
        if (p[1 + 2 * i] != q->id || q->dc > 3 || q->ac > 3 || !j->codes[0][q->dc] || !j->codes[1][q->ac] || !j->has_quant[q->table])
            return 0;
    }
    p += 1 + 2 * j->n;
    return p[0] == 0 && p[1] == 63 && p[2] == 0;
}

int gv_jpeg_headers(gv_jpeg *j, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    bool jfif = false;
    int adobe = -1, ok = 1;
    if (n < 4 || p[0] != 0xff || p[1] != 0xd8)
        return 0;
    for (p += 2; ok && end - p >= 4;) {
        if (p[0] != 0xff)
            return 0;
        if (p[1] == 0xff) { /* fill */
            p++;
            continue;
        }
        int marker = p[1];
        size_t length = (size_t)(p[2] << 8 | p[3]);
        if (length < 2 || length > (size_t)(end - p) - 2)
            return 0;
        const uint8_t *q = p + 4;
        size_t m = length - 2;
        p += 2 + length;
        switch (marker) {
        case 0xc0: case 0xc1: ok = frame(j, q, m); break;
        case 0xc4: ok = huffman(j, q, m); break;
        case 0xdb: ok = quantisation(j, q, m); break;
        case 0xdd:
            if (m != 2)
                return 0;
            j->interval = q[0] << 8 | q[1];
            break;
        case 0xda:
            j->data = p;
            j->end = end;
            return scan(j, q, m) && is_ycc(j, jfif, adobe);
        case 0xe0: jfif = jfif || (m >= 14 && !memcmp(q, "JFIF", 5)); break;
        case 0xee:
            if (m >= 12 && !memcmp(q, "Adobe", 5))
                adobe = q[11];
            break;
        case 0xfe: break;
        default:
            if (marker < 0xe0 || marker > 0xef)
                return 0;
        }
    }
    return 0;
}
