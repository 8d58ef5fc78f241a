/* sample: memory, windows, mirrors and channels of N-D samples. */
#include "sample/sample.h"
#include <inttypes.h>
#include <math.h>

const char *const gv_interpolation_names[] = { "nearest", "linear", "bilinear", "bicubic", NULL };

size_t gv_sample_bytes(const gv_sample *s)
{
    int64_t n = gv_shape_count(s->shape, s->ndim);
    size_t bytes;
    if (n <= 0 || gv_mul_size((size_t)n, gv_dtype_of(s->dtype)->size, &bytes) < 0)
        return 0;
    return bytes;
}

int gv_sample_init(gv_sample *s, gv_dtype dtype, int ndim, const int64_t *shape, gv_arena *arena, gv_err *err)
{
    gv_sample t = { .dtype = dtype, .ndim = ndim };
    if (ndim < 1 || ndim > GV_MAX_DIMS)
        return gv_fail(err, GV_EDATA, "a sample has %d axes; 1 to %d are possible", ndim, GV_MAX_DIMS);
    memcpy(t.shape, shape, (size_t)ndim * sizeof *shape);
    size_t bytes = gv_sample_bytes(&t);
    if (!bytes)
        return gv_fail(err, GV_EDATA, "a sample has an empty or impossible shape (first axes %" PRId64 ", %" PRId64 ")", t.shape[0], ndim > 1 ? t.shape[1] : 1);
    t.data = gv_arena_alloc_dirty(arena, bytes, err);
    if (!t.data)
        return GV_ESYS;
    *s = t;
    return GV_OK;
}

int gv_sample_copy(const gv_sample *s, gv_sample *to, gv_arena *arena, gv_err *err)
{
    gv_sample t;
    int r = gv_sample_init(&t, s->dtype, s->ndim, s->shape, arena, err);
    if (r < 0)
        return r;
    memcpy(t.data, s->data, gv_sample_bytes(s));
    *to = t;
    return GV_OK;
}

int gv_sample_frames(const gv_sample *s, gv_frames *f, gv_err *err)
{
    *f = (gv_frames){ 0 };
    if (s->ndim < 3)
        return gv_fail(err, GV_EDATA, "a sample of %d axes has no height and width", s->ndim);
    f->n = 1;
    for (int i = 0; i < s->ndim - 3; i++)
        f->n *= s->shape[i];
    f->h = s->shape[s->ndim - 3];
    f->w = s->shape[s->ndim - 2];
    f->c = s->shape[s->ndim - 1];
    return GV_OK;
}

int64_t gv_border_index(gv_border b, int64_t i, int64_t n)
{
    if (i >= 0 && i < n)
        return i;
    switch (b) {
    case GV_BORDER_CONSTANT:
        return -1;
    case GV_BORDER_EDGE:
        return i < 0 ? 0 : n - 1;
    case GV_BORDER_REFLECT:
        if (i < 0 && i >= -n) /* the usual case, without a division */
            return -1 - i;
        if (i >= n && i < 2 * n)
            return 2 * n - 1 - i;
        i %= 2 * n;
        i += i < 0 ? 2 * n : 0;
        return i < n ? i : 2 * n - 1 - i;
    case GV_BORDER_REFLECT101:
        if (n == 1)
            return 0;
        i %= 2 * n - 2;
        i += i < 0 ? 2 * n - 2 : 0;
        return i < n ? i : 2 * n - 2 - i;
    }
    return -1;
}

/* One axis after the other; the innermost spatial axis copies runs of pixels. */
struct window {
    const int64_t *start, *size, *shape;
    gv_border border;
    uint8_t fill;
    int spatial;
    size_t pixel;                        /* bytes of one pixel */
    size_t in_step[GV_MAX_DIMS], out_step[GV_MAX_DIMS]; /* bytes of one step along an axis */
};

static void copy_row(const struct window *o, const uint8_t *in, uint8_t *out)
{
    int a = o->spatial - 1;
    int64_t x0 = o->start[a], n = o->size[a], w = o->shape[a], lo = x0 < 0 ? -x0 : 0, hi = x0 + n > w ? w - x0 : n;
    if (lo > n)
        lo = n;
    if (hi < lo)
        hi = lo;
    if (hi > lo)
        memcpy(out + (size_t)lo * o->pixel, in + (size_t)(x0 + lo) * o->pixel, (size_t)(hi - lo) * o->pixel);
    for (int64_t i = 0; i < n; i++) {
        if (i == lo)
            i = hi;
        if (i >= n)
            break;
        int64_t from = gv_border_index(o->border, x0 + i, w);
        if (from < 0)
            memset(out + (size_t)i * o->pixel, o->fill, o->pixel);
        else
            memcpy(out + (size_t)i * o->pixel, in + (size_t)from * o->pixel, o->pixel);
    }
}

static void copy_axis(const struct window *o, int axis, const uint8_t *in, uint8_t *out)
{
    if (axis == o->spatial - 1) {
        copy_row(o, in, out);
        return;
    }
    for (int64_t i = 0; i < o->size[axis]; i++, out += o->out_step[axis]) {
        int64_t from = gv_border_index(o->border, o->start[axis] + i, o->shape[axis]);
        if (from < 0)
            memset(out, o->fill, o->out_step[axis]);
        else
            copy_axis(o, axis + 1, in + (size_t)from * o->in_step[axis], out);
    }
}

int gv_sample_window(gv_sample *x, const int64_t *start, const int64_t *size, gv_border border, uint8_t fill, gv_arena *arena, gv_err *err)
{
    int spatial = x->ndim - 1;
    if (spatial < 1)
        return gv_fail(err, GV_EDATA, "a sample without spatial axes has no window");
    int64_t shape[GV_MAX_DIMS];
    bool same = true;
    for (int i = 0; i < spatial; i++) {
        shape[i] = size[i];
        same = same && !start[i] && size[i] == x->shape[i];
    }
    if (same)
        return GV_OK;
    shape[spatial] = x->shape[spatial];
    gv_sample y;
    int r = gv_sample_init(&y, x->dtype, x->ndim, shape, arena, err);
    if (r < 0)
        return r;
    struct window o = { .start = start, .size = size, .shape = x->shape, .border = border, .fill = fill, .spatial = spatial,
                        .pixel = (size_t)x->shape[spatial] * gv_dtype_of(x->dtype)->size };
    size_t in = o.pixel, out = o.pixel;
    for (int i = spatial - 1; i >= 0; i--) {
        o.in_step[i] = in;
        o.out_step[i] = out;
        in *= (size_t)x->shape[i];
        out *= (size_t)size[i];
    }
    copy_axis(&o, 0, x->data, y.data);
    *x = y;
    return GV_OK;
}

int gv_sample_crop(gv_sample *x, const gv_region *g, gv_arena *arena, gv_err *err)
{
    gv_frames f;
    int r = gv_sample_frames(x, &f, err);
    if (r < 0)
        return r;
    int64_t start[GV_MAX_DIMS] = { 0 }, size[GV_MAX_DIMS];
    memcpy(size, x->shape, sizeof size);
    start[x->ndim - 3] = g->y;
    start[x->ndim - 2] = g->x;
    size[x->ndim - 3] = g->h;
    size[x->ndim - 2] = g->w;
    return gv_sample_window(x, start, size, GV_BORDER_CONSTANT, 0, arena, err);
}

GV_HOT static void swap_bytes(uint8_t *restrict a, uint8_t *restrict b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* Mirror one row of w pixels; the common sizes are loops the compiler unrolls. */
static inline void mirror_row(uint8_t *p, int64_t w, size_t pixel)
{
    uint8_t *q = p + (size_t)(w - 1) * pixel;
    for (; p < q; p += pixel, q -= pixel)
        for (size_t k = 0; k < pixel; k++) {
            uint8_t t = p[k];
            p[k] = q[k];
            q[k] = t;
        }
}

typedef uint8_t u8x16 GV_VECTOR(16);

/* Rows of w pixels of three bytes: five pixels of either end change places at a time. The next ones are read before these are written: a read
 * that overlaps a fresh write by one byte waits for it. */
GV_HOT static void mirror_rows3(uint8_t *p, size_t rows, int64_t w)
{
    for (size_t i = 0; i < rows; i++, p += 3 * w) {
        uint8_t *lo = p, *hi = p + 3 * w;
        u8x16 a = { 0 }, b = { 0 }, c, d; /* of a and c the first fifteen bytes count, of b and d the last */
        if (hi - lo >= 32) {
            memcpy(&a, lo, 16);
            memcpy(&b, hi - 16, 16);
        }
        for (; hi - lo >= 32; lo += 15, hi -= 15, a = c, b = d) {
            memcpy(&c, lo + 15, 16);
            memcpy(&d, hi - 31, 16);
            u8x16 x = __builtin_shufflevector(a, b, 29, 30, 31, 26, 27, 28, 23, 24, 25, 20, 21, 22, 17, 18, 19, 15);
            u8x16 y = __builtin_shufflevector(a, b, 16, 12, 13, 14, 9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2);
            memcpy(lo, &x, 16);
            memcpy(hi - 16, &y, 16);
        }
        mirror_row(lo, (hi - lo) / 3, 3);
    }
}

int gv_sample_flip(gv_sample *x, int axis, gv_err *err)
{
    int spatial = x->ndim - 1;
    if (axis < 0 || axis >= spatial)
        return gv_fail(err, GV_EDATA, "cannot mirror axis %d of a sample with %d spatial axes", axis, spatial);
    size_t inner = gv_dtype_of(x->dtype)->size, outer = 1;
    for (int i = axis + 1; i <= spatial; i++)
        inner *= (size_t)x->shape[i];
    for (int i = 0; i < axis; i++)
        outer *= (size_t)x->shape[i];
    int64_t n = x->shape[axis];
    if (inner == 3) {
        mirror_rows3(x->data, outer, n);
        return GV_OK;
    }
    for (size_t o = 0; o < outer; o++) {
        uint8_t *p = (uint8_t *)x->data + o * inner * (size_t)n;
        if (inner == 1)
            mirror_row(p, n, 1);
        else if (inner < 64)
            mirror_row(p, n, inner);
        else
            for (int64_t i = 0, j = n - 1; i < j; i++, j--)
                swap_bytes(p + (size_t)i * inner, p + (size_t)j * inner, inner);
    }
    return GV_OK;
}

GV_HOT static void luma(const uint8_t *restrict in, uint8_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((in[3 * i] * 19595u + in[3 * i + 1] * 38470u + in[3 * i + 2] * 7471u + 32768u) >> 16);
}

static void luma_any(gv_dtype t, const void *in, void *out, size_t n)
{
    size_t e = gv_dtype_of(t)->size;
    bool whole = t != GV_F16 && t != GV_BF16 && t != GV_F32T && t != GV_F64T;
    for (size_t i = 0; i < n; i++) {
        double p[3], v;
        gv_to_f64(t, (const char *)in + 3 * i * e, p, 3);
        v = 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
        if (whole)
            v = rint(v);
        gv_from_f64(t, &v, (char *)out + i * e, 1);
    }
}

int gv_sample_channels(gv_sample *x, int64_t channels, gv_arena *arena, gv_err *err)
{
    int last = x->ndim - 1;
    int64_t c = x->shape[last];
    if (c == channels)
        return GV_OK;
    bool repeat = c == 1, drop = (c == 4 && channels == 3) || (c == 2 && channels == 1), gray = c == 3 && channels == 1;
    if (channels < 1 || channels > GV_MAX_CHANNELS)
        return gv_fail(err, GV_EUSAGE, "%" PRId64 " channels are wanted; 1 to %d are possible", channels, GV_MAX_CHANNELS);
    if (!repeat && !drop && !gray) {
        /* 2 -> 3 and 4 -> 1 go by way of the colours alone */
        if ((c == 2 || c == 4) && (channels == 1 || channels == 3)) {
            int r = gv_sample_channels(x, c - 1, arena, err);
            return r < 0 ? r : gv_sample_channels(x, channels, arena, err);
        }
        return gv_fail(err, GV_EDATA, "the sample has %" PRId64 " channels; %" PRId64 " are wanted (1, 3 or equal can be converted)", c, channels);
    }
    int64_t shape[GV_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[last] = channels;
    gv_sample y;
    int r = gv_sample_init(&y, x->dtype, x->ndim, shape, arena, err);
    if (r < 0)
        return r;
    size_t n = (size_t)gv_shape_count(x->shape, last), e = gv_dtype_of(x->dtype)->size;
    const uint8_t *in = x->data;
    uint8_t *out = y.data;
    if (gray && x->dtype == GV_U8)
        luma(in, out, n);
    else if (gray)
        luma_any(x->dtype, in, out, n);
    else if (repeat && e == 1 && channels == 3)
        for (size_t i = 0; i < n; i++)
            out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = in[i];
    else if (repeat)
        for (size_t i = 0; i < n; i++)
            for (int64_t k = 0; k < channels; k++, out += e)
                memcpy(out, in + i * e, e);
    else
        for (size_t i = 0; i < n; i++)
            memcpy(out + i * e * (size_t)channels, in + i * e * (size_t)c, e * (size_t)channels);
    *x = y;
    return GV_OK;
}

int gv_sample_fill(gv_sample *x, const gv_region *g, const uint8_t *colour, gv_err *err)
{
    gv_frames f;
    int r = gv_sample_frames(x, &f, err);
    if (r < 0)
        return r;
    size_t e = gv_dtype_of(x->dtype)->size;
    double wide[GV_MAX_CHANNELS];
    if (f.c > GV_MAX_CHANNELS)
        return gv_fail(err, GV_EDATA, "a sample of %" PRId64 " channels cannot be painted; at most %d are possible", f.c, GV_MAX_CHANNELS);
    for (int64_t k = 0; k < f.c; k++)
        wide[k] = x->dtype == GV_U16 ? colour[k] * 257.0 : x->dtype >= GV_F16 && x->dtype <= GV_F64T ? colour[k] / 255.0 : colour[k];
    int64_t y0 = g->y < 0 ? 0 : g->y, y1 = g->y + g->h > f.h ? f.h : g->y + g->h;
    int64_t x0 = g->x < 0 ? 0 : g->x, x1 = g->x + g->w > f.w ? f.w : g->x + g->w;
    for (int64_t n = 0; n < f.n; n++)
        for (int64_t i = y0; i < y1; i++) {
            uint8_t *p = (uint8_t *)x->data + (size_t)(((n * f.h + i) * f.w + x0) * f.c) * e;
            for (int64_t j = x0; j < x1; j++)
                for (int64_t k = 0; k < f.c; k++, p += e)
                    if (x->dtype == GV_U8)
                        *p = colour[k];
                    else
                        gv_from_f64(x->dtype, &wide[k], p, 1);
        }
    return GV_OK;
}
