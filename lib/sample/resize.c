/* resize: chooses the passes, and does every type but uint8 in double. */
#include "sample/taps.h"
#include <inttypes.h>
#include <math.h>

struct size { int64_t h, w; };

static void nearest(const uint8_t *in, uint8_t *out, const gv_frames *f, struct size to, size_t pixel, int32_t *from)
{
    /* Pillow adds the step up instead of multiplying; rounding of that sum decides which pixel is taken. */
    double step = (double)f->w / (double)to.w, at = step * 0.5;
    for (int64_t x = 0; x < to.w; x++, at += step)
        from[x] = (int32_t)(at < (double)f->w ? at : (double)(f->w - 1));
    step = (double)f->h / (double)to.h;
    at = step * 0.5;
    for (int64_t y = 0; y < to.h; y++, at += step) {
        int64_t sy = (int64_t)(at < (double)f->h ? at : (double)(f->h - 1));
        const uint8_t *row = in + (size_t)(sy * f->w) * pixel;
        for (int64_t x = 0; x < to.w; x++, out += pixel)
            memcpy(out, row + (size_t)from[x] * pixel, pixel);
    }
}

/* in [h,w,c] -> out [H,W,c], both double; mid [h,W,c]. */
static void passes(const double *in, double *mid, double *out, const gv_taps *ty, const gv_taps *tx, int64_t c)
{
    for (int64_t y = 0; y < ty->in; y++)
        for (int64_t x = 0; x < tx->out; x++)
            for (int64_t k = 0; k < c; k++) {
                double s = 0;
                for (int t = 0; t < tx->count[x]; t++) {
                    int64_t p = gv_border_index(GV_BORDER_EDGE, tx->first[x] + t, tx->in);
                    s += in[(y * tx->in + p) * c + k] * tx->weight[x * tx->width + t];
                }
                mid[(y * tx->out + x) * c + k] = s;
            }
    for (int64_t y = 0; y < ty->out; y++)
        for (int64_t i = 0; i < tx->out * c; i++) {
            double s = 0;
            for (int t = 0; t < ty->count[y]; t++)
                s += mid[gv_border_index(GV_BORDER_EDGE, ty->first[y] + t, ty->in) * tx->out * c + i] * ty->weight[y * ty->width + t];
            out[y * tx->out * c + i] = s;
        }
}

/* Bicubic overshoots: integers are rounded and kept in their range. */
void gv_settle(double *v, size_t n, gv_dtype t)
{
    double lo, hi;
    switch (t) {
    case GV_U8: lo = 0; hi = 255; break;
    case GV_I8: lo = -128; hi = 127; break;
    case GV_U16: lo = 0; hi = 65535; break;
    case GV_I16: lo = -32768; hi = 32767; break;
    case GV_U32: lo = 0; hi = 4294967295.0; break;
    case GV_I32: lo = -2147483648.0; hi = 2147483647; break;
    case GV_U64T: lo = 0; hi = 9007199254740992.0; break;
    case GV_I64T: lo = -9007199254740992.0; hi = 9007199254740992.0; break;
    case GV_BOOLT: lo = 0; hi = 1; break;
    default: return;
    }
    for (size_t i = 0; i < n; i++) {
        double r = rint(v[i]);
        v[i] = r < lo ? lo : r > hi ? hi : r;
    }
}

static int in_double(const gv_sample *x, const gv_sample *y, const gv_frames *f, const gv_taps *ty, const gv_taps *tx, gv_arena *arena, gv_err *err)
{
    size_t a = (size_t)(f->h * f->w * f->c), m = (size_t)(f->h * tx->out * f->c), b = (size_t)(ty->out * tx->out * f->c), mark = arena->used;
    double *in = gv_arena_alloc_dirty(arena, (a + m + b) * sizeof *in, err);
    if (!in)
        return GV_ESYS;
    size_t e = gv_dtype_of(x->dtype)->size;
    for (int64_t n = 0; n < f->n; n++) {
        gv_to_f64(x->dtype, (const char *)x->data + (size_t)n * a * e, in, a);
        passes(in, in + a, in + a + m, ty, tx, f->c);
        gv_settle(in + a + m, b, x->dtype);
        gv_from_f64(x->dtype, in + a + m, (char *)y->data + (size_t)n * b * e, b);
    }
    gv_arena_rewind(arena, mark);
    return GV_OK;
}

static int in_bytes(const gv_sample *x, const gv_sample *y, const gv_frames *f, const gv_taps *ty, const gv_taps *tx, gv_interpolation how, gv_arena *arena, gv_err *err)
{
    size_t a = (size_t)(f->h * f->w * f->c), b = (size_t)(ty->out * tx->out * f->c), mark = arena->used;
    size_t wide = (size_t)(f->w * f->c) + 4, mid = (size_t)(tx->out * f->c) + 4; /* rows of ints */
    size_t need = how == GV_LINEAR ? (2 * mid + wide) * sizeof(int32_t) : gv_resize_scratch(ty, tx, f->c);
    void *scratch = gv_arena_alloc_dirty(arena, need, err);
    if (!scratch)
        return GV_ESYS;
    for (int64_t n = 0; n < f->n; n++) {
        const uint8_t *in = (const uint8_t *)x->data + (size_t)n * a;
        uint8_t *out = (uint8_t *)y->data + (size_t)n * b;
        if (how == GV_LINEAR && f->h == 2 * ty->out && f->w == 2 * tx->out)
            gv_resize_half_u8(in, out, ty->out, tx->out, f->c);
        else if (how == GV_LINEAR)
            gv_resize_opencv_u8(in, out, ty, tx, f->c, scratch);
        else
            gv_resize_pillow_u8(in, out, ty, tx, f->c, scratch);
    }
    gv_arena_rewind(arena, mark);
    return GV_OK;
}

int gv_sample_resize(gv_sample *x, int64_t h, int64_t w, gv_interpolation how, gv_arena *arena, gv_err *err)
{
    gv_frames f;
    int r = gv_sample_frames(x, &f, err);
    if (r < 0 || (f.h == h && f.w == w))
        return r;
    if (h < 1 || w < 1 || h > GV_MAX_SIDE || w > GV_MAX_SIDE)
        return gv_fail(err, GV_EDATA, "cannot resize to %" PRId64 " x %" PRId64 "; sides go from 1 to %d", h, w, GV_MAX_SIDE);
    int64_t shape[GV_MAX_DIMS];
    memcpy(shape, x->shape, sizeof shape);
    shape[x->ndim - 3] = h;
    shape[x->ndim - 2] = w;
    gv_sample y;
    gv_taps ty, tx;
    if ((r = gv_sample_init(&y, x->dtype, x->ndim, shape, arena, err)) < 0)
        return r;
    size_t mark = arena->used, pixel = (size_t)f.c * gv_dtype_of(x->dtype)->size;
    if (how == GV_NEAREST) {
        int32_t *from = gv_arena_alloc_dirty(arena, (size_t)w * sizeof *from, err);
        if (!from)
            return GV_ESYS;
        for (int64_t n = 0; n < f.n; n++)
            nearest((const uint8_t *)x->data + (size_t)(n * f.h * f.w) * pixel, (uint8_t *)y.data + (size_t)(n * h * w) * pixel, &f, (struct size){ h, w }, pixel, from);
    } else {
        if (how == GV_LINEAR) {
            if ((r = gv_taps_opencv(&ty, f.h, h, arena, err)) == GV_OK)
                r = gv_taps_opencv(&tx, f.w, w, arena, err);
        } else if ((r = gv_taps_pillow(&ty, f.h, h, how, arena, err)) == GV_OK)
            r = gv_taps_pillow(&tx, f.w, w, how, arena, err);
        if (r == GV_OK)
            r = x->dtype == GV_U8 ? in_bytes(x, &y, &f, &ty, &tx, how, arena, err) : in_double(x, &y, &f, &ty, &tx, arena, err);
    }
    gv_arena_rewind(arena, mark);
    if (r == GV_OK)
        *x = y;
    return r;
}
