/* product_rows: what stands where in a block (product_rows.h). */
#include "nn/onednn/product_rows.h"
#include "nn/onednn/own.h"
#include <math.h>

enum { APART = 256 /* channels: from here on pixels stand a line further apart, or they fall into few sets of the first cache */,
       BLOCK_MOST = 640 << 10 /* bytes */, BESIDE_MOST = 8, AHEAD = 2048, FEW_COLUMNS = 128 /* behind which rows are wanted quickly */, FEW_BLOCKS = 8 /* a thread */,
       CACHE = 1800000, CACHE_OF_MATRIX = 1500000 /* bytes of panels and blocks at a time */, FULL = 68, HALF = 45, LINE = 5 /* cycles: of a step of 32 and of 16 rows and a panel, of a line that is laid */ };

static const double FARTHER = 0.15; /* what tiles cost more where blocks fill the second cache */

static int plane_of(dn_rows *r, int64_t y, int64_t x)
{
    int i = 0;
    while (i < r->nplanes && (r->plane[i].y != y || r->plane[i].x != x))
        i++;
    if (i == r->nplanes && i < DN_PLANES) {
        r->plane[i].y = y, r->plane[i].x = x;
        r->nplanes++;
    }
    return i;
}

/* Whole steps of channels, or lines of windows that fill their steps for the most part. */
static bool fits(const dn_rows *r)
{
    const dn_product *p = r->p;
    int64_t line = p->kw * r->C;
    return r->C % 32 == 0 || (p->dw == 1 && p->sw * r->C % 2 == 0 && 5 * line >= 3 * ((line + 31) / 32 * 32));
}

/* How threads share blocks or panels, how many panels go with a block at once, and about what that costs. */
static void share(dn_rows *r, int64_t threads)
{
    size_t panel = dn_panel_units(r) * 4, blocks = 2 * (size_t)r->units * 4 + 2 * DN_STRIP * DN_PANEL * 4;
    int64_t panels = (r->p->N + DN_PANEL - 1) / DN_PANEL, fit = dn_max(1, ((r->p->windows ? CACHE : CACHE_OF_MATRIX) - (int64_t)blocks) / (int64_t)panel);
    r->columns = r->blocks < FEW_BLOCKS * threads && panels >= 2 * threads;
    int64_t mine = r->columns ? (panels + threads - 1) / threads : panels, turns = (mine + fit - 1) / fit;
    r->at_once = (mine + turns - 1) / turns;
    int64_t halves = (r->rows + 15) / 16;
    r->cycles = (double)(r->columns ? r->blocks : (r->blocks + threads - 1) / threads) *
                ((double)((halves / 2 * FULL + halves % 2 * HALF) * mine * r->steps) + (double)(r->lines * turns) * LINE) * (1 + FARTHER * (double)blocks / CACHE);
}

/* Blocks of `band` output lines of `beside` images; false: too large. */
static bool block(dn_rows *r, int64_t band, int64_t beside, int64_t threads)
{
    const dn_product *p = r->p;
    r->beside = beside;
    r->bands = (p->oh + band - 1) / band;
    r->band = (p->oh + r->bands - 1) / r->bands;
    r->tall = r->band + (p->kh - 1) * p->dh / p->sh;
    r->wide = beside * r->each;
    r->blocks = (r->images + beside - 1) / beside * r->bands;
    r->rows = (r->band - 1) * r->wide + (beside - 1) * r->each + p->ow;
    r->lines = r->nplanes * r->tall * r->wide * r->lda / 16; /* or a few less, where pixels stand apart */
    r->end = r->nplanes * r->tall * r->wide * r->lda;
    r->units = r->end + (DN_STRIP + r->wide) * r->lda + r->over + 16 * 16; /* the last strip's tiles reach beyond what is laid */
    r->units = (r->units + 15) / 16 * 16;
    if (r->end * 4 > BLOCK_MOST)
        return false;
    share(r, threads);
    return true;
}

static int windows(dn_rows *r, int64_t threads)
{
    const dn_product *p = r->p;
    bool whole = r->C % 32 == 0;
    for (int64_t t = 0; t < p->kh * p->kw; t++)
        if (plane_of(r, t / p->kw * p->dh % p->sh, whole ? t % p->kw * p->dw % p->sw : 0) == DN_PLANES)
            return GV_UNSUPPORTED;
    r->images = p->M / (p->oh * p->ow);
    r->ahead = AHEAD;
    r->pad = whole && r->C >= APART ? 16 : 0;
    r->lda = (whole ? r->C : p->sw * r->C) / 2 + r->pad;
    r->each = p->ow + ((p->kw - 1) * p->dw + p->sw - 1) / p->sw;
    if (whole && p->sw == 1 && p->sh == 1) { /* what is zero to the right of a line is what is zero to the left of the next one */
        int64_t right = p->ow - 1 + (p->kw - 1) * p->dw - p->pw - (p->w - 1), own = dn_max(p->pw, right);
        if (p->w + own < r->each) {
            r->each = p->w + own;
            r->over = dn_max(0, right) * r->lda;
        }
    }
    r->by_line = !whole || (p->sw == 1 && !r->pad); /* pixels lie side by side in the image and here */
    r->run = r->by_line ? r->each * r->lda * 2 : r->C;
    dn_rows best = { .cycles = INFINITY };
    for (int64_t band = 1; band <= p->oh; band++)
        for (int64_t beside = 1; beside <= (band < p->oh ? 1 : dn_min(BESIDE_MOST, r->images)); beside++)
            if (block(r, band, beside, threads) && r->cycles < best.cycles)
                best = *r;
    if (!best.p)
        return GV_UNSUPPORTED;
    *r = best;
    r->lines = r->nplanes * r->tall * r->beside * (r->by_line ? 1 : r->each) * ((r->run + 31) / 32);
    for (int64_t k = 0; k < r->steps; k++) {
        int64_t of_piece = (r->piece + 31) / 32, t = k / of_piece, at = k % of_piece * 16;
        int64_t y = (whole ? t / p->kw : t) * p->dh, x = whole ? t % p->kw * p->dw : 0;
        r->step[k] = ((plane_of(r, y % p->sh, x % p->sw) * r->tall + y / p->sh) * r->wide + x / p->sw) * r->lda + at;
    }
    return GV_OK;
}

int dn_rows_make(dn_rows *r, const dn_product *p, int64_t threads, gv_err *err)
{
    *r = (dn_rows){ .p = p, .C = p->windows ? p->K / (p->kh * p->kw) : p->K, .run = p->K };
    if (p->windows && !fits(r))
        return GV_UNSUPPORTED;
    r->piece = p->windows && r->C % 32 ? p->kw * r->C : r->C;
    r->steps = p->K / r->piece * ((r->piece + 31) / 32);
    if (!(r->step = gv_alloc((size_t)r->steps * sizeof *r->step, err)))
        return GV_ESYS;
    if (p->windows)
        return windows(r, threads);
    r->blocks = (p->M + DN_STRIP - 1) / DN_STRIP;
    r->rows = DN_STRIP;
    r->lines = DN_STRIP * r->steps;
    r->pad = r->steps % 2 ? 0 : 16; /* an odd number of lines: rows fall into different sets of the first cache */
    r->lda = r->steps * 16 + r->pad;
    r->units = r->end = DN_STRIP * r->lda;
    r->ahead = p->N <= FEW_COLUMNS ? DN_STRIP * p->K : 0;
    for (int64_t k = 0; k < r->steps; k++)
        r->step[k] = k * 16;
    share(r, threads);
    return GV_OK;
}
