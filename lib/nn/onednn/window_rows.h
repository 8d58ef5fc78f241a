/*
 * Rows of f32 windows (product.h) laid side by side: numbers [k0, k1) of the windows of output pixels [first, first + n), a row `ld` apart, zeros where a
 * window hangs over its image. Where its pixels stand side by side, each line of a window is copied in one piece.
 */
#ifndef GV_NN_ONEDNN_WINDOW_ROWS_H
#define GV_NN_ONEDNN_WINDOW_ROWS_H

#include "nn/onednn/own.h"
#include "nn/onednn/product.h"

static inline void dn_window_rows(const dn_product *p, const float *a, int64_t first, int64_t n, int64_t k0, int64_t k1, float *to, int64_t ld)
{
    int64_t C = p->K / (p->kh * p->kw), across = p->dw == 1 ? p->kw : 1, piece = across * C, line = p->w * C, turns = p->kw / across;
    int64_t image = first / (p->oh * p->ow), oy = first / p->ow % p->oh, ox = first % p->ow;
    for (int64_t m = 0; m < n; m++, to += ld) {
        for (int64_t k = k0, end; k < k1; k = end) {
            int64_t i = k / piece, at = k - i * piece, y = oy * p->sh - p->ph + i / turns * p->dh, x = (ox * p->sw - p->pw + i % turns * p->dw) * C;
            end = dn_min(k1, (i + 1) * piece);
            /* numbers [low, high) of the piece lie in the image */
            int64_t stop = at + end - k, low = dn_max(at, -x), high = dn_min(stop, line - x);
            float *q = to + k - k0;
            if (y < 0 || y >= p->h || low >= high) {
                memset(q, 0, (size_t)(end - k) * sizeof *q);
                continue;
            }
            if (low > at)
                memset(q, 0, (size_t)(low - at) * sizeof *q);
            memcpy(q + low - at, a + (image * p->h + y) * line + x + low, (size_t)(high - low) * sizeof *q);
            if (high < stop)
                memset(q + high - at, 0, (size_t)(stop - high) * sizeof *q);
        }
        if (++ox < p->ow)
            continue;
        ox = 0;
        if (++oy == p->oh)
            oy = 0, image++;
    }
}

#endif
