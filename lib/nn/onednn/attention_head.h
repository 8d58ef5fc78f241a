/* The text of attention.c for one instruction set (vectors.h). "Units" are 32 bits: a float or two bf16. */
#include "nn/onednn/vectors.h"
#include "nn/onednn/products.h"

/* Row r of each comes to the second cache while we compute: the next head's, and where results will stand. */
typedef struct F(fetch) { int count; struct { const T *x; int64_t stride; } of[7]; int64_t d; } F(fetch);

VINLINE void F(fetch_row)(const F(fetch) *f, int64_t r)
{
    for (int t = 0; t < f->count; t++)
        for (int64_t i = 0; i < f->d; i += 64 / (int64_t)sizeof(T))
            __builtin_prefetch(f->of[t].x + r * f->of[t].stride + i, 0, 2);
}

/* n rows of `d` floats to rows in T, `stride` apart; times by[row] where by is given. */
VFN static void F(put_rows)(T *to, int64_t stride, const float *x, int64_t ld, int64_t n, int64_t d, const float *by)
{
    for (int64_t r = 0; r < n; r++) {
        V f = VSET(by ? by[r] : 1.f);
        int64_t i = 0;
        for (; i + VL <= d; i += VL)
            F(vput)(to + r * stride + i, VLD(x + r * ld + i) * f);
        if (i < d)
            F(vput_some)(to + r * stride + i, VLD(x + r * ld + i) * f, d - i);
    }
}

/* The columns behind the last key count nothing. */
static void F(shut_out)(float *s, int64_t wide, int64_t ld, int64_t n, int64_t L)
{
    for (int64_t r = 0; r < n; r++)
        for (int64_t j = L; j < wide; j++)
            s[r * ld + j] = -1e30f;
}

/* Scores to e^(scale (s - most)) in p [n, ld]; inv: one over their sum; lse. One loop for each step, so that no row waits for another's sum. */
VFN static void F(softmax_rows)(const float *s, T *p, int64_t wide, int64_t ld, int64_t n, float scale, float *inv, float *lse, const F(fetch) *f, int64_t first)
{
    for (int64_t r = 0; r < n; r++) {
        const float *x = s + r * ld;
        V m = VLD(x);
        for (int64_t j = VL; j < wide; j += VL)
            m = VMAX(m, VLD(x + j));
        lse[r] = F(vtop)(m) * scale;
    }
    for (int64_t r = 0; r < n; r++) {
        V sum = VSET(0), by = VSET(scale), less = VSET(-lse[r]);
        F(fetch_row)(f, first + r);
        for (int64_t j = 0; j < wide; j += VL) {
            V e = F(vexp)(VFMA(VLD(s + r * ld + j), by, less));
            sum = sum + e;
            F(vput)(p + r * ld + j, e);
        }
        for (int64_t j = wide; j < ld; j += VL)
            F(vput)(p + r * ld + j, VSET(0));
        inv[r] = F(vsum)(sum);
    }
    for (int64_t r = 0; r < n; r++) {
        lse[r] += logf(inv[r]);
        inv[r] = 1 / inv[r];
    }
}

/* The first row of head `at` in a tensor of rows of `of` times D numbers. */
static T *F(head)(void *x, const head_plan *p, int64_t at, int64_t of)
{
    return (T *)x + at / p->H * p->L * of * p->D + at % p->H * p->d;
}

static void F(forward_heads)(void *arg, int64_t begin, int64_t end)
{
    const gv_call *c = arg;
    head_plan p = plan_of(c, STEP_ROWS > 1);
    int64_t D3 = 3 * p.D, row;
    F(products_begin)();
    unit *kt = (unit *)(void *)((char *)c->scratch + (size_t)gv_slot() * dn_round(forward_floats(&p) * sizeof(float)));
    unit *v = kt + dn_up(p.d, 16) * p.ld;
    float *s = (float *)(v + p.ld * p.vl), *prob = s + p.block * p.ld, *o = prob + p.block * p.ld, *inv = o + p.block * p.vl;
    unit *copy = (unit *)(inv + dn_up(p.block, 16));
    for (int64_t at = begin; at < end; at++) {
        const T *q = F(head)(c->x[0], &p, at, 3), *next = F(head)(c->x[0], &p, dn_min(at + 1, end - 1), 3);
        T *y = F(head)(c->y[0], &p, at, 1);
        F(fetch) f = { 4, { { next, D3 }, { next + p.D, D3 }, { next + 2 * p.D, D3 }, { y, p.D } }, p.d };
        F(pack_turned)(q + p.D, D3, p.L, p.d, kt, p.ld);
        F(pack_rows)(q + 2 * p.D, D3, p.L, p.d, v, p.vl);
        for (int64_t i = 0; i < p.L; i += p.block) {
            int64_t n = dn_min(p.block, p.L - i);
            const unit *rows = F(first_rows)(q + i * D3, D3, n, p.d, copy, &row);
            F(product)(n, p.wide / VL, p.d / PER, rows, row, 1, kt, p.ld, s, p.ld, false); /* q k' */
            F(shut_out)(s, p.wide, p.ld, n, p.L);
            F(softmax_rows)(s, (T *)prob, p.wide, p.ld, n, (float)p.scale, inv, (float *)c->y[1] + at * p.L + i, &f, i);
            F(product)(n, p.vl / VL, (p.L + PER - 1) / PER, (const unit *)prob, p.ld / PER, 1, v, p.vl, o, p.vl, false); /* p v */
            F(put_rows)(y + i * p.D, p.D, o, p.vl, n, p.d, inv);
        }
    }
    F(products_end)();
}

static int F(forward)(const gv_call *c)
{
    return over_heads(c, F(forward_heads));
}

/* ---- backward ---- */

#if defined(GV_AMX)
#include "nn/onednn/attention_columns.h"
#else

/* Scores and dp of n rows to p and ds in two forms: ds in rows (over keys), p and ds in units over PER rows. */
VFN static void F(grad_rows)(float *s, float *dp, int64_t ld, int64_t n, float scale, const float *lse, T *ds, unit *pt, unit *dst)
{
    V by = VSET(scale);
    for (int64_t r = 0; r < n; r++) {
        float *u = s + r * ld, *g = dp + r * ld;
        V less = VSET(-lse[r]), sum = VSET(0);
        for (int64_t j = 0; j < ld; j += VL) {
            V e = F(vexp)(VFMA(VLD(u + j), by, less));
            sum = VFMA(e, VLD(g + j), sum);
            VST(u + j, e);
        }
        V delta = VSET(F(vsum)(sum));
        for (int64_t j = 0; j < ld; j += VL) {
            V t = VLD(u + j) * (VLD(g + j) - delta) * by;
            F(vput)(ds + r * ld + j, t);
#if PER == 2
            VST(g + j, t);
#endif
        }
    }
#if PER == 2
    for (int64_t r = 0; r < n; r += 2, pt += ld, dst += ld) {
        const float *u = s + r * ld, *g = dp + r * ld;
        for (int64_t j = 0; j < ld; j += VL) {
            V u1 = VSET(0), g1 = VSET(0);
            if (r + 1 < n) {
                u1 = VLD(u + ld + j);
                g1 = VLD(g + ld + j);
            }
            __m512i a = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(VLD(u + j))), b = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(u1));
            _mm512_storeu_si512(pt + j, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
            a = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(VLD(g + j))), b = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(g1));
            _mm512_storeu_si512(dst + j, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
        }
    }
#else
    (void)pt, (void)dst;
#endif
}

static void F(backward_heads)(void *arg, int64_t begin, int64_t end)
{
    const gv_call *c = arg;
    head_plan p = plan_of(c, STEP_ROWS > 1);
    int64_t row = 3 * p.D * (int64_t)sizeof(T) / 4, yrow = p.D * (int64_t)sizeof(T) / 4, all = (p.L + PER - 1) / PER, turned = dn_up(p.d, 16) * p.wide, tall = p.wide * p.vl, big = p.block * p.wide;
    unit *kt = (unit *)(void *)((char *)c->scratch + (size_t)gv_slot() * dn_round(backward_floats(&p) * sizeof(float)));
    unit *vt = kt + turned, *k = vt + turned, *q = k + tall, *g = q + tall;
    float *s = (float *)(g + tall), *dp = s + big;
    unit *pt = (unit *)(dp + big), *dst = pt + big;
    float *ds = (float *)(dst + big), *dq = ds + big, *dk = dq + p.block * p.vl, *dv = dk + tall;
    for (int64_t at = begin; at < end; at++) {
        const T *x = F(head)(c->x[0], &p, at, 3), *dy = F(head)(c->x[2], &p, at, 1);
        T *to = F(head)(c->y[0], &p, at, 3);
        F(pack_turned)(x + p.D, 3 * p.D, p.L, p.d, kt, p.wide);
        F(pack_turned)(x + 2 * p.D, 3 * p.D, p.L, p.d, vt, p.wide);
        F(pack_rows)(x, 3 * p.D, p.L, p.d, q, p.vl);
        F(pack_rows)(x + p.D, 3 * p.D, p.L, p.d, k, p.vl);
        F(pack_rows)(dy, p.D, p.L, p.d, g, p.vl);
        for (int64_t i = 0; i < p.L; i += p.block) {
            int64_t n = dn_min(p.block, p.L - i), m = (n + PER - 1) / PER, r = i / PER * p.vl;
            F(product)(n, p.wide / VL, p.d / PER, (const unit *)(const void *)(x + i * 3 * p.D), row, 1, kt, p.wide, s, p.wide, false);
            F(product)(n, p.wide / VL, p.d / PER, (const unit *)(const void *)(dy + i * p.D), yrow, 1, vt, p.wide, dp, p.wide, false);
            F(shut_out)(s, p.wide, p.wide, n, p.L);
            F(grad_rows)(s, dp, p.wide, n, (float)p.scale, (const float *)c->x[1] + at * p.L + i, (T *)ds, pt, dst);
#if PER == 1
            const unit *pa = (const unit *)s, *da = (const unit *)ds;
#else
            const unit *pa = pt, *da = dst;
#endif
            F(product)(n, p.vl / VL, all, (const unit *)ds, p.wide / PER, 1, k, p.vl, dq, p.vl, false);
            F(product)(p.L, p.vl / VL, m, pa, 1, p.wide, g + r, p.vl, dv, p.vl, i > 0);
            F(product)(p.L, p.vl / VL, m, da, 1, p.wide, q + r, p.vl, dk, p.vl, i > 0);
            F(put_rows)(to + i * 3 * p.D, 3 * p.D, dq, p.vl, n, p.d, NULL);
        }
        F(put_rows)(to + p.D, 3 * p.D, dk, p.vl, p.L, p.d, NULL);
        F(put_rows)(to + 2 * p.D, 3 * p.D, dv, p.vl, p.L, p.d, NULL);
    }
}

#endif

static int F(backward)(const gv_call *c)
{
    return over_heads(c, F(backward_heads));
}
