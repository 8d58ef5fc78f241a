/* noise: x + std * n, with n standard normal. Like dropout the draw depends on (seed, step, key, element) alone; in GV_EVAL it is the identity.
 * The gradient passes as it is. */
#ifndef T
#include "nn/internal.h"
#include "nn/ops/op.h"
#include "common/rng.h"

gv_val gv_noise(gv_graph *g, gv_val x, double std)
{
    if (!gv_op_ready(g, GV_OP_noise, &x, 1) || !gv_is_float(g, GV_OP_noise, x))
        return GV_NO_VAL;
    if (!(std >= 0 && std < INFINITY))
        return gv_graph_fail(g, "noise of deviation %g", std);
    if (g->phase == GV_EVAL || std == 0)
        return x;
    int twins = 0; /* two in one module draw differently */
    for (int i = 0; i < g->nnode; i++)
        twins += g->node[i]->op == GV_OP_noise && !strcmp(g->node[i]->path, g->path);
    gv_noise_attr a = { std, gv_hash_name(g->path) + (uint64_t)twins };
    return gv_op1(g, GV_OP_noise, &a, &x, 1, gv_class_of(g, x), gv_shape(g, x), gv_ndim(g, x));
}

static void gradient(gv_graph *g, const gv_node *n, const gv_val *dy, const bool *want, gv_val *dx)
{
    (void)g, (void)n, (void)want;
    dx[0] = dy[0];
}

#define GV_KERNELS "nn/ops/noise.c"
#include "nn/ops/types.h"

const gv_op gv_op_noise = {
    .name = "noise", .attr_size = sizeof(gv_noise_attr), .flags = GV_OP_ELEMENTWISE, .wants = "o",
    .gradient = gradient, GV_PLAIN(noise_run),
};
#else
typedef struct F(noise_args) { const gv_call *c; gv_rng r; double std; } F(noise_args);

/* Blocks of GV_RNG_MANY numbers, each from a stream that begins where the one before it ends. */
static void F(noise_body)(void *p, int64_t begin, int64_t end)
{
    const F(noise_args) *o = p;
    const T *x = o->c->x[0];
    T *y = o->c->y[0];
    for (int64_t q = begin; q < end; q++) {
        double v[GV_RNG_MANY];
        gv_rng r = o->r;
        r.ctr[0] += (uint32_t)(q * GV_RNG_MANY / 2); /* a call of Philox gives two numbers */
        gv_rng_normals(&r, v);
        for (int64_t i = q * GV_RNG_MANY, k = 0; k < GV_RNG_MANY && i < o->c->out[0].count; i++, k++)
            y[i] = ST((A)((double)LD(x[i]) + o->std * v[k]));
    }
}

static int F(noise_run)(const gv_call *c)
{
    const gv_noise_attr *a = c->attr;
    F(noise_args) o = { .c = c, .std = a->std };
    gv_rng_init(&o.r, c->run->seed, GV_RNG_NOISE, a->key, (uint32_t)c->run->step, (uint32_t)(c->run->step >> 32));
    gv_parallel((c->out[0].count + GV_RNG_MANY - 1) / GV_RNG_MANY, 64, F(noise_body), &o);
    return GV_OK;
}
#endif
