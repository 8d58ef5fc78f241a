/* volume_affine: a patch through a volume, turned and scaled about the middle of both, in one pass over the patch's rows.
 * Along a row the place in the volume moves by a constant step. The part of a row whose eight (four in a plane) neighbours all exist is a plain
 * loop of loads by index; the rest of what touches the volume goes voxel by voxel, and everything else is 0.
 * Source: batchgeneratorsv2 transforms/spatial/spatial.py as behaviour; PyTorch's grid_sample (bilinear, zeros, align_corners False). */
#include "sample/volume.h"
#include <math.h>

void gv_affine_matrix(int axes, const double *angle, const double *scale, double *m)
{
    double c[3], s[3];
    for (int a = 0; a < axes; a++) {
        c[a] = cos(angle[a]);
        s[a] = sin(angle[a]);
    }
    if (axes == 2) {
        double r[4] = { c[1], -s[1], s[1], c[1] };
        for (int i = 0; i < 4; i++)
            m[i] = r[i] * scale[i % 2];
        return;
    }
    double r[9] = { /* Rz Ry Rx */
        c[2] * c[1], c[2] * s[1] * s[0] - s[2] * c[0], c[2] * s[1] * c[0] + s[2] * s[0],
        s[2] * c[1], s[2] * s[1] * s[0] + c[2] * c[0], s[2] * s[1] * c[0] - c[2] * s[0],
        -s[1],       c[1] * s[0],                      c[1] * c[0],
    };
    for (int i = 0; i < 9; i++)
        m[i] = r[i] * scale[i % 3];
}

/* A row of places: axis a of the volume is at[a] + i by[a]; stride in floats; n voxels along an axis. axes 2 or 3. */
struct row {
    int axes;
    float at[3], by[3];
    int64_t n[3], stride[3];
};

GV_HOT static void sample_row3(const float *restrict in, const struct row *r, int from, int to, float *restrict out)
{
    float az = r->at[0], ay = r->at[1], ax = r->at[2], bz = r->by[0], by = r->by[1], bx = r->by[2];
    int sz = (int)r->stride[0], sy = (int)r->stride[1], sx = (int)r->stride[2];
    for (int i = from; i < to; i++) {
        float z = az + bz * (float)i, y = ay + by * (float)i, x = ax + bx * (float)i;
        int iz = (int)z, iy = (int)y, ix = (int)x, k = iz * sz + iy * sy + ix * sx;
        float fz = z - (float)iz, fy = y - (float)iy, fx = x - (float)ix;
        float a = in[k], b = in[k + sx], c = in[k + sy], d = in[k + sy + sx];
        float e = in[k + sz], f = in[k + sz + sx], g = in[k + sz + sy], h = in[k + sz + sy + sx];
        a += fx * (b - a);
        c += fx * (d - c);
        e += fx * (f - e);
        g += fx * (h - g);
        a += fy * (c - a);
        e += fy * (g - e);
        out[i] = a + fz * (e - a);
    }
}

GV_HOT static void sample_row2(const float *restrict in, const struct row *r, int from, int to, float *restrict out)
{
    float ay = r->at[0], ax = r->at[1], by = r->by[0], bx = r->by[1];
    int sy = (int)r->stride[0], sx = (int)r->stride[1];
    for (int i = from; i < to; i++) {
        float y = ay + by * (float)i, x = ax + bx * (float)i;
        int iy = (int)y, ix = (int)x, k = iy * sy + ix * sx;
        float fy = y - (float)iy, fx = x - (float)ix;
        float a = in[k], b = in[k + sx], c = in[k + sy], d = in[k + sy + sx];
        a += fx * (b - a);
        c += fx * (d - c);
        out[i] = a + fy * (c - a);
    }
}

/* Where neighbours are missing they count as 0. */
static float sample_one(const float *in, const struct row *r, int i)
{
    double sum = 0;
    int64_t first[3];
    float part[3];
    for (int a = 0; a < r->axes; a++) {
        float p = r->at[a] + r->by[a] * (float)i, whole = floorf(p);
        first[a] = (int64_t)whole;
        part[a] = p - whole;
    }
    for (int corner = 0; corner < 1 << r->axes; corner++) {
        double w = 1;
        int64_t k = 0;
        for (int a = 0; a < r->axes; a++) {
            int up = corner >> a & 1;
            int64_t j = first[a] + up;
            w *= j < 0 || j >= r->n[a] ? 0 : up ? (double)part[a] : 1 - (double)part[a];
            k += w ? j * r->stride[a] : 0;
        }
        sum += w ? w * (double)in[k] : 0;
    }
    return (float)sum;
}

/* Narrows from … to to the places with lo <= p < hi (lo < p where open): p moves one way, so its ends tell. */
static void narrow(float at, float by, float lo, float hi, bool open, int *from, int *to)
{
#define INSIDE(i) ((open ? at + by * (float)(i) > lo : at + by * (float)(i) >= lo) && at + by * (float)(i) < hi)
    if (by != 0) { /* near it at once, then exactly in the arithmetic of the loops */
        double a = ((double)lo - (double)at) / (double)by, b = ((double)hi - (double)at) / (double)by, first = fmin(a, b) - 2, last = fmax(a, b) + 3;
        *from = first > *from ? (int)fmin(first, *to) : *from;
        *to = last < *to ? (int)fmax(last, *from) : *to;
    }
    while (*from < *to && !INSIDE(*from))
        ++*from;
    while (*to > *from && !INSIDE(*to - 1))
        --*to;
#undef INSIDE
}

/* One row of n numbers of one channel. */
static void fill_row(const float *in, const struct row *r, int n, float *out)
{
    int touch[2] = { 0, n }, whole[2];
    for (int a = 0; a < r->axes; a++)
        narrow(r->at[a], r->by[a], -1, (float)r->n[a], true, &touch[0], &touch[1]);
    whole[0] = touch[0];
    whole[1] = touch[1];
    for (int a = 0; a < r->axes; a++)
        narrow(r->at[a], r->by[a], 0, (float)(r->n[a] - 1), false, &whole[0], &whole[1]);
    memset(out, 0, (size_t)touch[0] * sizeof *out);
    memset(out + touch[1], 0, (size_t)(n - touch[1]) * sizeof *out);
    for (int i = touch[0]; i < touch[1]; i++) {
        if (i == whole[0] && whole[1] > whole[0]) {
            (r->axes == 3 ? sample_row3 : sample_row2)(in, r, whole[0], whole[1], out);
            i = whole[1] - 1;
        } else
            out[i] = sample_one(in, r, i);
    }
}

struct affine {
    const double *m;
    int axes;              /* of m */
    int64_t n[3], size[3]; /* of the volume and of the patch, those axes */
    int64_t channels;
    float *row;            /* room for one */
};

/* A block of the volume to a block of the patch. */
static void fill_block(const struct affine *o, const float *in, float *out)
{
    int64_t rows = 1, width = o->size[o->axes - 1];
    struct row r = { .axes = o->axes };
    for (int64_t a = o->axes - 1, s = o->channels; a >= 0; s *= o->n[a--]) {
        r.n[a] = o->n[a];
        r.stride[a] = s;
        r.by[a] = (float)o->m[a * o->axes + o->axes - 1];
        rows *= a < o->axes - 1 ? o->size[a] : 1;
    }
    for (int64_t k = 0; k < rows; k++, out += width * o->channels) {
        double from[3] = { 0 };
        for (int64_t a = o->axes - 2, rest = k; a >= 0; rest /= o->size[a--])
            from[a] = (double)(rest % o->size[a]) - (double)(o->size[a] - 1) / 2;
        from[o->axes - 1] = -(double)(width - 1) / 2;
        for (int a = 0; a < o->axes; a++) {
            double p = (double)(o->n[a] - 1) / 2;
            for (int b = 0; b < o->axes; b++)
                p += o->m[a * o->axes + b] * from[b];
            r.at[a] = (float)p;
        }
        for (int64_t c = 0; c < o->channels; c++) {
            float *to = o->channels == 1 ? out : o->row;
            fill_row(in + c, &r, (int)width, to);
            for (int64_t i = 0; i < width && to != out; i++)
                out[i * o->channels + c] = to[i];
        }
    }
}

int gv_sample_affine(gv_sample *x, const double *m, bool in_plane, const int64_t *size, gv_arena *arena, gv_err *err)
{
    int axes = x->ndim - 1, lead = in_plane && axes == 3 ? 1 : 0;
    if (axes < 2 || axes > 3)
        return gv_fail(err, GV_EDATA, "a sample of %d spatial axes cannot be turned; 2 or 3 are possible", axes);
    int64_t shape[4], depth = lead ? size[0] : 1;
    memcpy(shape, size, (size_t)axes * sizeof *size);
    shape[axes] = x->shape[axes];
    if (gv_sample_bytes(x) > INT32_MAX)
        return gv_fail(err, GV_EDATA, "a sample of %zu MiB is too large to be turned; below 2048 are possible", gv_sample_bytes(x) >> 20);
    gv_sample y, z = *x;
    int r = gv_sample_to_float(&z, arena, err);
    if (r < 0 || (r = gv_sample_init(&y, GV_F32T, x->ndim, shape, arena, err)) < 0)
        return r;
    struct affine o = { .m = m, .axes = axes - lead, .channels = shape[axes] };
    memcpy(o.n, z.shape + lead, (size_t)o.axes * sizeof *o.n);
    memcpy(o.size, size + lead, (size_t)o.axes * sizeof *o.size);
    o.row = gv_arena_alloc_dirty(arena, (size_t)o.size[o.axes - 1] * sizeof *o.row, err);
    if (!o.row)
        return GV_ESYS;
    size_t in = gv_sample_bytes(&z) / sizeof(float) / (size_t)(lead ? z.shape[0] : 1), out = gv_sample_bytes(&y) / sizeof(float) / (size_t)depth;
    for (int64_t k = 0; k < depth; k++) {
        int64_t from = lead ? k + z.shape[0] / 2 - size[0] / 2 : 0;
        if (lead && (from < 0 || from >= z.shape[0]))
            memset((float *)y.data + (size_t)k * out, 0, out * sizeof(float));
        else
            fill_block(&o, (const float *)z.data + (size_t)from * in, (float *)y.data + (size_t)k * out);
    }
    *x = y;
    return GV_OK;
}
