/* The float exp, erf and tanh of the kernels against libm's double ones, over their whole ranges. */
#include "nn/ops/math.h"
#include "tests/unit/tap.h"

/* Worst error of f over n points from lo to hi, relative to max(|value|, floor). */
static double worst(float (*f)(float), double (*g)(double), double lo, double hi, double floor)
{
    enum { N = 400000 };
    double w = 0;
    for (int i = 0; i <= N; i++) {
        float x = (float)(lo + (hi - lo) * i / N);
        double want = g((double)x), e = fabs((double)f(x) - want) / fmax(fabs(want), floor);
        w = e > w || e != e ? e : w;
    }
    return w;
}

int main(void)
{
    double e = worst(gv_expf, exp, -86.9, 88.7, 0);
    ok(e < 3e-7, "exp: relative error %.1e", e);
    e = worst(gv_erff, erf, -6, 6, 1e-30);
    ok(e < 2.5e-7, "erf: relative error %.1e", e);
    e = worst(gv_tanhf, tanh, -12, 12, 1e-30);
    ok(e < 3e-7, "tanh: relative error %.1e", e);
    e = worst(gv_erff, erf, -1e-3, 1e-3, 1e-30);
    ok(e < 2.5e-7, "erf near 0: relative error %.1e", e);
    e = worst(gv_tanhf, tanh, -1e-3, 1e-3, 1e-30);
    ok(e < 2.5e-7, "tanh near 0: relative error %.1e", e);
    ok(gv_expf(-1000) == 0 && gv_expf(-INFINITY) == 0 && isinf(gv_expf(89)) && isinf(gv_expf(INFINITY)) && gv_expf(0) == 1, "exp at the ends");
    ok(gv_erff(40) == 1 && gv_erff(-INFINITY) == -1 && gv_tanhf(100) == 1 && gv_tanhf(-INFINITY) == -1, "erf and tanh at the ends");
    ok(isnan(gv_expf(NAN)) && isnan(gv_erff(NAN)) && isnan(gv_tanhf(NAN)), "NaN stays NaN");
    return done();
}
