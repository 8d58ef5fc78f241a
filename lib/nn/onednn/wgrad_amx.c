/*
 * The weight gradient of a bf16 convolution or linear layer in AMX's tiles:
 *
 *   dw[o][i][tap] = sum over output pixels r of dy[r][o] * x[pixel of r under tap][i]
 *
 * Pixels are the inner dimension, 32 to a tile. An image's output rows are laid one after the other, each with as many zeros behind it as the kernel is
 * wider than a pixel, and x in the same way from the first row that a tap sees: a tap is then the same pixels a fixed distance further on, and one
 * packing of x serves all taps. Pairs of pixels must stand side by side in a tile, so x is packed twice where a tap's distance is odd. With a stride,
 * the pixels that one tap sees are every second of x: each phase is laid out for itself. Where x has few channels (stems) a row of the kernel is
 * contiguous in memory, and its pixels count as channels.
 *
 *   dy: turned, [channel][pixel], for a whole block of pixels (BLOCK_BYTES, in the second cache)
 *   x:  [unit][phase][parity][pair of pixels][32 channels], one panel of 32 channels after the other
 *
 * Threads share the blocks (each with sums of its own, added in order) or, where the sums are many, the output channels, and help each other.
 * oneDNN's kernels reach a tenth of the rate here, and a library's product a quarter (tests/bench/LOG.md).
 */
#include "nn/onednn/wgrad_amx.h"
#include "nn/onednn/amx.h"
#include "nn/ops/attr.h"

#ifdef DN_AMX

enum {
    BLOCK_BYTES = 1000 << 10, /* of dy, turned */
    AHEAD = 64,              /* channels of dy: its rows are so far apart that the processor does not see them coming */
    PIXELS_LEAST = 256, PIXELS_MOST = 768, /* in a block */
    FEW = 8,                 /* channels, up to which a row of the kernel counts as channels */
    MANY_SUMS = 1 << 19,     /* from which threads do not keep sums of their own */
    SKEW = 16                /* units between rows of dy beyond their length, or all rows would fall in one set of the cache */
};

/* A unit is a piece of one image: `rows` output rows, `cols` pixels of each. */
typedef struct job {
    const void *x, *dy;
    float *dw, *sums;           /* sums: [parts_r][taps][Op][Ip], or dw itself where it has that form */
    char *scratch;
    int64_t n, h, w, oh, ow, I, O, Ip, Op;
    int64_t kh, kw, sh, sw, ph, pw; /* kernel, stride, padding; kw is 1 where a row of the kernel counts as channels */
    int64_t run;                /* pixels of x that stand side by side as channels */
    int64_t taps;
    bool point;                 /* one pixel under one tap: x is packed as it lies, and so a little with each step of the panel before */
    int64_t rows, cols, pitch, row_units, col_units, pixels, x_pixels; /* of a unit: pitch is cols and the zeros behind */
    int64_t all, group;         /* units; of a block */
    int64_t b_unit, b_all;      /* packed x of a unit; of a block */
    int64_t vphases, hphases, parities;
    int64_t parts_r, slots, lda, chunk; /* parts of the blocks, or 1; threads at most; output channels that are turned at once */
    size_t each;
} job;

/* Sizes: n images of h x w with I channels, o rows and columns out. */
static job sized(const gv_onednn *ctx, job j)
{
    j.point = j.kh * j.kw == 1 && j.sh == 1 && j.sw == 1 && !j.ph && !j.pw;
    if (j.point) /* all pixels are one long row */
        j.w = j.ow = j.n * j.oh * j.ow, j.n = j.h = j.oh = 1;
    j.run = 1;
    if (j.kw > 1 && j.I <= FEW)
        j.run = j.kw, j.kw = 1;
    j.taps = j.kh * j.kw;
    j.Ip = dn_up(j.I * j.run, 16), j.Op = dn_up(j.O, 16);
    j.vphases = dn_min(j.sh, j.kh), j.hphases = j.run > 1 ? 1 : dn_min(j.sw, j.kw);
    int64_t right = (j.kw - 1) / j.sw, down = (j.kh - 1) / j.sh;
    int64_t sums = j.taps * j.Op * j.Ip;
    bool by_o = sums > MANY_SUMS && j.O >= 64 * ctx->threads;
    j.parts_r = by_o ? 1 : dn_max(1, dn_min(ctx->threads, j.n * j.oh * j.ow / 1024));
    j.slots = by_o ? dn_min(ctx->threads, dn_ceil_div(j.O, 32)) : j.parts_r;
    int64_t channels = dn_up(dn_ceil_div(j.Op / 16, by_o ? j.slots : 1), 2) * 16; /* of a thread */
    j.chunk = dn_ceil_div(channels, dn_ceil_div(channels, BLOCK_BYTES / 2 / dn_min(PIXELS_MOST, dn_up(j.n * j.oh * j.ow, 32))));
    j.chunk = dn_min(channels, dn_up(j.chunk, 32));
    int64_t most = dn_max(PIXELS_LEAST, dn_min(PIXELS_MOST, BLOCK_BYTES / (2 * j.chunk)));
    j.cols = dn_ceil_div(j.ow, dn_ceil_div(j.ow, most));
    j.cols = j.cols < j.ow ? dn_up(j.cols, 32) : j.ow;
    j.pitch = j.cols + right;
    /* A row's zeros serve the next row as well: what is left away must lie in the padding, at the end of a row and at the beginning of the next. */
    if (j.cols == j.ow && j.sw == 1)
        j.pitch = j.ow + dn_min(right, dn_max(0, dn_max(right - j.pw, j.w + j.pw - j.ow)));
    j.rows = dn_max(1, dn_min(j.oh, most / j.pitch));
    j.rows = dn_ceil_div(j.oh, dn_ceil_div(j.oh, j.rows));
    j.row_units = dn_ceil_div(j.oh, j.rows), j.col_units = dn_ceil_div(j.ow, j.cols);
    j.pixels = dn_up(j.rows * j.pitch, 32);
    j.parities = (right > 0 || (down > 0 && j.pitch % 2)) ? 2 : 1;
    j.x_pixels = dn_up(j.pixels + down * j.pitch + right + 2, 2);
    j.all = j.n * j.row_units * j.col_units;
    j.group = dn_max(1, dn_min(most / j.pixels, dn_ceil_div(j.all, j.parts_r)));
    j.lda = j.group * j.pixels / 2 + SKEW;
    j.b_unit = j.vphases * j.hphases * j.parities * j.x_pixels / 2 * 32;
    j.b_all = (j.point ? 2 : j.group) * j.b_unit; /* a panel and the next one; or all units of a block */
    size_t a = (size_t)(j.chunk * j.lda), b = (size_t)j.b_all, seq = (size_t)j.x_pixels * 16;
    j.each = dn_round((a + b + seq + (size_t)dn_up(j.O, 32) / 2) * 4);
    return j;
}

static bool direct(const job *j)
{
    return j->taps == 1 && j->run == 1 && j->parts_r == 1 && j->O == j->Op && j->I == j->Ip;
}

static size_t scratch_of(const job *j)
{
    return 64 + j->each * (size_t)j->slots + (direct(j) ? 0 : (size_t)(j->parts_r * j->taps * j->Op * j->Ip) * sizeof(float));
}

/* Where unit u lies. */
typedef struct place { int64_t image, row, col, rows, cols; } place;

static place place_of(const job *j, int64_t u)
{
    place p = { .col = u % j->col_units * j->cols, .row = u / j->col_units % j->row_units * j->rows, .image = u / j->col_units / j->row_units };
    p.rows = dn_min(j->rows, j->oh - p.row);
    p.cols = dn_min(j->cols, j->ow - p.col);
    return p;
}

/* Output channels [from, to) of unit u, turned, to a: row o - from holds its pixels, zeros where there are none. */
AMXFN static void pack_dy(const job *j, int64_t u, int64_t from, int64_t to, amx_unit *a, const uint16_t *zero)
{
    place p = place_of(j, u);
    const uint16_t *dy = (const uint16_t *)j->dy + ((p.image * j->oh + p.row) * j->ow + p.col) * j->O;
    int64_t row = 0, col = 0;
    for (int64_t at = 0; at < j->pixels; at += 32) {
        const uint16_t *from_pixel[32];
        for (int i = 0; i < 32; i++) {
            from_pixel[i] = row < p.rows && col < p.cols ? dy + (row * j->ow + col) * j->O : zero;
            if (++col == j->pitch)
                col = 0, row++;
        }
        for (int64_t o = from; o < to; o += 32) {
            __mmask32 m = j->O - o >= 32 ? 0xffffffffu : (1u << (j->O - o)) - 1;
            __m512i lo[16], hi[16];
            for (int i = 0; i < 32; i++)
                __builtin_prefetch(from_pixel[i] + o + AHEAD, 0, 2);
            DN_UNROLL for (int i = 0; i < 16; i++)
                dn_amx_pair(_mm512_maskz_loadu_epi16(m, from_pixel[2 * i] + o), _mm512_maskz_loadu_epi16(m, from_pixel[2 * i + 1] + o), &lo[i], &hi[i]);
            dn_turn16(lo);
            amx_unit *q = a + (o - from) * j->lda + at / 2;
            DN_UNROLL for (int i = 0; i < 16; i++)
                _mm512_storeu_si512(q + i * j->lda, lo[i]);
            if (o + 16 >= to)
                continue;
            dn_turn16(hi);
            q += 16 * j->lda;
            DN_UNROLL for (int i = 0; i < 16; i++)
                _mm512_storeu_si512(q + i * j->lda, hi[i]);
        }
    }
}

/* Channels [i, i + wide) of the pixels that unit u sees in a phase, in order, to seq [x_pixels][32]; zeros in the padding and behind. */
AMXFN static void lay(const job *j, int64_t u, int64_t vphase, int64_t hphase, int64_t i, int64_t wide, uint16_t *seq)
{
    place p = place_of(j, u);
    int64_t rows = dn_min(j->x_pixels / j->pitch + 1, p.rows + (j->kh - 1) / j->sh), at = 0;
    const uint16_t *x = (const uint16_t *)j->x + p.image * j->h * j->w * j->I;
    __mmask32 full = wide >= 32 ? 0xffffffffu : (1u << wide) - 1;
    for (int64_t r = 0; r < rows && at < j->x_pixels; r++) {
        int64_t row = (p.row + r) * j->sh + vphase - j->ph, count = dn_min(j->pitch, j->x_pixels - at), k = 0;
        if (row < 0 || row >= j->h) {
            memset(seq + at * 32, 0, (size_t)count * 64);
            at += count;
            continue;
        }
        const uint16_t *line = x + row * j->w * j->I + i;
        int64_t col = p.col * j->sw + hphase - j->pw;
        if (j->run > 1) {
            for (; k < count; k++, col += j->sw) { /* some of the run may lie in the padding */
                int64_t start = col * j->I + i, lo = dn_max(0, -start), hi = dn_min(wide, j->w * j->I - start);
                __mmask32 m = hi > lo ? (hi >= 32 ? 0xffffffffu : (1u << hi) - 1) & ~(__mmask32)(((uint64_t)1 << lo) - 1) : 0;
                _mm512_storeu_si512(seq + (at + k) * 32, _mm512_maskz_loadu_epi16(m, line + col * j->I));
            }
        } else {
            for (; k < count && col < 0; k++, col += j->sw)
                _mm512_storeu_si512(seq + (at + k) * 32, _mm512_setzero_si512());
            for (; k < count && col < j->w; k++, col += j->sw)
                _mm512_storeu_si512(seq + (at + k) * 32, _mm512_maskz_loadu_epi16(full, line + col * j->I));
            for (; k < count; k++)
                _mm512_storeu_si512(seq + (at + k) * 32, _mm512_setzero_si512());
        }
        at += count;
    }
    memset(seq + at * 32, 0, (size_t)(j->x_pixels - at) * 64);
}

/* Pairing pixels up: to [pairs][32 units] from pixels `step` numbers apart, of which `there` are and the rest is zero; as far as it has come. */
typedef struct pairing { const uint16_t *x; int64_t step, there, pair, pairs; __mmask32 m; amx_unit *to; } pairing;

static pairing pairing_of(const uint16_t *x, int64_t step, int64_t wide, int64_t there, int64_t pairs, amx_unit *to)
{
    return (pairing){ x, step, there, 0, pairs, wide >= 32 ? 0xffffffffu : (1u << wide) - 1, to };
}

AMXINLINE void pair_up(pairing *p, int64_t n)
{
    for (int64_t end = dn_min(p->pairs, p->pair + n), k = p->pair; k < end; k++) {
        const uint16_t *x = p->x + 2 * k * p->step;
        __m512i lo, hi;
        dn_amx_pair(_mm512_maskz_loadu_epi16(2 * k < p->there ? p->m : 0, x), _mm512_maskz_loadu_epi16(2 * k + 1 < p->there ? p->m : 0, x + p->step), &lo, &hi);
        _mm512_storeu_si512(p->to + k * 32, lo);
        _mm512_storeu_si512(p->to + k * 32 + 16, hi);
        p->pair = k + 1;
    }
}

static pairing point(const job *j, int64_t u, int64_t i, amx_unit *b)
{
    place p = place_of(j, u);
    return pairing_of((const uint16_t *)j->x + (p.image * j->ow + p.col) * j->I + i, j->I, dn_min(32, j->I - i), p.cols, j->x_pixels / 2, b);
}

AMXFN static void pack_x(const job *j, int64_t u, int64_t i, int64_t wide, amx_unit *b, uint16_t *seq)
{
    int64_t pairs = j->x_pixels / 2;
    for (int64_t v = 0; v < j->vphases; v++)
        for (int64_t h = 0; h < j->hphases; h++) {
            lay(j, u, v, h, i, wide, seq);
            for (int64_t parity = 0; parity < j->parities; parity++, b += pairs * 32) {
                pairing p = pairing_of(seq + parity * 32, 32, 32, j->x_pixels - parity, pairs, b);
                pair_up(&p, pairs);
            }
        }
}

/* rt x ct tiles of sums over all units of the block; the sums of the next block and what else comes are on their way meanwhile. */
#define BLOCK(rt, ct) \
    do { \
        if (add) \
            dn_amx_load(rt, ct, c, j->Ip); \
        else \
            dn_amx_zero(rt, ct); \
        for (int64_t g = 0; g < n; g++) \
            for (int64_t k = 0; k < j->pixels / 32; k++) { \
                dn_amx_fetch(&sums); \
                dn_amx_fetch(fx); \
                dn_amx_steps(rt, ct, a + g * j->pixels / 2 + k * 16, j->lda, b + g * j->b_unit + k * 16 * 32, 32, 16, 1); \
                pair_up(next, per); \
            } \
        dn_amx_store(rt, ct, c, j->Ip); \
    } while (0)

/* One panel under one tap: all output channels of the chunk. `per` pairs of the next panel are made with each step. */
AMXFN static void panel(const job *j, const amx_unit *a, const amx_unit *b, int64_t n, int64_t channels, int64_t wide, float *c, bool add, dn_fetch *fx, pairing *next, int64_t per)
{
    for (int64_t o = 0; o < channels; o += 32, a += 32 * j->lda, c += 32 * j->Ip) {
        int64_t lines = channels - o > 32 ? 2 * dn_min(32, channels - o - 32) : 0;
        dn_fetch sums = { (const char *)(c + 32 * j->Ip), j->Ip * 4, 2, 0, lines, lines / (n * j->pixels / 32) + 1 };
        if (channels - o > 16) {
            if (wide > 16)
                BLOCK(2, 2);
            else
                BLOCK(2, 1);
        } else if (wide > 16) {
            BLOCK(1, 2);
        } else {
            BLOCK(1, 1);
        }
    }
}

/* Pixels of x that the n units from u on see: more or less one after the other. */
typedef struct span { int64_t x, n; } span;

static span span_of(const job *j, int64_t u, int64_t n)
{
    place a = place_of(j, u), z = place_of(j, u + n - 1);
    bool line = j->oh == 1;
    int64_t from = (a.image * j->h + dn_max(0, a.row * j->sh - j->ph)) * j->w + (line ? a.col * j->sw : 0);
    int64_t to = (z.image * j->h + dn_min(j->h, (z.row + z.rows - 1) * j->sh - j->ph + j->kh)) * j->w - (line ? j->w - dn_min(j->w, (z.col + z.cols) * j->sw) : 0);
    return (span){ from, dn_max(0, to - from) };
}

/* Channels [i, i + 32) of the pixels of x in s, spread over `steps`. */
static dn_fetch coming_x(const job *j, const span *s, int64_t i, int64_t steps)
{
    int64_t lines = j->run > 1 ? 0 : s->n;
    return (dn_fetch){ (const char *)j->x + (s->x * j->I + i) * 2, j->I * 2, 1, 0, lines, dn_ceil_div(lines, steps) };
}

/* Output channels [from, to) over the units [first, last). */
AMXFN static void chunk(const job *j, int64_t first, int64_t last, int64_t from, int64_t to, float *sums, amx_unit *a, amx_unit *b, uint16_t *seq, const uint16_t *zero)
{
    int64_t pairs = j->x_pixels / 2;
    for (int64_t u = first; u < last; u += j->group) {
        int64_t n = dn_min(j->group, last - u), steps = j->taps * dn_ceil_div(to - from, 32) * n * j->pixels / 32;
        span here = span_of(j, u, n), next = { 0 };
        if (u + n < last)
            next = span_of(j, u + n, dn_min(j->group, last - u - n));
        for (int64_t g = 0; g < n; g++)
            pack_dy(j, u + g, from, to, a + g * j->pixels / 2, zero);
        pairing coming = { 0 };
        if (j->point) {
            coming = point(j, u, 0, b);
            pair_up(&coming, pairs);
        }
        for (int64_t i = 0, turn = 0; i < j->I * j->run; i += 32, turn ^= j->point) {
            int64_t wide = dn_min(32, j->I * j->run - i);
            bool more = i + 32 < j->I * j->run;
            dn_fetch fx = coming_x(j, more ? &here : &next, more ? i + 32 : 0, steps);
            const amx_unit *q = b + turn * pairs * 32;
            if (j->point) {
                pair_up(&coming, pairs);
                coming = more ? point(j, u, i + 32, b + (turn ^ 1) * pairs * 32) : (pairing){ 0 };
                if (i + 64 < j->I)
                    fx = coming_x(j, &here, i + 64, steps); /* what is paired up meanwhile should be here already */
            } else {
                for (int64_t g = 0; g < n; g++)
                    pack_x(j, u + g, i, wide, b + g * j->b_unit, seq);
            }
            for (int64_t tap = 0; tap < j->taps; tap++) {
                int64_t kh = tap / j->kw, kw = tap % j->kw, phase = kh % j->sh * j->hphases + kw % j->sw, shift = kh / j->sh * j->pitch + kw / j->sw;
                panel(j, a, q + (phase * j->parities + shift % 2) * pairs * 32 + shift / 2 * 32, n, to - from, wide, sums + (tap * j->Op + from) * j->Ip + i, u > first, &fx, &coming,
                      dn_ceil_div(pairs, steps));
            }
        }
    }
}

/* Chunks [begin, end) of the output channels of each part of the blocks. */
AMXFN static void share(void *p, int64_t begin, int64_t end)
{
    const job *j = p;
    int64_t chunks = dn_ceil_div(j->Op, j->chunk);
    amx_unit *a = (amx_unit *)(void *)(j->scratch + (size_t)gv_slot() * j->each), *b = a + j->chunk * j->lda;
    uint16_t *seq = (uint16_t *)(void *)(b + j->b_all), *zero = seq + j->x_pixels * 32;
    memset(zero, 0, (size_t)dn_up(j->O, 32) * 2);
    dn_amx_begin();
    for (int64_t at = begin; at < end; at++) {
        int64_t part = at / chunks, o = at % chunks * j->chunk, first = j->all * part / j->parts_r, last = j->all * (part + 1) / j->parts_r;
        float *sums = j->sums + part * j->taps * j->Op * j->Ip;
        if (first == last && !o)
            memset(sums, 0, (size_t)(j->taps * j->Op * j->Ip) * sizeof *sums);
        chunk(j, first, last, o, dn_min(j->Op, o + j->chunk), sums, a, b, seq, zero);
    }
    dn_amx_end();
}

/* dw[o][i][kh][kw] = the sum over the parts of sums[part][kh][kw][o][i], or [part][kh][o][kw, i] where a row of the kernel counts as channels. */
GV_HOT static void collect(void *p, int64_t begin, int64_t end)
{
    const job *j = p;
    int64_t size = j->taps * j->Op * j->Ip, taps = j->taps * j->run;
    for (int64_t o = begin; o < end; o++)
        for (int64_t tap = 0; tap < taps; tap++) {
            const float *s = j->sums + (j->run > 1 ? (tap / j->run * j->Op + o) * j->Ip + tap % j->run * j->I : (tap * j->Op + o) * j->Ip);
            float *to = j->dw + o * j->I * taps + tap;
            for (int64_t i = 0; i < j->I; i++) {
                float t = s[i];
                for (int64_t part = 1; part < j->parts_r; part++)
                    t += s[part * size + i];
                to[i * taps] = t;
            }
        }
}

static int go(const gv_call *c, job j, const void *x, const void *dy)
{
    j.x = x, j.dy = dy, j.dw = c->y[0];
    j.scratch = (char *)(((uintptr_t)c->scratch + 63) & ~(uintptr_t)63);
    j.sums = direct(&j) ? j.dw : (float *)(void *)(j.scratch + j.each * (size_t)j.slots);
    gv_parallel_slots(j.slots, j.parts_r * dn_ceil_div(j.Op, j.chunk), 1, share, &j);
    if (!direct(&j))
        gv_parallel(j.O, 16, collect, &j);
    return GV_OK;
}

static job of_conv(const gv_call *c)
{
    const gv_window *w = &((const gv_conv_attr *)c->attr)->window;
    const gv_desc *x = &c->in[0], *dy = &c->in[1];
    int last = w->dims - 1;
    job j = { .n = x->shape[0], .h = 1, .oh = 1, .kh = 1, .sh = 1, .w = x->shape[1 + last], .ow = dy->shape[1 + last], .I = x->shape[2 + last], .O = dy->shape[2 + last],
              .kw = w->kernel[last], .sw = w->stride[last], .pw = w->pad[last] };
    if (w->dims == 2)
        j.h = x->shape[1], j.oh = dy->shape[1], j.kh = w->kernel[0], j.sh = w->stride[0], j.ph = w->pad[0];
    return sized(c->self, j);
}

static int run_conv(const gv_call *c)
{
    return go(c, of_conv(c), c->x[0], c->x[1]);
}

/* A product over rows is a convolution without space: a stands for dy, b for x. */
static job of_rows(const gv_call *c)
{
    int64_t M = c->out[0].shape[0], N = c->out[0].shape[1], R = c->in[0].count / M;
    return sized(c->self, (job){ .n = 1, .h = 1, .oh = 1, .kh = 1, .kw = 1, .sh = 1, .sw = 1, .w = R, .ow = R, .I = N, .O = M });
}

static int run_rows(const gv_call *c)
{
    return go(c, of_rows(c), c->x[1], c->x[0]);
}

static int taken(gv_onednn *ctx, gv_kernel *k, int (*run)(const gv_call *), const job *j)
{
    int r = dn_own(ctx, k, run, scratch_of(j));
    k->name = "own:amx";
    k->in_place[0] = 0;
    return r;
}

static bool serves(const gv_call *c)
{
    return dn_best_set(c->in[0].dtype) == DN_SET_AMX && c->in[1].dtype == c->in[0].dtype && c->out[0].dtype == GV_F32T && c->in[0].count && c->in[1].count && c->out[0].count;
}

int dn_wgrad_amx(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    const gv_window *w = &((const gv_conv_attr *)c->attr)->window;
    if (!serves(c) || w->dims > 2 || w->groups > 1)
        return GV_UNSUPPORTED;
    for (int d = 0; d < w->dims; d++)
        if (w->dilation[d] > 1)
            return GV_UNSUPPORTED;
    gv_call s = *c;
    s.self = ctx;
    job j = of_conv(&s);
    return taken(ctx, k, run_conv, &j);
}

int dn_wgrad_amx_rows(gv_onednn *ctx, const gv_call *c, gv_kernel *k)
{
    if (!serves(c))
        return GV_UNSUPPORTED;
    gv_call s = *c;
    s.self = ctx;
    job j = of_rows(&s);
    return taken(ctx, k, run_rows, &j);
}

#else

int dn_wgrad_amx(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED)
{
    return GV_UNSUPPORTED;
}

int dn_wgrad_amx_rows(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED)
{
    return GV_UNSUPPORTED;
}

#endif
