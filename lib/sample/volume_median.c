/* volume_median: the middle value of a cube around each voxel. Values become 16-bit keys over the volume's range; for a run of LANES voxels of a
 * row the key of the wanted rank is found bit by bit: sixteen times the window is counted, many voxels to an instruction. A last pass takes the
 * value itself. Work does not depend on the data, and is some twenty times less than selecting in each window.
 * Source: scipy.ndimage.median_filter (rank size // 2 of the window, mode "reflect") as behaviour. */
#include "sample/volume.h"
#include <math.h>

enum { LANES = 64, BITS = 16 };

typedef int16_t keys GV_VECTOR(32); /* compares of this width leave their answer in the register, wider ones in a mask */
enum { PARTS = LANES * sizeof(int16_t) / sizeof(keys) };

struct median {
    int side[3];                /* of the window; 1 along axes the sample has not */
    int64_t plane, row;         /* steps of the padded volume */
    const int16_t *key;
    const float *value;
    int rank;
};

/* below[i] = keys of voxel i's window that are less than t[i]; at: the first voxel's first neighbour. */
GV_HOT static void count_below(const struct median *o, int64_t at, const int16_t *t, int16_t *below)
{
    keys limit[PARTS], sum[PARTS] = { 0 };
    memcpy(limit, t, sizeof limit);
    for (int z = 0; z < o->side[0]; z++)
        for (int y = 0; y < o->side[1]; y++) {
            const int16_t *p = o->key + at + z * o->plane + y * o->row;
            for (int x = 0; x < o->side[2]; x++)
                for (int k = 0; k < PARTS; k++) {
                    keys v;
                    memcpy(&v, p + x + k * (LANES / PARTS), sizeof v);
                    sum[k] += v < limit[k]; /* true is -1 */
                }
        }
    for (int k = 0; k < PARTS; k++)
        sum[k] = -sum[k];
    memcpy(below, sum, sizeof sum);
}

/* out[i] = the smallest value of voxel i's window whose key is t[i]. */
GV_HOT static void take_value(const struct median *o, int64_t at, const int16_t *t, float *restrict out)
{
    float best[LANES];
    for (int i = 0; i < LANES; i++)
        best[i] = INFINITY;
    for (int z = 0; z < o->side[0]; z++)
        for (int y = 0; y < o->side[1]; y++)
            for (int x = 0; x < o->side[2]; x++) {
                const int16_t *k = o->key + at + z * o->plane + y * o->row + x;
                const float *v = o->value + at + z * o->plane + y * o->row + x;
                for (int i = 0; i < LANES; i++)
                    best[i] = ((k[i] == t[i]) & !(v[i] >= best[i])) ? v[i] : best[i];
            }
    memcpy(out, best, sizeof best);
}

static void select_run(const struct median *o, int64_t at, float *out)
{
    int16_t t[LANES], tried[LANES], below[LANES];
    for (int i = 0; i < LANES; i++)
        t[i] = INT16_MIN;
    for (int bit = BITS - 1; bit >= 0; bit--) {
        for (int i = 0; i < LANES; i++)
            tried[i] = (int16_t)(t[i] + (1 << bit)); /* the key counts from INT16_MIN: the first bit brings 0 */
        count_below(o, at, tried, below);
        for (int i = 0; i < LANES; i++)
            t[i] = below[i] <= o->rank ? tried[i] : t[i];
    }
    take_value(o, at, t, out);
}

GV_HOT static void make_keys(const float *restrict v, int16_t *restrict key, int64_t n, float min, float factor)
{
    for (int64_t i = 0; i < n; i++) {
        float t = (v[i] - min) * factor + 0.5f;
        t = t >= 0 ? t : 0; /* no number: lowest */
        t = t <= 65535 ? t : 65535;
        key[i] = (int16_t)((int)t + INT16_MIN);
    }
}

/* The volume with its mirrored border; n: its sides with it. Behind its last voxel a run can be read. */
static void pad(const gv_volume *v, const int64_t n[3], const int lead[3], float *out)
{
    for (int64_t z = 0; z < n[0]; z++)
        for (int64_t y = 0; y < n[1]; y++) {
            int64_t fz = gv_border_index(GV_BORDER_REFLECT, z - lead[0], v->n[0]), fy = gv_border_index(GV_BORDER_REFLECT, y - lead[1], v->n[1]);
            const float *in = v->v + (fz * v->n[1] + fy) * v->n[2];
            float *to = out + (z * n[1] + y) * n[2];
            memcpy(to + lead[2], in, (size_t)v->n[2] * sizeof *in);
            for (int64_t x = 0; x < lead[2]; x++)
                to[x] = in[gv_border_index(GV_BORDER_REFLECT, x - lead[2], v->n[2])];
            for (int64_t x = lead[2] + v->n[2]; x < n[2]; x++)
                to[x] = in[gv_border_index(GV_BORDER_REFLECT, x - lead[2], v->n[2])];
        }
}

int gv_volume_median(gv_volume *v, int size, gv_arena *arena, gv_err *err)
{
    gv_volume_stats s;
    struct median o = { .rank = 1 };
    int lead[3];
    int64_t n[3], all = 1;
    if (size < 1 || size > GV_MAX_MEDIAN)
        return gv_fail(err, GV_EDATA, "a median over %d voxels a side; 1 to %d are possible", size, GV_MAX_MEDIAN);
    gv_volume_describe(v, &s);
    if (size == 1 || !(s.max > s.min) || !isfinite(s.max - s.min))
        return GV_OK;
    for (int a = 0; a < 3; a++) {
        o.side[a] = a < 3 - v->axes ? 1 : size;
        o.rank *= o.side[a];
        lead[a] = o.side[a] / 2;
        n[a] = v->n[a] + o.side[a] - 1;
        all *= n[a];
    }
    o.rank /= 2;
    size_t mark = arena->used;
    float *value = gv_arena_alloc(arena, (size_t)(all + LANES) * sizeof *value, err), last[LANES];
    int16_t *key = value ? gv_arena_alloc(arena, (size_t)(all + LANES) * sizeof *key, err) : NULL;
    if (!key)
        return GV_ESYS;
    pad(v, n, lead, value);
    make_keys(value, key, all, s.min, (float)(65535 / ((double)s.max - (double)s.min)));
    o.plane = n[1] * n[2];
    o.row = n[2];
    o.key = key;
    o.value = value;
    for (int64_t z = 0; z < v->n[0]; z++)
        for (int64_t y = 0; y < v->n[1]; y++) {
            float *out = v->v + (z * v->n[1] + y) * v->n[2];
            for (int64_t x = 0; x < v->n[2]; x += LANES) { /* a run behind the row's end computes voxels of the next for nothing */
                int64_t some = v->n[2] - x < LANES ? v->n[2] - x : LANES;
                select_run(&o, z * o.plane + y * o.row + x, last);
                memcpy(out + x, last, (size_t)some * sizeof *last);
            }
        }
    gv_arena_rewind(arena, mark);
    return GV_OK;
}
