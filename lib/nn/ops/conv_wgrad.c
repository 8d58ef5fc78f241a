/* conv_wgrad: the gradient of a convolution's weight. x [N,s…,C], dy [N,s'…,O] -> dw [O,C/groups,k…], class STAT. */
#ifndef T
#include "nn/ops/window.h"

gv_val gv_conv_wgrad(gv_graph *g, gv_val x, gv_val dy, const gv_window *window, const int64_t *w_shape)
{
    gv_val in[2] = { x, dy };
    if (!gv_op_ready(g, GV_OP_conv_wgrad, in, 2))
        return GV_NO_VAL;
    gv_conv_attr a = { *window, false };
    return gv_op1(g, GV_OP_conv_wgrad, &a, in, 2, GV_CLASS_STAT, w_shape, window->dims + 2);
}

static size_t scratch(const gv_call *c)
{
    return (size_t)c->out[0].count * (c->out[0].dtype == GV_F64T ? 8 : 4);
}

#define GV_KERNELS "nn/ops/conv_wgrad.c"
#include "nn/ops/types.h"

const gv_op gv_op_conv_wgrad = {
    .name = "conv_wgrad", .attr_size = sizeof(gv_conv_attr), .wants = "rr", GV_PLAIN(conv_wgrad_run), .scratch = scratch,
};
#else
typedef struct F(conv_wgrad_args) { gv_geometry q; int64_t C, O, G; const T *x, *dy; A *w; } F(conv_wgrad_args);

/* Rows (tap t, input channel c) of the sum [t,c,O]; O of one group belongs to one c. */
GV_HOT static void F(conv_wgrad_body)(void *p, int64_t begin, int64_t end)
{
    const F(conv_wgrad_args) *o = p;
    const gv_geometry *q = &o->q;
    int64_t cg = o->C / o->G, og = o->O / o->G;
    for (int64_t row = begin; row < end;) {
        int64_t t = row / cg, c0 = row % cg, c1 = gv_min64(cg, c0 + (end - row)), k[3], pos[3];
        A *w = o->w + t * cg * o->O;
        memset(w + c0 * o->O, 0, (size_t)((c1 - c0) * o->O) * sizeof *w);
        gv_unflatten(q->k, t, k);
        for (int64_t at = 0; at < q->n * q->no; at++) {
            gv_unflatten(q->o, at % q->no, pos);
            int64_t i = gv_tap(q, pos, k);
            if (i < 0)
                continue;
            const T *x = o->x + (at / q->no * q->ni + i) * o->C, *dy = o->dy + at * o->O;
            for (int64_t group = 0; group < o->G; group++)
                for (int64_t c = c0; c < c1; c++) {
                    A v = LD(x[group * cg + c]);
                    A *sum = w + c * o->O + group * og;
                    const T *d = dy + group * og;
                    GV_IVDEP
                    for (int64_t j = 0; j < og; j++)
                        sum[j] += v * LD(d[j]);
                }
        }
        row += c1 - c0;
    }
}

static int F(conv_wgrad_run)(const gv_call *c)
{
    const gv_conv_attr *a = c->attr;
    F(conv_wgrad_args) o = { .C = c->in[0].shape[c->in[0].ndim - 1], .O = c->out[0].shape[0], .G = a->window.groups,
                             .x = c->x[0], .dy = c->x[1], .w = c->scratch };
    gv_geometry_make(&o.q, &a->window, &c->in[0], &c->in[1]);
    int64_t cg = o.C / o.G;
    gv_parallel(o.q.nk * cg, 1, F(conv_wgrad_body), &o);
    S *w = c->y[0];
    for (int64_t i = 0; i < o.O * cg; i++) /* [t,c,o] -> [o,c,t] */
        for (int64_t t = 0; t < o.q.nk; t++)
            w[i * o.q.nk + t] = (S)o.w[(t * cg + i % cg) * o.O + i / cg];
    return GV_OK;
}
#endif
