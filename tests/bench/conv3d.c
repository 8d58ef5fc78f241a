/*
 * conv3d: a training step of six 3D convolutions on a volume that is made up, batch 1, bf16: does it fit into memory, and how long does it take?
 *
 *   build/gcc/tests/bench/conv3d [--side N] [--channels C] [--steps N] [--threads T] [--profile]        (256, 16, 2, all)
 *
 * 1 -> C -> … -> C, each 3x3x3 with ReLU, then the mean over space and a linear layer of 10 classes; SGD. One activation of 256^3 and 16 channels
 * is 512 MiB in bf16. JSON lines (bench.h): conv3d/rate (volumes/s), conv3d/losses, conv3d/kernels, conv3d/peak (MB).
 */
#include "common/threads.h"
#include "nn/layers/layers.h"
#include "nn/optim/optim.h"
#include "nn/profile.h"
#include "tests/bench/bench.h"
#include <string.h>

enum { CONVS = 6, CLASSES = 10, MOST = 100 };

static gv_val build(gv_graph *g, int64_t side, int64_t channels)
{
    int64_t one = 1;
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 1, side, side, side, 1 }, 5), y = gv_input(g, "y", GV_CLASS_I64, &one, 1);
    for (int i = 0; i < CONVS; i++) {
        char name[16];
        snprintf(name, sizeof name, "conv%d", i + 1);
        x = gv_relu(g, gv_convnd(g, x, name, .dims = 3, .out = channels, .kernel = { 3, 3, 3 }, .padding = { 1, 1, 1 }, .bias = true));
    }
    x = gv_reduce(g, GV_MEAN, x, 2 | 4 | 8, false, GV_CLASS_REAL);
    gv_val loss = gv_cross_entropy(g, gv_linear(g, x, "fc", .out = CLASSES, .bias = true), gv_one_hot(g, y, CLASSES, 0));
    gv_output(g, "loss", loss);
    return loss;
}

static int64_t option(int argc, char **argv, const char *name, int64_t value)
{
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], name))
            value = strtoll(argv[i + 1], NULL, 10);
    return value;
}

int main(int argc, char **argv)
{
    int64_t side = option(argc, argv, "--side", 256), channels = option(argc, argv, "--channels", 16), steps = option(argc, argv, "--steps", 2), label = 3;
    int threads = (int)option(argc, argv, "--threads", gv_threads_available());
    bool show = argc > 1 && !strcmp(argv[argc - 1], "--profile");
    if (side < 8 || side > 1024 || channels < 1 || channels > 1024 || steps < 1 || steps > MOST || threads < 1 || threads > 256) {
        fprintf(stderr, "conv3d: error: a number is out of range; usage: conv3d [--side N] [--channels C] [--steps N] [--threads T] [--profile]\n");
        return 2;
    }
    gv_err err = { 0 };
    gv_arena a = { 0 };
    gv_store *s = NULL;
    gv_plan *plan = NULL;
    gv_optimizer *opt = NULL;
    gv_profile *q = NULL;
    gv_optim_hyper h = gv_optim_defaults();
    size_t count = (size_t)(side * side * side);
    uint16_t *x = gv_alloc(count * sizeof *x, &err); /* bf16: the input is read as it is */
    int r = x ? gv_arena_init(&a, "graph", (size_t)256 << 20, &err) : GV_ESYS;
    gv_graph *g = r == GV_OK ? gv_graph_new(&a, GV_TRAIN, &err) : NULL;
    gv_plan_options o = { .precision = GV_MIXED_BF16, .backend = "onednn", .threads = threads, .keep_grads = true, .overwrite_grads = true, .grad_scale = 1 };
    if (g) {
        uint32_t z = 1;
        for (size_t i = 0; i < count; i++) {
            z = z * 1664525u + 1013904223u;
            x[i] = (uint16_t)(0x3f00 | (z >> 24 & 0x7f) | (z >> 16 & 0x8000)); /* 0.5 to 1, either sign */
        }
        r = gv_differentiate(g, build(g, side, channels), NULL, NULL, &err);
    }
    if (r == GV_OK && (r = gv_store_open(&s, o.precision, &err)) == GV_OK)
        r = gv_store_init(s, g, 1, &err);
    if (r == GV_OK)
        r = gv_optimizer_open(&opt, "SGD", &h, &(gv_optim_groups){ 0 }, s, g, &err);
    if (r == GV_OK)
        r = gv_plan_make(&plan, g, s, &o, &err);
    if (r == GV_OK && (r = gv_profile_open(&q, &err)) == GV_OK)
        r = gv_plan_profile(plan, q, &err);
    const gv_feed feeds[] = { { "x", x, GV_BF16 }, { "y", &label, GV_I64T } };
    double took[MOST + 1], loss[MOST + 1], norm;
    for (int i = 0; i <= steps && r == GV_OK; i++) { /* the first is not counted */
        double began = bench_now();
        r = gv_plan_run(plan, feeds, 2, (uint64_t)i, &err);
        const gv_stored *l = gv_plan_output(plan, "loss");
        gv_to_f64(l->dtype, l->data, &loss[i], 1);
        if (r == GV_OK)
            r = gv_optimizer_step(opt, 0.01, &norm, &err);
        took[i] = bench_now() - began;
    }
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    gv_roof roof = { 0 };
    if (r == GV_OK)
        r = gv_roof_measure(&roof, NULL, threads, &err);
    if (r == GV_OK) {
        char more[200];
        gv_profile_sum sum = gv_profile_total(q);
        double median = bench_median(took + 1, (int)steps), ideal = sum.macs / roof.madd_bf16;
        snprintf(more, sizeof more, "\"median_ms\":%.6g,\"side\":%d,\"channels\":%d,\"threads\":%d", 1e3 * median, (int)side, (int)channels, threads);
        bench_line("conv3d/rate", 1 / median, "volume/s", ideal / median, more);
        snprintf(more, sizeof more, "\"losses\":[%.9g,%.9g]", loss[0], loss[1]);
        bench_line("conv3d/losses", loss[0], "nat", NAN, more);
        bench_line("conv3d/kernels", 1e3 * sum.best, "ms", ideal / sum.best, NULL);
        snprintf(more, sizeof more, "\"arena\":%.6g", 1e-6 * (double)gv_plan_bytes(plan));
        bench_line("conv3d/peak", 1e-3 * (double)u.ru_maxrss, "MB", NAN, more);
    }
    gv_buf text = { 0 };
    if (r == GV_OK && show && (r = gv_profile_table(q, &roof, GV_MIXED_BF16, &text, &err)) == GV_OK)
        fputs(text.data, stderr);
    if (r < 0)
        fprintf(stderr, "conv3d: error: %s\n", err.text);
    gv_buf_release(&text);
    gv_plan_close(plan);
    gv_profile_close(q);
    gv_optimizer_close(opt);
    gv_store_close(s);
    gv_arena_release(&a);
    gv_free(x);
    return r < 0;
}
