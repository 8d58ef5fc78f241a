/*
 * The backward pass of attention_head.h for tiles, which take the first operand of a product in rows only and the second only in pairs. So scores
 * and dp stand turned, [keys, rows of q]: a column's softmax needs no sum across lanes, and what comes out is at once the first operand of dk and dv,
 * and, two keys side by side, the second one of dq'. 32 rows of q at a time, whose scores stay near the first cache; p and ds are kept for a block
 * of them, so that dk and dv have long sums.
 */

enum { COLUMNS = 32 };

/* to [d up to 32, ld] = x', n rows of d numbers, `stride` apart; ld in units, whole steps. */
VFN static void F(pack_columns)(const T *x, int64_t stride, int64_t n, int64_t d, unit *to, int64_t ld)
{
    const __m512i low = _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(1));
    for (int64_t j = 0; j < ld * 2; j += 32)
        for (int64_t i = 0; i < d; i += 32) {
            __m512i a[16], b[16];
            F(load_turned)(x + j * stride + i, stride, n - j, d - i, a);
            F(load_turned)(x + (j + 16) * stride + i, stride, n - j - 16, d - i, b);
            unit *t = to + i * ld + j / 2;
            DN_UNROLL for (int r = 0; r < 16; r++) {
                _mm512_storeu_si512(t + 2 * r * ld, _mm512_permutex2var_epi16(a[r], low, b[r]));
                _mm512_storeu_si512(t + (2 * r + 1) * ld, _mm512_permutex2var_epi16(a[r], high, b[r]));
            }
        }
}

/* n <= 32 columns of d floats to rows in T, `stride` apart. */
VFN static void F(put_columns)(T *to, int64_t stride, const float *x, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < d; i += 16)
        for (int64_t j = 0; j < n; j += 16) {
            __m512i t[16];
            DN_UNROLL for (int r = 0; r < 16; r++)
                t[r] = _mm512_loadu_si512(x + (i + r) * COLUMNS + j);
            dn_turn16(t);
            for (int r = 0; r < 16 && j + r < n; r++)
                if (d - i >= 16)
                    F(vput)(to + (j + r) * stride + i, _mm512_castsi512_ps(t[r]));
                else
                    F(vput_some)(to + (j + r) * stride + i, _mm512_castsi512_ps(t[r]), d - i);
        }
}

/* Scores and dp of L keys and n <= 32 rows of q to p and ds, [key, row], ld units apart, and to ds in pairs of keys, [pair, row]. */
VFN static void F(grad_columns)(float *s, const float *dp, int64_t L, int64_t n, float scale, const float *lse, unit *p, unit *ds, int64_t ld, unit *pairs, const F(fetch) *f, int64_t first)
{
    unsigned have = n >= COLUMNS ? 0xffffffffu : (1u << n) - 1;
    V by = VSET(scale), less[2] = { -_mm512_maskz_loadu_ps((__mmask16)have, lse), -_mm512_maskz_loadu_ps((__mmask16)(have >> 16), lse + 16) }, sum[2] = { VSET(0), VSET(0) };
    for (int64_t k = 0, every = dn_max(1, L / COLUMNS); k < L; k++) {
        float *u = s + k * COLUMNS;
        if (k % every == 0 && k / every < n)
            F(fetch_row)(f, first + k / every);
        V e[2];
        VUNROLL for (int h = 0; h < 2; h++) {
            e[h] = F(vexp)(VFMA(VLD(u + 16 * h), by, less[h]));
            sum[h] = VFMA(e[h], VLD(dp + k * COLUMNS + 16 * h), sum[h]);
            VST(u + 16 * h, e[h]);
        }
        _mm512_storeu_si512(p + k * ld, (__m512i)_mm512_cvtne2ps_pbh(e[1], e[0]));
    }
    for (int64_t k = 0; k < L; k += 2) {
        __m512i t[2] = { _mm512_setzero_si512(), _mm512_setzero_si512() };
        VUNROLL for (int r = 0; r < 2; r++)
            if (k + r < L) {
                const float *u = s + (k + r) * COLUMNS, *g = dp + (k + r) * COLUMNS;
                V lo = VLD(u) * (VLD(g) - sum[0]) * by, hi = VLD(u + 16) * (VLD(g + 16) - sum[1]) * by;
                t[r] = (__m512i)_mm512_cvtne2ps_pbh(hi, lo);
                _mm512_storeu_si512(ds + (k + r) * ld, t[r]);
            }
        dn_amx_pair(t[0], t[1], &t[0], &t[1]);
        _mm512_storeu_si512(pairs + k / 2 * COLUMNS, t[0]);
        _mm512_storeu_si512(pairs + k / 2 * COLUMNS + 16, t[1]);
    }
}

static void F(backward_heads)(void *arg, int64_t begin, int64_t end)
{
    const gv_call *c = arg;
    head_plan p = plan_of(c, true);
    int64_t D3 = 3 * p.D, flat = p.ld * p.copy, tall = p.ld * p.vl / 2, half = p.ld / 2, kept = p.kept / 2, strip = p.ld * COLUMNS, row;
    F(products_begin)();
    unit *k = (unit *)(void *)((char *)c->scratch + (size_t)gv_slot() * dn_round(columns_floats(&p) * sizeof(float)));
    unit *v = k + flat, *qt = v + flat, *gt = qt + flat, *kt = gt + flat, *q = kt + flat, *g = q + tall;
    float *s = (float *)(g + tall), *dp = s + strip, *dq = dp + strip, *dk = dq + p.copy * 2 * COLUMNS, *dv = dk + 2 * tall;
    unit *pt = (unit *)(dv + 2 * tall), *dst = pt + p.ld * kept, *pairs = dst + p.ld * kept;
    memset(pairs, 0, (size_t)strip / 2 * sizeof *pairs); /* those behind the last key stay so */
    for (int64_t at = begin; at < end; at++) {
        const T *x = F(head)(c->x[0], &p, at, 3), *dy = F(head)(c->x[2], &p, at, 1);
        T *to = F(head)(c->y[0], &p, at, 3);
        const T *next = F(head)(c->x[0], &p, dn_min(at + 1, end - 1), 3), *next_dy = F(head)(c->x[2], &p, dn_min(at + 1, end - 1), 1);
        F(fetch) f = { 7, { { next, D3 }, { next + p.D, D3 }, { next + 2 * p.D, D3 }, { next_dy, p.D }, { to, D3 }, { to + p.D, D3 }, { to + 2 * p.D, D3 } }, p.d };
        F(first_rows)(x + p.D, D3, p.L, p.d, k, &row);
        F(first_rows)(x + 2 * p.D, D3, p.L, p.d, v, &row);
        F(pack_columns)(x + p.D, D3, p.L, p.d, kt, half);
        F(pack_turned)(x, D3, p.L, p.d, qt, p.ld);
        F(pack_turned)(dy, p.D, p.L, p.d, gt, p.ld);
        F(pack_rows)(x, D3, p.L, p.d, q, p.vl);
        F(pack_rows)(dy, p.D, p.L, p.d, g, p.vl);
        for (int64_t b = 0; b < p.L; b += p.kept) {
            int64_t rows = dn_min(p.kept, p.L - b);
            for (int64_t i = b; i < b + rows; i += COLUMNS) {
                int64_t n = dn_min(COLUMNS, p.L - i), u = (i - b) / 2;
                F(product)(p.L, COLUMNS / VL, p.copy, k, p.copy, 1, qt + i, p.ld, s, COLUMNS, false);   /* k q' [keys, 32] */
                F(product)(p.L, COLUMNS / VL, p.copy, v, p.copy, 1, gt + i, p.ld, dp, COLUMNS, false); /* v dy' */
                F(grad_columns)(s, dp, p.L, n, (float)p.scale, (const float *)c->x[1] + at * p.L + i, pt + u, dst + u, kept, pairs, &f, i);
                F(product)(p.d, COLUMNS / VL, half, kt, half, 1, pairs, COLUMNS, dq, COLUMNS, false); /* k' ds' [d, 32] */
                F(put_columns)(to + i * D3, D3, dq, n, p.d);
            }
            for (int64_t j = 0; j < p.L; j += 32) {
                int64_t n = dn_min(32, p.L - j), r = b / 2 * p.vl;
                F(product)(n, p.vl / VL, (rows + 1) / 2, dst + j * kept, kept, 1, q + r, p.vl, dk + j * p.vl, p.vl, b > 0);
                F(product)(n, p.vl / VL, (rows + 1) / 2, pt + j * kept, kept, 1, g + r, p.vl, dv + j * p.vl, p.vl, b > 0);
                if (b + rows == p.L) {
                    F(put_rows)(to + p.D + j * D3, D3, dk + j * p.vl, p.vl, n, p.d, NULL);
                    F(put_rows)(to + 2 * p.D + j * D3, D3, dv + j * p.vl, p.vl, n, p.d, NULL);
                }
            }
        }
    }
    F(products_end)();
}
