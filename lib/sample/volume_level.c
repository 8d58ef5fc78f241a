/* volume_level: changes of intensity: scale and shift, contrast, gamma, noise, boxes, and both kinds of local change.
 * Sums run in float over BLOCK numbers and in double over the blocks.
 * Source: batchgeneratorsv2 transforms/{intensity,local,noise} as behaviour; scipy.stats.norm.cdf. */
#include "sample/volume.h"
#include <float.h>
#include <math.h>

enum { BLOCK = 1024, LANES = 32 };

/* Sum, smallest and largest of n numbers, and the sum of their squares from `about`. */
GV_HOT static void describe_block(const float *x, int64_t n, float about, float *sum, float *squares, float *min, float *max)
{
    float s[LANES] = { 0 }, q[LANES] = { 0 }, lo[LANES], hi[LANES];
    for (int k = 0; k < LANES; k++)
        lo[k] = hi[k] = x[0];
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            float v = x[i + k], d = v - about;
            s[k] += d;
            q[k] += d * d;
            lo[k] = v < lo[k] ? v : lo[k];
            hi[k] = v > hi[k] ? v : hi[k];
        }
    for (; i < n; i++) {
        float v = x[i], d = v - about;
        s[0] += d;
        q[0] += d * d;
        lo[0] = v < lo[0] ? v : lo[0];
        hi[0] = v > hi[0] ? v : hi[0];
    }
    for (int k = 1; k < LANES; k++) {
        s[0] += s[k];
        q[0] += q[k];
        lo[0] = lo[k] < lo[0] ? lo[k] : lo[0];
        hi[0] = hi[k] > hi[0] ? hi[k] : hi[0];
    }
    *sum = s[0];
    *squares = q[0];
    *min = lo[0];
    *max = hi[0];
}

void gv_volume_describe(const gv_volume *v, gv_volume_stats *out)
{
    int64_t n = gv_volume_count(v);
    double sum = 0, squares = 0;
    float about = v->v[n / 2]; /* some value of it: squares from there lose little, as from 0 they may */
    out->min = out->max = v->v[0];
    for (int64_t at = 0; at < n; at += BLOCK) {
        float s, q, lo, hi;
        describe_block(v->v + at, n - at < BLOCK ? n - at : BLOCK, about, &s, &q, &lo, &hi);
        sum += (double)s;
        squares += (double)q;
        out->min = lo < out->min ? lo : out->min;
        out->max = hi > out->max ? hi : out->max;
    }
    double shift = sum / (double)n, spread = squares - sum * shift;
    out->mean = (double)about + shift;
    out->deviation = n > 1 && spread > 0 ? sqrt(spread / (double)(n - 1)) : 0;
}

GV_HOT static void scale_add_cut(float *x, int64_t n, float factor, float summand, float lo, float hi)
{
    for (int64_t i = 0; i < n; i++) {
        float v = x[i] * factor + summand;
        v = v < lo ? lo : v;
        x[i] = v > hi ? hi : v;
    }
}

GV_HOT static void scale_add(float *x, int64_t n, float factor, float summand)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] * factor + summand;
}

void gv_volume_scale_add(gv_volume *v, float factor, float summand)
{
    scale_add(v->v, gv_volume_count(v), factor, summand);
}

void gv_volume_contrast(gv_volume *v, double factor, bool preserve_range)
{
    gv_volume_stats s;
    gv_volume_describe(v, &s);
    float f = (float)factor, add = (float)(s.mean * (1 - factor));
    if (preserve_range)
        scale_add_cut(v->v, gv_volume_count(v), f, add, s.min, s.max);
    else
        scale_add(v->v, gv_volume_count(v), f, add);
}

/* x^g for x from 0 to 1 and g > 0, to about 1e-6 (x below the smallest normal number counts as 0): 2^(g log2 x). */
static inline float power(float x, float g)
{
    union { float f; uint32_t u; } a = { .f = x }, b;
    uint32_t there = -(uint32_t)(a.u >= 0x00800000u); /* a mask, not a choice: so the loops become vector instructions */
    int e = (int)(a.u + 0x3f800000u - 0x3f3504f3u) >> 23; /* so that the fraction lies around 1, from sqrt(1/2) */
    a.u -= ((uint32_t)e - 127u) << 23;
    float s = (a.f - 1) / (a.f + 1), q = s * s;
    float l = (float)(e - 127) + s * (2.885390082f + q * (0.9617966939f + q * (0.5770780164f + q * (0.4121985831f + q * 0.3205988980f))));
    float y = l * g;
    int whole = (int)(y - 0.5f); /* y is at most a rounding error above 0 */
    float f = y - (float)whole;
    float p = 1 + f * (0.6931471806f + f * (0.2402265070f + f * (0.05550410866f + f * (0.009618129108f + f * (0.001333355815f + f * 0.0001540353039f)))));
    whole = whole < -127 ? -127 : whole; /* nothing is left below */
    b.u = (uint32_t)(whole + 127) << 23;
    b.f *= p;
    b.u &= there;
    return b.f;
}

GV_HOT static void gamma_block(float *x, int64_t n, float min, float denominator, float range, float g)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = power((x[i] - min) / denominator, g) * range + min;
}

void gv_volume_gamma(gv_volume *v, double gamma, bool invert, bool retain_stats)
{
    gv_volume_stats s, after;
    int64_t n = gv_volume_count(v);
    if (invert)
        scale_add(v->v, n, -1, 0);
    gv_volume_describe(v, &s);
    float range = s.max - s.min, sign = invert ? -1 : 1;
    gamma_block(v->v, n, s.min, range < 1e-7f ? 1e-7f : range, range, (float)gamma);
    if (retain_stats) {
        gv_volume_describe(v, &after);
        double f = s.deviation / (after.deviation < 1e-7 ? 1e-7 : after.deviation);
        scale_add(v->v, n, (float)f * sign, (float)(s.mean - after.mean * f) * sign);
    } else if (invert)
        scale_add(v->v, n, -1, 0);
}

GV_HOT static void add_noise(float *x, const double *normal, int64_t n, float deviation)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += (float)normal[i] * deviation;
}

void gv_volume_add_noise(float *v, const double *normal, int64_t n, float deviation)
{
    add_noise(v, normal, n, deviation);
}

void gv_volume_blank(gv_volume *v, const int64_t first[GV_VOLUME_AXES], const int64_t size[GV_VOLUME_AXES])
{
    double sum = 0;
    for (int pass = 0; pass < 2; pass++) {
        float mean = (float)(sum / (double)(size[0] * size[1] * size[2]));
        for (int64_t z = first[0]; z < first[0] + size[0]; z++)
            for (int64_t y = first[1]; y < first[1] + size[1]; y++) {
                float *p = v->v + (z * v->n[1] + y) * v->n[2] + first[2];
                for (int64_t x = 0; x < size[2]; x++)
                    if (pass)
                        p[x] = mean;
                    else
                        sum += (double)p[x];
            }
    }
}

/* ---- local changes ---- */

/* The share of a Gaussian in each voxel of an axis, with its smallest and largest. */
static float *shares(int64_t n, double centre, double scale, float *min, float *max, gv_arena *arena, gv_err *err)
{
    float *k = gv_arena_alloc_dirty(arena, (size_t)n * sizeof *k, err);
    double before = erfc((0.5 + centre) / scale * M_SQRT1_2) / 2;
    for (int64_t i = 0; k && i < n; i++) {
        double to = erfc((centre - 0.5 - (double)i) / scale * M_SQRT1_2) / 2;
        k[i] = (float)(to - before);
        before = to;
        *min = i && *min < k[i] ? *min : k[i];
        *max = i && *max > k[i] ? *max : k[i];
    }
    return k;
}

/* The bump of voxel (z,y,x) is (k0[z] k1[y] k2[x] - least) / most: a product's extremes are the products of the extremes. */
struct shape { const float *k[3]; float least, most; };

static int shape_of(const gv_volume *v, const gv_bump *b, struct shape *s, gv_arena *arena, gv_err *err)
{
    float least = 1, most = 1;
    static const float one[1] = { 1 };
    for (int a = 0; a < 3; a++) {
        float lo = 1, hi = 1;
        bool there = a >= 3 - v->axes;
        s->k[a] = there ? shares(v->n[a], b->centre[a], b->scale[a], &lo, &hi, arena, err) : one;
        if (!s->k[a])
            return GV_ESYS;
        least *= lo;
        most *= hi;
    }
    s->least = least;
    s->most = most - least;
    return GV_OK;
}

GV_HOT static void add_bump_row(float *restrict x, const float *restrict k, int64_t n, float kzy, float least, float factor)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += (kzy * k[i] - least) * factor;
}

GV_HOT static void gamma_row(float *restrict x, const float *restrict k, int64_t n, float kzy, float least, float most, float min, float range, float g)
{
    float per = 1 / range;
    for (int64_t i = 0; i < n; i++) {
        float v = (x[i] - min) * per, w = (kzy * k[i] - least) / most;
        x[i] = (v + w * (power(v, g) - v)) * range + min;
    }
}

int gv_volume_add_bump(gv_volume *v, const gv_bump *b, double strength, gv_arena *arena, gv_err *err)
{
    struct shape s;
    int r = shape_of(v, b, &s, arena, err);
    if (r < 0 || !(s.most > 0)) /* so far outside that no voxel sees any of it */
        return r;
    for (int64_t z = 0; z < v->n[0]; z++)
        for (int64_t y = 0; y < v->n[1]; y++)
            add_bump_row(v->v + (z * v->n[1] + y) * v->n[2], s.k[2], v->n[2], s.k[0][z] * s.k[1][y], s.least, (float)(strength / (double)s.most));
    return GV_OK;
}

int gv_volume_local_gamma(gv_volume *v, const gv_bump *b, double gamma, gv_arena *arena, gv_err *err)
{
    struct shape s;
    gv_volume_stats t;
    int r = shape_of(v, b, &s, arena, err);
    if (r < 0 || !(s.most > 0))
        return r;
    gv_volume_describe(v, &t);
    float range = t.max - t.min;
    for (int64_t z = 0; z < v->n[0]; z++)
        for (int64_t y = 0; y < v->n[1]; y++)
            gamma_row(v->v + (z * v->n[1] + y) * v->n[2], s.k[2], v->n[2], s.k[0][z] * s.k[1][y], s.least, s.most, t.min, range < 1e-8f ? 1e-8f : range, (float)gamma);
    return GV_OK;
}
