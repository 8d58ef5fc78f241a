/*
 * patch: patches of a volume that is made up through a policy for volumes, on one core: how long does one take, and where does the time go?
 *
 *   build/gcc/tests/bench/patch [--policy NAME] [--side N] [--in N] [--channels C] [--count N] [--seed S] [--steps]
 *                               (default_nnunet_DA5, 128, 144, 1, 40, 1)
 *
 * JSON lines (bench.h): patch/seconds, the mean over the samples, with the median beside; with --steps also each unit with its chance set to 1 (patch/UNIT).
 */
#include "augment/augment.h"
#include "tests/bench/bench.h"
#include <string.h>

static const char *word(int argc, char **argv, const char *name, const char *value)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            value = argv[i + 1];
    return value;
}

static int64_t option(int argc, char **argv, const char *name, int64_t value)
{
    const char *s = word(argc, argv, name, NULL);
    return s ? strtoll(s, NULL, 10) : value;
}

enum { MOST = 10000 };

struct bench { gv_arena run, scratch; gv_sample volume; gv_err err; int64_t side; uint64_t seed; };

/* Balls of several brightnesses in noise, around 0 as normalised volumes are. */
static int make_volume(struct bench *b, int64_t side, int64_t channels)
{
    gv_rng rng;
    gv_rng_init(&rng, 7, GV_RNG_TEST, 0, 0, 0);
    int r = gv_sample_init(&b->volume, GV_F32T, 4, (int64_t[]){ side, side, side, channels }, &b->run, &b->err);
    float *p = r < 0 ? NULL : b->volume.data;
    for (int64_t i = 0; p && i < side * side * side * channels; i++) {
        int64_t k = i / channels, z = k / (side * side), y = k / side % side, x = k % side;
        double d = hypot(hypot((double)(z % 48) - 24, (double)(y % 40) - 20), (double)(x % 56) - 28);
        p[i] = (float)((d < 15 ? 1.5 : -0.5) + 0.3 * gv_rng_normal(&rng));
    }
    return r;
}

/* Processor seconds of a policy over count samples, copying them not counted; median may be NULL. */
static int time_policy(struct bench *b, const gv_pipeline *p, int64_t count, double *seconds, double *median)
{
    static double each[MOST];
    *seconds = 0;
    for (int64_t i = -1; i < count; i++) { /* one to warm up: pages, caches */
        gv_sample x;
        gv_arena_reset(&b->scratch);
        if (gv_sample_copy(&b->volume, &x, &b->scratch, &b->err) < 0)
            return b->err.code;
        double t = bench_cpu();
        if (gv_pipeline_apply(p, &x, b->seed, 0, i < 0 ? count : i, 0, &b->scratch, &b->err) < 0)
            return b->err.code;
        if (i >= 0)
            *seconds += each[i] = bench_cpu() - t;
    }
    *seconds /= (double)count;
    if (median)
        *median = bench_median(each, (int)count);
    return GV_OK;
}

/* Units with chance 1 on all channels, a median of each size apart. */
static int time_units(struct bench *b, int64_t count)
{
    static const char *const steps[][2] = {
        { "spatial", "size=$patch_size" }, { "spatial", "size=$patch_size p_rotation=1" }, { "spatial", "size=$patch_size p_scale=1 scale_min=0.7 scale_max=0.7" },
        { "rot90", "p=1" }, { "transpose_axes", "p=1" }, { "mirror", "p=1" }, { "median_filter", "p=1 p_channel=1 size_min=2 size_max=2" }, { "median_filter", "p=1 p_channel=1 size_min=3 size_max=3" },
        { "median_filter", "p=1 p_channel=1 size_min=5 size_max=5" }, { "median_filter", "p=1 p_channel=1 size_min=7 size_max=7" }, { "blur", "p=1 p_channel=1 sigma_min=1.5 sigma_max=1.5" }, { "noise", "p=1" },
        { "brightness_additive", "p=1 p_channel=1" }, { "contrast", "p=1" }, { "low_resolution", "p=1 p_channel=1" }, { "gamma", "p=1 invert=true" }, { "blank_rectangle", "p=1 p_channel=1" },
        { "brightness_gradient", "p=1 p_channel=1" }, { "local_gamma", "p=1 p_channel=1" }, { "sharpening", "p=1 p_channel=1" },
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        gv_policy_step only[2] = { { steps[i][0], steps[i][1] }, { NULL, NULL } };
        gv_policy own[2] = { { .name = "only", .keys = "patch_size=1", .steps = only }, { .name = NULL } };
        gv_policy_request q = { .spatial_dims = 3, .own = own, .policy = "only", .train = true, .patch_size = { 1, &b->side } };
        gv_pipeline *p;
        char name[120];
        double t;
        if (gv_policy_resolve(&q, &p, &b->run, &b->err) < 0 || time_policy(b, p, count, &t, NULL) < 0)
            return b->err.code;
        snprintf(name, sizeof name, "patch/%s %s", steps[i][0], steps[i][1]);
        bench_line(name, 1e3 * t, "ms", NAN, NULL);
    }
    return GV_OK;
}

int main(int argc, char **argv)
{
    struct bench b = { .side = option(argc, argv, "--side", 128), .seed = (uint64_t)option(argc, argv, "--seed", 1) };
    int64_t in = option(argc, argv, "--in", 144), channels = option(argc, argv, "--channels", 1), count = option(argc, argv, "--count", 40);
    gv_policy_request q = { .spatial_dims = 3, .policy = word(argc, argv, "--policy", "default_nnunet_DA5"), .train = true, .patch_size = { 1, &b.side } };
    gv_pipeline *p;
    double t, median = NAN;
    if (b.side < 1 || b.side > 512 || in < 1 || in > 512 || channels < 1 || channels > 16 || count < 1 || count > MOST) {
        fprintf(stderr, "patch: error: a number is out of range; usage: patch [--policy NAME] [--side N] [--in N] [--channels C] [--count N] [--seed S] [--steps]\n");
        return 2;
    }
    int r = gv_arena_init(&b.run, "run", (size_t)8 << 30, &b.err);
    r = r < 0 ? r : gv_arena_init(&b.scratch, "scratch", (size_t)32 << 30, &b.err);
    r = r < 0 ? r : make_volume(&b, in, channels);
    r = r < 0 ? r : gv_policy_resolve(&q, &p, &b.run, &b.err);
    if (r == GV_OK && !strcmp(argv[argc - 1], "--steps"))
        r = time_units(&b, 3);
    r = r < 0 ? r : time_policy(&b, p, count, &t, &median);
    if (r < 0) {
        fprintf(stderr, "patch: error: %s\n", b.err.text);
        return 1;
    }
    char more[120];
    snprintf(more, sizeof more, "\"median\":%.6g,\"count\":%lld,\"side\":%lld,\"channels\":%lld", median, (long long)count, (long long)b.side, (long long)channels);
    bench_line("patch/seconds", t, "s", NAN, more);
    gv_arena_release(&b.scratch);
    gv_arena_release(&b.run);
    return 0;
}
