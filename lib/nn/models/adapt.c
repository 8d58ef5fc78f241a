/* adapt: weights for other input channels, image sizes and names than the published ones.
 * Sources: timm's adapt_input_conv, resample_abs_pos_embed and _convert_dinov2; the antialiased cubic is Pillow's (Keys 1981,
 * a = -0.5), which torch's interpolate(antialias=True) follows. */
#include "nn/models/adapt.h"
#include <math.h>
#include <string.h>

/* In float, as torch adds and scales, so that both start from the same numbers. */
void gv_adapt_input_conv(const float *w, int64_t out, int64_t base, int64_t area, int64_t in, float *dst)
{
    float scale = (float)((double)base / (double)in);
    for (int64_t o = 0; o < out; o++)
        for (int64_t c = 0; c < in; c++)
            for (int64_t k = 0; k < area; k++) {
                const float *src = w + o * base * area + k;
                float v = in == 1 ? src[0] : src[c % base * area];
                for (int64_t b = 1; in == 1 && b < base; b++)
                    v += src[b * area];
                dst[(o * in + c) * area + k] = in == 1 || in == base ? v : v * scale;
            }
}

/* Resampling is in float, operation by operation as in torch's upsample_bicubic2d_aa on x86 with FMA, so that a network that starts
 * from resampled weights starts from the same numbers there and here, to the bit: fmaf where the compiler fused, and products that
 * were rounded on their own where it computed four of them at once. */
static float cubic(float x)
{
    x = fabsf(x);
    if (x < 1)
        return fmaf(fmaf(1.5f, x, -2.5f) * x, x, 1);
    return x < 2 ? fmaf(fmaf(fmaf(-0.5f, x, 2.5f), x, -4), x, 2) : 0;
}

/* The weights of output i of n from an axis of length m: *first and how many. k: room for m. */
static int64_t taps(int64_t i, int64_t m, int64_t n, float *k, int64_t *first)
{
    float scale = (float)m / (float)n, support = scale >= 1 ? 2 * scale : 2, inverse = scale >= 1 ? 1 / scale : 1;
    float centre = (float)((double)scale * ((double)i + 0.5)), sum = 0;
    int64_t lo = (int64_t)((double)(centre - support) + 0.5), hi = (int64_t)((double)(centre + support) + 0.5);
    lo = lo < 0 ? 0 : lo;
    hi = hi > m ? m : hi;
    for (int64_t j = lo; j < hi; j++)
        sum += k[j - lo] = cubic((float)(((double)((float)j - centre) + 0.5) * (double)inverse));
    for (int64_t j = 0; j < hi - lo; j++)
        k[j] /= sum;
    *first = lo;
    return hi - lo;
}

/* One axis: src [a,m,b] -> dst [a,n,b]. */
static void resample(const float *src, int64_t a, int64_t m, int64_t b, int64_t n, float *dst, float *k)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t first, count = taps(i, m, n, k, &first), plain = 1 + (count - 1) / 4 * 4;
        for (int64_t p = 0; p < a; p++)
            for (int64_t q = 0; q < b; q++) {
                const float *x = src + (p * m + first) * b + q;
                float v = k[0] * x[0];
                for (int64_t j = 1; j < plain; j++)
                    v += k[j] * x[j * b];
                for (int64_t j = plain; j < count; j++)
                    v = fmaf(k[j], x[j * b], v);
                dst[(p * n + i) * b + q] = v;
            }
    }
}

int gv_resample_pos_embed(const float *pos, int64_t prefix, int64_t h, int64_t w, int64_t d, int64_t nh, int64_t nw, float *dst, gv_err *err)
{
    int64_t longest = h > w ? h : w;
    float *mid = gv_alloc((size_t)(h * nw * d) * sizeof *mid, err);
    float *k = gv_alloc((size_t)longest * sizeof *k, err);
    int r = mid && k ? GV_OK : GV_ESYS;
    if (r == GV_OK) {
        memcpy(dst, pos, (size_t)(prefix * d) * sizeof *dst);
        resample(pos + prefix * d, h, w, d, nw, mid, k);          /* [h,nw,d] */
        resample(mid, 1, h, nw * d, nh, dst + prefix * d, k); /* [nh,nw,d] */
    }
    gv_free(mid);
    gv_free(k);
    return r;
}

/* One axis, linearly: src [a,m,b] -> dst [a,n,b]. */
static void stretch(const float *src, int64_t a, int64_t m, int64_t b, int64_t n, float *dst)
{
    for (int64_t i = 0; i < n; i++) {
        double at = ((double)i + 0.5) * (double)m / (double)n - 0.5;
        at = at < 0 ? 0 : at;
        int64_t lo = (int64_t)at, hi = lo + 1 < m ? lo + 1 : lo;
        float w = (float)(at - (double)lo);
        for (int64_t p = 0; p < a; p++)
            for (int64_t q = 0; q < b; q++)
                dst[(p * n + i) * b + q] = src[(p * m + lo) * b + q] * (1 - w) + src[(p * m + hi) * b + q] * w;
    }
}

int gv_resample_pos_embed_3d(const float *pos, const int64_t from[3], int64_t c, const int64_t to[3], float *dst, gv_err *err)
{
    float *one = gv_alloc((size_t)(from[0] * from[1] * to[2] * c) * sizeof *one, err);
    float *two = gv_alloc((size_t)(from[0] * to[1] * to[2] * c) * sizeof *two, err);
    int r = one && two ? GV_OK : GV_ESYS;
    if (r == GV_OK) {
        stretch(pos, from[0] * from[1], from[2], c, to[2], one);
        stretch(one, from[0], from[1], to[2] * c, to[1], two);
        stretch(two, 1, from[0], to[1] * to[2] * c, to[0], dst);
    }
    gv_free(one);
    gv_free(two);
    return r;
}

static const gv_load_tensor *find(const gv_load_tensor *t, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(t[i].name, name))
            return &t[i];
    return NULL;
}

/* `name` with the first `from` replaced; name itself without one. */
static const char *renamed(const char *name, const char *from, const char *to, gv_arena *arena, gv_err *err)
{
    const char *p = strstr(name, from);
    return p ? gv_arena_printf(arena, err, "%.*s%s%s", (int)(p - name), name, to, p + strlen(from)) : name;
}

/* The class token with the first row of pos_embed added, and pos_embed without that row. */
static int fold_class_position(gv_load_tensor *cls, gv_load_tensor *pos, gv_arena *arena, gv_err *err)
{
    int64_t d = cls->shape[cls->ndim - 1], all = gv_shape_count(pos->shape, pos->ndim);
    if (pos->ndim != 3 || pos->shape[0] != 1 || pos->shape[2] != d || pos->shape[1] < 2 || gv_shape_count(cls->shape, cls->ndim) != d)
        return gv_fail(err, GV_EDATA, "'cls_token' and 'pos_embed' have not the shapes of a DINOv2 file");
    float *p = gv_arena_alloc(arena, (size_t)all * sizeof *p, err), *c = gv_arena_alloc(arena, (size_t)d * sizeof *c, err);
    if (!p || !c)
        return GV_ESYS;
    gv_to_f32(pos->dtype, pos->data, p, (size_t)all);
    gv_to_f32(cls->dtype, cls->data, c, (size_t)d);
    for (int64_t i = 0; i < d; i++)
        c[i] += p[i];
    cls->data = c;
    pos->data = p + d;
    pos->shape[1]--;
    cls->dtype = pos->dtype = GV_F32T;
    return GV_OK;
}

int gv_convert_dinov2(const gv_load_tensor *t, size_t n, const gv_load_tensor **out, size_t *m, gv_arena *arena, gv_err *err)
{
    *out = t;
    *m = n;
    if (!find(t, n, "mask_token"))
        return GV_OK;
    gv_load_tensor *o = gv_arena_alloc(arena, n * sizeof *o, err), *cls = NULL, *pos = NULL;
    bool registers = find(t, n, "register_tokens");
    size_t k = 0;
    for (size_t i = 0; o && i < n; i++) {
        if (!strcmp(t[i].name, "mask_token"))
            continue;
        o[k] = t[i];
        if (!strcmp(t[i].name, "register_tokens"))
            o[k].name = "reg_token";
        else if (strstr(t[i].name, ".mlp.w12."))
            o[k].name = renamed(t[i].name, "w12", "fc1", arena, err);
        else if (strstr(t[i].name, ".mlp.w3."))
            o[k].name = renamed(t[i].name, "w3", "fc2", arena, err);
        if (!o[k].name)
            return GV_ESYS;
        cls = !strcmp(o[k].name, "cls_token") ? &o[k] : cls;
        pos = !strcmp(o[k].name, "pos_embed") ? &o[k] : pos;
        k++;
    }
    if (!o)
        return GV_ESYS;
    *out = o;
    *m = k;
    return registers && cls && pos ? fold_class_position(cls, pos, arena, err) : GV_OK;
}
