/* mix: lam * x + (1 - lam) * x[perm] along the first axis (mixup). lam F32 [1], perm I32 [N]; indices outside the batch stop the run. */
#ifndef T
#include "nn/ops/op.h"

gv_val gv_mix(gv_graph *g, gv_val x, gv_val lam, gv_val perm)
{
    gv_val in[3] = { x, lam, perm };
    if (!gv_op_ready(g, GV_OP_mix, in, 3) || !gv_is_float(g, GV_OP_mix, x))
        return GV_NO_VAL;
    if (gv_class_of(g, lam) != GV_CLASS_F32 || gv_class_of(g, perm) != GV_CLASS_I32)
        return gv_graph_fail(g, "mix: lam must be F32 and perm I32");
    if (gv_ndim(g, x) < 1 || !gv_is_vector(g, GV_OP_mix, "lam", lam, 1) || !gv_is_vector(g, GV_OP_mix, "perm", perm, gv_dim(g, x, 0)))
        return GV_NO_VAL;
    return gv_op1(g, GV_OP_mix, NULL, in, 3, gv_class_of(g, x), gv_shape(g, x), gv_ndim(g, x));
}

#define GV_KERNELS "nn/ops/mix.c"
#include "nn/ops/types.h"

const gv_op gv_op_mix = { .name = "mix", .wants = "oaa", GV_PLAIN(mix_run) };
#else
GV_HOT static void F(mix_body)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    int64_t n = c->out[0].shape[0], width = c->out[0].count / n;
    A lam = (A) * (const float *)c->x[1];
    for (int64_t at = begin; at < end;) {
        int64_t row = at / width, skip = at % width, len = gv_min64(width - skip, end - at);
        const T *a = (const T *)c->x[0] + at, *b = (const T *)c->x[0] + ((const int32_t *)c->x[2])[row] * width + skip;
        T *y = (T *)c->y[0] + at;
        if (lam == 1)
            memcpy(y, a, (size_t)len * sizeof *y);
        else {
            GV_IVDEP
            for (int64_t i = 0; i < len; i++)
                y[i] = ST(lam * LD(a[i]) + (1 - lam) * LD(b[i]));
        }
        at += len;
    }
}

static int F(mix_run)(const gv_call *c)
{
    for (int64_t i = 0; i < c->out[0].shape[0]; i++)
        if (((const int32_t *)c->x[2])[i] < 0 || ((const int32_t *)c->x[2])[i] >= c->out[0].shape[0])
            return GV_EDATA;
    return gv_over(c, c->out[0].count, GV_GRAIN, F(mix_body));
}
#endif
