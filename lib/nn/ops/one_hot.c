/* one_hot: class indices y (I64 [N]) to soft targets [N,K] (STAT) with label smoothing; a negative label gives a row of zeros. An index of K
 * or more stops the run. */
#include "nn/ops/op.h"

gv_val gv_one_hot(gv_graph *g, gv_val y, int64_t classes, double smoothing)
{
    char t[GV_SHAPE_TEXT];
    if (!gv_op_ready(g, GV_OP_one_hot, &y, 1))
        return GV_NO_VAL;
    int n = gv_ndim(g, y);
    if (gv_class_of(g, y) != GV_CLASS_I64 || n + 1 > GV_MAX_DIMS || classes < 1)
        return gv_graph_fail(g, "one_hot of %s into %" PRId64 " classes: labels of class I64 are wanted", gv_shape_text(g, y, t), classes);
    if (!(smoothing >= 0 && smoothing < 1))
        return gv_graph_fail(g, "one_hot: label smoothing %g; 0 to below 1 is possible", smoothing);
    int64_t shape[GV_MAX_DIMS];
    memcpy(shape, gv_shape(g, y), sizeof shape);
    shape[n] = classes;
    gv_one_hot_attr a = { smoothing };
    return gv_op1(g, GV_OP_one_hot, &a, &y, 1, GV_CLASS_STAT, shape, n + 1);
}

static int run(const gv_call *c)
{
    double off = ((const gv_one_hot_attr *)c->attr)->smoothing;
    int64_t n = c->in[0].count, k = c->out[0].count / n;
    const int64_t *y = c->x[0];
    off /= (double)k;
    double on = 1 - ((const gv_one_hot_attr *)c->attr)->smoothing + off;
    for (int64_t i = 0; i < n; i++) {
        if (y[i] >= k)
            return GV_EDATA;
        for (int64_t j = 0; j < k; j++) {
            double v = y[i] < 0 ? 0 : j == y[i] ? on : off;
            if (c->out[0].dtype == GV_F64T)
                ((double *)c->y[0])[i * k + j] = v;
            else
                ((float *)c->y[0])[i * k + j] = (float)v;
        }
    }
    return GV_OK;
}

const gv_op gv_op_one_hot = { .name = "one_hot", .attr_size = sizeof(gv_one_hot_attr), .flags = GV_OP_ANY_TYPE, .wants = "a", .plain_f32 = run };
