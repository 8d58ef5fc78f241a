/* volume_low: what a coarser grid would have kept. Nearest voxels first, then linear interpolation back, an axis at a time from the last.
 * Source: PyTorch's interpolate, "nearest-exact" and "trilinear" with align_corners False, as behaviour. */
#include "sample/volume.h"
#include <math.h>

struct taps { int64_t lo, hi; float part; };

/* Where voxel i of n lies between those of the m coarse ones. */
static struct taps taps_of(int64_t i, int64_t n, int64_t m)
{
    float p = ((float)i + 0.5f) * ((float)m / (float)n) - 0.5f;
    p = p < 0 ? 0 : p;
    int64_t lo = (int64_t)p < m - 1 ? (int64_t)p : m - 1;
    return (struct taps){ lo, lo + 1 < m ? lo + 1 : lo, p - (float)lo };
}

GV_HOT static void mix_rows(const float *restrict a, const float *restrict b, float part, float *restrict out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (1 - part) * a[i] + part * b[i];
}

GV_HOT static void spread_row(const float *restrict in, const int *restrict lo, const int *restrict hi, const float *restrict part, float *restrict out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (1 - part[i]) * in[lo[i]] + part[i] * in[hi[i]];
}

struct low {
    const gv_volume *v;
    int64_t m[3];
    const int64_t *near[3];     /* the voxel a coarse one takes */
    int *lo, *hi;               /* of the last axis */
    float *part, *coarse;       /* a coarse row */
    float *flat, *wide[2];      /* [m1,n2]: a coarse plane, wide along the last axis; [n1,n2]: along both; of two coarse planes */
    int64_t held[2];            /* which plane is in wide[k] */
};

/* Coarse plane z as [n1,n2]. */
static const float *plane(struct low *o, int64_t z)
{
    int slot = (int)(z & 1);
    int64_t w = o->v->n[2];
    if (o->held[slot] == z)
        return o->wide[slot];
    for (int64_t y = 0; y < o->m[1]; y++) {
        const float *in = o->v->v + (o->near[0][z] * o->v->n[1] + o->near[1][y]) * w;
        for (int64_t x = 0; x < o->m[2]; x++)
            o->coarse[x] = in[o->near[2][x]];
        spread_row(o->coarse, o->lo, o->hi, o->part, o->flat + y * w, w);
    }
    for (int64_t y = 0; y < o->v->n[1]; y++) {
        struct taps t = taps_of(y, o->v->n[1], o->m[1]);
        mix_rows(o->flat + t.lo * w, o->flat + t.hi * w, t.part, o->wide[slot] + y * w, w);
    }
    o->held[slot] = z;
    return o->wide[slot];
}

static int prepare(struct low *o, const double scale[3], gv_arena *arena, gv_err *err)
{
    size_t w = (size_t)o->v->n[2], h = (size_t)o->v->n[1];
    for (int a = 0; a < 3; a++) {
        int64_t n = o->v->n[a], m = (int64_t)rint((double)n * (double)(float)scale[a]), *near;
        o->m[a] = m < 1 ? 1 : m > n ? n : m;
        if (!(near = gv_arena_alloc(arena, (size_t)o->m[a] * sizeof *near, err)))
            return GV_ESYS;
        for (int64_t i = 0; i < o->m[a]; i++) {
            int64_t k = (int64_t)floorf(((float)i + 0.5f) * ((float)n / (float)o->m[a]));
            near[i] = k < n ? k : n - 1;
        }
        o->near[a] = near;
    }
    if (!(o->lo = gv_arena_alloc(arena, w * sizeof *o->lo, err)) || !(o->hi = gv_arena_alloc(arena, w * sizeof *o->hi, err)) ||
        !(o->part = gv_arena_alloc(arena, w * sizeof *o->part, err)) || !(o->coarse = gv_arena_alloc(arena, w * sizeof(float), err)) ||
        !(o->flat = gv_arena_alloc_dirty(arena, (size_t)o->m[1] * w * sizeof(float), err)) ||
        !(o->wide[0] = gv_arena_alloc_dirty(arena, h * w * sizeof(float), err)) || !(o->wide[1] = gv_arena_alloc_dirty(arena, h * w * sizeof(float), err)))
        return GV_ESYS;
    for (int64_t i = 0; i < o->v->n[2]; i++) {
        struct taps t = taps_of(i, o->v->n[2], o->m[2]);
        o->lo[i] = (int)t.lo;
        o->hi[i] = (int)t.hi;
        o->part[i] = t.part;
    }
    o->held[0] = o->held[1] = -1;
    return GV_OK;
}

int gv_volume_low_resolution(gv_volume *v, const double scale[GV_VOLUME_AXES], gv_arena *arena, gv_err *err)
{
    struct low o = { .v = v };
    float *out = gv_arena_alloc_dirty(arena, (size_t)gv_volume_count(v) * sizeof *out, err);
    int64_t area = v->n[1] * v->n[2];
    if (!out || prepare(&o, scale, arena, err) < 0)
        return GV_ESYS;
    for (int64_t z = 0; z < v->n[0]; z++) { /* the two coarse planes around z are next to each other: one even, one odd */
        struct taps t = taps_of(z, v->n[0], o.m[0]);
        const float *a = plane(&o, t.lo), *b = t.hi == t.lo ? a : plane(&o, t.hi);
        mix_rows(a, b, t.part, out + z * area, area);
    }
    v->v = out;
    return GV_OK;
}
