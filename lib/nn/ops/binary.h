/* What add, sub, mul and div share: NumPy broadcasting. */
#ifndef GV_NN_OPS_BINARY_H
#define GV_NN_OPS_BINARY_H

#include "nn/ops/op.h"

/* The output walked as rows of `inner` elements; an operand's step inside a row is 0 or 1, its place is found from the row's number. */
typedef struct gv_walk {
    int nd;
    int64_t dim[GV_MAX_DIMS], sa[GV_MAX_DIMS], sb[GV_MAX_DIMS];
    int64_t inner;
    int ia, ib;
} gv_walk;

void gv_walk_make(gv_walk *w, const gv_desc *y, const gv_desc *a, const gv_desc *b);

static inline void gv_walk_row(const gv_walk *w, int64_t row, int64_t *a, int64_t *b)
{
    *a = *b = 0;
    for (int d = w->nd - 1; d >= 0; d--) {
        int64_t i = row % w->dim[d];
        row /= w->dim[d];
        *a += i * w->sa[d];
        *b += i * w->sb[d];
    }
}

/* The builder: checks shapes, makes the node. */
gv_val gv_binary(gv_graph *g, gv_op_id op, gv_val a, gv_val b);

#endif
