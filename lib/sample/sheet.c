/* sheet: tiles with labels, put together as one picture. */
#include "sample/sheet.h"
#include <math.h>

enum { GAP = 6, LINE = 9, ADVANCE = 6, LINES = 2 };
enum { PAPER = 255, GROUND = 224, FAILED = 160, INK = 32 };
#define MAX_PICTURE ((size_t)1 << 30)

static int64_t cell_width(const gv_sheet *s)
{
    return s->tile + GAP;
}

static int64_t cell_height(const gv_sheet *s)
{
    return s->tile + LINES * LINE + GAP;
}

static size_t cell_bytes(const gv_sheet *s)
{
    return (size_t)cell_width(s) * (size_t)cell_height(s) * 3;
}

/* ---- values to bytes ---- */

struct range { double low, high; };

static struct range range_of(const gv_sample *x)
{
    struct range r = { INFINITY, -INFINITY };
    double part[512];
    size_t size = gv_dtype_of(x->dtype)->size;
    int64_t n = gv_shape_count(x->shape, x->ndim);
    for (int64_t i = 0; i < n; i += 512) {
        size_t k = n - i < 512 ? (size_t)(n - i) : 512;
        gv_to_f64(x->dtype, (const char *)x->data + (size_t)i * size, part, k);
        for (size_t j = 0; j < k; j++)
            if (isfinite(part[j])) {
                r.low = part[j] < r.low ? part[j] : r.low;
                r.high = part[j] > r.high ? part[j] : r.high;
            }
    }
    return r;
}

static uint8_t byte_of(double v, struct range r)
{
    double t = r.high > r.low ? (v - r.low) / (r.high - r.low) : 0;
    return t > 0 ? (uint8_t)lround(fmin(t, 1) * 255) : 0; /* NaN: 0 */
}

/* Image k of those that lie behind each other, as uint8 [h,w,3]. */
static int image_of(const gv_sample *x, const gv_frames *f, int64_t k, struct range range, gv_sample *out, gv_arena *a, gv_err *err)
{
    if (gv_sample_init(out, GV_U8, 3, (int64_t[]){ f->h, f->w, 3 }, a, err) < 0)
        return err->code;
    size_t size = gv_dtype_of(x->dtype)->size;
    const char *from = (const char *)x->data + (size_t)(k * f->h * f->w * f->c) * size;
    uint8_t *to = out->data;
    for (int64_t i = 0; i < f->h * f->w; i++, from += (size_t)f->c * size, to += 3)
        for (int c = 0; c < 3; c++) {
            const char *p = from + (f->c < 3 ? 0 : (size_t)c * size);
            double v;
            if (x->dtype == GV_U8)
                to[c] = *(const uint8_t *)p;
            else {
                gv_to_f64(x->dtype, p, &v, 1);
                to[c] = byte_of(v, range);
            }
        }
    return GV_OK;
}

/* ---- drawing ---- */

/* The picture, fitted into a square of `side` pixels whose corner is (x, y), in the middle of it. */
static int paste(const gv_sheet *s, uint8_t *cell, int64_t x, int64_t y, int64_t side, gv_sample *p, gv_arena *a, gv_err *err)
{
    int64_t h = p->shape[0], w = p->shape[1], most = h > w ? h : w, times = side / most;
    if (!times) {
        int64_t nh = h * side / most, nw = w * side / most;
        if (gv_sample_resize(p, nh ? nh : 1, nw ? nw : 1, GV_BILINEAR, a, err) < 0)
            return err->code;
        h = p->shape[0], w = p->shape[1], times = 1;
    }
    const uint8_t *from = p->data;
    y += (side - h * times) / 2;
    x += (side - w * times) / 2;
    for (int64_t r = 0; r < h * times; r++)
        for (int64_t c = 0; c < w * times; c++)
            memcpy(cell + ((y + r) * cell_width(s) + x + c) * 3, from + (r / times * w + c / times) * 3, 3);
    return GV_OK;
}

static void letter(const gv_sheet *s, uint8_t *cell, int64_t x, int64_t y, unsigned char c)
{
    const unsigned char *rows = gv_letters[c >= ' ' && c <= '~' ? c - ' ' : '?' - ' '];
    for (int r = 0; r < 7; r++)
        for (int b = 0; b < 5; b++)
            if (rows[r] & 0x10 >> b)
                memset(cell + ((y + r) * cell_width(s) + x + b) * 3, INK, 3);
}

static void text(const gv_sheet *s, uint8_t *cell, int line, const char *t)
{
    size_t n = 0, room = (size_t)(s->tile / ADVANCE), skip;
    for (const char *p = t; *p; p++)
        n += ((unsigned char)*p & 0xc0) != 0x80; /* characters of UTF-8 */
    skip = n > room ? n - room + 1 : 0;
    int64_t x = 0, y = s->tile + 2 + line * LINE;
    if (skip) {
        for (int k = 0; k < 3; k++) /* an ellipsis in the room of one letter */
            memset(cell + ((y + 6) * cell_width(s) + 2 * k) * 3, INK, 3);
        x = ADVANCE;
    }
    for (const char *p = t; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if ((c & 0xc0) == 0x80)
            continue;
        if (skip) {
            skip--;
            continue;
        }
        letter(s, cell, x, y, c);
        x += ADVANCE;
    }
}

int gv_sheet_add(gv_sheet *s, const gv_sample *x, const char *first, const char *second, gv_arena *scratch, gv_err *err)
{
    gv_frames f = { 0 };
    if (s->n == GV_SHEET_TILES)
        return gv_fail(err, GV_EUSAGE, "a sheet holds %d samples at most", GV_SHEET_TILES);
    if (x && (x->ndim < 3 || gv_sample_frames(x, &f, err) < 0 || f.n < 1))
        return gv_fail(err, GV_EDATA, "no picture can be made of x: it has %d axes, where an image has height, width and channels", x->ndim);
    size_t bytes = cell_bytes(s);
    if (gv_buf_reserve(&s->cells, bytes, err) < 0)
        return GV_ESYS;
    uint8_t *cell = (uint8_t *)s->cells.data + s->cells.len;
    memset(cell, PAPER, bytes);
    for (int64_t r = 0; r < s->tile; r++)
        memset(cell + r * cell_width(s) * 3, x ? GROUND : FAILED, (size_t)s->tile * 3);
    struct range range = { 0, 65535 };
    if (x && x->dtype != GV_U8 && x->dtype != GV_U16)
        range = range_of(x);
    int64_t shown = f.n < 4 ? f.n : 4, side = shown > 1 ? (s->tile - 2) / 2 : s->tile;
    for (int64_t i = 0; i < shown; i++) {
        gv_sample p;
        if (image_of(x, &f, shown > 1 ? i * (f.n - 1) / (shown - 1) : 0, range, &p, scratch, err) < 0 ||
            paste(s, cell, i % 2 * (side + 2), i / 2 * (side + 2), side, &p, scratch, err) < 0)
            return err->code;
    }
    text(s, cell, 0, first);
    text(s, cell, 1, second);
    s->cells.len += bytes;
    s->n++;
    return GV_OK;
}

int gv_sheet_finish(const gv_sheet *s, int64_t columns, gv_sample *out, gv_arena *arena, gv_err *err)
{
    if (!s->n)
        return gv_fail(err, GV_EDATA, "there is no sample to make a picture of");
    if (columns < 1)
        columns = (int64_t)ceil(sqrt((double)s->n));
    columns = columns < s->n ? columns : s->n;
    int64_t rows = (s->n + columns - 1) / columns, w = columns * cell_width(s) + GAP, h = rows * cell_height(s) + GAP;
    if ((size_t)w * (size_t)h * 3 > MAX_PICTURE)
        return gv_fail(err, GV_EUSAGE, "the picture would have %lld x %lld pixels; take fewer samples or smaller tiles", (long long)w, (long long)h);
    if (gv_sample_init(out, GV_U8, 3, (int64_t[]){ h, w, 3 }, arena, err) < 0)
        return err->code;
    memset(out->data, PAPER, gv_sample_bytes(out));
    for (int64_t i = 0; i < s->n; i++) {
        const char *cell = s->cells.data + (size_t)i * cell_bytes(s);
        int64_t y = GAP + i / columns * cell_height(s), x = GAP + i % columns * cell_width(s);
        for (int64_t r = 0; r < cell_height(s); r++)
            memcpy((uint8_t *)out->data + ((y + r) * w + x) * 3, cell + r * cell_width(s) * 3, (size_t)cell_width(s) * 3);
    }
    return GV_OK;
}

void gv_sheet_release(gv_sheet *s)
{
    gv_buf_release(&s->cells);
    *s = (gv_sheet){ 0 };
}
