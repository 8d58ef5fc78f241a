/* x3d: expanded networks with depthwise 3x3x3 convolutions, with pytorchvideo's names. clips [N,T,H,W,C] -> map [N,t,h,w,2048], what the
 * published head makes of the means of its windows (one where the clip is not larger than the published one).
 *
 *   stem    1x3x3 at stride (1,2,2), then a depthwise 5x1x1; frames are kept throughout
 *   stages  bottlenecks 2.25 times as wide inside, squeeze and excitation in every other block, swish
 *   head    1x1x1 convolution, norm, ReLU, mean, 1x1x1 convolution to 2048, ReLU; the classifier `blocks.5.proj` stands on that
 *
 * x3d_xs, x3d_s and x3d_m have the same 3,794,274 parameters with 400 classes, x3d_l has 6,153,384. Named intermediates: blocks.0 … blocks.4.
 * Source: Feichtenhofer 2020 arXiv:2004.04730. Names, widths, initialisation: pytorchvideo 0.1.5, models/x3d.py. */
#include "nn/models/video.h"
#include <math.h>

typedef struct variant { const char *name; double depth; int64_t frames, side; /* of the published clips: they set the head's windows */ } variant;
static const variant variants[] = {
    { "x3d_xs", 2.2, 4, 160 },
    { "x3d_s", 2.2, 13, 160 },
    { "x3d_m", 2.2, 16, 224 },
    { "x3d_l", 5, 16, 312 },
};

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/x3d_table.inc"
};

static const int base_depth[4] = { 1, 2, 5, 3 };

static int depth_of(const variant *v, int stage)
{
    return (int)ceil(v->depth * base_depth[stage]);
}

static gv_val stem(gv_graph *g, gv_val x)
{
    gv_enter(g, "blocks.0");
    x = gv_video_conv(g, x, "conv.conv_t", .out = 24, .kernel = { 1, 3, 3 }, .stride = { 1, 2, 2 }); /* published under each other's names */
    x = gv_video_conv(g, x, "conv.conv_xy", .out = 24, .kernel = { 5 }, .groups = 24);
    x = gv_relu(g, gv_batch_norm(g, x, "norm"));
    gv_leave(g);
    return x; /* [N,T,H/2,W/2,24] */
}

static gv_val head(gv_graph *g, const variant *v, gv_val x, int64_t inner)
{
    int64_t side = (v->side + 31) / 32;
    gv_enter(g, "blocks.5.pool");
    x = gv_relu(g, gv_batch_norm(g, gv_video_conv(g, x, "pre_conv", .out = inner), "pre_norm"));
    x = gv_video_window_mean(g, x, (int64_t[]){ v->frames, side, side });
    x = gv_relu(g, gv_video_conv(g, x, "post_conv", .out = 2048));
    gv_leave(g);
    return x;
}

static gv_features build(gv_graph *g, const void *variant_, const gv_model_options *o, gv_val x)
{
    const variant *v = variant_;
    gv_features f = { .kind = GV_MAP };
    gv_video_pathways(g, o, v->name, false);
    int all = 0, done = 0;
    int64_t base = 12, inner = 0;
    for (int i = 0; i < 4; i++)
        all += depth_of(v, i);
    double step = o->drop_path_rate / (all - 1);
    x = stem(g, x);
    gv_keep(&f, gv_block_name(0), x);
    for (int i = 0; i < 4; i++) {
        int64_t out = gv_round_width((double)base, 2);
        inner = out * 9 / 4;
        gv_enter(g, "blocks.%d", i + 1);
        x = gv_video_stage(g, x, .depth = depth_of(v, i), .inner = inner, .out = out, .kernel_b = { 3, 3, 3 }, .stride = { 1, 2, 2 }, .groups = inner,
                           .excite = true, .drop_path = { step * done, step });
        gv_leave(g);
        gv_keep(&f, gv_block_name(i + 1), x);
        done += depth_of(v, i);
        base = gv_round_width((double)base, 2);
    }
    f.value = head(g, v, x, inner);
    return f;
}

static int64_t num_features(const void *v)
{
    (void)v;
    return 2048;
}

const gv_model gv_model_x3d = {
    .name = "x3d", .summary = "small networks of depthwise convolutions on clips", .source = "pytorchvideo/models/hub/x3d.py",
    .encoder = "pytorchvideo", .axes = 1u << 3,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs), .classifier = "blocks.5.proj", .first_conv = "blocks.0.conv.conv_t",
    .num_features = num_features, .build = build,
};
