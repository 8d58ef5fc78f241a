/* conv_dgrad: the gradient of a convolution's input. dy [N,s'…,O], w [O,C/groups,k…] -> dx [N,s…,C]. */
#ifndef T
#include "nn/ops/window.h"

gv_val gv_conv_dgrad(gv_graph *g, gv_val dy, gv_val w, const gv_window *window, const int64_t *x_shape)
{
    gv_val in[2] = { dy, w };
    if (!gv_op_ready(g, GV_OP_conv_dgrad, in, 2))
        return GV_NO_VAL;
    gv_conv_attr a = { *window, false };
    return gv_op1(g, GV_OP_conv_dgrad, &a, in, 2, GV_CLASS_REAL, x_shape, window->dims + 2);
}

static size_t scratch(const gv_call *c)
{
    return (size_t)c->in[1].count * (c->in[1].dtype == GV_F64T ? 8 : 4);
}

#define GV_KERNELS "nn/ops/conv_dgrad.c"
#include "nn/ops/types.h"

const gv_op gv_op_conv_dgrad = {
    .name = "conv_dgrad", .attr_size = sizeof(gv_conv_attr), .wants = "rr", GV_PLAIN(conv_dgrad_run), .scratch = scratch,
};
#else
typedef struct F(conv_dgrad_args) { gv_geometry q; int64_t C, O, G; const T *dy; T *dx; const A *w; } F(conv_dgrad_args);

enum { F(DGRAD_CB) = 64 };

GV_HOT static void F(conv_dgrad_body)(void *p, int64_t begin, int64_t end)
{
    const F(conv_dgrad_args) *o = p;
    const gv_geometry *q = &o->q;
    int64_t cg = o->C / o->G, og = o->O / o->G;
    for (int64_t at = begin; at < end; at++) {
        int64_t n = at / q->ni, pos[3], k[3];
        gv_unflatten(q->i, at % q->ni, pos);
        for (int64_t first = 0; first < o->C;) {
            int64_t group = first / cg, m = gv_min64(F(DGRAD_CB), (group + 1) * cg - first);
            A acc[F(DGRAD_CB)] = { 0 };
            for (int64_t t = 0; t < q->nk; t++) {
                gv_unflatten(q->k, t, k);
                int64_t i = gv_untap(q, pos, k);
                if (i < 0)
                    continue;
                const T *dy = o->dy + (n * q->no + i) * o->O + group * og;
                const A *w = o->w + (t * o->O + group * og) * cg + (first - group * cg);
                for (int64_t j = 0; j < og; j++, w += cg) {
                    A v = LD(dy[j]);
                    if (m == F(DGRAD_CB)) {
                        for (int e = 0; e < F(DGRAD_CB); e++)
                            acc[e] += v * w[e];
                    } else {
                        for (int64_t e = 0; e < m; e++)
                            acc[e] += v * w[e];
                    }
                }
            }
            for (int64_t j = 0; j < m; j++)
                o->dx[at * o->C + first + j] = ST(acc[j]);
            first += m;
        }
    }
}

static int F(conv_dgrad_run)(const gv_call *c)
{
    const gv_conv_attr *a = c->attr;
    F(conv_dgrad_args) o = { .C = c->out[0].shape[c->out[0].ndim - 1], .O = c->in[1].shape[0], .G = a->window.groups,
                             .dy = c->x[0], .dx = c->y[0], .w = c->scratch };
    gv_geometry_make(&o.q, &a->window, &c->out[0], &c->in[0]);
    int64_t cg = o.C / o.G;
    const T *w = c->x[1];
    A *packed = c->scratch;
    for (int64_t i = 0; i < o.O * cg; i++) /* [o,c,t] -> [t,o,c] */
        for (int64_t t = 0; t < o.q.nk; t++)
            packed[t * o.O * cg + i] = LD(w[i * o.q.nk + t]);
    gv_parallel(o.q.n * o.q.ni, gv_row_grain(o.C), F(conv_dgrad_body), &o);
    return GV_OK;
}
#endif
