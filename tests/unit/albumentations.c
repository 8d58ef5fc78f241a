/* The units of default_2d_4 against albumentations, their numbers given: bytes exactly, floats to rounding (scripts/golden/augment.py made the
 * values); and what they refuse. */
#include "augment/albumentations.h"
#include "augment/augment.h"
#include "tests/unit/picture.h"
#include "tests/unit/tap.h"
#include <math.h>

static gv_arena scratch;
static gv_err err;

static double table_normal(size_t i)
{
    return ((double)(i * 37 % 4001) - 2000) / 500;
}

static int change_as_given(const char *what, const double *v, gv_sample *x)
{
    size_t n = (size_t)gv_shape_count(x->shape, x->ndim);
    if (!strcmp(what, "jitter")) {
        int64_t order[4] = { (int64_t)v[4], (int64_t)v[5], (int64_t)v[6], (int64_t)v[7] };
        return gv_color_jitter(x, v, order, &err);
    }
    if (!strcmp(what, "blur")) {
        float weight[2 * GV_MAX_BLUR + 1];
        gv_gaussian_kernel(v[0], (int)v[1], weight);
        return gv_opencv_blur(x, weight, (int)v[1], &scratch, &err);
    }
    double *z = gv_arena_alloc(&scratch, n * sizeof *z, &err);
    for (size_t i = 0; z && i < n; i++)
        z[i] = table_normal(i);
    if (z)
        gv_gauss_noise(x->data, x->dtype, z, n, v[0]);
    return z ? GV_OK : GV_ESYS;
}

/* A picture of bytes as floats from 0 to 1. */
static int as_floats(gv_sample *x)
{
    gv_sample y;
    int r = gv_sample_init(&y, GV_F32T, x->ndim, x->shape, &scratch, &err);
    size_t n = gv_sample_bytes(x);
    for (size_t i = 0; r == GV_OK && i < n; i++)
        ((float *)y.data)[i] = (float)((uint8_t *)x->data)[i] / 255.0f;
    if (r == GV_OK)
        *x = y;
    return r;
}

/* "jitter u8 h w c numbers… crc", or "… f32 … 24 values". */
static void as_albumentations(const char *line)
{
    char what[16], type[8];
    long h, w, c;
    int at = 0;
    double v[8], worst = 0;
    gv_sample x;
    gv_arena_reset(&scratch);
    if (sscanf(line, "%15s %7s %ld %ld %ld%n", what, type, &h, &w, &c, &at) != 5) {
        ok(0, "golden line is read: %s", line);
        return;
    }
    int n = !strcmp(what, "jitter") ? 8 : !strcmp(what, "blur") ? 2 : 1;
    char *p = (char *)line + at;
    for (int i = 0; i < n; i++)
        v[i] = strtod(p, &p);
    bool floats = !strcmp(type, "f32");
    int r = picture(&x, h, w, c, &scratch, &err);
    if (r == GV_OK && floats)
        r = as_floats(&x);
    if (r == GV_OK)
        r = change_as_given(what, v, &x);
    size_t size = (size_t)(h * w * c);
    for (size_t i = 0; i < 24 && floats && r == GV_OK; i++) {
        double d = fabs(strtod(p, &p) - (double)((float *)x.data)[i * 7919 % size]);
        worst = d <= worst ? worst : d;
    }
    double gain = n == 8 ? fmax(1, v[0] * v[1] * v[2]) : 1; /* later factors enlarge what an earlier change rounded */
    bool same = r == GV_OK && (floats ? worst < 1e-6 * gain : digest(&x) == strtoul(p, NULL, 10));
    ok(same, "%s %s of %ld x %ld x %ld, %g %g %s", what, type, h, w, c, v[0], n > 1 ? v[1] : 0.0, r < 0 ? err.text : "");
    if (!same)
        printf("# %s# largest difference %g\n", line, worst);
}

static void golden(void)
{
    char line[1000];
    FILE *f = fopen("tests/golden/augment/albumentations.txt", "r");
    int lines = 0;
    while (f && fgets(line, sizeof line, f)) {
        as_albumentations(line);
        lines++;
    }
    ok(lines > 150, "%d golden values of albumentations are there", lines);
    if (f)
        fclose(f);

    static const gv_dtype types[] = { GV_U16, GV_F16 };
    for (const char *const *u = (const char *const[]){ "color_jitter", "gaussian_blur", "gauss_noise", NULL }; *u; u++) {
        const gv_augment *a = gv_augment_find(*u);
        gv_rng rng;
        int refused = 0;
        gv_arena_reset(&scratch);
        void *params = a ? gv_arena_alloc(&scratch, a->params_size, &err) : NULL;
        for (int i = 0; i < 20 && params && gv_fields_default(a->fields, params, &scratch, &err) == GV_OK; i++) {
            gv_sample x;
            gv_rng_init(&rng, 1, GV_RNG_TEST, (uint64_t)i, 0, 0);
            gv_err_clear(&err);
            refused += gv_sample_init(&x, types[i % 2], 3, (int64_t[]){ 4, 4, 3 }, &scratch, &err) == GV_OK && a->apply(params, &x, &rng, &scratch, &err) == GV_EDATA && strstr(err.text, "8-bit and float32");
        }
        ok(refused == 20, "%s refuses other types always, not by chance: %s", *u, err.text);
    }
    gv_sample x;
    gv_arena_reset(&scratch);
    gv_err_clear(&err);
    ok(picture(&x, 8, 8, 4, &scratch, &err) == GV_OK && gv_opencv_hue(&x, 0.1, &err) == GV_EDATA && strstr(err.text, "this one has 4"), "%s", err.text);
}

int main(void)
{
    if (gv_arena_init(&scratch, "scratch", 64 << 20, &err) < 0)
        return 1;
    golden();
    gv_arena_release(&scratch);
    return done();
}
