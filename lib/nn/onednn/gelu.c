/*
 * GELU x P(x), P the normal distribution function, and its slope P(x) + x p(x), without an exponential or a division: both minus a
 * half are odd, so they are x times a polynomial in x^2, and what x^2 goes through is short: beyond CUT they have arrived at 0 or 1.
 * The polynomials interpolate at Chebyshev nodes of [0, CUT^2] and are evaluated about its middle, s = 2 x^2 / CUT^2 - 1, where their
 * coefficients are small: absolute error of P 1.1e-7, of the slope 2.2e-7 (float, all of its range; below -CUT both are 0).
 */
#ifndef VEC
#include "nn/onednn/gelu.h"
#include "nn/onednn/own.h"
#include "nn/onednn/simd.h"

#ifdef DN_SIMD
enum { GELU_TERMS = 16, SLOPE_TERMS = 18 };
#define GELU_CUT 5.5f
#define SLOPE_CUT 5.75f

static const float gelu_terms[GELU_TERMS] = {
    0.1285519295f, -0.064172325f, 0.04773778316f, -0.03879340558f, 0.03206742816f, -0.02604036884f, 0.02038357138f, -0.01504235102f,
    0.01016775549f, -0.006700172242f, 0.004718356385f, -0.002593710551f, 0.000643707784f, -0.0004001957678f, 0.0006551481797f, -0.0002740660155f,
};
static const float slope_terms[SLOPE_TERMS] = {
    0.1230718278f, -0.06228144746f, 0.0493666827f, -0.04729194245f, 0.05171924098f, -0.05956195372f, 0.06664152666f, -0.07030834117f, 0.06987261157f,
    -0.06037293389f, 0.04203031344f, -0.03279540279f, 0.03314116346f, -0.01875075195f, 0.0001036432557f, -0.001252735895f, 0.006473533443f, -0.002848493105f,
};

#define GV_SIMD "nn/onednn/gelu.c"
#include "nn/onednn/simd.h"

static gv_body *const forward[DN_ISAS][2] = DN_EACH(gelu_rows);
static gv_body *const backward[DN_ISAS][2] = DN_EACH(gelu_grad_rows);

static int spread(const gv_call *c, gv_body *const bodies[DN_ISAS][2])
{
    gv_parallel(c->out[0].count, 16384, bodies[dn_isa()][c->in[0].dtype == GV_BF16], (void *)(uintptr_t)c);
    return GV_OK;
}

static int run(const gv_call *c)
{
    return spread(c, forward);
}

static int run_grad(const gv_call *c)
{
    return spread(c, backward);
}

int dn_gelu(gv_onednn *ctx, const gv_call *c GV_UNUSED, gv_kernel *k)
{
    return dn_isa() < 0 ? GV_UNSUPPORTED : dn_own(ctx, k, run, 0);
}

int dn_gelu_grad(gv_onednn *ctx, const gv_call *c GV_UNUSED, gv_kernel *k)
{
    return dn_isa() < 0 ? GV_UNSUPPORTED : dn_own(ctx, k, run_grad, 0);
}
#else
int dn_gelu(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED) { return GV_UNSUPPORTED; }
int dn_gelu_grad(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED) { return GV_UNSUPPORTED; }
#endif
#else

DN_ALWAYS TARGET VEC F(odd)(VEC x, const float *terms, const int n, float cut)
{
    VEC z = MIN(SET1(cut), MAX(SET1(-cut), x)), s = MULADD(MUL(z, SET1(2 / (cut * cut))), z, SET1(-1)), p = SET1(terms[n - 1]);
#pragma GCC unroll 20
    for (int i = n - 2; i >= 0; i--)
        p = MULADD(p, s, SET1(terms[i]));
    return FROM(x, SET1(-cut), MULADD(p, z, SET1(0.5f)));
}

DN_ALWAYS TARGET VEC F(gelu)(VEC x)
{
    return MUL(x, F(odd)(x, gelu_terms, GELU_TERMS, GELU_CUT));
}

DN_ALWAYS TARGET VEC F(slope)(VEC x)
{
    return F(odd)(x, slope_terms, SLOPE_TERMS, SLOPE_CUT);
}

TARGET static void F(gelu_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const T *x = c->x[0];
    T *y = c->y[0];
    int64_t i = begin;
    for (; i + 2 * VL <= end; i += 2 * VL) {
        AHEAD(x + i, 2 * VL);
        STORE(y + i, F(gelu)(LOAD(x + i)));
        STORE(y + i + VL, F(gelu)(LOAD(x + i + VL)));
    }
    for (; i + VL <= end; i += VL)
        STORE(y + i, F(gelu)(LOAD(x + i)));
    if (i < end)
        STOREN(y + i, F(gelu)(LOADN(x + i, end - i)), end - i);
}

TARGET static void F(gelu_grad_rows)(void *p, int64_t begin, int64_t end)
{
    const gv_call *c = p;
    const T *x = c->x[0], *dy = c->x[1];
    T *dx = c->y[0];
    int64_t i = begin;
    for (; i + 2 * VL <= end; i += 2 * VL) {
        AHEAD(x + i, 2 * VL);
        AHEAD(dy + i, 2 * VL);
        STORE(dx + i, MUL(F(slope)(LOAD(x + i)), LOAD(dy + i)));
        STORE(dx + i + VL, MUL(F(slope)(LOAD(x + i + VL)), LOAD(dy + i + VL)));
    }
    for (; i + VL <= end; i += VL)
        STORE(dx + i, MUL(F(slope)(LOAD(x + i)), LOAD(dy + i)));
    if (i < end)
        STOREN(dx + i, MUL(F(slope)(LOADN(x + i, end - i)), LOADN(dy + i, end - i)), end - i);
}
#endif
