/* s3d: Inception blocks whose convolutions are split over space and time, with torchvision's names. clips [N,T,H,W,C] -> map [N,t,h,w,1024], the
 * means of the published head's windows (2x7x7 at stride 1, or what there is).
 *
 *   stem    1x7x7, 7x1x1 at stride 2; 1x3x3 max pooling; 1x1x1; 1x3x3, 3x1x1; 1x3x3 max pooling
 *   blocks  four branches side by side: 1x1x1; twice 1x1x1, 1x3x3, 3x1x1; 3x3x3 max pooling, 1x1x1
 *
 * 8,320,048 parameters with its classifier `classifier.1` of 400 classes, a 1x1x1 convolution. Named intermediates: features.0 (the first convolutions),
 * features.3, features.6, features.12, features.15, the last ones of their resolution.
 * Source: Xie et al. 2018 arXiv:1712.04851. Names, widths, norms: torchvision 0.29, models/video/s3d.py. */
#include "nn/models/video.h"

typedef struct variant { const char *name; } variant;
static const variant variants[] = { { "s3d" } };

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/s3d_table.inc"
};

/* A convolution with its norm and ReLU: name.0, name.1. */
static gv_val unit_build(gv_graph *g, gv_val x, const char *name, const struct gv_video_conv *o)
{
    struct gv_video_conv c = *o;
    c.init = "kaiming_uniform_a5";
    gv_enter(g, "%s", name);
    x = gv_video_conv_build(g, x, "0", &c);
    x = gv_relu(g, gv_batch_norm(g, x, "1", .eps = 1e-3, .momentum = 1e-3));
    gv_leave(g);
    return x;
}
#define unit(g, x, name, ...) unit_build(g, x, name, &(struct gv_video_conv){ __VA_ARGS__ })

/* Over space, then over time: name.0, name.1. */
static gv_val split(gv_graph *g, gv_val x, const char *name, int64_t out, int64_t k, int64_t s)
{
    gv_enter(g, "%s", name);
    x = unit(g, x, "0", .out = out, .kernel = { 1, k, k }, .stride = { 1, s, s });
    x = unit(g, x, "1", .out = out, .kernel = { k }, .stride = { s });
    gv_leave(g);
    return x;
}

/* w: widths of branch 0; of branches 1 and 2 inside and outside; of branch 3. */
static gv_val inception(gv_graph *g, gv_val x, const int64_t w[6])
{
    gv_val b[4];
    gv_mark(g, "block");
    b[0] = unit(g, x, "branch0", .out = w[0]);
    for (int i = 1; i < 3; i++) {
        gv_enter(g, "branch%d", i);
        b[i] = split(g, unit(g, x, "0", .out = w[2 * i - 1]), "1", w[2 * i], 3, 1);
        gv_leave(g);
    }
    b[3] = gv_video_max_pool(g, x, .kernel = { 3, 3, 3 });
    b[3] = unit(g, b[3], "branch3.1", .out = w[5]);
    return gv_concat(g, b, 4, -1);
}

static gv_val stem(gv_graph *g, gv_features *f, gv_val x)
{
    x = split(g, x, "features.0", 64, 7, 2); /* [N,T/2,H/2,W/2,64] */
    gv_keep(f, "features.0", x);
    x = gv_video_max_pool(g, x, .kernel = { 1, 3, 3 }, .stride = { 1, 2, 2 });
    x = split(g, unit(g, x, "features.2", .out = 64), "features.3", 192, 3, 1);
    gv_keep(f, "features.3", x);
    return gv_video_max_pool(g, x, .kernel = { 1, 3, 3 }, .stride = { 1, 2, 2 }); /* [N,T/2,H/8,W/8,192] */
}

static gv_features build(gv_graph *g, const void *v, const gv_model_options *o, gv_val x)
{
    static const struct { const char *keep; int64_t width[6]; } blocks[16] = {
        [5] = { NULL, { 64, 96, 128, 16, 32, 32 } }, [6] = { "features.6", { 128, 128, 192, 32, 96, 64 } },
        [8] = { NULL, { 192, 96, 208, 16, 48, 64 } }, [9] = { NULL, { 160, 112, 224, 24, 64, 64 } }, [10] = { NULL, { 128, 128, 256, 24, 64, 64 } },
        [11] = { NULL, { 112, 144, 288, 32, 64, 64 } }, [12] = { "features.12", { 256, 160, 320, 32, 128, 128 } },
        [14] = { NULL, { 256, 160, 320, 32, 128, 128 } }, [15] = { "features.15", { 384, 192, 384, 48, 128, 128 } },
    };
    gv_features f = { .kind = GV_MAP };
    (void)v, (void)o;
    x = stem(g, &f, x);
    for (int i = 5; i < 16; i++) {
        if (i == 7)
            x = gv_video_max_pool(g, x, .kernel = { 3, 3, 3 }, .stride = { 2, 2, 2 });
        else if (i == 13)
            x = gv_video_max_pool(g, x, .kernel = { 2, 2, 2 }, .stride = { 2, 2, 2 }, .no_padding = true);
        else {
            gv_enter(g, "features.%d", i);
            x = inception(g, x, blocks[i].width);
            gv_leave(g);
        }
        if (blocks[i].keep)
            gv_keep(&f, blocks[i].keep, x);
    }
    f.value = gv_video_window_mean(g, x, (int64_t[]){ 2, 7, 7 });
    return f;
}

static int64_t num_features(const void *v)
{
    (void)v;
    return 1024;
}

const gv_model gv_model_s3d = {
    .name = "s3d", .summary = "separable Inception blocks on clips", .source = "torchvision/models/video/s3d.py",
    .encoder = "torchvision_video", .axes = 1u << 3, .classifier_axes = 3,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs), .classifier = "classifier.1", .first_conv = "features.0.0.0",
    .num_features = num_features, .build = build,
};
