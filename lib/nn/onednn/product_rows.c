/* product_rows: what stands where in a block (product_rows.h). */
#include "nn/onednn/product_rows.h"
#include "nn/onednn/own.h"

enum { APART = 256 /* channels: from here on pixels stand a line further apart, or they fall into few sets of the first cache */, BAND = 256 << 10 /* bytes of a block of windows: two of them and panels share the second cache */, BAND_MOST = 640 << 10, AHEAD = 2048, FEW_COLUMNS = 128 /* behind which rows are wanted quickly */ };

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

bool dn_product_windows(dn_product *p, const gv_window *w, const gv_desc *images, const gv_desc *out)
{
    if (w->dims != 2 || w->groups != 1 || !images->count || !out->count)
        return false;
    *p = (dn_product){ .a = p->a, .b = p->b, .bias = p->bias, .more = p->more, .turned = p->turned, .relu = p->relu, .windows = true,
                       .M = out->count / out->shape[3], .N = out->shape[3], .K = images->shape[3] * w->kernel[0] * w->kernel[1],
                       .h = images->shape[1], .w = images->shape[2], .oh = out->shape[1], .ow = out->shape[2], .sh = w->stride[0], .sw = w->stride[1],
                       .ph = w->pad[0], .pw = w->pad[1], .kh = w->kernel[0], .kw = w->kernel[1], .dh = w->dilation[0], .dw = w->dilation[1],
                       .taps = w->kernel[0] * w->kernel[1], .ty = w->kernel[1], .tx = 1 };
    if (!p->turned)
        p->first = p->taps - 1, p->ty = -p->ty, p->tx = -1;
    return true;
}

/* What lies in place and serves: whole steps of channels, or lines of windows that fill their steps for the most part. */
static bool fits(const dn_rows *r)
{
    const dn_product *p = r->p;
    int64_t line = p->kw * r->C;
    return r->C % 32 == 0 || (p->dw == 1 && p->sw * r->C % 2 == 0 && 5 * line >= 3 * ((line + 31) / 32 * 32));
}

static int windows(dn_rows *r)
{
    const dn_product *p = r->p;
    int64_t more = (p->kh - 1) * p->dh / p->sh;
    r->wide = p->ow + ((p->kw - 1) * p->dw + p->sw - 1) / p->sw;
    bool parted = r->C % 32 == 0;
    for (int64_t t = 0; t < p->kh * p->kw; t++)
        if (plane_of(r, t / p->kw * p->dh % p->sh, parted ? t % p->kw * p->dw % p->sw : 0) == DN_PLANES)
            return GV_UNSUPPORTED;
    r->ahead = AHEAD;
    r->pad = parted && r->C >= APART ? 16 : 0;
    r->lda = (parted ? r->C : p->sw * r->C) / 2 + r->pad;
    bool lines = !parted || (p->sw == 1 && !r->pad); /* pixels lie side by side in the image and here */
    r->run = lines ? r->wide * r->lda * 2 : r->C;
    int64_t line = r->wide * r->lda * 4 * r->nplanes;
    r->band = dn_max(1, dn_min(p->oh, BAND / line - more));
    r->bands = (p->oh + r->band - 1) / r->band;
    r->band = (p->oh + r->bands - 1) / r->bands;
    r->tall = r->band + more;
    if (r->tall * line > BAND_MOST)
        return GV_UNSUPPORTED;
    r->blocks = p->M / (p->oh * p->ow) * r->bands;
    r->rows = (r->band - 1) * r->wide + p->ow;
    r->lines = r->nplanes * r->tall * (lines ? 1 : r->wide) * ((r->run + 31) / 32);
    r->end = r->nplanes * r->tall * r->wide * r->lda;
    r->units = r->end + (DN_STRIP + r->wide) * r->lda + 16 * 16; /* the last strip's tiles reach beyond what is laid */
    r->units = (r->units + 15) / 16 * 16;
    for (int64_t k = 0; k < r->steps; k++) {
        int64_t of_piece = (r->piece + 31) / 32, t = k / of_piece, at = k % of_piece * 16;
        int64_t y = (parted ? t / p->kw : t) * p->dh, x = parted ? t % p->kw * p->dw : 0;
        r->step[k] = ((plane_of(r, y % p->sh, x % p->sw) * r->tall + y / p->sh) * r->wide + x / p->sw) * r->lda + at;
    }
    return GV_OK;
}

int dn_rows_make(dn_rows *r, const dn_product *p, gv_err *err)
{
    *r = (dn_rows){ .p = p, .C = p->windows ? p->K / (p->kh * p->kw) : p->K, .run = p->K };
    if (p->windows && !fits(r))
        return GV_UNSUPPORTED;
    r->piece = p->windows && r->C % 32 ? p->kw * r->C : r->C;
    r->steps = p->K / r->piece * ((r->piece + 31) / 32);
    if (!(r->step = gv_alloc((size_t)r->steps * sizeof *r->step, err)))
        return GV_ESYS;
    if (p->windows)
        return windows(r);
    r->blocks = (p->M + DN_STRIP - 1) / DN_STRIP;
    r->rows = DN_STRIP;
    r->lines = DN_STRIP * r->steps;
    r->pad = r->steps % 2 ? 0 : 16; /* an odd number of lines: rows fall into different sets of the first cache */
    r->lda = r->steps * 16 + r->pad;
    r->units = r->end = DN_STRIP * r->lda;
    r->ahead = p->N <= FEW_COLUMNS ? DN_STRIP * p->K : 0;
    for (int64_t k = 0; k < r->steps; k++)
        r->step[k] = k * 16;
    return GV_OK;
}
