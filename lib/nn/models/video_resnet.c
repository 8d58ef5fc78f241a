/* video_resnet: torchvision's residual networks on clips, with its names. clips [N,T,H,W,C] -> map [N,T',H/16,W/16,512].
 *
 *   r3d_18       3x3x3 convolutions; time is halved three times
 *   mc3_18       3x3x3 in the stem and the first layer, 1x3x3 behind; time is kept
 *   r2plus1d_18  1x3x3 then 3x1x1, a norm between them, as many weights as the 3x3x3; time is halved three times
 *
 * With their classifier `fc` of 400 classes: 33,371,472, 11,695,440 and 31,505,325 parameters.
 * Named intermediates: stem, layer1 … layer4 (64, 64, 128, 256, 512 channels).
 * Sources: Tran et al. 2018 arXiv:1711.11248. Names, widths, initialisation: torchvision 0.29, models/video/resnet.py. */
#include "nn/models/video.h"

enum { FULL, FLAT, SPLIT };

typedef struct variant { const char *name; int first, rest; /* convolutions of layer1, of the others */ } variant;
static const variant variants[] = {
    { "r3d_18", FULL, FULL },
    { "mc3_18", FULL, FLAT },
    { "r2plus1d_18", SPLIT, SPLIT },
};

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/video_resnet_table.inc"
};

/* One of a block's two convolutions, as module "0" of the current path. in: channels of the block, by which the middle width is chosen. */
static gv_val convolution(gv_graph *g, gv_val x, int kind, int64_t in, int64_t out, int64_t s)
{
    if (kind == FULL)
        return gv_video_conv(g, x, "0", .out = out, .kernel = { 3, 3, 3 }, .stride = { s, s, s });
    if (kind == FLAT)
        return gv_video_conv(g, x, "0", .out = out, .kernel = { 1, 3, 3 }, .stride = { 1, s, s });
    int64_t mid = in * out * 27 / (in * 9 + 3 * out);
    gv_enter(g, "0");
    x = gv_video_conv(g, x, "0", .out = mid, .kernel = { 1, 3, 3 }, .stride = { 1, s, s });
    x = gv_relu(g, gv_batch_norm(g, x, "1"));
    x = gv_video_conv(g, x, "3", .out = out, .kernel = { 3 }, .stride = { s });
    gv_leave(g);
    return x;
}

static gv_val block(gv_graph *g, gv_val x, int kind, int64_t out, int64_t s, double drop)
{
    int64_t in = gv_dim(g, x, -1);
    gv_mark(g, "block");
    gv_val y = x;
    gv_enter(g, "conv1");
    y = gv_relu(g, gv_batch_norm(g, convolution(g, y, kind, in, out, s), "1"));
    gv_leave(g);
    gv_enter(g, "conv2");
    y = gv_batch_norm(g, convolution(g, y, kind, in, out, 1), "1");
    gv_leave(g);
    y = gv_drop_path(g, y, "drop_path", .p = drop);
    if (s > 1) {
        x = gv_video_conv(g, x, "downsample.0", .out = out, .stride = { kind == FLAT ? 1 : s, s, s });
        x = gv_batch_norm(g, x, "downsample.1");
    }
    return gv_relu(g, gv_add(g, y, x));
}

static gv_val stem(gv_graph *g, const variant *v, gv_val x)
{
    gv_enter(g, "stem");
    if (v->first == SPLIT) {
        x = gv_video_conv(g, x, "0", .out = 45, .kernel = { 1, 7, 7 }, .stride = { 1, 2, 2 });
        x = gv_relu(g, gv_batch_norm(g, x, "1"));
        x = gv_video_conv(g, x, "3", .out = 64, .kernel = { 3 });
        x = gv_relu(g, gv_batch_norm(g, x, "4"));
    } else {
        x = gv_video_conv(g, x, "0", .out = 64, .kernel = { 3, 7, 7 }, .stride = { 1, 2, 2 });
        x = gv_relu(g, gv_batch_norm(g, x, "1"));
    }
    gv_leave(g);
    return x; /* [N,T,H/2,W/2,64] */
}

static gv_features build(gv_graph *g, const void *variant_, const gv_model_options *o, gv_val x)
{
    static const char *const names[4] = { "layer1", "layer2", "layer3", "layer4" };
    const variant *v = variant_;
    gv_features f = { .kind = GV_MAP };
    x = stem(g, v, x);
    gv_keep(&f, "stem", x);
    for (int i = 0; i < 8; i++) {
        gv_enter(g, "%s.%d", names[i / 2], i % 2);
        x = block(g, x, i < 2 ? v->first : v->rest, 64 << i / 2, i > 1 && i % 2 == 0 ? 2 : 1, o->drop_path_rate * i / 7);
        gv_leave(g);
        if (i % 2)
            gv_keep(&f, names[i / 2], x);
    }
    f.value = x;
    return f;
}

static int64_t num_features(const void *v)
{
    (void)v;
    return 512;
}


const gv_model gv_model_video_resnet = {
    .name = "video_resnet", .summary = "residual networks on clips", .source = "torchvision/models/video/resnet.py",
    .encoder = "torchvision_video", .axes = 1u << 3,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs), .classifier = "fc", .first_conv = "stem.0",
    .num_features = num_features, .build = build,
};
