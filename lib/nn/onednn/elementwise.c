/*
 * unary and unary_grad where the plain kernels call libm once for each number: GELU and its tanh form. The rest is UNSUPPORTED
 * here, because the plain kernels are vectorised already.
 */
#ifndef T
#include "nn/onednn/gelu.h"
#include "nn/onednn/own.h"
#include "nn/onednn/vmath.h"
#include "nn/ops/attr.h"

/* (1 + tanh(u)) / 2 = 1 / (1 + e^(-2u)), the logistic function of 2u */
static inline float logistic(float x)
{
    return 1 / (1 + dn_exp(-x));
}

static inline float gelu(float x)
{
    float density, p = dn_phi(x, &density);
    return x * p;
}

static inline float gelu_slope(float x)
{
    float density, p = dn_phi(x, &density);
    return p + x * density;
}

/* Twice the argument of the tanh, sqrt(2/pi) (x + 0.044715 x^3) */
static inline float gelu_tanh(float x)
{
    return x * logistic(1.59576912f * (x + 0.044715f * x * x * x));
}

static inline float gelu_tanh_slope(float x)
{
    float s = logistic(1.59576912f * (x + 0.044715f * x * x * x));
    return s + x * s * (1 - s) * 1.59576912f * (1 + 3 * 0.044715f * x * x);
}

#define GV_KERNELS "nn/onednn/elementwise.c"
#include "nn/onednn/types.h"

int gv_onednn_unary(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_unary_attr *o = c->attr;
    bool wide = c->in[0].dtype == GV_F32T;
    if (!dn_real(&c->in[0]) || c->out[0].dtype != c->in[0].dtype)
        return GV_UNSUPPORTED;
    switch (o->kind) {
    case GV_GELU: return dn_gelu(ctx, c, k) == GV_OK ? GV_OK : dn_own(ctx, k, wide ? gelu_run_f32 : gelu_run_bf16, 0);
    case GV_GELU_TANH: return dn_own(ctx, k, wide ? gelu_tanh_run_f32 : gelu_tanh_run_bf16, 0);
    default: return GV_UNSUPPORTED;
    }
}

int gv_onednn_unary_grad(gv_onednn *ctx, const gv_call *c, gv_kernel *k, gv_err *err GV_UNUSED)
{
    const gv_unary_attr *o = c->attr;
    bool wide = c->in[0].dtype == GV_F32T;
    if (!dn_real(&c->in[0]) || c->in[1].dtype != c->in[0].dtype || c->out[0].dtype != c->in[0].dtype)
        return GV_UNSUPPORTED;
    switch (o->kind) {
    case GV_GELU: return dn_gelu_grad(ctx, c, k) == GV_OK ? GV_OK : dn_own(ctx, k, wide ? gelu_grad_f32 : gelu_grad_bf16, 0);
    case GV_GELU_TANH: return dn_own(ctx, k, wide ? gelu_tanh_grad_f32 : gelu_tanh_grad_bf16, 0);
    default: return GV_UNSUPPORTED;
    }
}
#else

#define LOOP(name, e)                                                             \
    GV_HOT static void F(onednn_##name)(void *p, int64_t begin, int64_t end)      \
    {                                                                             \
        const gv_call *c = p;                                                     \
        const T *x = c->x[0], *dy = c->x[1];                                      \
        T *y = c->y[0];                                                           \
        (void)dy;                                                                 \
        GV_IVDEP                                                                  \
        for (int64_t i = begin; i < end; i++)                                     \
            y[i] = ST(e);                                                         \
    }                                                                             \
    static int F(name)(const gv_call *c)                                          \
    {                                                                             \
        gv_parallel(c->out[0].count, 16384, F(onednn_##name), (void *)(uintptr_t)c); \
        return GV_OK;                                                             \
    }

LOOP(gelu_run, gelu(LD(x[i])))
LOOP(gelu_grad, gelu_slope(LD(x[i])) * LD(dy[i]))
LOOP(gelu_tanh_run, gelu_tanh(LD(x[i])))
LOOP(gelu_tanh_grad, gelu_tanh_slope(LD(x[i])) * LD(dy[i]))
#undef LOOP
#endif
