/* resnet1d: a residual network for series. series [N,T,C] -> map [N,T,widths' last].
 *
 *   blocks.i   three convolutions (kernels 8, 5, 3; 'same', with biases, as published), each with batch norm, ReLU behind the first two
 *              and behind the sum; shortcut: 1x1 convolution and batch norm, the
 *              batch norm alone where the width stays
 *
 * Nothing shrinks the axis of time: features of all points are averaged. With 1 channel and 2 classes 504,258 trained parameters, as published.
 * Options: widths (64 128 128: a block each), kernels (8 5 3).
 * Source: Wang, Yan & Oates 2017, arXiv:1611.06455, section II C; the authors' Keras code as behaviour. Batch norm with eps 1e-5 and
 * momentum 0.1 (theirs 1e-3, 0.01). */
#include "nn/layers/layers.h"
#include "nn/models/timeseries.h"

struct variant { const char *name; };
static const struct variant variants[] = { { "resnet1d" } };

static gv_val norm_conv(gv_graph *g, gv_val x, const char *conv, const char *norm, int64_t out, int64_t kernel)
{
    x = gv_convnd(g, x, conv, .dims = 1, .out = out, .kernel = { kernel }, .same = true, .bias = true);
    return gv_batch_norm(g, x, norm);
}

static gv_val block(gv_graph *g, gv_val x, int64_t out, const int64_t *kernel, size_t n)
{
    gv_val y = x;
    gv_mark(g, "block");
    for (size_t i = 0; i < n; i++) {
        gv_enter(g, "%zu", i);
        y = norm_conv(g, y, "conv", "bn", out, kernel[i]);
        gv_leave(g);
        if (i + 1 < n)
            y = gv_relu(g, y);
    }
    gv_enter(g, "shortcut");
    x = gv_dim(g, x, -1) == out ? gv_batch_norm(g, x, "bn") : norm_conv(g, x, "conv", "bn", out, 1);
    gv_leave(g);
    return gv_relu(g, gv_add(g, x, y));
}

static gv_features build(gv_graph *g, const void *variant, const gv_model_options *o, gv_val x)
{
    static const int64_t widths[] = { 64, 128, 128 }, kernels[] = { 8, 5, 3 };
    gv_timeseries_encoder e = gv_timeseries_options(g, o, "resnet1d", GV_TIMESERIES_TAKES(WIDTHS) | GV_TIMESERIES_TAKES(KERNELS));
    const int64_t *w = e.widths.v ? e.widths.v : widths, *k = e.kernels.v ? e.kernels.v : kernels;
    size_t n = e.widths.v ? e.widths.n : GV_COUNT(widths), kn = e.kernels.v ? e.kernels.n : GV_COUNT(kernels);
    (void)variant;
    for (size_t i = 0; i < n; i++) {
        gv_enter(g, "blocks.%zu", i);
        x = block(g, x, w[i], k, kn); /* [N,T,w] */
        gv_leave(g);
    }
    return (gv_features){ .kind = GV_MAP, .value = x };
}

const gv_model gv_model_resnet1d = {
    .name = "resnet1d", .summary = "residual network for series", .source = "arXiv:1611.06455",
    .encoder = "timeseries", .axes = 1u << 1,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .classifier = "fc", .first_conv = "blocks.0.0.conv", .build = build,
};
