/* product: inner products of blocks of points. Points are packed in panels of 32: [panel][dimension][32], so that a panel serves as rows (numbers
 * that are spread to all lanes) and as columns (vectors). */
#ifndef GV_UMAP_PRODUCT_H
#define GV_UMAP_PRODUCT_H

#include "common/arena.h"
#include <stdbool.h>
#include <stdint.h>

enum { GV_PANEL = 32, GV_PANELS = 6, GV_BLOCK = GV_PANEL * GV_PANELS };

typedef struct gv_packed {
    int64_t n, d, depth;  /* depth: 32-bit words of a point: d, or pairs of bf16 */
    bool bf16;
    uint32_t *word;       /* [panels, depth, 32] */
    float *half_norm;     /* [panels * 32] half of the squared length of the numbers as they are packed; those behind n: huge */
    float rounding;       /* the largest length of what rounding took from a point */
    float length;         /* the largest length */
} gv_packed;

/* Whether this processor multiplies pairs of bf16. */
bool gv_packed_has_bf16(void);
/* Packs x [n,d] less its mean, in a fixed order of sums. */
int gv_packed_make(gv_packed *p, const float *x, int64_t n, int64_t d, bool bf16, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* c [GV_BLOCK, GV_BLOCK] = -|a - b|^2 / 2 of the points of block i (rows) and of block j (columns). Points behind n have minus infinity, and so have pairs of
 * panels r, q whose bit r * GV_PANELS + q of `wanted` is not set. */
void gv_packed_block(const gv_packed *p, int64_t i, int64_t j, uint64_t wanted, float *c);
/* |a - b|^2 in float from differences. */
float gv_distance2(const float *a, const float *b, int64_t d);

#endif
