/*
 * maxpool_values: first the maximum of the lines that windows see, pixel by pixel, then that of pixels side by side: a 3 x 3 window costs 4 comparisons
 * for each pixel of the line and 2 for each of the output, instead of 8.
 *
 * bf16 is compared as whole numbers, 32 to a vector, in an order that is that of the values with NaNs of either sign on top.
 */
#include "nn/ops/maxpool_values.h"

enum { CHANNELS = 256, ROOM = 8192 /* numbers of a piece of a line */, TAPS = 16 /* along an axis */, ABOVE = 127 /* so many NaNs has each sign */ };

typedef struct job { gv_geometry q; int64_t C; const uint16_t *x; uint16_t *y; } job;

/* Negative numbers lie below zero, the larger the lower; NaNs of that sign, lower still, go round to the top. */
static inline __attribute__((always_inline)) int16_t rank(uint16_t bits)
{
    int16_t v = (int16_t)bits;
    return (int16_t)((v ^ (int16_t)((int16_t)(v >> 15) & 0x7fff)) - ABOVE);
}

static inline __attribute__((always_inline)) uint16_t bits_of(int16_t rank)
{
    int16_t v = (int16_t)(rank + ABOVE);
    return (uint16_t)(v ^ (int16_t)((int16_t)(v >> 15) & 0x7fff));
}

static inline __attribute__((always_inline)) int16_t larger(int16_t a, int16_t b)
{
    return a > b ? a : b;
}

/* best[i], for n numbers: the largest of three lines', and what was there unless `first`. */
static inline __attribute__((always_inline)) void lines(int16_t *restrict best, const uint16_t *a, const uint16_t *b, const uint16_t *c, int64_t n, const bool first)
{
    for (int64_t i = 0; i < n; i++) {
        int16_t v = larger(larger(rank(a[i]), rank(b[i])), rank(c[i]));
        best[i] = first ? v : larger(best[i], v);
    }
}

/* y[i], for n numbers: the largest of `taps` pixels' that are `apart` numbers apart. */
static inline __attribute__((always_inline)) void pixels(uint16_t *restrict y, const int16_t *a, int64_t taps, int64_t apart, int64_t n)
{
    const int16_t *b = taps > 1 ? a + apart : a, *c = taps > 2 ? b + apart : a;
    for (int64_t i = 0; i < n; i++) {
        int16_t v = larger(larger(a[i], b[i]), c[i]);
        y[i] = bits_of(v);
    }
    for (int64_t t = 3; t < taps; t++)
        for (int64_t i = 0; i < n; i++)
            y[i] = bits_of(larger(rank(y[i]), a[t * apart + i]));
}

/* Channels c0 to c0 + n of pixels p0 to p1 of a line of y, which sees `seen` lines of x. */
static inline __attribute__((always_inline)) void piece(const job *j, uint16_t *y, const uint16_t *const *line, int64_t seen, int64_t c0, int64_t n, int64_t p0, int64_t p1)
{
    const gv_geometry *q = &j->q;
    int16_t best[ROOM];
    int64_t lo, hi, from, to;
    gv_window_inside(q, 2, p0, &lo, &hi);
    from = p0 * q->stride[2] - q->pad[2] + lo * q->dil[2];
    gv_window_inside(q, 2, p1 - 1, &lo, &hi);
    to = (p1 - 1) * q->stride[2] - q->pad[2] + (hi - 1) * q->dil[2] + 1;
    for (int64_t l = 0; l < seen; l += 3) {
        const uint16_t *a = line[l] + from * j->C + c0, *b = l + 1 < seen ? line[l + 1] + from * j->C + c0 : a, *c = l + 2 < seen ? line[l + 2] + from * j->C + c0 : a;
        int64_t runs = n == j->C ? 1 : to - from, run = n == j->C ? (to - from) * n : n; /* pixels lie side by side where all channels are taken */
        for (int64_t r = 0; r < runs; r++, a += j->C, b += j->C, c += j->C)
            if (l)
                lines(best + r * n, a, b, c, run, false);
            else
                lines(best + r * n, a, b, c, run, true);
    }
    for (int64_t p = p0; p < p1; p++) {
        gv_window_inside(q, 2, p, &lo, &hi);
        const int16_t *first = best + (p * q->stride[2] - q->pad[2] + lo * q->dil[2] - from) * n;
        if (n == 64) /* a number that the compiler knows */
            pixels(y + p * j->C + c0, first, hi - lo, q->dil[2] * n, 64);
        else
            pixels(y + p * j->C + c0, first, hi - lo, q->dil[2] * n, n);
    }
}

GV_HOT static void maxpool_values_lines(void *p, int64_t begin, int64_t end)
{
    const job *j = p;
    const gv_geometry *q = &j->q;
    int64_t span = (q->k[2] - 1) * q->dil[2] + 1;
    for (int64_t at = begin; at < end; at++) {
        int64_t o1 = at % q->o[1], o0 = at / q->o[1] % q->o[0], lo[2], hi[2], seen = 0;
        const uint16_t *image = j->x + at / (q->o[0] * q->o[1]) * q->ni * j->C, *line[TAPS * TAPS];
        gv_window_inside(q, 0, o0, &lo[0], &hi[0]);
        gv_window_inside(q, 1, o1, &lo[1], &hi[1]);
        for (int64_t k0 = lo[0]; k0 < hi[0]; k0++)
            for (int64_t k1 = lo[1]; k1 < hi[1]; k1++)
                line[seen++] = image + ((o0 * q->stride[0] - q->pad[0] + k0 * q->dil[0]) * q->i[1] + o1 * q->stride[1] - q->pad[1] + k1 * q->dil[1]) * q->i[2] * j->C;
        for (int64_t c0 = 0; c0 < j->C; c0 += CHANNELS) {
            int64_t n = gv_min64(CHANNELS, j->C - c0), step = (ROOM / n - span) / q->stride[2] + 1;
            for (int64_t p0 = 0; p0 < q->o[2]; p0 += step)
                piece(j, j->y + at * q->o[2] * j->C, line, seen, c0, n, p0, gv_min64(q->o[2], p0 + step));
        }
    }
}

bool gv_maxpool_values(const gv_call *c)
{
    job j = { .C = c->in[0].shape[c->in[0].ndim - 1], .x = c->x[0], .y = c->y[0] };
    gv_geometry_make(&j.q, &((const gv_pool_attr *)c->attr)->window, &c->in[0], &c->out[0]);
    for (int d = 0; d < 3; d++)
        if (j.q.k[d] > TAPS || (j.q.k[d] - 1) * j.q.dil[d] >= ROOM / CHANNELS)
            return false;
    gv_parallel(j.q.n * j.q.o[0] * j.q.o[1], gv_row_grain(j.C * j.q.o[2] * j.q.nk), maxpool_values_lines, &j);
    return true;
}
