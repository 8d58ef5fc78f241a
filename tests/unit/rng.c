/* Numbers by the block are those of the stream one by one: uniforms exactly, normals to a few units in the last place. */
#include "common/rng.h"
#include "tests/unit/tap.h"
#include <math.h>
#include <time.h>

int main(void)
{
    gv_rng one, many;
    double v[GV_RNG_MANY], worst = 0, sum = 0, square = 0, fourth = 0;
    int wrong = 0, blocks = 4000, not_finite = 0;
    gv_rng_init(&one, 7, GV_RNG_TEST, 0x123456789abcdef, 3, 0);
    many = one;
    for (int i = 0; i < 500; i++) {
        gv_rng_uniforms(&many, v);
        for (int k = 0; k < GV_RNG_MANY; k++)
            wrong += v[k] != gv_rng_uniform(&one);
    }
    ok(!wrong, "uniforms are the same");
    gv_rng_init(&one, 8, GV_RNG_TEST, 5, 0, 0);
    many = one;
    for (int i = 0; i < blocks; i++) {
        gv_rng_normals(&many, v);
        for (int k = 0; k < GV_RNG_MANY; k++) {
            double want = gv_rng_normal(&one), d = fabs(v[k] - want) / (fabs(want) + 1e-2); /* near 0 the angle's own rounding decides */
            worst = d > worst ? d : worst;
            not_finite += !isfinite(v[k]);
            sum += v[k];
            square += v[k] * v[k];
            fourth += v[k] * v[k] * v[k] * v[k];
        }
    }
    double n = (double)blocks * GV_RNG_MANY;
    ok(worst < 1e-12 && !not_finite, "normals are the same to %.1e", worst);
    ok(fabs(sum / n) < 5 / sqrt(n) && fabs(square / n - 1) < 5 * sqrt(2 / n) && fabs(fourth / n - 3) < 5 * sqrt(96 / n), "of mean 0 (%.4f), deviation 1 (%.4f), kurtosis 3 (%.4f)", sum / n, square / n, fourth / n);
    return done();
}
