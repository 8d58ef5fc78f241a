/* volume_blur: separable Gaussians, and sharpening by the Laplacian. */
#include "sample/volume.h"
#include <math.h>

enum { MAX_TAPS = 255, STRIP = 1024 };

/* The odd number nearest to 6 sigma + 0.5, by way of Python's round (halves to even). */
static int kernel(double sigma, float *w)
{
    double want = sigma * 6 + 0.5, near = rint(want), sum = 0, v[MAX_TAPS];
    int n = (int)near % 2 ? (int)near : want - near >= 0 ? (int)near + 1 : (int)near - 1;
    n = n < 1 ? 1 : n > MAX_TAPS ? MAX_TAPS : n;
    for (int i = 0; i < n; i++) {
        double x = (i - n / 2) / sigma;
        v[i] = exp(-0.5 * x * x);
        sum += v[i];
    }
    for (int i = 0; i < n; i++)
        w[i] = (float)(v[i] / sum);
    return n;
}

/* out = w0 mid + sum of w[j] (lo[j] + hi[j]), j = 1 … m: n numbers of rows given by pointers; STRIP of them stay in the first cache. */
GV_HOT static void blur_rows(const float *mid, const float *const *lo, const float *const *hi, const float *w, int m, float *restrict out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = w[0] * mid[i];
    int j = 1;
    for (; j + 1 <= m; j += 2) {
        const float *a = lo[j], *b = hi[j], *c = lo[j + 1], *d = hi[j + 1];
        float u = w[j], v = w[j + 1];
        for (int64_t i = 0; i < n; i++)
            out[i] += u * (a[i] + b[i]) + v * (c[i] + d[i]);
    }
    if (j <= m)
        for (int64_t i = 0; i < n; i++)
            out[i] += w[j] * (lo[j][i] + hi[j][i]);
}

/* Along an axis whose steps are `inner` numbers. */
static void blur_axis(const float *in, float *out, int64_t outer, int64_t n, int64_t inner, const float *w, int taps)
{
    int m = taps / 2;
    const float *lo[MAX_TAPS / 2 + 1], *hi[MAX_TAPS / 2 + 1];
    for (int64_t o = 0; o < outer; o++, in += n * inner, out += n * inner)
        for (int64_t at = 0; at < inner; at += STRIP) {
            int64_t some = inner - at < STRIP ? inner - at : STRIP;
            for (int64_t i = 0; i < n; i++) {
                for (int j = 1; j <= m; j++) {
                    lo[j] = in + gv_border_index(GV_BORDER_REFLECT101, i - j, n) * inner + at;
                    hi[j] = in + gv_border_index(GV_BORDER_REFLECT101, i + j, n) * inner + at;
                }
                blur_rows(in + i * inner + at, lo, hi, w + m, m, out + i * inner + at, some);
            }
        }
}

/* Along the last axis: each row gets its border first. wide has room for n + 2 (taps / 2) numbers. */
static void blur_along(const float *in, float *out, int64_t rows, int64_t n, const float *w, int taps, float *wide)
{
    int m = taps / 2;
    const float *lo[MAX_TAPS / 2 + 1], *hi[MAX_TAPS / 2 + 1];
    float *mid = wide + m;
    for (int j = 1; j <= m; j++) {
        lo[j] = mid - j;
        hi[j] = mid + j;
    }
    for (int64_t k = 0; k < rows; k++, in += n, out += n) {
        memcpy(mid, in, (size_t)n * sizeof *in);
        for (int j = 1; j <= m; j++) {
            mid[-j] = in[gv_border_index(GV_BORDER_REFLECT101, -j, n)];
            mid[n - 1 + j] = in[gv_border_index(GV_BORDER_REFLECT101, n - 1 + j, n)];
        }
        blur_rows(mid, lo, hi, w + m, m, out, n);
    }
}

int gv_volume_blur(gv_volume *v, const double sigma[GV_VOLUME_AXES], gv_arena *arena, gv_err *err)
{
    size_t bytes = (size_t)gv_volume_count(v) * sizeof *v->v;
    float *from = v->v, *to = gv_arena_alloc_dirty(arena, bytes, err), w[MAX_TAPS];
    float *wide = to ? gv_arena_alloc_dirty(arena, ((size_t)v->n[2] + MAX_TAPS) * sizeof *wide, err) : NULL;
    if (!wide)
        return GV_ESYS;
    for (int a = GV_VOLUME_AXES - 1; a >= 0; a--) {
        int taps = sigma[a] > 0 ? kernel(sigma[a], w) : 1;
        if (taps == 1 || v->n[a] == 1)
            continue;
        if (a == 2)
            blur_along(from, to, v->n[0] * v->n[1], v->n[2], w, taps, wide);
        else
            blur_axis(from, to, a == 1 ? v->n[0] : 1, v->n[a], a == 1 ? v->n[2] : v->n[1] * v->n[2], w, taps);
        float *t = from;
        from = to;
        to = t;
    }
    v->v = from;
    return GV_OK;
}

GV_HOT static void sharpen_row(const float *x, const float *const near[4], float *restrict out, int64_t n, float strength)
{
    const float *a = near[0], *b = near[1], *c = near[2], *d = near[3];
#define AT(i, l, r) out[i] = x[i] + strength * (6 * x[i] - (a[i] + b[i]) - (c[i] + d[i]) - (x[l] + x[r]))
    if (n > 1) {
        AT(0, 0, 1);
        for (int64_t i = 1; i < n - 1; i++)
            AT(i, i - 1, i + 1);
        AT(n - 1, n - 2, n - 1);
    } else
        AT(0, 0, 0);
#undef AT
}

int gv_volume_sharpen(gv_volume *v, double strength, gv_arena *arena, gv_err *err)
{
    int64_t d = v->n[0], h = v->n[1], w = v->n[2];
    float *out = gv_arena_alloc_dirty(arena, (size_t)gv_volume_count(v) * sizeof *out, err);
    if (!out)
        return GV_ESYS;
    for (int64_t z = 0; z < d; z++)
        for (int64_t y = 0; y < h; y++) { /* an axis of one voxel adds nothing: its neighbours are the voxel itself */
            const float *x = v->v + (z * h + y) * w;
            const float *near[4] = { y ? x - w : x, y + 1 < h ? x + w : x, z ? x - h * w : x, z + 1 < d ? x + h * w : x };
            sharpen_row(x, near, out + (z * h + y) * w, w, (float)strength);
        }
    v->v = out;
    return GV_OK;
}
