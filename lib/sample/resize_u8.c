/* resize_u8: the passes of resizing over 8-bit pixels, in Pillow's and OpenCV's fixed point.
 * A row of three channels is first widened to ints; then one unaligned vector holds a pixel (and a stranger), which makes
 * one multiplication per tap. Stores overlap in the same way, and the row is narrowed again as a whole.
 * GV_HOT functions have names of their own in the whole program: clang shares the resolvers of equal ones. */
#include "sample/resize_simd.h"
#include "sample/taps.h"

typedef int32_t i32x4 __attribute__((vector_size(16)));

static inline uint8_t clip8(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static inline i32x4 load4(const int32_t *p)
{
    i32x4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

GV_HOT static void widen_u8(const uint8_t *restrict in, int32_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i];
}

GV_HOT static void narrow_u8(const int32_t *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t v = in[i] >> GV_TAPS_PILLOW_BITS;
        v = v < 0 ? 0 : v;
        out[i] = (uint8_t)(v > 255 ? 255 : v);
    }
}

/* in, out: rows of tx->in and tx->out pixels of 3 ints, each with one more int behind. */
GV_HOT static void across3_u8(const int32_t *restrict in, int32_t *restrict out, const gv_taps *t)
{
    for (int64_t x = 0; x < t->out; x++) {
        const int32_t *p = in + 3 * (int64_t)t->first[x], *q = t->fixed + x * t->width;
        i32x4 s = { 1 << 21, 1 << 21, 1 << 21, 1 << 21 };
        for (int k = 0, n = t->count[x]; k < n; k++)
            s += load4(p + 3 * k) * q[k];
        memcpy(out + 3 * x, &s, sizeof s);
    }
}

GV_HOT static void across_u8(const uint8_t *restrict in, uint8_t *restrict out, const gv_taps *t, int64_t c)
{
    for (int64_t x = 0; x < t->out; x++) {
        const uint8_t *p = in + c * (int64_t)t->first[x];
        const int32_t *q = t->fixed + x * t->width;
        for (int64_t ch = 0; ch < c; ch++) {
            int32_t s = 1 << 21;
            for (int k = 0, n = t->count[x]; k < n; k++)
                s += p[k * c + ch] * q[k];
            out[c * x + ch] = clip8(s >> GV_TAPS_PILLOW_BITS);
        }
    }
}

enum { STRIP = 1024 };

/* n bytes of one output row from `taps` rows that lie `step` bytes apart. */
GV_HOT static void down_u8(const uint8_t *restrict in, size_t step, uint8_t *restrict out, size_t n, const int32_t *q, int taps)
{
    int32_t s[STRIP];
    for (size_t i = 0; i < n; i += STRIP) {
        size_t m = n - i < STRIP ? n - i : STRIP;
        const uint8_t *p = in + i;
        for (size_t j = 0; j < m; j++)
            s[j] = (1 << 21) + p[j] * q[0];
        int k = 1;
        for (; k + 1 < taps; k += 2) {
            const uint8_t *a = p + step * (size_t)k, *b = a + step;
            int32_t qa = q[k], qb = q[k + 1];
            for (size_t j = 0; j < m; j++)
                s[j] += a[j] * qa + b[j] * qb;
        }
        if (k < taps) {
            const uint8_t *a = p + step * (size_t)k;
            int32_t qa = q[k];
            for (size_t j = 0; j < m; j++)
                s[j] += a[j] * qa;
        }
        for (size_t j = 0; j < m; j++)
            out[i + j] = clip8(s[j] >> GV_TAPS_PILLOW_BITS);
    }
}

enum { BEHIND = 16 }; /* bytes the passes of resize_simd.h read behind a row */

/* Rows lo … hi-1, each from tx->in to tx->out pixels. ints: a row of tx->in * c + 4 and one of tx->out * c + 4, or what image3 wants. */
static void across_rows(const uint8_t *in, uint8_t *out, const gv_taps *t, int64_t c, int64_t lo, int64_t hi, const gv_resize_passes *simd, int32_t *ints)
{
    size_t from = (size_t)(t->in * c), to = (size_t)(t->out * c);
    int32_t *sums = ints + from + 4;
    int64_t y = lo;
    if (simd && simd->image3 && c == 3 && simd->image3(in + (size_t)lo * from, out + (size_t)lo * to, hi - lo, t, ints))
        return;
    if (simd && c == 3 && from >= BEHIND) {
        uint8_t *last = (uint8_t *)ints; /* a copy of the last row, with room behind it */
        memcpy(last, in + (size_t)(hi - 1) * from, from);
        memset(last + from, 0, BEHIND);
        for (; y < hi; y += simd->rows) {
            const uint8_t *a[4];
            uint8_t *b[4];
            for (int r = 0; r < simd->rows; r++) { /* behind the last row it is done again */
                int64_t i = y + r < hi ? y + r : hi - 1;
                a[r] = i == hi - 1 ? last : in + (size_t)i * from;
                b[r] = out + (size_t)i * to;
            }
            simd->across3(a, b, t);
        }
    }
    ints[from] = 0;
    for (; y < hi; y++) {
        if (c == 3) {
            widen_u8(in + (size_t)y * from, ints, from);
            across3_u8(ints, sums, t);
            narrow_u8(sums, out + (size_t)y * to, to);
        } else
            across_u8(in + (size_t)y * from, out + (size_t)y * to, t, c);
    }
}

static void down_rows(const uint8_t *in, uint8_t *out, const gv_taps *t, size_t row, const gv_resize_passes *simd)
{
    for (int64_t y = 0; y < t->out; y++) {
        const uint8_t *p = in + (size_t)t->first[y] * row;
        if (simd)
            simd->down(p, row, out + (size_t)y * row, row, t->pair + y * t->pairs, t->count[y]);
        else
            down_u8(p, row, out + (size_t)y * row, row, t->fixed + y * t->width, t->count[y]);
    }
}

/* Pillow (since 13) goes down before across where the height loses more than twice as many pixels as the width. */
static bool down_first(const gv_taps *ty, const gv_taps *tx)
{
    int64_t less_h = ty->in - ty->out, less_w = tx->in - tx->out;
    return less_h > 0 && less_h > 2 * less_w;
}

static int level;

void gv_resize_limit(int most)
{
    level = most;
}

/* What lies between the passes comes first in the scratch memory, then what across_rows works with. */
static size_t between_bytes(const gv_taps *ty, const gv_taps *tx, int64_t c)
{
    size_t n = (size_t)(down_first(ty, tx) ? ty->out * tx->in : ty->in * tx->out) * (size_t)c;
    return (n + 63) & ~(size_t)63;
}

size_t gv_resize_scratch(const gv_taps *ty, const gv_taps *tx, int64_t c)
{
    size_t ints = (size_t)((tx->in + tx->out) * c + 8) * sizeof(int32_t), table = gv_resize_table(tx);
    return between_bytes(ty, tx, c) + (ints > table ? ints : table);
}

/* Each pass is rounded to 8 bits; one that would change nothing is left out. */
void gv_resize_pillow_u8(const uint8_t *in, uint8_t *out, const gv_taps *ty, const gv_taps *tx, int64_t c, uint8_t *scratch)
{
    const gv_resize_passes *simd = level < 3 ? gv_resize_simd(level) : NULL;
    bool across = tx->in != tx->out, down = ty->in != ty->out;
    int32_t *ints = (int32_t *)(void *)(scratch + between_bytes(ty, tx, c));
    if (down_first(ty, tx)) {
        down_rows(in, across ? scratch : out, ty, (size_t)(tx->in * c), simd);
        if (across)
            across_rows(scratch, out, tx, c, 0, ty->out, simd, ints);
        return;
    }
    if (across) {
        across_rows(in, down ? scratch : out, tx, c, down ? ty->first[0] : 0, down ? ty->first[ty->out - 1] + ty->count[ty->out - 1] : ty->in, simd, ints);
        in = scratch;
    }
    if (down)
        down_rows(in, out, ty, (size_t)(tx->out * c), simd);
}

GV_HOT static void linear_u8(const uint8_t *restrict in, int32_t *restrict out, const gv_taps *t, int64_t c)
{
    for (int64_t x = 0; x < t->out; x++) {
        int64_t s = t->first[x];
        int32_t a = t->fixed[2 * x], b = t->fixed[2 * x + 1];
        if (s < 0 || s >= t->in - 1) { /* the end pixel alone */
            a = 1 << GV_TAPS_OPENCV_BITS;
            b = 0;
            s = s < 0 ? 0 : t->in - 1;
        }
        const uint8_t *p = in + s * c, *p1 = s + 1 < t->in ? p + c : p;
        for (int64_t k = 0; k < c; k++)
            out[x * c + k] = p[k] * a + p1[k] * b;
    }
}

/* in: a widened row with one int behind it; out has room for one more. */
GV_HOT static void linear3_u8(const int32_t *restrict in, int32_t *restrict out, const gv_taps *t)
{
    int64_t n = t->out, last = t->in - 1;
    for (int64_t x = 0; x < n; x++) {
        int64_t s = t->first[x];
        i32x4 v;
        if (s < 0 || s >= last) /* the end pixel alone */
            v = load4(in + 3 * (s < 0 ? 0 : last)) << GV_TAPS_OPENCV_BITS;
        else
            v = load4(in + 3 * s) * t->fixed[2 * x] + load4(in + 3 * s + 3) * t->fixed[2 * x + 1];
        memcpy(out + 3 * x, &v, sizeof v);
    }
}

GV_HOT static void blend_linear_u8(const int32_t *restrict s0, const int32_t *restrict s1, uint8_t *restrict out, size_t n, int32_t b0, int32_t b1)
{
    for (size_t i = 0; i < n; i++)
        out[i] = clip8((((b0 * (s0[i] >> 4)) >> 16) + ((b1 * (s1[i] >> 4)) >> 16) + 2) >> 2);
}

/* rows: two rows of tx->out * c + 4 ints and one of tx->in * c + 4. */
void gv_resize_opencv_u8(const uint8_t *in, uint8_t *out, const gv_taps *ty, const gv_taps *tx, int64_t c, int32_t *rows)
{
    size_t row = (size_t)(tx->in * c), mid = (size_t)(tx->out * c);
    int32_t *buf[2] = { rows, rows + mid + 4 }, *wide = rows + 2 * (mid + 4);
    wide[row] = 0;
    int64_t held[2] = { -1, -1 };
    for (int64_t y = 0; y < ty->out; y++) {
        int64_t want[2] = { ty->first[y], ty->first[y] + 1 };
        for (int k = 0; k < 2; k++)
            want[k] = want[k] < 0 ? 0 : want[k] > ty->in - 1 ? ty->in - 1 : want[k];
        if (held[1] == want[0] && held[0] != want[0]) {
            int32_t *t = buf[0];
            buf[0] = buf[1];
            buf[1] = t;
            held[1] = held[0];
            held[0] = want[0];
        }
        for (int k = 0; k < 2; k++)
            if (held[k] != want[k]) {
                if (c == 3) {
                    widen_u8(in + (size_t)want[k] * row, wide, row);
                    linear3_u8(wide, buf[k], tx);
                } else
                    linear_u8(in + (size_t)want[k] * row, buf[k], tx, c);
                held[k] = want[k];
            }
        blend_linear_u8(buf[0], buf[1], out + (size_t)y * mid, mid, ty->fixed[2 * y], ty->fixed[2 * y + 1]);
    }
}

GV_HOT static void half_u8(const uint8_t *in, uint8_t *out, int64_t h, int64_t w, int64_t c)
{
    for (int64_t y = 0; y < h; y++) {
        const uint8_t *a = in + (size_t)(2 * y) * (size_t)(2 * w * c), *b = a + 2 * w * c;
        for (int64_t x = 0; x < w; x++, a += 2 * c, b += 2 * c)
            for (int64_t k = 0; k < c; k++)
                *out++ = (uint8_t)((a[k] + a[k + c] + b[k] + b[k + c] + 2) >> 2);
    }
}

/* OpenCV turns an exact halving of both sides into the mean of four pixels. h, w: of the output. */
void gv_resize_half_u8(const uint8_t *in, uint8_t *out, int64_t h, int64_t w, int64_t c)
{
    half_u8(in, out, h, w, c);
}
