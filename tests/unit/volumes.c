/* The units for volumes and the arithmetic behind them: against batchgeneratorsv2 with every random number given (scripts/golden/volumes.py made the
 * values); what they draw; the policies made of them; what they refuse. */
#include "augment/volumes.h"
#include "tests/unit/tap.h"
#include <math.h>

static gv_arena scratch;
static gv_err err;

/* The volume of scripts/golden/volumes.py. */
static float formula(int64_t z, int64_t y, int64_t x, int64_t k)
{
    return (float)((x * 3 + y * 2 + z * 5 + k * 40 + ((x / 3 + y / 3 + z / 2) % 2) * 60 + (x * y + z) % 23 * (1 + k)) % 256) / 16 - 5;
}

static int volume(gv_sample *s, int ndim, const int64_t *shape)
{
    int r = gv_sample_init(s, GV_F32T, ndim, shape, &scratch, &err);
    float *p = r < 0 ? NULL : s->data;
    int64_t d = ndim == 4 ? shape[0] : 1, h = shape[ndim - 3], w = shape[ndim - 2], c = shape[ndim - 1];
    for (int64_t i = 0; p && i < d * h * w * c; i++)
        p[i] = formula(i / (h * w * c), i / (w * c) % h, i / c % w, i % c);
    return r;
}

static int apply_all(const char *what, const double *g, gv_sample *x)
{
    int axes = x->ndim - 1, lead = 3 - axes, r = GV_OK;
    int64_t channels = x->shape[axes], first[3] = { 0 }, size[3] = { 1, 1, 1 };
    double of_axis[3] = { g[0], g[1], g[2] };
    gv_bump b = { .scale = { 1, 1, 1 } };
    for (int a = lead; a < 3; a++) { /* axes of images stand first in the file */
        b.centre[a] = g[a - lead];
        b.scale[a] = g[3 + a - lead];
        first[a] = (int64_t)g[a - lead];
        size[a] = (int64_t)g[3 + a - lead];
    }
    for (int64_t c = 0; c < channels && r == GV_OK; c++) {
        gv_volume v;
        if ((r = gv_volume_of(x, c, &v, &scratch, &err)) < 0)
            return r;
        if (!strcmp(what, "blur"))
            r = gv_volume_blur(&v, of_axis, &scratch, &err);
        else if (!strcmp(what, "median"))
            r = gv_volume_median(&v, (int)g[0], &scratch, &err);
        else if (!strcmp(what, "sharpen"))
            r = gv_volume_sharpen(&v, g[0], &scratch, &err);
        else if (!strcmp(what, "low"))
            r = gv_volume_low_resolution(&v, of_axis, &scratch, &err);
        else if (!strcmp(what, "gradient"))
            r = gv_volume_add_bump(&v, &b, g[6], &scratch, &err);
        else if (!strcmp(what, "local_gamma"))
            r = gv_volume_local_gamma(&v, &b, g[6], &scratch, &err);
        else if (!strcmp(what, "brightness"))
            gv_volume_scale_add(&v, (float)g[0], (float)g[1]);
        else if (!strcmp(what, "contrast"))
            gv_volume_contrast(&v, g[0], g[1] != 0);
        else if (!strcmp(what, "gamma"))
            gv_volume_gamma(&v, g[0], g[1] != 0, g[2] != 0);
        else if (!strcmp(what, "blank"))
            gv_volume_blank(&v, first, size);
        else
            r = gv_fail(&err, GV_EINTERNAL, "unknown '%s'", what);
        gv_volume_back(&v, x, c);
    }
    return r;
}

static int as_given(const char *what, const double *g, gv_sample *x)
{
    int axes = x->ndim - 1, order[GV_MAX_DIMS] = { 0, 1, 2 };
    bool flip[GV_MAX_DIMS] = { false };
    int64_t size[3];
    double m[9];
    if (!strcmp(what, "affine")) {
        bool plane = g[0] != 0;
        for (int a = 0; a < 3; a++)
            size[a] = (int64_t)g[7 + a];
        gv_affine_matrix(plane ? 2 : axes, g + 1, g + 4, m);
        return gv_sample_affine(x, m, plane, size, &scratch, &err);
    }
    if (!strcmp(what, "center")) {
        for (int a = 0; a < 3; a++)
            size[a] = (int64_t)g[a];
        return gv_sample_center(x, size, &scratch, &err);
    }
    if (!strcmp(what, "mirror")) {
        for (int a = 0; a < axes; a++)
            flip[a] = g[a] != 0;
        return gv_sample_reorder(x, order, flip, &scratch, &err);
    }
    if (!strcmp(what, "rot90")) {
        gv_quarter_turns(axes, (int)g[0], (int)g[1], (int)g[2], order, flip);
        return gv_sample_reorder(x, order, flip, &scratch, &err);
    }
    if (!strcmp(what, "transpose")) {
        for (int a = 0; a < 3; a++)
            order[a] = (int)g[a];
        return gv_sample_reorder(x, order, flip, &scratch, &err);
    }
    if (!strcmp(what, "noise")) {
        int64_t n = gv_shape_count(x->shape, x->ndim);
        double *z = gv_arena_alloc(&scratch, (size_t)n * sizeof *z, &err);
        for (int64_t i = 0; z && i < n; i++)
            z[i] = (double)(i * 37 % 4001 - 2000) / 500;
        if (z)
            gv_volume_add_noise(x->data, z, n, (float)g[0]);
        return z ? GV_OK : GV_ESYS;
    }
    return apply_all(what, g, x);
}

static int64_t whole(char **p)
{
    return strtoll(*p, p, 10);
}

/* "what axes shape… n numbers… axes' shape… range values…" */
static void as_batchgenerators(char *line)
{
    char *p = strchr(line, ' ');
    int64_t shape[4], want[4];
    double g[16] = { 0 }, worst = 0;
    gv_sample x;
    gv_arena_reset(&scratch);
    *p++ = 0;
    int ndim = (int)whole(&p) + 1;
    for (int a = 0; a < ndim; a++)
        shape[a] = whole(&p);
    int64_t n = whole(&p);
    for (int64_t i = 0; i < n && i < 16; i++)
        g[i] = strtod(p, &p);
    int got = (int)whole(&p) + 1;
    for (int a = 0; a < got; a++)
        want[a] = whole(&p);
    double range = strtod(p, &p);
    int r = volume(&x, ndim, shape);
    r = r < 0 ? r : as_given(line, g, &x);
    bool same = r == GV_OK && x.ndim == got && !memcmp(x.shape, want, (size_t)got * sizeof *want);
    int64_t all = gv_shape_count(x.shape, x.ndim);
    for (int64_t i = 0; i < 24 && same; i++) {
        double d = fabs(strtod(p, &p) - (double)((float *)x.data)[i * 7919 % all]);
        worst = d <= worst ? worst : d;
    }
    /* float against float: sums in another order, places to a few 1e-6 of a voxel */
    ok(same && worst <= 1e-5 * range, "%s of %lld x %lld… (%g %g %g): %.1e of the range %s", line, (long long)shape[0], (long long)shape[1], g[0], g[1], g[2], worst / range,
       r < 0 ? err.text : "");
}

static void golden(void)
{
    FILE *f = fopen("tests/golden/augment/volumes.txt", "r");
    char line[2048];
    int n = 0;
    for (; f && fgets(line, sizeof line, f); n++)
        as_batchgenerators(line);
    if (f)
        fclose(f);
    ok(n > 300, "%d golden lines", n);
}

/* ---- the median where values are many: against sorting ---- */

static int order(const void *a, const void *b)
{
    float d = *(const float *)a - *(const float *)b;
    return d < 0 ? -1 : d > 0;
}

static void median_by_sorting(void)
{
    int64_t n[3] = { 7, 9, 70 };
    gv_sample x, y;
    gv_volume v;
    gv_rng rng;
    float window[343], worst = 0;
    gv_arena_reset(&scratch);
    gv_rng_init(&rng, 1, GV_RNG_TEST, 0, 0, 0);
    if (gv_sample_init(&x, GV_F32T, 4, (int64_t[]){ n[0], n[1], n[2], 1 }, &scratch, &err) < 0)
        return;
    for (int64_t i = 0; i < n[0] * n[1] * n[2]; i++)
        ((float *)x.data)[i] = (float)gv_rng_normal(&rng);
    for (int size = 2; size <= 7; size++) {
        if (gv_sample_copy(&x, &y, &scratch, &err) < 0 || gv_volume_of(&y, 0, &v, &scratch, &err) < 0 || gv_volume_median(&v, size, &scratch, &err) < 0)
            return;
        for (int64_t i = 0; i < n[0] * n[1] * n[2]; i += 11) {
            int64_t at[3] = { i / (n[1] * n[2]), i / n[2] % n[1], i % n[2] };
            int m = 0;
            for (int k = 0; k < size * size * size; k++) {
                int64_t d[3] = { k / (size * size), k / size % size, k % size }, j = 0;
                for (int a = 0; a < 3; a++)
                    j = j * n[a] + gv_border_index(GV_BORDER_REFLECT, at[a] + d[a] - size / 2, n[a]);
                window[m++] = ((float *)x.data)[j];
            }
            qsort(window, (size_t)m, sizeof *window, order);
            worst = fmaxf(worst, fabsf(window[m / 2] - v.v[i]));
        }
        ok(worst < 2e-4f, "median over %d^3 of normal numbers, against sorting: %.1e", size, (double)worst);
    }
    ((float *)x.data)[5] = NAN;
    ok(gv_volume_of(&x, 0, &v, &scratch, &err) == GV_OK && gv_volume_median(&v, 3, &scratch, &err) == GV_OK && isfinite(v.v[400]), "a volume with a NaN in it");
}

/* ---- policies ---- */

static gv_pipeline *resolve(gv_policy_request *q)
{
    gv_pipeline *p = NULL;
    err = (gv_err){ 0 };
    return gv_policy_resolve(q, &p, &scratch, &err) < 0 ? NULL : p;
}

static gv_pipeline *with_kwargs(const char *policy, size_t n, const char **key, const char **json)
{
    gv_policy_request q = { .spatial_dims = 3, .train = true, .policy = policy, .kwargs = { n, key, json } };
    return resolve(&q);
}

static void policies(void)
{
    static const char *const names[] = { "shared_default_3d", "default_3d_1", "default_3d_2", "default_3d_3", "default_3d_4", "default_nnunet", "default_nnunet_DA5" };
    static const int steps[] = { 1, 1, 2, 4, 7, 9, 19 };
    gv_arena_reset(&scratch);
    for (size_t i = 0; i < GV_COUNT(names); i++) {
        int64_t patch[3] = { 12, 14, 10 }, shape[4] = { 16, 13, 12, 2 };
        gv_policy_request q = { .spatial_dims = 3, .policy = names[i], .train = true, .patch_size = { 3, patch } };
        gv_pipeline *p = resolve(&q);
        ok(p && (int)p->n == steps[i] && p->axes == 3 && !memcmp(p->side, patch, sizeof patch) && !p->image_size, "%s: %d steps, its patch %s", names[i], steps[i], err.text);
        bool good = p != NULL;
        size_t differ = 0;
        gv_sample first = { 0 };
        for (int64_t k = 0; k < 20 && good; k++) {
            gv_sample x, y;
            good = volume(&x, 4, shape) == GV_OK && volume(&y, 4, shape) == GV_OK && gv_pipeline_apply(p, &x, 7, 0, k, 0, &scratch, &err) == GV_OK &&
                   gv_pipeline_apply(p, &y, 7, 0, k, 0, &scratch, &err) == GV_OK && x.ndim == 4 && !memcmp(x.shape, patch, sizeof patch) && x.shape[3] == 2 &&
                   !memcmp(x.data, y.data, gv_sample_bytes(&x));
            differ += k && good && memcmp(x.data, first.data, gv_sample_bytes(&x)) != 0;
            first = k ? first : x;
        }
        ok(good && (i < 2 ? differ == 0 : differ > 10), "%s: the patch comes out, the same for the same sample, another for %zu of 19 others %s", names[i], differ, err.text);
    }
    int64_t two[2] = { 8, 8 }, one[1] = { 24 };
    gv_policy_request q = { .spatial_dims = 3, .policy = "default_3d_2", .train = true, .patch_size = { 2, two } };
    ok(!resolve(&q) && strstr(err.text, "3 spatial axes"), "two numbers for three axes: %s", err.text);
    q.patch_size = (gv_ints){ 1, one };
    gv_pipeline *p = resolve(&q);
    ok(p && p->side[2] == 24 && !strcmp(p->value[0], "24,24,24"), "one number counts for all axes");
    p = with_kwargs("default_3d_2", 1, (const char *[]){ "patch_size" }, (const char *[]){ "[4, 5, 6]" });
    ok(p && p->side[0] == 4 && p->side[1] == 5 && p->side[2] == 6, "the patch from train_kwargs %s", err.text);
    ok(!with_kwargs("default_3d_2", 1, (const char *[]){ "patch_size" }, (const char *[]){ "[4, 5]" }) && strstr(err.text, "patch_size"), "two numbers there: %s", err.text);
    ok(!with_kwargs("default_3d_2", 1, (const char *[]){ "rotation" }, (const char *[]){ "far" }), "a word for an angle: %s", err.text);
    q.image_size = 32;
    ok(!resolve(&q) && strstr(err.text, "patch_size"), "image_size is not for volumes: %s", err.text);
    q = (gv_policy_request){ .spatial_dims = 3, .train = true, .policy = "default_3d_3", .encoder.patch_size = { 1, one } };
    p = resolve(&q);
    ok(p && p->side[1] == 24, "the patch an encoder brings");
}

/* All chances 0: the middle of the sample in its own type, whatever the policy. */
static void untouched(void)
{
    const char *key[32], *json[32];
    gv_policy_request q = { .spatial_dims = 3, .train = true, .policy = "default_nnunet_DA5", .patch_size = { 1, (int64_t[]){ 8 } } };
    gv_arena_reset(&scratch);
    gv_pipeline *p = resolve(&q);
    static const char *const chances[] = { "p_rotation", "p_scale", "rot90", "transpose", "median", "blur", "noise", "brightness", "contrast", "low", "gamma_inverted", "mirror", "blank", "gradient", "local_gamma", "sharpening" };
    for (size_t i = 0; i < GV_COUNT(chances); i++) {
        key[i] = chances[i];
        json[i] = "0";
    }
    q.kwargs = (gv_dict){ GV_COUNT(chances), key, json };
    p = resolve(&q);
    gv_sample x, y;
    bool good = p && gv_sample_init(&x, GV_U16, 4, (int64_t[]){ 10, 8, 12, 1 }, &scratch, &err) == GV_OK;
    for (int i = 0; good && i < 960; i++)
        ((uint16_t *)x.data)[i] = (uint16_t)i;
    y = x;
    good = good && gv_pipeline_apply(p, &y, 1, 2, 3, 0, &scratch, &err) == GV_OK;
    for (int i = 0; good && i < 512; i++)
        good = (int)((float *)y.data)[i] == (i / 64 + 1) * 96 + i / 8 % 8 * 12 + i % 8 + 2;
    ok(good && y.dtype == GV_F32T, "with every chance 0 the middle comes out as it was, as float32: a stream has one type %s", err.text);
    q = (gv_policy_request){ .spatial_dims = 3, .policy = "default_3d_1", .patch_size = q.patch_size };
    p = resolve(&q);
    y = x;
    ok(p && gv_pipeline_apply(p, &y, 1, 2, 3, 0, &scratch, &err) == GV_OK && y.dtype == GV_U16 && ((uint16_t *)y.data)[0] == 98, "default_3d_1 keeps the type");
}

/* ---- what units draw ---- */

static void make_unit(const char *name, const gv_augment **u, void **params)
{
    *u = gv_augment_find(name);
    *params = gv_arena_alloc(&scratch, (*u)->params_size, &err);
    if (gv_fields_default((*u)->fields, *params, &scratch, &err) < 0)
        ok(0, "%s has defaults: %s", name, err.text);
}

static void set_field(const gv_augment *u, void *params, const char *name, const char *value)
{
    const gv_field *f = gv_field_find(u->fields, name, strlen(name));
    if (!f || gv_field_set(f, params, name, &value, 1, &scratch, &err) < 0)
        ok(0, "%s has a field %s %s", u->name, name, err.text);
}

/* The unit with p 1 does what the arithmetic does with the numbers replayed, to the channels it draws. */
static void channels_are_drawn(void)
{
    const gv_augment *u;
    void *o;
    gv_sample x, y;
    int64_t shape[4] = { 8, 9, 10, 4 };
    int blurred = 0, kept = 0;
    bool same = true;
    gv_arena_reset(&scratch);
    make_unit("blur", &u, &o);
    set_field(u, o, "p", "1");
    for (uint64_t i = 0; i < 10; i++) {
        gv_rng rng, again;
        gv_rng_init(&rng, 3, GV_RNG_TEST, i, 0, 0);
        again = rng;
        if (volume(&x, 4, shape) < 0 || volume(&y, 4, shape) < 0 || u->apply(o, &x, &rng, &scratch, &err) < 0) {
            ok(0, "blur runs: %s", err.text);
            return;
        }
        (void)gv_rng_uniform(&again);
        for (int c = 0; c < 4; c++) {
            gv_volume v;
            double sigma[3];
            if (gv_rng_uniform(&again) >= 0.5) {
                kept++;
                continue;
            }
            for (int a = 0; a < 3; a++)
                sigma[a] = gv_rng_range(&again, 0.5, 1);
            same = same && gv_volume_of(&y, c, &v, &scratch, &err) == GV_OK && gv_volume_blur(&v, sigma, &scratch, &err) == GV_OK;
            gv_volume_back(&v, &y, c);
            blurred++;
        }
        same = same && !memcmp(x.data, y.data, gv_sample_bytes(&x));
    }
    ok(same && blurred > 5 && kept > 5, "blur: each channel by its own draws (%d blurred, %d kept)", blurred, kept);
    set_field(u, o, "p", "0");
    gv_rng rng;
    gv_rng_init(&rng, 3, GV_RNG_TEST, 0, 0, 0);
    ok(volume(&x, 4, shape) == GV_OK && volume(&y, 4, shape) == GV_OK && u->apply(o, &x, &rng, &scratch, &err) == GV_OK && !memcmp(x.data, y.data, gv_sample_bytes(&x)), "p 0 leaves it alone");
}

static void ranges(void)
{
    gv_rng rng;
    int below = 0;
    bool good = true;
    gv_volume v = { .axes = 3, .n = { 12, 60, 3 } };
    gv_rng_init(&rng, 5, GV_RNG_TEST, 0, 0, 0);
    for (int i = 0; i < 4000; i++) {
        double f = gv_rng_balanced(&rng, 0.5, 2);
        gv_bump b = { 0 };
        below += f < 1;
        good = good && f >= 0.5 && f < 2;
        gv_draw_bump(&v, &rng, &b);
        for (int a = 0; a < 3; a++)
            good = good && b.centre[a] >= -0.5 * (double)v.n[a] && b.centre[a] < 1.5 * (double)v.n[a] && b.scale[a] >= fmax(1, floor((double)v.n[a] / 6)) && b.scale[a] <= (double)v.n[a];
    }
    ok(good && below > 1850 && below < 2150, "half of the factors lie below 1 (%d of 4000)", below);
    for (int i = 0; i < 100; i++)
        good = good && gv_rng_balanced(&rng, 1.2, 1.5) >= 1.2;
    ok(good, "a range above 1 has no lower half");
}

/* one_of: about half of the samples each, by the policy's own numbers. */
static void one_of(void)
{
    static const gv_policy_step steps[] = { { "one_of", "of=2" }, { "brightness", "factor_min=2 factor_max=2 p=1" }, { "brightness_additive", "mean=100 deviation=0 p=1 p_channel=1" },
                                            { "brightness_additive", "mean=1 deviation=0 p=1 p_channel=1" }, { NULL, NULL } };
    static const gv_policy own[] = { { .name = "choice", .keys = "", .steps = steps }, { .name = NULL } };
    static const gv_policy_step few[] = { { "one_of", "of=2" }, { "mirror", "p=1" }, { NULL, NULL } };
    static const gv_policy lacking[] = { { .name = "choice", .keys = "", .steps = few }, { .name = NULL } };
    gv_policy_request q = { .spatial_dims = 3, .own = own, .policy = "choice", .train = true };
    int doubled = 0, added = 0;
    gv_arena_reset(&scratch);
    gv_pipeline *p = resolve(&q);
    for (int64_t i = 0; p && i < 200; i++) {
        gv_sample x;
        if (gv_sample_init(&x, GV_F32T, 3, (int64_t[]){ 1, 1, 1 }, &scratch, &err) < 0)
            break;
        *(float *)x.data = 3;
        if (gv_pipeline_apply(p, &x, 1, 0, i, 0, &scratch, &err) < 0)
            break;
        doubled += *(float *)x.data == 7;
        added += *(float *)x.data == 104;
    }
    ok(doubled + added == 200 && doubled > 70 && added > 70, "one of two steps, then the step behind them: %d and %d of 200", doubled, added);
    q.own = lacking;
    ok(!resolve(&q) && strstr(err.text, "one_of"), "too few steps behind it: %s", err.text);
}

static void refusals(void)
{
    const gv_augment *u;
    void *o;
    gv_sample x;
    gv_rng rng;
    gv_arena_reset(&scratch);
    gv_rng_init(&rng, 1, GV_RNG_TEST, 0, 0, 0);
    err = (gv_err){ 0 };
    make_unit("spatial", &u, &o);
    set_field(u, o, "p_rotation", "1");
    ok(gv_sample_init(&x, GV_F32T, 2, (int64_t[]){ 9, 1 }, &scratch, &err) == GV_OK && u->apply(o, &x, &rng, &scratch, &err) == GV_EDATA, "a series is not turned: %s", err.text);
    err = (gv_err){ 0 };
    make_unit("blur", &u, &o);
    set_field(u, o, "p", "1");
    set_field(u, o, "p_channel", "1");
    ok(gv_sample_init(&x, GV_F32T, 5, (int64_t[]){ 2, 2, 2, 2, 1 }, &scratch, &err) == GV_OK && u->apply(o, &x, &rng, &scratch, &err) == GV_EDATA, "four axes are not blurred: %s", err.text);
    bool good = true; /* sides of one voxel and constant volumes pass through every unit */
    for (const gv_augment *const *all = gv_augments(); *all; all++)
        for (int c = 1; c <= 2; c++) {
            if (!(*all)->apply || !gv_field_find((*all)->fields, "p_channel", 9))
                continue;
            make_unit((*all)->name, &u, &o);
            set_field(u, o, "p", "1");
            set_field(u, o, "p_channel", "1");
            good = good && gv_sample_init(&x, GV_U8, 4, (int64_t[]){ 1, 2, 1, c }, &scratch, &err) == GV_OK;
            memset(x.data, 7, 2 * (size_t)c);
            good = good && u->apply(o, &x, &rng, &scratch, &err) == GV_OK && x.dtype == GV_F32T;
            for (int i = 0; i < 2 * c && good; i++)
                good = isfinite(((float *)x.data)[i]);
            if (!good)
                ok(0, "%s on two equal voxels: %s", u->name, err.text);
        }
    ok(good, "constant volumes of two voxels pass through every unit");
}

int main(void)
{
    if (gv_arena_init(&scratch, "scratch", 256 << 20, &err) < 0)
        return 1;
    golden();
    median_by_sorting();
    policies();
    untouched();
    channels_are_drawn();
    ranges();
    one_of();
    refusals();
    gv_arena_release(&scratch);
    return done();
}
