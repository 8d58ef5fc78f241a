/* volume: samples as float32, their channels as dense blocks, the middle of a sample, axes in another order. */
#include "sample/volume.h"
#include <inttypes.h>

enum { CHUNK = 1024 };

int gv_sample_to_float(gv_sample *x, gv_arena *arena, gv_err *err)
{
    gv_sample y;
    if (x->dtype == GV_F32T)
        return GV_OK;
    int r = gv_sample_init(&y, GV_F32T, x->ndim, x->shape, arena, err);
    if (r < 0)
        return r;
    int64_t n = gv_shape_count(x->shape, x->ndim);
    size_t e = gv_dtype_of(x->dtype)->size;
    float *to = y.data;
    double wide[CHUNK];
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t some = n - at < CHUNK ? n - at : CHUNK;
        gv_to_f64(x->dtype, (const char *)x->data + (size_t)at * e, wide, (size_t)some);
        for (int64_t i = 0; i < some; i++)
            to[at + i] = (float)wide[i];
    }
    *x = y;
    return GV_OK;
}

GV_HOT static void take_channel(const float *restrict in, float *restrict out, int64_t n, int64_t step)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = in[i * step];
}

GV_HOT static void give_channel(const float *restrict in, float *restrict out, int64_t n, int64_t step)
{
    for (int64_t i = 0; i < n; i++)
        out[i * step] = in[i];
}

int gv_volume_of(const gv_sample *x, int64_t c, gv_volume *v, gv_arena *arena, gv_err *err)
{
    int axes = x->ndim - 1;
    if (axes < 1 || axes > GV_VOLUME_AXES || x->dtype != GV_F32T)
        return gv_fail(err, GV_EDATA, "a sample of %d spatial axes and type %s is no volume; 1 to %d axes of float32 are", axes, gv_dtype_of(x->dtype)->name, GV_VOLUME_AXES);
    *v = (gv_volume){ .axes = axes, .n = { 1, 1, 1 }, .v = x->data };
    for (int a = 0; a < axes; a++)
        v->n[GV_VOLUME_AXES - axes + a] = x->shape[a];
    int64_t channels = x->shape[axes], n = gv_volume_count(v);
    if (channels == 1)
        return GV_OK;
    v->v = gv_arena_alloc_dirty(arena, (size_t)n * sizeof *v->v, err);
    if (!v->v)
        return GV_ESYS;
    take_channel((const float *)x->data + c, v->v, n, channels);
    return GV_OK;
}

void gv_volume_back(const gv_volume *v, gv_sample *x, int64_t c)
{
    int64_t channels = x->shape[x->ndim - 1];
    if (channels == 1)
        x->data = v->v;
    else
        give_channel(v->v, (float *)x->data + c, gv_volume_count(v), channels);
}

int gv_sample_center(gv_sample *x, const int64_t *size, gv_arena *arena, gv_err *err)
{
    int64_t start[GV_MAX_DIMS];
    for (int a = 0; a < x->ndim - 1; a++)
        start[a] = x->shape[a] / 2 - size[a] / 2;
    return gv_sample_window(x, start, size, GV_BORDER_CONSTANT, 0, arena, err);
}

/* ---- axes in another order ---- */

struct reorder {
    int axes;
    size_t pixel;
    int64_t n[GV_MAX_DIMS];       /* of y */
    ptrdiff_t step[GV_MAX_DIMS];  /* bytes in x for a step along an axis of y */
    const uint8_t *in;
};

/* Two axes [n,m] whose inner one is far apart in x: square tiles, so that both sides stay in cache. */
GV_HOT static void turn_words(const uint8_t *in, ptrdiff_t outer, ptrdiff_t inner, uint32_t *out, int64_t stride, int64_t n, int64_t m)
{
    enum { TILE = 16 };
    for (int64_t i0 = 0; i0 < n; i0 += TILE)
        for (int64_t j0 = 0; j0 < m; j0 += TILE)
            for (int64_t i = i0; i < n && i < i0 + TILE; i++)
                for (int64_t j = j0; j < m && j < j0 + TILE; j++)
                    memcpy(out + i * stride + j, in + i * outer + j * inner, 4);
}

GV_HOT static void reverse_words(const uint32_t *restrict last, uint32_t *restrict out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = last[-i];
}

static void copy_pixels(const struct reorder *o, const uint8_t *in, uint8_t *out, int64_t n, ptrdiff_t step)
{
    if (step == (ptrdiff_t)o->pixel)
        memcpy(out, in, (size_t)n * o->pixel);
    else if (step == -4 && o->pixel == 4)
        reverse_words((const uint32_t *)(const void *)in, (uint32_t *)(void *)out, n);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy(out + (size_t)i * o->pixel, in + i * step, o->pixel);
}

static void reorder_from(const struct reorder *o, int axis, const uint8_t *in, uint8_t *out)
{
    if (axis == o->axes - 1) {
        copy_pixels(o, in, out, o->n[axis], o->step[axis]);
        return;
    }
    size_t row = o->pixel;
    for (int a = axis + 1; a < o->axes; a++)
        row *= (size_t)o->n[a];
    for (int64_t i = 0; i < o->n[axis]; i++)
        reorder_from(o, axis + 1, in + i * o->step[axis], out + (size_t)i * row);
}

/* Words of four bytes in two or three axes: the last axis of y with the one that is the last of x, tile by tile. */
static bool reorder_words(const struct reorder *o, uint8_t *out)
{
    int last = o->axes - 1, other = -1;
    for (int a = 0; a < last; a++)
        if (o->step[a] == 4 || o->step[a] == -4)
            other = a;
    if (o->pixel != 4 || other < 0 || o->axes > 3)
        return false;
    int64_t n[3] = { 1, 1, 1 }, stride[3] = { 0 };
    ptrdiff_t step[3] = { 0 };
    for (int a = 0; a < o->axes; a++) {
        n[a] = o->n[a];
        step[a] = o->step[a];
    }
    for (int64_t a = last, s = 1; a >= 0; s *= n[a--])
        stride[a] = s;
    int third = o->axes == 3 ? 3 - last - other : -1; /* the axis that is neither */
    for (int64_t k = 0; k < (third < 0 ? 1 : n[third]); k++)
        turn_words(o->in + (third < 0 ? 0 : k * step[third]), step[other], step[last], (uint32_t *)(void *)out + (third < 0 ? 0 : k * stride[third]), stride[other], n[other], n[last]);
    return true;
}

int gv_sample_reorder(gv_sample *x, const int *order, const bool *flip, gv_arena *arena, gv_err *err)
{
    struct reorder o = { .axes = x->ndim - 1, .in = x->data };
    int64_t shape[GV_MAX_DIMS];
    ptrdiff_t of_x[GV_MAX_DIMS], step;
    gv_sample y;
    if (o.axes < 1)
        return gv_fail(err, GV_EDATA, "a sample without spatial axes has no order of them");
    o.pixel = (size_t)x->shape[o.axes] * gv_dtype_of(x->dtype)->size;
    step = (ptrdiff_t)o.pixel;
    for (int a = o.axes - 1; a >= 0; step *= x->shape[a--]) {
        of_x[a] = flip[a] ? -step : step;
        o.in += flip[a] ? (x->shape[a] - 1) * step : 0;
    }
    shape[o.axes] = x->shape[o.axes];
    for (int a = 0; a < o.axes; a++) {
        shape[a] = o.n[a] = x->shape[order[a]];
        o.step[a] = of_x[order[a]];
    }
    int r = gv_sample_init(&y, x->dtype, x->ndim, shape, arena, err);
    if (r < 0)
        return r;
    if (!reorder_words(&o, y.data))
        reorder_from(&o, 0, o.in, y.data);
    *x = y;
    return GV_OK;
}
