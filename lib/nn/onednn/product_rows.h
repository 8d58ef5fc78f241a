/*
 * The rows of a product's first operand (product_amx.c), laid out for tiles in blocks, a few lines of 64 bytes at a time.
 *
 * A block of a matrix is 32 rows, filled up to whole steps, and to 32, with zeros.
 *
 * A block of windows is a band of output lines of one image, or several small images side by side. The lines that they see are laid out once, with zeros
 * outside, [line][image][pixel][C], so that the same pixel of every window is a matrix whose rows lie C apart: a tap is a place to begin (im2col without its
 * copies). Where windows are sh x sw pixels apart, pixels are laid in sh x sw planes, each with every sh-th line and every sw-th pixel, as far as taps use them. A
 * block's rows go on from one line to the next over the pixels at its end, whose results are dropped. Bands and images beside are chosen by what they cost.
 *
 * Where C is no whole number of steps, pixels are not parted: rows lie sw C apart, and the kw C numbers of a window's line are one piece, filled up to
 * whole steps by zeros in b.
 */
#ifndef GV_NN_ONEDNN_PRODUCT_ROWS_H
#define GV_NN_ONEDNN_PRODUCT_ROWS_H

#include "nn/onednn/amx.h"
#include "nn/onednn/product_amx.h"

enum { DN_STRIP = 32, DN_PANEL = 32, DN_PLANES = 16 };

typedef struct dn_rows {
    const dn_product *p;
    int64_t steps;             /* of 32 numbers, of a row */
    int64_t blocks, rows;      /* in all, and rows of each */
    int64_t units, end, lines; /* of a block, and of what is laid of it; lines that are to be laid */
    int64_t ahead;             /* so many numbers further memory is asked for; 0: it comes by itself */
    int64_t lda, pad, *step;   /* distance of rows; of it nothing is laid in; where each step begins; units */
    int64_t C, images, bands, band, beside; /* of windows: channels, all images, bands of one, output lines of each; images of a block */
    int64_t tall, wide, each, over; /* lines of a plane, and rows in each, of which each image has these; units behind the last plane that are to be zero */
    int64_t piece, run;        /* numbers that a step may not go beyond; that lie side by side in the image and here: a pixel, or an image's line */
    int64_t at_once;           /* panels that a thread goes through with each block */
    bool by_line;              /* a run is an image's line */
    bool columns;              /* threads share the panels, not the blocks */
    double cycles;             /* of a thread, about */
    int nplanes;
    struct { int64_t y, x; } plane[DN_PLANES];
} dn_rows;

/* p is borrowed. GV_UNSUPPORTED: a band of its windows is too large. r->step is for gv_free, in each case. */
int dn_rows_make(dn_rows *r, const dn_product *p, int64_t threads, gv_err *err);

static inline size_t dn_panel_units(const dn_rows *r)
{
    return (size_t)(r->steps * 16 * DN_PANEL);
}

#ifdef DN_AMX

/* How far a block has been laid. */
typedef struct dn_laying {
    amx_unit *to;
    int64_t left;                    /* lines */
    const uint16_t *from;            /* this row, or run, */
    int64_t low, high;               /* of which these numbers are there */
    int64_t k, row, n;               /* this number comes next; of a matrix: in this row, of n */
    int64_t image, top, i, q, x, plane; /* of windows: the first image; the band's first output line; image, line, and pixel if they are parted, of the plane */
} dn_laying;

AMXINLINE void dn_lay_run(const dn_rows *r, const uint16_t *a, dn_laying *l, const bool windows)
{
    const dn_product *p = r->p;
    if (!windows) {
        l->high = l->row < l->n ? p->K : 0;
        l->from += l->row && l->high ? p->K : 0;
        return;
    }
    if (l->plane == r->nplanes)
        return;
    int64_t y = (l->top + l->q) * p->sh + r->plane[l->plane].y - p->ph, x = (l->x * p->sw + r->plane[l->plane].x - p->pw) * r->C, line = p->w * r->C;
    l->low = dn_max(0, -x);
    l->high = (uint64_t)y < (uint64_t)p->h && l->image + l->i < r->images ? dn_min(r->run, line - x) : 0;
    l->from = a + ((l->image + l->i) * p->h + y) * line + x;
}

AMXINLINE dn_laying dn_lay_begin(const dn_rows *r, const uint16_t *a, amx_unit *to, int64_t block, const bool windows)
{
    dn_laying l = { .to = to, .left = r->lines };
    if (windows) {
        l.image = block / r->bands * r->beside;
        l.top = block % r->bands * r->band;
    } else {
        l.n = dn_min(DN_STRIP, r->p->M - block * DN_STRIP);
        l.from = a + block * DN_STRIP * r->p->K;
    }
    dn_lay_run(r, a, &l, windows);
    return l;
}

/* The next lines; also asks for memory that later ones will want. */
AMXINLINE void dn_lay(const dn_rows *r, const uint16_t *a, dn_laying *laying, int64_t lines, const bool windows)
{
    dn_laying l = *laying; /* what is written could otherwise be any of it */
    const int64_t run = r->run, ahead = r->ahead;
    for (lines = dn_min(lines, l.left), l.left -= lines; lines > 0;) {
        int64_t whole = windows && l.k < l.low ? 0 : dn_max(0, dn_min(lines, (dn_min(l.high, run) - l.k) / 32));
        for (int64_t i = 0; i < whole; i++, l.k += 32, l.to += 16) {
            __builtin_prefetch(l.from + l.k + ahead, 0, 2);
            _mm512_storeu_si512(l.to, _mm512_loadu_si512(l.from + l.k));
        }
        lines -= whole;
        if (l.k < run && lines) {
            int64_t low = windows ? dn_min(32, dn_max(0, l.low - l.k)) : 0, high = dn_min(32, l.high - l.k);
            __mmask32 m = low < high ? (__mmask32)((1ull << high) - (1ull << low)) : 0;
            if (m)
                __builtin_prefetch(l.from + l.k + ahead, 0, 2);
            _mm512_storeu_si512(l.to, _mm512_maskz_loadu_epi16(m, m ? l.from + l.k : a));
            l.k += 32;
            l.to += 16;
            lines--;
        }
        if (l.k < run)
            continue;
        if (!windows) {
            l.to += r->pad;
            l.row++;
        } else {
            l.to += r->pad - (r->by_line ? (l.k - run) / 2 : 0); /* the next run's first numbers take the place of what went beyond this one */
            if (r->by_line || ++l.x == r->each) {
                l.x = 0;
                if (++l.i == r->beside) {
                    l.i = 0;
                    if (++l.q == r->tall)
                        l.q = 0, l.plane++;
                }
            }
        }
        l.k = 0;
        dn_lay_run(r, a, &l, windows);
    }
    *laying = l;
}

/* Which rows of y the n-th strip of 32 rows of a block belong to; -1: to none. */
static inline void dn_rows_of(const dn_rows *r, int64_t block, int64_t strip, int64_t to[DN_STRIP])
{
    const dn_product *p = r->p;
    if (p->windows) {
        int64_t top = block % r->bands * r->band, row = strip * DN_STRIP, line = top + row / r->wide, i = row % r->wide / r->each, x = row % r->each;
        int64_t first = block / r->bands * r->beside, last = dn_min(p->oh, top + r->band);
        for (int j = 0; j < DN_STRIP; j++) {
            to[j] = x < p->ow && line < last && first + i < r->images ? dn_row_of(p, first + i, line, x) : -1;
            if (++x < r->each)
                continue;
            x = 0;
            if (++i == r->beside)
                i = 0, line++;
        }
        return;
    }
    int64_t m = block * DN_STRIP, image = m / (p->oh * p->ow), line = m / p->ow % p->oh, x = m % p->ow;
    for (int j = 0; j < DN_STRIP; j++, m++) {
        to[j] = m < p->M ? dn_row_of(p, image, line, x) : -1;
        if (++x < p->ow)
            continue;
        x = 0;
        if (++line == p->oh)
            line = 0, image++;
    }
}

#endif
#endif
