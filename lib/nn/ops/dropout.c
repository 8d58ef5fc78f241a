/* dropout: zero with chance p, the rest times 1/(1-p); whole samples for drop path. The draw depends on (seed, step, key, element)
 * alone, so the gradient is the same op on dy. Source: Srivastava et al. 2014; Huang et al. 2016, arXiv:1603.09382. */
#ifndef T
#include "nn/internal.h"
#include "nn/ops/op.h"
#include "common/philox_many.h"

static gv_val make(gv_graph *g, gv_val x, const gv_dropout_attr *a)
{
    return gv_op1(g, GV_OP_dropout, a, &x, 1, gv_class_of(g, x), gv_shape(g, x), gv_ndim(g, x));
}

gv_val gv_dropout(gv_graph *g, gv_val x, double p, bool per_sample)
{
    if (!gv_op_ready(g, GV_OP_dropout, &x, 1) || !gv_is_float(g, GV_OP_dropout, x))
        return GV_NO_VAL;
    if (!(p >= 0 && p <= 1))
        return gv_graph_fail(g, "dropout with chance %g; 0 to 1 is possible", p);
    if (g->phase == GV_EVAL || p == 0)
        return x;
    int twins = 0; /* two in one module draw differently */
    for (int i = 0; i < g->nnode; i++)
        twins += g->node[i]->op == GV_OP_dropout && !strcmp(g->node[i]->path, g->path);
    gv_dropout_attr a = { p, per_sample, gv_hash_name(g->path) + (uint64_t)twins };
    return make(g, x, &a);
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)want;
    dx[0] = make(g, dy[0], n->attr);
}

/* Keep element i when word i of the stream is at least p * 2^32. */
static uint32_t bound_of(double p)
{
    double b = ceil(p * 4294967296.0);
    return b >= 4294967295.0 ? UINT32_MAX : (uint32_t)b;
}

enum { WIDE = 16 }; /* Philox calls made together */

#define GV_KERNELS "nn/ops/dropout.c"
#include "nn/ops/types.h"

const gv_op gv_op_dropout = {
    .name = "dropout", .attr_size = sizeof(gv_dropout_attr), .flags = GV_OP_ELEMENTWISE, .wants = "o",
    .gradient = gradient, GV_PLAIN(dropout_run),
};
#else
typedef struct F(dropout_args) { const gv_call *c; gv_rng r; int64_t per; uint32_t bound; bool all; A scale; } F(dropout_args);

/* Pieces are WIDE Philox calls of four words: one word for each element, or for each sample. */
GV_HOT static void F(dropout_body)(void *p, int64_t begin, int64_t end)
{
    const F(dropout_args) *o = p;
    const T *x = o->c->x[0];
    T *y = o->c->y[0];
    int64_t count = o->c->out[0].count;
    for (int64_t q = begin; q < end; q++) {
        uint32_t word[4][WIDE];
        A scale[4 * WIDE];
        gv_philox_many(&o->r, (uint32_t)(q * WIDE), WIDE, word[0]);
        for (int l = 0; l < WIDE; l++)
            for (int k = 0; k < 4; k++)
                scale[l * 4 + k] = o->all || word[k][l] < o->bound ? 0 : o->scale;
        int64_t first = q * 4 * WIDE, n = gv_min64(4 * WIDE, count / o->per - first);
        if (o->per == 1) {
            GV_IVDEP
            for (int64_t i = 0; i < n; i++) /* 0 also where x is Inf or NaN */
                y[first + i] = ST(scale[i] == 0 ? 0 : LD(x[first + i]) * scale[i]);
        } else
            for (int64_t i = 0; i < n * o->per; i++)
                y[first * o->per + i] = ST(scale[i / o->per] == 0 ? 0 : LD(x[first * o->per + i]) * scale[i / o->per]);
    }
}

static int F(dropout_run)(const gv_call *c)
{
    const gv_dropout_attr *a = c->attr;
    F(dropout_args) o = { .c = c, .per = 1, .bound = bound_of(a->p), .all = a->p >= 1, .scale = (A)(1 / (1 - a->p)) };
    gv_rng_init(&o.r, c->run->seed, GV_RNG_DROPOUT, a->key, (uint32_t)c->run->step, (uint32_t)(c->run->step >> 32));
    if (a->per_sample)
        o.per = c->out[0].count / c->out[0].shape[0];
    int64_t pieces = c->out[0].count / o.per;
    gv_parallel((pieces + 4 * WIDE - 1) / (4 * WIDE), gv_row_grain(o.per * 4 * WIDE), F(dropout_body), &o);
    return GV_OK;
}
#endif
