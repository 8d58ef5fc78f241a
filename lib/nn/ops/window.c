/* window: sizes of what a sliding window makes. */
#include "nn/ops/window.h"

enum { MAX_SIDE = 1 << 24 };

bool gv_window_check(gv_graph *g, gv_op_id op, gv_val x, gv_window *w, int64_t out[3])
{
    const char *name = gv_op_of(op)->name;
    char t[GV_SHAPE_TEXT];
    if (w->dims < 1 || w->dims > 3) {
        gv_graph_fail(g, "%s over %d spatial dimensions; 1 to 3 are possible", name, w->dims);
        return false;
    }
    if (gv_ndim(g, x) != w->dims + 2) {
        gv_graph_fail(g, "%s over %d spatial dimensions: the input has shape %s; [N,%sC] is wanted", name, w->dims, gv_shape_text(g, x, t),
                      w->dims == 1 ? "W," : w->dims == 2 ? "H,W," : "D,H,W,");
        return false;
    }
    if (!w->groups)
        w->groups = 1;
    for (int d = 0; d < w->dims; d++) {
        if (!w->stride[d])
            w->stride[d] = 1;
        if (!w->dilation[d])
            w->dilation[d] = 1;
        int64_t in = gv_dim(g, x, d + 1), k = w->kernel[d], s = w->stride[d], l = w->dilation[d], p = w->pad[d], e = w->pad_end[d];
        if (k < 1 || k > MAX_SIDE || s < 1 || s > MAX_SIDE || l < 1 || l > MAX_SIDE || p < 0 || p > MAX_SIDE || e < 0 || e > MAX_SIDE) {
            gv_graph_fail(g, "%s: kernel %" PRId64 ", stride %" PRId64 ", padding %" PRId64 "+%" PRId64 ", dilation %" PRId64 " along spatial axis %d", name, k, s, p, e, l, d);
            return false;
        }
        int64_t room = in + p + e - l * (k - 1) - 1;
        if (room < 0) {
            gv_graph_fail(g, "%s: a window of %" PRId64 " does not fit into %" PRId64 "+%" PRId64 " pixels along spatial axis %d of %s", name, l * (k - 1) + 1, in, p + e, d, gv_shape_text(g, x, t));
            return false;
        }
        out[d] = room / s + 1;
        /* With ceil_mode one more window, if it starts inside the input or the padding before it (as in torch). */
        if (w->ceil_mode && room % s && out[d] * s < in + p)
            out[d]++;
    }
    return !gv_graph_error(g);
}

void gv_geometry_make(gv_geometry *q, const gv_window *w, const gv_desc *x, const gv_desc *y)
{
    *q = (gv_geometry){ .n = x->shape[0], .ni = 1, .no = 1, .nk = 1 };
    for (int d = 0; d < 3; d++) {
        int s = d - (3 - w->dims);
        q->i[d] = s < 0 ? 1 : x->shape[s + 1];
        q->o[d] = s < 0 ? 1 : y->shape[s + 1];
        q->k[d] = s < 0 ? 1 : w->kernel[s];
        q->stride[d] = s < 0 ? 1 : w->stride[s];
        q->pad[d] = s < 0 ? 0 : w->pad[s];
        q->pad_end[d] = s < 0 ? 0 : w->pad_end[s];
        q->dil[d] = s < 0 ? 1 : w->dilation[s];
        q->ni *= q->i[d];
        q->no *= q->o[d];
        q->nk *= q->k[d];
    }
}
