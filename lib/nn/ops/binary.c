/* binary: broadcasting of two operands. */
#include "nn/ops/binary.h"

gv_val gv_binary(gv_graph *g, gv_op_id op, gv_val a, gv_val b)
{
    gv_val in[2] = { a, b };
    if (!gv_op_ready(g, op, in, 2))
        return GV_NO_VAL;
    int na = gv_ndim(g, a), nb = gv_ndim(g, b), n = na > nb ? na : nb;
    int64_t shape[GV_MAX_DIMS];
    for (int i = 0; i < n; i++) {
        int64_t da = i < n - na ? 1 : gv_shape(g, a)[i - (n - na)], db = i < n - nb ? 1 : gv_shape(g, b)[i - (n - nb)];
        if (da != db && da != 1 && db != 1) {
            char ta[GV_SHAPE_TEXT], tb[GV_SHAPE_TEXT];
            return gv_graph_fail(g, "%s: shapes %s and %s cannot be broadcast together", gv_op_of(op)->name, gv_shape_text(g, a, ta), gv_shape_text(g, b, tb));
        }
        shape[i] = da == 1 ? db : da;
    }
    return gv_op1(g, op, NULL, in, 2, gv_join_class(g, op, in, 2), shape, n);
}

static void strides(const gv_desc *y, const gv_desc *x, int64_t *s)
{
    int64_t step = 1;
    for (int i = y->ndim - 1; i >= 0; i--) {
        int k = i - (y->ndim - x->ndim);
        int64_t d = k < 0 ? 1 : x->shape[k];
        s[i] = d == 1 ? 0 : step;
        step *= d;
    }
}

void gv_walk_make(gv_walk *w, const gv_desc *y, const gv_desc *a, const gv_desc *b)
{
    int64_t sa[GV_MAX_DIMS], sb[GV_MAX_DIMS];
    strides(y, a, sa);
    strides(y, b, sb);
    *w = (gv_walk){ .inner = 1 };
    int nd = 0; /* axes, merged where both operands allow it */
    for (int i = 0; i < y->ndim; i++) {
        if (y->shape[i] == 1)
            continue;
        if (nd && w->sa[nd - 1] == sa[i] * y->shape[i] && w->sb[nd - 1] == sb[i] * y->shape[i]) {
            w->dim[nd - 1] *= y->shape[i];
            w->sa[nd - 1] = sa[i];
            w->sb[nd - 1] = sb[i];
        } else {
            w->dim[nd] = y->shape[i];
            w->sa[nd] = sa[i];
            w->sb[nd++] = sb[i];
        }
    }
    if (nd) { /* the last axis has steps 0 or 1 */
        nd--;
        w->inner = w->dim[nd];
        w->ia = (int)w->sa[nd];
        w->ib = (int)w->sb[nd];
    }
    w->nd = nd;
}
