/* inception_time: InceptionTime's network for series. series [N,T,C] -> map [N,T,4 width].
 *
 *   inception.d   a bottleneck (1x1 to `width`, where there is more than one channel), from it three convolutions of kernels 40, 20 and 10;
 *                 beside them max pooling of 3 and a 1x1 convolution; the four joined, batch norm, ReLU
 *   shortcut.j    around every three modules: 1x1 convolution and batch norm of what came in, added, ReLU
 *
 * All convolutions 'same' and without bias; an even kernel has one zero more behind than in front. With 1 channel and 2 classes
 * 420,450 parameters. Published as an ensemble of five such networks: five folds or seeds, averaged by glovita_infer.
 * Options: depth (6 modules), width (32), kernels (40 20 10), no_residual, no_bottleneck.
 * Source: Ismail Fawaz et al. 2020, arXiv:1909.04939, section 3, with the authors' Keras code as behaviour (their kernel of 41 is 40 there).
 * Batch norm with eps 1e-5 and momentum 0.1 (theirs 1e-3, 0.01). */
#include "nn/layers/layers.h"
#include "nn/models/timeseries.h"

enum { MOST_KERNELS = 8 };

struct variant { const char *name; };
static const struct variant variants[] = { { "inception_time" } };

struct shape { int64_t width; const int64_t *kernel; int kernels; bool bottleneck; };

static gv_val conv(gv_graph *g, gv_val x, const char *name, int64_t out, int64_t kernel)
{
    return gv_convnd(g, x, name, .dims = 1, .out = out, .kernel = { kernel }, .same = true);
}

static gv_val module(gv_graph *g, gv_val x, const struct shape *s)
{
    gv_val part[MOST_KERNELS + 1], y = s->bottleneck && gv_dim(g, x, -1) > 1 ? conv(g, x, "bottleneck", s->width, 1) : x;
    gv_mark(g, "block");
    for (int i = 0; i < s->kernels; i++) {
        gv_enter(g, "convs");
        gv_enter(g, "%d", i);
        part[i] = conv(g, y, "", s->width, s->kernel[i]);
        gv_leave(g);
        gv_leave(g);
    }
    y = gv_max_pool(g, x, .kernel = 3, .stride = 1, .padding = 1);
    part[s->kernels] = conv(g, y, "pool_conv", s->width, 1);
    y = gv_concat(g, part, s->kernels + 1, 2); /* [N,T,4 width] */
    return gv_relu(g, gv_batch_norm(g, y, "bn"));
}

static gv_features build(gv_graph *g, const void *variant, const gv_model_options *o, gv_val x)
{
    static const int64_t kernels[] = { 40, 20, 10 };
    gv_timeseries_encoder e = gv_timeseries_options(g, o, "inception_time", GV_TIMESERIES_TAKES(WIDTH) | GV_TIMESERIES_TAKES(DEPTH) | GV_TIMESERIES_TAKES(KERNELS) |
        GV_TIMESERIES_TAKES(RESIDUAL) | GV_TIMESERIES_TAKES(BOTTLENECK));
    struct shape s = { .width = gv_timeseries_or(e.width, 32), .kernel = e.kernels.v ? e.kernels.v : kernels, .kernels = e.kernels.v ? (int)e.kernels.n : 3, .bottleneck = e.bottleneck };
    int64_t depth = gv_timeseries_or(e.depth, 6);
    gv_val before = x;
    (void)variant;
    if (s.kernels > MOST_KERNELS) {
        gv_graph_fail(g, "model.encoder.kernels has %d numbers; 'inception_time' takes 1 to %d", s.kernels, MOST_KERNELS);
        return (gv_features){ .value = GV_NO_VAL };
    }
    for (int64_t d = 0; d < depth; d++) {
        gv_enter(g, "inception.%d", (int)d);
        x = module(g, x, &s);
        gv_leave(g);
        if (!e.residual || d % 3 != 2)
            continue;
        gv_enter(g, "shortcut.%d", (int)(d / 3));
        before = gv_batch_norm(g, conv(g, before, "conv", gv_dim(g, x, -1), 1), "bn");
        gv_leave(g);
        before = x = gv_relu(g, gv_add(g, before, x));
    }
    return (gv_features){ .kind = GV_MAP, .value = x };
}

const gv_model gv_model_inception_time = {
    .name = "inception_time", .summary = "InceptionTime for series", .source = "arXiv:1909.04939",
    .encoder = "timeseries", .axes = 1u << 1,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .classifier = "fc", .first_conv = "inception.0.bottleneck", .build = build,
};
