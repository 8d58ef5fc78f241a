/* topk: the places of the k largest along the last axis, the largest first (I32). Equal numbers stand in their order, NaN is the largest, as in
 * torch. No gradient goes through it: what stands there is fetched with gather, which has one. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_topk(gv_graph *g, gv_val x, int64_t k)
{
    char t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_topk, &x, 1) || !gv_is_float(g, GV_OP_topk, x))
        return GV_NO_VAL;
    int n = gv_ndim(g, x);
    if (n < 1 || k < 1 || k > gv_dim(g, x, -1) || gv_dim(g, x, -1) > INT32_MAX)
        return gv_graph_fail(g, "topk: the %" PRId64 " largest along the last axis of a tensor of shape %s", k, gv_shape_text(g, x, t));
    int64_t shape[GV_MAX_DIMS];
    memcpy(shape, gv_shape(g, x), sizeof shape);
    shape[n - 1] = k;
    return gv_op1(g, GV_OP_topk, NULL, &x, 1, GV_CLASS_I32, shape, n);
}

#define GV_KERNELS "nn/ops/topk.c"
#include "nn/ops/types.h"

const gv_op gv_op_topk = { .name = "topk", .wants = "a", GV_PLAIN(topk_run) };
#else
/* Whether a comes before b, which stands before it in the row. */
static inline bool F(topk_above)(A a, A b)
{
    return a > b || (a != a && b == b);
}

/* The first k are kept sorted; k is small beside the row, and most numbers are passed over by one comparison. */
GV_HOT static void F(topk_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t len = c->in[0].shape[c->in[0].ndim - 1], k = c->out[0].shape[c->out[0].ndim - 1];
    for (int64_t r = begin; r < end; r++) {
        const T *x = (const T *)c->x[0] + r * len;
        int32_t *y = (int32_t *)c->y[0] + r * k;
        int64_t have = 0;
        for (int64_t i = 0; i < len; i++) {
            A v = LD(x[i]);
            if (have == k && !F(topk_above)(v, LD(x[y[k - 1]])))
                continue;
            int64_t at = have < k ? have++ : k - 1;
            for (; at > 0 && F(topk_above)(v, LD(x[y[at - 1]])); at--)
                y[at] = y[at - 1];
            y[at] = (int32_t)i;
        }
    }
}

static int F(topk_run)(const gv_call *c)
{
    int64_t len = c->in[0].shape[c->in[0].ndim - 1];
    return gv_over(c, c->in[0].count / len, gv_row_grain(len), F(topk_rows));
}
#endif
