/*
 * y = a b in AMX's tiles.
 *
 * b is packed first, by all threads, in panels of 32 columns: [panel][K in pairs][32], narrowed on the way where it is f32; a constant b once for the
 * life of the kernel. Threads share the rows of y. Each goes through as many panels as its second cache holds, strip after strip of 32 rows of a, which are
 * laid out tile by tile; a block's sums go to 4 KiB of scratch, and from there with bias, addition, ReLU and narrowing to y in one pass.
 * Laying out the next strip and putting away the last block are done a little with each step of tiles: the tiles' unit works meanwhile.
 *
 * oneDNN's products reach a quarter of what the tiles do from the second cache (tests/bench/LOG.md).
 */
#include "nn/onednn/product_amx.h"
#include "nn/onednn/amx.h"

#ifdef DN_AMX

enum { STRIP = 32, PANEL = 32, CACHE = 1 << 20 /* bytes of panels at a time */, ROWS_LEAST = 64, WORK_LEAST = 1 << 18 };

typedef struct self {
    gv_onednn *ctx;
    dn_product p;
    int64_t Kp, panels, at_once; /* K up to whole tiles */
    gv_dtype tb, ty, tbias;
    amx_unit *packed;            /* of a constant b */
    bool filled;
} self;

typedef struct job { const self *s; const gv_call *c; amx_unit *b; char *scratch; size_t each; int64_t parts; } job;

static size_t panel_units(const self *s)
{
    return (size_t)(s->Kp / 2 * PANEL);
}

/* Of a thread: two strips of a, two blocks of sums. */
static size_t each_bytes(const self *s)
{
    return dn_round(2 * (size_t)(STRIP * s->Kp) * 2 + 2 * STRIP * PANEL * 4);
}

/* 32 numbers from column k on, as bf16; those from `n` on are zero. */
AMXINLINE __m512i numbers(const void *b, gv_dtype t, int64_t at, int64_t n)
{
    if (n <= 0)
        return _mm512_setzero_si512();
    __mmask32 m = n >= 32 ? 0xffffffffu : (1u << n) - 1;
    if (t == GV_BF16)
        return _mm512_maskz_loadu_epi16(m, (const uint16_t *)b + at);
    const float *f = (const float *)b + at;
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps((__mmask16)(m >> 16), f + (n > 16 ? 16 : 0)), _mm512_maskz_loadu_ps((__mmask16)m, f));
}

AMXFN static void pack_b(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const self *s = j->s;
    const void *b = j->c->x[s->p.b];
    int64_t N = s->p.N, K = s->p.K;
    for (int64_t panel = begin; panel < end; panel++) {
        amx_unit *to = j->b + (size_t)panel * panel_units(s);
        int64_t n0 = panel * PANEL;
        if (!s->p.turned) {
            for (int64_t k = 0; k < s->Kp; k += 2, to += PANEL) {
                __m512i lo, hi;
                dn_amx_pair(k < K ? numbers(b, s->tb, k * N + n0, N - n0) : _mm512_setzero_si512(), k + 1 < K ? numbers(b, s->tb, (k + 1) * N + n0, N - n0) : _mm512_setzero_si512(), &lo, &hi);
                _mm512_storeu_si512(to, lo);
                _mm512_storeu_si512(to + 16, hi);
            }
            continue;
        }
        for (int64_t k = 0; k < s->Kp; k += 32, to += 16 * PANEL)
            for (int64_t half = 0; half < PANEL; half += 16) {
                __m512i r[16];
                DN_UNROLL for (int i = 0; i < 16; i++) {
                    int64_t n = n0 + half + i;
                    r[i] = n < N ? numbers(b, s->tb, n * K + k, K - k) : _mm512_setzero_si512();
                }
                dn_turn16(r);
                DN_UNROLL for (int i = 0; i < 16; i++)
                    _mm512_storeu_si512(to + i * PANEL + half, r[i]);
            }
    }
}

/* Laying out rows of a tile by tile, [step][32 rows][16 units], zeros where there is none: as far as it has come. */
typedef struct laying { const uint16_t *a; amx_unit *to; int64_t n, row, k; } laying;

AMXINLINE void lay(const self *s, laying *l, int64_t lines)
{
    int64_t K = s->p.K, steps = s->Kp / 32;
    for (; lines > 0 && l->row < STRIP; lines--) {
        __mmask32 m = l->row >= l->n ? 0 : l->k < K / 32 ? 0xffffffffu : (1u << K % 32) - 1;
        _mm512_store_si512(l->to + (l->k * STRIP + l->row) * 16, _mm512_maskz_loadu_epi16(m, l->a + (m ? l->row * K + l->k * 32 : 0)));
        if (++l->k == steps)
            l->k = 0, l->row++;
    }
}

AMXINLINE __m512 widen(const uint16_t *p, __mmask16 m)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, p)), 16));
}

/* Putting a block of sums to y: rows [row, n) are left; row i belongs to row to[i] of y, from column at on. */
typedef struct putting { const float *sums; const int64_t *to; int64_t row, n, at; __mmask16 m[2]; __m512 bias[2]; } putting;

AMXINLINE putting put_begin(const job *j, const float *sums, const int64_t *to, int64_t n, int64_t at)
{
    const dn_product *p = &j->s->p;
    putting q = { sums, to, 0, n, at, { 0, 0 }, { _mm512_setzero_ps(), _mm512_setzero_ps() } };
    for (int half = 0; half < 2; half++) {
        int64_t wide = p->N - at - 16 * half;
        q.m[half] = wide >= 16 ? 0xffff : wide > 0 ? (__mmask16)((1u << wide) - 1) : 0;
        if (p->bias >= 0 && q.m[half])
            q.bias[half] = j->s->tbias == GV_BF16 ? widen((const uint16_t *)j->c->x[p->bias] + at + 16 * half, q.m[half]) : _mm512_maskz_loadu_ps(q.m[half], (const float *)j->c->x[p->bias] + at + 16 * half);
    }
    return q;
}

AMXINLINE void put(const job *j, putting *q, int64_t rows)
{
    const self *s = j->s;
    const dn_product *p = &s->p;
    for (int64_t end = dn_min(q->n, q->row + rows); q->row < end; q->row++)
        for (int half = 0; half < 2; half++) {
            int64_t to = q->to[q->row] * p->N + q->at + 16 * half;
            if (!q->m[half])
                break;
            __m512 v = _mm512_add_ps(_mm512_load_ps(q->sums + q->row * PANEL + 16 * half), q->bias[half]);
            if (p->more >= 0)
                v = _mm512_add_ps(v, widen((const uint16_t *)j->c->x[p->more] + to, q->m[half]));
            if (p->relu)
                v = _mm512_max_ps(_mm512_setzero_ps(), v); /* a NaN stays */
            if (s->ty == GV_BF16)
                _mm256_mask_storeu_epi16((uint16_t *)j->c->y[0] + to, q->m[half], (__m256i)_mm512_cvtneps_pbh(v));
            else
                _mm512_mask_storeu_ps((float *)j->c->y[0] + to, q->m[half], v);
        }
}

/* Where rows [m, m + n) of the product stand in y. */
static void rows_of(const dn_product *p, int64_t m, int64_t n, int64_t *to)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t r = m + i, pixel = p->spread ? r % (p->oh * p->ow) : 0;
        to[i] = p->spread ? (r / (p->oh * p->ow) * p->h + pixel / p->ow * p->sh) * p->w + pixel % p->ow * p->sw : r;
    }
}

AMXFN static void rows(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const self *s = j->s;
    const dn_product *p = &s->p;
    int64_t strips = (p->M + STRIP - 1) / STRIP, steps = s->Kp / 32, put_rows = (STRIP + steps - 1) / steps;
    dn_amx_begin();
    for (int64_t part = begin; part < end; part++) {
        amx_unit *strip[2] = { (amx_unit *)(void *)(j->scratch + (size_t)part * j->each), NULL };
        strip[1] = strip[0] + STRIP * s->Kp / 2;
        float *sums = (float *)(strip[1] + STRIP * s->Kp / 2);
        int64_t m0 = strips * part / j->parts * STRIP, m1 = dn_min(p->M, strips * (part + 1) / j->parts * STRIP);
        const uint16_t *a = (const uint16_t *)j->c->x[p->a];
        laying l = { a + m0 * p->K, strip[0], dn_min(STRIP, m1 - m0), 0, 0 };
        putting last = { 0 };
        int64_t count = 0, block = 0, to_row[2][STRIP]; /* strips and blocks done; where the rows of this strip and of the last one belong */
        for (int64_t from = 0; from < s->panels; from += s->at_once) {
            int64_t to = dn_min(s->panels, from + s->at_once), lines = (STRIP + to - from - 1) / (to - from);
            for (int64_t m = m0; m < m1; m += STRIP, count++) {
                int64_t n = dn_min(STRIP, m1 - m), after = m + STRIP < m1 ? m + STRIP : m0;
                const amx_unit *here = strip[count % 2];
                rows_of(p, m, n, to_row[count % 2]);
                lay(s, &l, INT64_MAX);
                l = (laying){ a + after * p->K, strip[(count + 1) % 2], dn_min(STRIP, m1 - after), 0, 0 };
                for (int64_t panel = from; panel < to; panel++, block++) {
                    const amx_unit *b = j->b + (size_t)panel * panel_units(s);
                    float *c = sums + block % 2 * STRIP * PANEL;
                    dn_amx_zero(2, 2);
                    for (int64_t k = 0; k < steps; k++) {
                        dn_amx_steps(2, 2, here + k * STRIP * 16, 16, b + k * 16 * PANEL, PANEL, 1);
                        put(j, &last, put_rows);
                        lay(s, &l, lines);
                    }
                    put(j, &last, STRIP);
                    dn_amx_store(2, 2, c, PANEL);
                    last = put_begin(j, c, to_row[count % 2], n, panel * PANEL);
                }
            }
        }
        put(j, &last, STRIP);
    }
    dn_amx_end();
}

static void clear(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    size_t each = (size_t)j->c->out[0].shape[j->c->out[0].ndim - 1] * (j->s->ty == GV_BF16 ? 2 : 4);
    memset((char *)j->c->y[0] + (size_t)begin * each, 0, (size_t)(end - begin) * each);
}

static int run(const gv_call *c)
{
    self *s = c->self;
    char *scratch = (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    job j = { s, c, s->packed, scratch, each_bytes(s), dn_max(1, dn_min(s->ctx->threads, s->p.M / ROWS_LEAST)) };
    if (!s->packed)
        j.b = (amx_unit *)(void *)(scratch + j.each * (size_t)s->ctx->threads);
    if (!s->packed || !s->filled)
        gv_parallel(s->panels, 1, pack_b, &j);
    s->filled = true;
    if (s->p.spread)
        gv_parallel(c->out[0].count / s->p.N, 1024, clear, &j);
    gv_parallel(j.parts, 1, rows, &j);
    return GV_OK;
}

static void release(void *p)
{
    self *s = p;
    gv_free(s->packed);
    gv_free(s);
}

int dn_product_amx(gv_onednn *ctx, const gv_call *c, const dn_product *p, gv_kernel *k, gv_err *err)
{
    const gv_desc *a = &c->in[p->a], *b = &c->in[p->b], *y = &c->out[0], *bias = p->bias >= 0 ? &c->in[p->bias] : NULL;
    if (dn_best_set(a->dtype) != DN_SET_AMX || !dn_real(b) || !dn_real(y) || (bias && !dn_real(bias)) || (p->more >= 0 && c->in[p->more].dtype != GV_BF16) || p->M < ROWS_LEAST ||
        p->M * p->N * p->K < WORK_LEAST)
        return GV_UNSUPPORTED;
    self *s = gv_alloc(sizeof *s, err);
    if (!s)
        return GV_ESYS;
    *s = (self){ .ctx = ctx, .p = *p, .Kp = (p->K + 31) / 32 * 32, .panels = (p->N + PANEL - 1) / PANEL, .tb = b->dtype, .ty = y->dtype, .tbias = bias ? bias->dtype : GV_F32T };
    size_t bytes = panel_units(s) * 4, all = bytes * (size_t)s->panels;
    int64_t fit = dn_max(1, CACHE / (int64_t)bytes), turns = (s->panels + fit - 1) / fit;
    s->at_once = (s->panels + turns - 1) / turns;
    if (b->constant && !(s->packed = gv_alloc(all, err))) {
        gv_free(s);
        return GV_ESYS;
    }
    *k = (gv_kernel){ .name = "own:amx", .run = run, .release = release, .self = s, .scratch_bytes = 64 + each_bytes(s) * (size_t)ctx->threads + (s->packed ? 0 : all) };
    if (p->more >= 0)
        k->in_place[0] = (uint8_t)(1u << p->more); /* an element is read before it is written */
    return GV_OK;
}

#else

int dn_product_amx(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, const dn_product *p GV_UNUSED, gv_kernel *k GV_UNUSED, gv_err *err GV_UNUSED)
{
    return GV_UNSUPPORTED;
}

#endif
