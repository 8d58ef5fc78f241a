/* resnet3d: the single-pathway residual networks of pytorchvideo's hub, with its names. clips [N,T,H,W,C] -> map [N,t,h,w,2048], the means
 * of the published head's windows (one of them where the clip is not larger than the published one).
 *
 *   slow_r50      frames are kept; 3x1x1 in conv_a of the last two stages          (the slow pathway of SlowFast)
 *   c2d_r50       no convolution over time; pairs of frames joined behind the first stage
 *   i3d_r50       3x1x1 in every other conv_a; pairs of frames joined likewise
 *   csn_r101      3x3x3 depthwise conv_b
 *   r2plus1d_r50  conv_b over time, then over space; no pooling in the stem
 *
 * slow_r50 has 32,454,096 parameters with its classifier `blocks.5.proj` of 400 classes. Named intermediates: blocks.0 (the stem) on.
 * Sources: Feichtenhofer et al. 2019 arXiv:1812.03982; Wang et al. 2018 arXiv:1711.07971 (c2d, i3d); Tran et al. 2019 arXiv:1904.02811 (csn);
 * Tran et al. 2018 arXiv:1711.11248. Names, widths, initialisation: pytorchvideo 0.1.5, models/hub. */
#include "nn/models/video.h"

typedef struct variant {
    const char *name;
    int depth[4];
    int64_t stem;                 /* frames that the stem's convolution sees */
    bool no_pool, join;           /* no pooling in the stem; pairs of frames joined behind the first stage */
    int64_t kernel_a[4][2];       /* of gv_video_stage */
    int64_t kernel_b;             /* frames that conv_b sees */
    int64_t time[4], space[4];    /* strides */
    bool depthwise, split;
    int64_t window[3];            /* of the published head's pool */
} variant;

static const variant variants[] = {
    { "slow_r50", { 3, 4, 6, 3 }, 1, .kernel_a = { { 1 }, { 1 }, { 3 }, { 3 } }, .space = { 1, 2, 2, 2 }, .window = { 8, 7, 7 } },
    { "c2d_r50", { 3, 4, 6, 3 }, 1, .join = true, .space = { 1, 2, 2, 2 }, .window = { 4, 7, 7 } },
    { "i3d_r50", { 3, 4, 6, 3 }, 5, .join = true, .kernel_a = { { 3 }, { 3, 1 }, { 3, 1 }, { 1, 3 } }, .space = { 1, 2, 2, 2 }, .window = { 4, 7, 7 } },
    { "csn_r101", { 3, 4, 23, 3 }, 3, .kernel_b = 3, .time = { 1, 2, 2, 2 }, .space = { 1, 2, 2, 2 }, .depthwise = true, .window = { 4, 7, 7 } },
    { "r2plus1d_r50", { 3, 4, 6, 3 }, 1, .no_pool = true, .kernel_b = 3, .time = { 1, 1, 2, 2 }, .space = { 2, 2, 2, 2 }, .split = true, .window = { 4, 7, 7 } },
};

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/resnet3d_table.inc"
};

static gv_features build(gv_graph *g, const void *variant_, const gv_model_options *o, gv_val x)
{
    const variant *v = variant_;
    gv_features f = { .kind = GV_MAP };
    gv_video_pathways(g, o, v->name, false);
    int all = v->depth[0] + v->depth[1] + v->depth[2] + v->depth[3], done = 0, at = 0;
    gv_enter(g, "blocks.0");
    x = gv_video_conv(g, x, "conv", .out = 64, .kernel = { v->stem, 7, 7 }, .stride = { 1, 2, 2 });
    x = gv_relu(g, gv_batch_norm(g, x, "norm"));
    gv_leave(g);
    x = v->no_pool ? x : gv_video_max_pool(g, x, .kernel = { 1, 3, 3 }, .stride = { 1, 2, 2 });
    gv_keep(&f, gv_block_name(at++), x);
    double step = o->drop_path_rate / (all - 1);
    for (int i = 0; i < 4; i++) {
        int64_t inner = 64 << i;
        gv_enter(g, "blocks.%d", at);
        x = gv_video_stage(g, x, .depth = v->depth[i], .inner = inner, .out = 4 * inner, .kernel_a = { v->kernel_a[i][0], v->kernel_a[i][1] },
                           .kernel_b = { v->kernel_b, 3, 3 }, .stride = { v->time[i], v->space[i], v->space[i] }, .groups = v->depthwise ? inner : 1,
                           .split = v->split, .drop_path = { step * done, step });
        gv_leave(g);
        gv_keep(&f, gv_block_name(at++), x);
        done += v->depth[i];
        if (!i && v->join) {
            x = gv_video_max_pool(g, x, .kernel = { 2 }, .stride = { 2 }, .no_padding = true);
            gv_keep(&f, gv_block_name(at++), x);
        }
    }
    f.value = gv_video_window_mean(g, x, v->window);
    return f;
}

static int64_t num_features(const void *v)
{
    (void)v;
    return 2048;
}

static const char *classifier_of(const void *v)
{
    return ((const variant *)v)->join ? "blocks.6.proj" : "blocks.5.proj"; /* the joining of frames counts as a block */
}

const gv_model gv_model_resnet3d = {
    .name = "resnet3d", .summary = "single-pathway residual networks on clips", .source = "pytorchvideo/models/hub/{resnet,csn,r2plus1d}.py",
    .encoder = "pytorchvideo", .axes = 1u << 3,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs), .classifier = "blocks.5.proj", .first_conv = "blocks.0.conv",
    .num_features = num_features, .classifier_of = classifier_of, .build = build,
};
