/* volume_affine: a patch through a volume, turned and scaled about the middle of both, in one pass over the patch's rows.
 * Along a row the place in the volume moves by a constant step. The part of a row whose eight (four in a plane) neighbours all exist goes
 * through plain loops, a few hundred numbers at a time; the rest of what touches the volume goes voxel by voxel, and everything else is 0.
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

enum { CHUNK = 128 };

/* Two voxels next to each other along the last axis. */
typedef struct pair { float lo, hi; } pair;

/* Where CHUNK places of a row lie: the index of the voxel before each, and the parts of a voxel behind it. */
GV_HOT static void find_places(const struct row *r, int from, int n, int *restrict index, float (*restrict part)[CHUNK])
{
    for (int i = 0; i < n; i++)
        index[i] = 0;
    for (int a = 0; a < r->axes; a++) {
        float at = r->at[a], by = r->by[a];
        int stride = (int)r->stride[a];
        for (int i = 0; i < n; i++) {
            float p = at + by * (float)(from + i);
            int whole = (int)p;
            index[i] += whole * stride;
            part[a][i] = p - (float)whole;
        }
    }
}

/* Loads by index, a pair at a time: much faster than gathering in vector registers on processors that gather word by word. */
static void fetch_pairs(const float *in, const int *index, int n, int next, pair *out)
{
    if (next == 1) /* eight bytes at once */
        for (int i = 0; i < n; i++)
            memcpy(&out[i], in + index[i], sizeof *out);
    else
        for (int i = 0; i < n; i++)
            out[i] = (pair){ in[index[i]], in[index[i] + next] };
}

#define ALONG(p, k) (p[k][i].lo + x[i] * (p[k][i].hi - p[k][i].lo))

GV_HOT static void mix3(pair (*restrict p)[CHUNK], const float *restrict z, const float *restrict y, const float *restrict x, int n, float *restrict out)
{
    for (int i = 0; i < n; i++) {
        float a = ALONG(p, 0), b = ALONG(p, 1), c = ALONG(p, 2), d = ALONG(p, 3);
        a += y[i] * (b - a);
        c += y[i] * (d - c);
        out[i] = a + z[i] * (c - a);
    }
}

GV_HOT static void mix2(pair (*restrict p)[CHUNK], const float *restrict y, const float *restrict x, int n, float *restrict out)
{
    for (int i = 0; i < n; i++) {
        float a = ALONG(p, 0), b = ALONG(p, 1);
        out[i] = a + y[i] * (b - a);
    }
}

/* The places from … to of a row, all neighbours of which exist. Everything is loaded before anything is mixed: what was just written in small
 * pieces cannot be read in large ones at once. */
static void sample_row(const float *in, const struct row *r, int from, int to, float *out)
{
    int index[CHUNK], last = r->axes - 1;
    float part[3][CHUNK];
    pair pairs[4][CHUNK];
    for (; from < to; from += CHUNK) {
        int n = to - from < CHUNK ? to - from : CHUNK;
        find_places(r, from, n, index, part);
        for (int k = 0; k < 1 << last; k++) /* bit a of k: one step along axis last - 1 - a */
            fetch_pairs(in + (k & 1 ? r->stride[last - 1] : 0) + (k & 2 ? r->stride[0] : 0), index, n, (int)r->stride[last], pairs[k]);
        if (last == 2)
            mix3(pairs, part[0], part[1], part[2], n, out + from);
        else
            mix2(pairs, part[0], part[1], n, out + from);
    }
}

/* Where neighbours are missing they count as 0: one that is there is read in their stead, with weight 0. */
static float sample_one(const float *in, const struct row *r, int i)
{
    float w[3][2], v = 0;
    int64_t k[3][2];
    for (int a = 0; a < r->axes; a++) {
        float p = r->at[a] + r->by[a] * (float)i;
        int64_t lo = (int64_t)(p + 1) - 1; /* p is above -1 */
        w[a][0] = lo < 0 ? 0 : 1 - (p - (float)lo);
        w[a][1] = lo + 1 < r->n[a] ? p - (float)lo : 0;
        k[a][0] = (lo < 0 ? 0 : lo) * r->stride[a];
        k[a][1] = (lo + 1 < r->n[a] ? lo + 1 : lo) * r->stride[a];
    }
    if (r->axes == 2)
        return w[0][0] * (w[1][0] * in[k[0][0] + k[1][0]] + w[1][1] * in[k[0][0] + k[1][1]]) + w[0][1] * (w[1][0] * in[k[0][1] + k[1][0]] + w[1][1] * in[k[0][1] + k[1][1]]);
    for (int c = 0; c < 4; c++) {
        const float *p = in + k[0][c >> 1] + k[1][c & 1];
        v += w[0][c >> 1] * w[1][c & 1] * (w[2][0] * p[k[2][0]] + w[2][1] * p[k[2][1]]);
    }
    return v;
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

static bool all_inside(const struct row *r, int n)
{
    bool good = true;
    for (int a = 0; a < r->axes; a++) {
        float p = r->at[a], q = r->at[a] + r->by[a] * (float)(n - 1), end = (float)(r->n[a] - 1);
        good = good & (p >= 0) & (q >= 0) & (p < end) & (q < end);
    }
    return good;
}

/* A row of n places, of one channel. */
static void fill_row(const float *in, const struct row *r, int n, float *out)
{
    int touch[2] = { 0, n }, whole[2];
    if (all_inside(r, n)) {
        sample_row(in, r, 0, n, out);
        return;
    }
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
            sample_row(in, r, whole[0], whole[1], out);
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

/* Where the row (z,y) of the patch lies; in a plane z does not count. */
static void aim(const struct affine *o, int64_t z, int64_t y, struct row *r)
{
    int last = o->axes - 1;
    double from[3] = { 0 };
    if (last == 2)
        from[0] = (double)z - (double)(o->size[0] - 1) / 2;
    from[last - 1] = (double)y - (double)(o->size[last - 1] - 1) / 2;
    from[last] = -(double)(o->size[last] - 1) / 2;
    for (int a = 0; a <= last; a++) {
        double p = (double)(o->n[a] - 1) / 2;
        for (int b = 0; b <= last; b++)
            p += o->m[a * o->axes + b] * from[b];
        r->at[a] = (float)p;
    }
}

static void fill_part(const struct affine *o, const float *in, const struct row *r, int n, float *out)
{
    for (int64_t c = 0; c < o->channels; c++) {
        float *part = o->channels == 1 ? out : o->row;
        fill_row(in + c, r, n, part);
        for (int64_t i = 0; i < n && part != out; i++)
            out[i * o->channels + c] = part[i];
    }
}

/* A block of the volume to a block of the patch. */
static void fill_block(const struct affine *o, const float *in, float *out)
{
    int last = o->axes - 1;
    int64_t depth = last == 2 ? o->size[0] : 1, height = o->size[last - 1], width = o->size[last];
    struct row r = { .axes = o->axes };
    for (int64_t a = last, s = o->channels; a >= 0; s *= o->n[a--]) {
        r.n[a] = o->n[a];
        r.stride[a] = s;
        r.by[a] = (float)o->m[a * o->axes + last];
    }
    for (int64_t z = 0; z < depth; z++)
        for (int64_t y = 0; y < height; y++, out += width * o->channels) {
            aim(o, z, y, &r);
            fill_part(o, in, &r, (int)width, out);
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
