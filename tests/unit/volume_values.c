/* volume_values: resampling against scipy, z-scores and windows against their formulas, turning axes. */
#include "common/rng.h"
#include "sample/sample.h"
#include "tests/unit/tap.h"
#include <math.h>
#include <stdlib.h>

static gv_arena arena;
static gv_err err;

static int numbers(FILE *f, float *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (fscanf(f, "%f", &to[i]) != 1)
            return -1;
    return 0;
}

static void resample(void)
{
    FILE *f = fopen("tests/golden/resample.txt", "r");
    gv_sample x;
    int64_t s[4];
    int order, cases = 0;
    ok(f && fscanf(f, "%ld %ld %ld %ld", &s[0], &s[1], &s[2], &s[3]) == 4 && gv_sample_init(&x, GV_F32T, 4, s, &arena, &err) == GV_OK && !numbers(f, x.data, gv_shape_count(s, 4)), "golden values are there");
    while (f && fscanf(f, "%d %ld %ld %ld", &order, &s[0], &s[1], &s[2]) == 4) {
        gv_sample want, have = x;
        double most = 0;
        if (gv_sample_init(&want, GV_F32T, 4, s, &arena, &err) < 0 || numbers(f, want.data, gv_shape_count(s, 4)) < 0)
            break;
        int r = gv_sample_resample(&have, s, order, &arena, &err);
        for (int64_t i = 0; r == GV_OK && i < gv_shape_count(s, 4); i++)
            most = fmax(most, fabs((double)((float *)have.data)[i] - (double)((float *)want.data)[i]));
        /* float32 between the axes; where scipy's ends of the filter differ from ours, 12 values outside, 1e-7 is left */
        ok(r == GV_OK && gv_shape_count(have.shape, 4) == gv_shape_count(s, 4) && most <= (order ? 2e-6 : 0), "order %d to %ld x %ld x %ld: at most %.1e from scipy", order, s[0], s[1], s[2], most);
        cases++;
    }
    ok(cases == 12, "%d cases", cases);
    if (f)
        fclose(f);
    gv_sample same = x;
    ok(gv_sample_resample(&same, x.shape, 3, &arena, &err) == GV_OK && same.data == x.data, "the same grid is left alone");
    gv_err_clear(&err);
    ok(gv_sample_resample(&same, x.shape, 2, &arena, &err) == GV_EUSAGE && strstr(err.text, "order 2"), "%s", err.text);
}

static void levels(void)
{
    float v[] = { -200, 3, -100, 0, 50, 7, 400, -1 };
    gv_sample x = { .dtype = GV_F32T, .ndim = 2, .shape = { 4, 2 }, .data = v };
    ok(gv_sample_levels(&x, -100, 300, &err) == GV_OK && v[0] == 0 && v[2] == 0 && v[4] == 0.375f && v[6] == 1 && v[1] == 0.2575f, "a window maps to 0 … 1 and cuts");
    gv_err_clear(&err);
    ok(gv_sample_levels(&x, 5, 5, &err) == GV_EUSAGE, "%s", err.text);
    float z[] = { 1, 0, 3, 4, 5, 0, 7, 8 };
    x.data = z;
    ok(gv_sample_zscore(&x, false, &err) == GV_OK && fabsf(z[0] + 3 / sqrtf(5)) < 1e-6f && fabsf(z[6] - 3 / sqrtf(5)) < 1e-6f && fabsf(z[1] + z[3] + z[5] + z[7]) < 1e-6f, "z-scores go by channel");
    float w[] = { 1, 0, 3, 4, 5, 0, 7, 8 };
    x.data = w;
    ok(gv_sample_zscore(&x, true, &err) == GV_OK && w[1] == 0 && w[5] == 0 && w[3] == -1 && w[7] == 1, "of what is not zero alone");
    float c[] = { 5, 5, 5, 5 };
    x.shape[0] = 2;
    x.data = c;
    ok(gv_sample_zscore(&x, false, &err) == GV_OK && c[0] == 0 && c[3] == 0, "a constant becomes 0, not NaN");
    float n[] = { 0, 1, INFINITY, NAN };
    x.data = n;
    gv_err_clear(&err);
    ok(gv_sample_finite(&x, &err) == GV_EDATA && strstr(err.text, "value 2 of 4 is infinite"), "%s", err.text);
    x.shape[0] = 1;
    ok(gv_sample_finite(&x, &err) == GV_OK, "numbers pass");
}

static void turn(void)
{
    uint16_t v[24];
    int bad = 0;
    for (int i = 0; i < 24; i++)
        v[i] = (uint16_t)i;
    static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    for (int o = 0; o < 6; o++)
        for (int f = 0; f < 8; f++) {
            gv_sample x = { .dtype = GV_U16, .ndim = 4, .shape = { 2, 3, 2, 2 }, .data = v };
            bool flip[3] = { f & 1, f & 2, f & 4 };
            bad += gv_sample_turn(&x, orders[o], flip, &arena, &err) < 0;
            const int64_t in[3] = { 2, 3, 2 };
            for (int64_t i = 0; i < 24; i++) {
                int64_t at[3] = { i / 2 / (x.shape[1] * x.shape[2]), i / 2 / x.shape[2] % x.shape[1], i / 2 % x.shape[2] }, from[3];
                for (int k = 0; k < 3; k++)
                    from[orders[o][k]] = flip[k] ? in[orders[o][k]] - 1 - at[k] : at[k];
                bad += ((uint16_t *)x.data)[i] != ((from[0] * 3 + from[1]) * 2 + from[2]) * 2 + i % 2;
            }
        }
    ok(!bad, "48 turns put every voxel in its place");
}

int main(void)
{
    if (gv_arena_init(&arena, "test", 64 << 20, &err) < 0)
        return 1;
    resample();
    levels();
    turn();
    gv_arena_release(&arena);
    return done();
}
