/*
 * y = a b in AMX's tiles; a is a matrix, or the windows of images.
 *
 * b is packed first, by all threads, in panels of 32 columns: [panel][step of K][half of 16 columns][16 pairs][16], narrowed on the way where it is f32; a
 * constant b once for the life of the kernel. Threads share blocks of rows and help each other, or share the columns where there are few rows. Each goes
 * through as many panels as its second cache holds, block after block of a, which are laid out for tiles (product_rows.h), or stand so already; 32 x 32 sums go to 4 KiB of scratch,
 * and from there with bias, addition, ReLU and narrowing to y in one pass. Laying out the next block and putting away the last sums are done a little with
 * each step of tiles: the tiles' unit works meanwhile. Both ask for the memory that they will want later.
 *
 * oneDNN's products reach a quarter of what the tiles do from the second cache (tests/bench/LOG.md).
 */
#include "nn/onednn/product_amx.h"
#include "nn/onednn/amx.h"
#include "nn/onednn/product_rows.h"

#ifdef DN_AMX
#include <math.h>

enum { STRIP = DN_STRIP, PANEL = DN_PANEL, TILE = 256 /* units */, ROWS_LEAST = 64, FEW_STEPS = 8, CHUNKS = 16 /* of a part, at most */,
       PUT_LEAST = 4 /* rows at a time */, PLACE_MOST = 2048 /* K of a matrix that serves where it stands */, WORK_LEAST = 1 << 18 };

typedef struct self {
    gv_onednn *ctx;
    dn_product p;
    dn_rows rows;
    int64_t panels;
    int64_t channels, sn, sc; /* of b: channel c for column n stands at n sn + c sc, and its taps behind it; of a matrix: K channels, one tap */
    gv_dtype tb, ty, tbias;
    void *memory;                /* of a constant b: */
    amx_unit *packed;            /* in whole lines, since a tile's row that crosses two costs twice */
    bool filled;
    bool in_order, in_place;     /* row i of the sums is row i of y; a matrix's whole blocks serve where they stand */
    bool ask;                    /* so few steps make a row that the memory of y is what takes the time */
} self;

typedef struct job { const self *s; const gv_call *c; amx_unit *b; char *scratch; size_t each; int64_t parts; gv_shares *blocks; } job;

/* Of a thread: two blocks of a, two of sums. */
static size_t each_bytes(const self *s)
{
    return dn_round(2 * (size_t)s->rows.units * 4 + 2 * STRIP * PANEL * 4);
}

/* 32 numbers from b[at] on, `stride` apart, as bf16; those from `n` on are zero. */
AMXINLINE __m512i numbers(const void *b, gv_dtype t, int64_t at, int64_t stride, int64_t n)
{
    if (n <= 0)
        return _mm512_setzero_si512();
    __mmask32 m = n >= 32 ? 0xffffffffu : (1u << n) - 1;
    const uint16_t *h = (const uint16_t *)b + at;
    const float *f = (const float *)b + at;
    if (stride == 1 && t == GV_BF16)
        return _mm512_maskz_loadu_epi16(m, h);
    if (stride == 1)
        return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps((__mmask16)(m >> 16), f + (n > 16 ? 16 : 0)), _mm512_maskz_loadu_ps((__mmask16)m, f));
    if (n >= 32) {
        __m512i lane = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32((int)stride));
        if (t != GV_BF16)
            return (__m512i)_mm512_cvtne2ps_pbh(_mm512_i32gather_ps(lane, f + 16 * stride, 4), _mm512_i32gather_ps(lane, f, 4));
        /* Two numbers with each read: even ones and what follows them, odd ones and what stands before them, which is all within b. */
        lane = _mm512_add_epi32(lane, lane);
        __m512i even = _mm512_i32gather_epi32(lane, h, 2), odd = _mm512_i32gather_epi32(lane, h + stride - 1, 2);
        return _mm512_mask_blend_epi16(0xaaaaaaaau, even, odd);
    }
    uint16_t v[32] __attribute__((aligned(64))) = { 0 };
    for (int64_t i = 0; i < n; i++)
        v[i] = t == GV_BF16 ? h[i * stride] : gv_f32_to_bf16(f[i * stride]);
    return _mm512_load_si512(v);
}

/* Where tap t of a window stands in b. */
AMXINLINE int64_t tap(const self *s, int64_t t)
{
    return s->p.windows ? s->p.first + t / s->p.kw * s->p.ty + t % s->p.kw * s->p.tx : 0;
}

/* The same for step k of a row of a and column n, along the row. */
AMXINLINE __m512i along(const self *s, const void *b, int64_t n, int64_t k)
{
    int64_t C = s->channels, of_piece = (s->rows.piece + 31) / 32, from = k % of_piece * 32, left = s->rows.piece - from;
    int64_t taps = s->rows.piece / C, t = k / of_piece * taps + from / C, at = n * s->sn;
    if (n >= s->p.N)
        return _mm512_setzero_si512();
    if (taps == 1)
        return numbers(b, s->tb, at + from % C * s->sc + tap(s, t), s->sc, left);
    uint16_t v[32] __attribute__((aligned(64))) = { 0 };
    for (int64_t i = 0, c = from % C; i < dn_min(32, left); i++) {
        int64_t here = at + c * s->sc + tap(s, t);
        v[i] = s->tb == GV_BF16 ? ((const uint16_t *)b)[here] : gv_f32_to_bf16(((const float *)b)[here]);
        if (++c == C)
            c = 0, t++;
    }
    return _mm512_load_si512(v);
}

/* And across: for number k of those steps, columns n to n + 31. */
AMXINLINE __m512i across(const self *s, const void *b, int64_t n, int64_t k)
{
    int64_t C = s->channels, whole = (s->rows.piece + 31) / 32 * 32, j = k % whole, t = k / whole * (s->rows.piece / C) + j / C;
    return j < s->rows.piece ? numbers(b, s->tb, n * s->sn + j % C * s->sc + tap(s, t), s->sn, s->p.N - n) : _mm512_setzero_si512();
}

AMXFN static void pack_b(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const self *s = j->s;
    const void *b = j->c->x[s->p.b];
    for (int64_t panel = begin; panel < end; panel++) {
        amx_unit *to = j->b + (size_t)panel * dn_panel_units(&s->rows);
        int64_t n0 = panel * PANEL;
        if (!s->p.turned) {
            for (int64_t k = 0; k < s->rows.steps * 32; k += 2, to += k % 32 ? 16 : 16 + TILE) {
                __m512i lo, hi;
                dn_amx_pair(across(s, b, n0, k), across(s, b, n0, k + 1), &lo, &hi);
                _mm512_storeu_si512(to, lo);
                _mm512_storeu_si512(to + TILE, hi);
            }
            continue;
        }
        for (int64_t k = 0; k < s->rows.steps; k++, to += 16 * PANEL)
            for (int64_t half = 0; half < PANEL; half += 16) {
                __m512i r[16];
                for (int i = 0; i < 16; i++)
                    r[i] = along(s, b, n0 + half + i, k);
                dn_turn16(r);
                DN_UNROLL for (int i = 0; i < 16; i++)
                    _mm512_storeu_si512(to + half * 16 + i * 16, r[i]);
            }
    }
}

AMXINLINE __m512 widen(__m256i v)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}

/* Putting a block of sums to y: rows from `row` on are left, of n. y and `more` begin at the block's first column, of which `m` are there; row i stands i N
 * numbers further, or to[i] N (-1: nowhere). */
typedef struct putting {
    const float *sums;
    const int64_t *to;
    int64_t row, n, N;
    void *y;
    const uint16_t *more;
    __mmask32 m;
    bool narrow;
    __m512 bias[2], least;
} putting;

/* Where the n rows of a strip belong in y: from row `first` on, or each to[i]. */
typedef struct strip_at { int64_t first, n, to[STRIP]; } strip_at;

AMXINLINE putting put_begin(const job *j, const float *sums, const strip_at *strip, int64_t at)
{
    const self *s = j->s;
    const dn_product *p = &s->p;
    int64_t wide = p->N - at, first = s->in_order ? strip->first * p->N + at : at;
    putting q = { .sums = sums, .to = s->in_order ? NULL : strip->to, .n = strip->n, .N = p->N, .y = (char *)j->c->y[0] + first * (s->ty == GV_BF16 ? 2 : 4),
                  .m = wide >= PANEL ? 0xffffffffu : (1u << wide) - 1, .more = p->more >= 0 ? (const uint16_t *)j->c->x[p->more] + first : NULL,
                  .narrow = s->ty == GV_BF16, .least = _mm512_set1_ps(p->relu ? 0 : -INFINITY) };
    q.bias[0] = q.bias[1] = _mm512_setzero_ps();
    if (p->bias < 0)
        return q;
    const char *bias = j->c->x[p->bias];
    for (int half = 0; half < 2; half++) {
        __mmask16 m = (__mmask16)(q.m >> 16 * half);
        q.bias[half] = s->tbias == GV_BF16 ? widen(_mm256_maskz_loadu_epi16(m, bias + (at + 16 * half) * 2)) : _mm512_maskz_loadu_ps(m, bias + (at + 16 * half) * 4);
    }
    return q;
}

/* A line of y is written whole where it can be: the processor then need not read it first. */
AMXINLINE void put_rows(putting *q, int64_t end, const bool whole, const bool narrow, const bool in_order, const bool more)
{
    const putting p = *q; /* what is written could otherwise be any of it */
    for (int64_t row = p.row; row < end; row++) {
        int64_t to = in_order ? row * p.N : p.to[row] * p.N;
        if (!in_order && to < 0)
            continue;
        __m512 lo = _mm512_add_ps(_mm512_load_ps(p.sums + row * PANEL), p.bias[0]), hi = _mm512_add_ps(_mm512_load_ps(p.sums + row * PANEL + 16), p.bias[1]);
        if (more) {
            const uint16_t *v = p.more + to;
            lo = _mm512_add_ps(lo, widen(whole ? _mm256_loadu_si256((const __m256i *)v) : _mm256_maskz_loadu_epi16((__mmask16)p.m, v)));
            hi = _mm512_add_ps(hi, widen(whole ? _mm256_loadu_si256((const __m256i *)(v + 16)) : _mm256_maskz_loadu_epi16((__mmask16)(p.m >> 16), v + 16)));
        }
        lo = _mm512_max_ps(p.least, lo); /* a NaN stays */
        hi = _mm512_max_ps(p.least, hi);
        __m512i v = (__m512i)_mm512_cvtne2ps_pbh(hi, lo);
        if (narrow && whole)
            _mm512_storeu_si512((uint16_t *)p.y + to, v);
        else if (narrow)
            _mm512_mask_storeu_epi16((uint16_t *)p.y + to, p.m, v);
        else {
            _mm512_mask_storeu_ps((float *)p.y + to, (__mmask16)p.m, lo);
            _mm512_mask_storeu_ps((float *)p.y + to + 16, (__mmask16)(p.m >> 16), hi);
        }
    }
    q->row = end;
}

AMXINLINE void put_order(putting *q, int64_t end, const bool in_order, const bool more)
{
    if (!q->narrow)
        put_rows(q, end, false, false, in_order, more);
    else if (q->m == 0xffffffffu)
        put_rows(q, end, true, true, in_order, more);
    else
        put_rows(q, end, false, true, in_order, more);
}

AMXINLINE void put(putting *q, int64_t rows, const bool in_order)
{
    int64_t end = dn_min(q->n, q->row + rows);
    if (q->more)
        put_order(q, end, in_order, true);
    else
        put_order(q, end, in_order, false);
}

/* Ask for what the strip after this one will be put to, and added to. What lies beyond the end is not fetched. */
AMXINLINE void ask(const job *j, const strip_at *strip, int64_t at)
{
    const self *s = j->s;
    size_t each = s->ty == GV_BF16 ? 2 : 4, N = (size_t)s->p.N;
    const char *y = (char *)j->c->y[0] + (size_t)at * each, *more = s->p.more >= 0 ? (char *)j->c->x[s->p.more] + at * 2 : NULL;
    if (!s->in_order) {
        for (int i = 0; i < STRIP; i++) {
            size_t n = strip->to[i] < 0 ? 0 : (size_t)(strip->to[i] + STRIP) * N;
            __builtin_prefetch(y + n * each, 0, 2);
            if (more)
                __builtin_prefetch(more + n * 2, 0, 2);
        }
        return;
    }
    size_t first = (size_t)(strip->first + STRIP) * N;
    y += first * each;
    for (int i = 0; i < STRIP; i++, y += N * each)
        __builtin_prefetch(y, 0, 2);
    if (!more)
        return;
    more += first * 2;
    for (int i = 0; i < STRIP; i++, more += N * 2)
        __builtin_prefetch(more, 0, 2);
}

/* Block `block` of a matrix that can be taken where it stands: 32 rows of whole steps, in whole lines. */
AMXINLINE const uint16_t *in_place(const self *s, const uint16_t *a, int64_t block)
{
    return s->in_place && (uintptr_t)a % 64 == 0 && (block + 1) * STRIP <= s->p.M ? a + block * STRIP * s->p.K : NULL;
}

/* Where a thread is: at panels `from` on, of its panels, and `block` of the blocks first to last - 1. */
typedef struct turn { int64_t part, panel_first, panel_last, from, first, last, block; } turn;

/* More blocks, of the thread's own or another's. Panels that do not stay in the second cache are worth many blocks at a time. */
static bool take(const job *j, turn *t)
{
    const dn_rows *r = &j->s->rows;
    bool got = gv_shares_take(j->blocks, t->part, r->blocks / (j->parts * (r->at_once < j->s->panels ? 2 : CHUNKS)) + 1, &t->first, &t->last);
    t->block = t->first;
    return got;
}

static bool first_turn(const job *j, int64_t part, turn *t)
{
    const self *s = j->s;
    *t = (turn){ .part = part, .panel_last = s->panels, .last = s->rows.blocks };
    if (!s->rows.columns)
        return take(j, t);
    t->from = t->panel_first = s->panels * part / j->parts;
    t->panel_last = s->panels * (part + 1) / j->parts;
    return true;
}

static bool next_turn(const job *j, turn *t)
{
    if (++t->block < t->last)
        return true;
    t->block = t->first;
    if ((t->from += j->s->rows.at_once) < t->panel_last)
        return true;
    t->from = t->panel_first;
    return !j->s->rows.columns && take(j, t);
}

AMXINLINE void rows(void *arg, int64_t begin, int64_t end, const bool windows, const bool in_order)
{
    const job *j = arg;
    const self *s = j->s;
    const dn_rows *r = &s->rows;
    int64_t strips = (r->rows + STRIP - 1) / STRIP, rows_a_step = dn_max(PUT_LEAST, (STRIP + r->steps - 1) / r->steps);
    dn_amx_begin();
    for (int64_t part = begin; part < end; part++) {
        amx_unit *laid[2] = { (amx_unit *)(void *)(j->scratch + (size_t)part * j->each), NULL };
        laid[1] = laid[0] + r->units;
        float *sums = (float *)(laid[1] + r->units);
        const uint16_t *a = (const uint16_t *)j->c->x[s->p.a];
        for (int i = 0; windows && i < 2; i++) /* the last piece's step meets zeros of b here, and is to be a number */
            memset(laid[i] + r->end, 0, (size_t)(16 + r->over) * 4);
        dn_laying l = { 0 };
        dn_fetch f = { 0 };
        putting p = { 0 };
        strip_at at[2]; /* this strip, and the last one */
        turn t, then;
        bool more = first_turn(j, part, &t);
        if (more && (windows || !in_place(s, a, t.block)))
            l = dn_lay_begin(r, a, laid[0], t.block, windows);
        for (int64_t turns = 0, of_strip = 0, count = 0; more; t = then, turns++) {
            const int64_t to = dn_min(t.panel_last, t.from + r->at_once), work = strips * (to - t.from) * r->steps, lines = (r->lines + work - 1) / work;
            dn_lay(r, a, &l, INT64_MAX, windows);
            then = t;
            more = next_turn(j, &then);
            const uint16_t *stands = windows ? NULL : in_place(s, a, t.block), *will = windows || !more ? NULL : in_place(s, a, then.block);
            if (will)
                f = (dn_fetch){ .at = (const char *)will, .lines = INT64_MAX, .left = r->lines, .per = lines };
            else if (more)
                l = dn_lay_begin(r, a, laid[(turns + 1) % 2], then.block, windows);
            const int64_t lda = stands ? s->p.K / 2 : r->lda;
            for (int64_t strip = 0; strip < strips; strip++, of_strip++) {
                const amx_unit *here = stands ? (const amx_unit *)(const void *)stands : laid[turns % 2] + strip * STRIP * r->lda;
                const bool half = windows && r->rows - strip * STRIP <= 16;
                strip_at *now = &at[of_strip % 2];
                now->first = t.block * STRIP;
                now->n = dn_min(STRIP, in_order ? s->p.M - now->first : windows ? r->rows - strip * STRIP : STRIP);
                if (!in_order)
                    dn_rows_of(r, t.block, strip, now->to);
                for (int64_t panel = t.from; panel < to; panel++, count++) {
                    const amx_unit *b = j->b + (size_t)panel * dn_panel_units(r);
                    bool first_time = t.block == t.first && !strip && panel + 1 < t.panel_last; /* the next panel comes from memory */
                    float *c = sums + count % 2 * STRIP * PANEL;
                    if (s->ask)
                        ask(j, now, panel * PANEL);
                    dn_amx_zero(2, 2);
                    for (int64_t k = 0; k < r->steps; k++) {
                        const amx_unit *from_a = here + (windows ? r->step[k] : k * 16), *from_b = b + k * 16 * PANEL;
                        for (int i = 0; first_time && i < 16 * PANEL; i += 16)
                            __builtin_prefetch(from_b + dn_panel_units(r) + i, 0, 2);
                        if (half)
                            dn_amx_steps(1, 2, from_a, lda, from_b, 16, TILE, 1);
                        else
                            dn_amx_steps(2, 2, from_a, lda, from_b, 16, TILE, 1);
                        if (p.row < p.n)
                            put(&p, rows_a_step, in_order);
                        dn_amx_fetch(&f);
                        if (l.left)
                            dn_lay(r, a, &l, lines, windows);
                    }
                    if (p.row < p.n)
                        put(&p, STRIP, in_order);
                    dn_amx_store(2, 2, c, PANEL);
                    p = put_begin(j, c, now, panel * PANEL);
                }
            }
        }
        put(&p, STRIP, in_order);
    }
    dn_amx_end();
}

AMXFN static void rows_of_matrix(void *arg, int64_t begin, int64_t end)
{
    rows(arg, begin, end, false, true);
}

AMXFN static void rows_of_spread(void *arg, int64_t begin, int64_t end)
{
    rows(arg, begin, end, false, false);
}

AMXFN static void rows_of_windows(void *arg, int64_t begin, int64_t end)
{
    rows(arg, begin, end, true, false);
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
    int64_t threads = s->ctx->threads;
    gv_shares blocks;
    job j = { s, c, s->packed, scratch, each_bytes(s), 0, &blocks };
    j.parts = s->rows.columns ? threads : dn_max(1, dn_min(dn_min(threads, GV_MAX_THREADS), s->rows.blocks * s->rows.rows / ROWS_LEAST));
    if (!s->rows.columns)
        gv_shares_begin(&blocks, s->rows.blocks, j.parts);
    if (!s->packed)
        j.b = (amx_unit *)(void *)(scratch + j.each * (size_t)s->ctx->threads);
    if (!s->packed || !s->filled)
        gv_parallel(s->panels, 1, pack_b, &j);
    s->filled = true;
    if (s->p.clear)
        gv_parallel(c->out[0].count / s->p.N, 1024, clear, &j);
    gv_parallel(j.parts, 1, s->p.windows ? rows_of_windows : s->in_order ? rows_of_matrix : rows_of_spread, &j);
    return GV_OK;
}

static void release(void *p)
{
    self *s = p;
    gv_free(s->memory);
    gv_free(s->rows.step);
    gv_free(s);
}

int dn_product_amx(gv_onednn *ctx, const gv_call *c, const dn_product *p, gv_kernel *k, gv_err *err)
{
    const gv_desc *a = &c->in[p->a], *b = &c->in[p->b], *y = &c->out[0], *bias = p->bias >= 0 ? &c->in[p->bias] : NULL;
    if (dn_best_set(a->dtype) != DN_SET_AMX || p->M > INT32_MAX || !dn_real(b) || !dn_real(y) || (bias && !dn_real(bias)) || (p->more >= 0 && c->in[p->more].dtype != GV_BF16) || p->M < ROWS_LEAST ||
        p->M * p->N * p->K < WORK_LEAST)
        return GV_UNSUPPORTED;
    self *s = gv_alloc(sizeof *s, err);
    if (!s)
        return GV_ESYS;
    int64_t taps = p->windows ? p->taps : 1;
    *s = (self){ .ctx = ctx, .p = *p, .channels = p->windows ? p->K / (p->kh * p->kw) : p->K, .sc = p->turned ? taps : p->N * taps,
                 .panels = (p->N + PANEL - 1) / PANEL, .tb = b->dtype, .ty = y->dtype, .tbias = bias ? bias->dtype : GV_F32T };
    s->sn = p->turned ? s->channels * taps : taps;
    int r = dn_rows_make(&s->rows, &s->p, ctx->threads, err);
    if (r != GV_OK) {
        release(s);
        return r;
    }
    s->in_order = !p->windows && !p->spread;
    s->in_place = !p->windows && p->K % 32 == 0 && p->K <= PLACE_MOST;
    s->ask = s->rows.steps <= FEW_STEPS;
    size_t all = dn_panel_units(&s->rows) * 4 * (size_t)s->panels;
    if (b->constant && !(s->memory = gv_alloc(all + 63, err))) {
        release(s);
        return GV_ESYS;
    }
    if (s->memory)
        s->packed = (amx_unit *)(((uintptr_t)s->memory + 63) & ~(uintptr_t)63);
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
