/* The text of wgrad_large.c for one instruction set (vectors.h). */
#include "nn/onednn/vectors.h"
#include "nn/onednn/products.h"

/* `n` <= 16 VL units from the columns of one row (f32), or of two rows side by side (bf16), to `to`, which has room for whole steps of 32; what is
 * not there is zero. */
VFN VINLINE void F(side_by_side)(const T *a, const T *b, int64_t n, unit *to)
{
    for (int64_t i = 0; i < n; i += 32, to += 32) {
        __mmask32 m = n - i >= 32 ? 0xffffffffu : (1u << (n - i)) - 1;
#if PER == 2
        const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
        __m512i u = _mm512_maskz_loadu_epi16(m, a + i), v = _mm512_maskz_loadu_epi16(b ? m : 0, b ? b + i : a);
        _mm512_storeu_si512(to, _mm512_permutex2var_epi16(u, first, v));
        _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi16(u, _mm512_add_epi16(first, _mm512_set1_epi16(16)), v));
#else
        (void)b;
        _mm512_storeu_ps(to, _mm512_maskz_loadu_ps((__mmask16)m, a + i));
        _mm512_storeu_ps(to + 16, _mm512_maskz_loadu_ps((__mmask16)(m >> 16), a + i + (m >> 16 ? 16 : 0)));
#endif
    }
}

/* Columns [from, to) of K units of a, from row r on: panels of 6 columns, [panel][K][6]; the last panels of a group are filled with zeros. */
VFN static void F(pack_a)(const job *j, int64_t r, int64_t K, int64_t from, int64_t to, unit *pa, unit *line)
{
    const T *a = (const T *)j->a + r * j->M;
    for (int64_t at = from; at < to; at += GROUP, pa += GROUP * K) {
        int64_t n = dn_min(GROUP, to - at);
        if (n < GROUP)
            memset(line, 0, GROUP * sizeof *line);
        for (int64_t k = 0; k < K; k++) {
            const T *u = a + k * PER * j->M + at;
            F(side_by_side)(u, r + k * PER + 1 < j->R ? u + j->M : NULL, n, line);
            for (int64_t p = 0; p < GROUP / TILE_ROWS; p++)
                memcpy(pa + (p * K + k) * TILE_ROWS, line + p * TILE_ROWS, TILE_ROWS * sizeof *line);
        }
    }
}

VFN static void F(pack_b)(const job *j, int64_t r, int64_t K, int64_t at, int64_t n, unit *pb)
{
    const T *b = (const T *)j->b + r * j->N + at;
    for (int64_t k = 0; k < K; k++)
        F(side_by_side)(b + k * PER * j->N, r + k * PER + 1 < j->R ? b + (k * PER + 1) * j->N : NULL, n, pb + k * PANEL);
}

static void F(share)(void *p, int64_t begin, int64_t end)
{
    const job *j = p;
    for (int64_t part = begin; part < end; part++) {
        unit *line = (unit *)(void *)(j->scratch + (size_t)part * j->each), *pb = line + GROUP, *pa = pb + PANEL * j->deep;
        int64_t groups = dn_ceil_div(j->M, GROUP), panels = dn_ceil_div(j->N, PANEL), units = dn_ceil_div(j->R, PER);
        int64_t m0 = j->by_m ? groups * part / j->parts * GROUP : 0, m1 = j->by_m ? dn_min(j->M, groups * (part + 1) / j->parts * GROUP) : j->M;
        int64_t n0 = j->by_m ? 0 : panels * part / j->parts * PANEL, n1 = j->by_m ? j->N : dn_min(j->N, panels * (part + 1) / j->parts * PANEL);
        for (int64_t u = 0; u < units; u += j->deep) {
            int64_t K = dn_min(j->deep, units - u);
            F(pack_a)(j, u * PER, K, m0, m1, pa, line);
            for (int64_t n = n0; n < n1; n += PANEL) {
                int64_t wide = dn_min(PANEL, n1 - n);
                F(pack_b)(j, u * PER, K, n, wide, pb);
                for (int64_t m = m0; m < m1; m += TILE_ROWS) {
                    float *y = j->y + m * j->N + n;
                    int64_t rows = dn_min(TILE_ROWS, m1 - m);
                    for (int64_t r = rows; r < 2 * rows && m + r < m1; r++) /* those of the next tile */
                        for (int v = 0; v < PANEL; v += 16)
                            __builtin_prefetch(y + r * j->N + v, 1, 2);
                    F(tiles)[wide / 16 - 1][rows - 1](pa + (m - m0) * K, 1, TILE_ROWS, pb, PANEL, K, y, j->N, u > 0);
                }
            }
        }
    }
}

static int F(run)(const gv_call *c)
{
    job j = describe(c->self, c, PER);
    j.a = c->x[0];
    j.b = c->x[1];
    j.y = c->y[0];
    j.scratch = (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    gv_parallel(j.parts, 1, F(share), &j);
    return GV_OK;
}
