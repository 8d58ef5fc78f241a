/* resnet: residual networks of timm's resnet.py, with its names: ResNet (plain, c, d, s, t stems), Wide ResNet, ResNeXt,
 * SE, ECA, anti-aliased and RS variants. images [N,H,W,C] -> map [N,H/32,W/32,features].
 *
 *   stem      one 7x7 convolution, or three 3x3 (`deep`), the first narrower (`tiered`); then 3x3 max pooling, blur or mean
 *             for the anti-aliased ones, or a convolution for RS ("maxpool.0", "maxpool.1")
 *   layer1-4  residual blocks: basic (two 3x3, expansion 1) or bottleneck (1x1, 3x3, 1x1, expansion 4)
 *   shortcut  identity, or 1x1 convolution and norm; with `avg_down` a 2x2 mean before a 1x1 without stride
 *
 * resnet18 has 11,689,512 parameters with its classifier `fc` of 1,000 classes, resnet50 25,557,032.
 * Left out: resnet50_gn (group norm) and the two pruned ECA networks (irregular widths).
 *
 * Sources: He et al. 2015 arXiv:1512.03385; He et al. 2018 arXiv:1812.01187 (c, d); Xie et al. 2016 arXiv:1611.05431;
 * Zagoruyko 2016 arXiv:1605.07146; Hu et al. 2017 arXiv:1709.01507; Wang et al. 2019 arXiv:1910.03151; Zhang 2019
 * arXiv:1904.11486; Bello et al. 2021 arXiv:2103.07579. Names, widths, initialisation: timm 1.0.31. */
#include "nn/layers/layers.h"
#include "nn/models/models.h"
#include <stdio.h>
#include <string.h>

enum { BASIC, BOTTLENECK, TEST /* the third stage alone is a bottleneck */ };
enum { PLAIN, DEEP, TIERED };
enum { NO_ATTENTION, SE, SE4 /* reduction 1/4 */, ECA };
enum { NO_AA, AA_AVG, AA_BLUR };

typedef struct variant {
    const char *name;
    int block, layers[4];
    int stem, stem_width; /* 0: 64 */
    bool avg_down;
    int cardinality, base_width; /* 0: 1, 64 */
    int attention, aa;
    bool stem_conv;       /* a convolution in the place of the max pooling */
    int reduce_first, down_kernel; /* 0: 1 */
    int channels[4];      /* 0: 64 128 256 512 */
} variant;

#define S(...) { __VA_ARGS__ }
#define D_STEM .stem = DEEP, .stem_width = 32, .avg_down = true
#define T_STEM .stem = TIERED, .stem_width = 32, .avg_down = true
#define RS D_STEM, .attention = SE4, .stem_conv = true
static const variant variants[] = {
    { "resnet10t", BASIC, S(1, 1, 1, 1), T_STEM },
    { "resnet14t", BOTTLENECK, S(1, 1, 1, 1), T_STEM },
    { "resnet18", BASIC, S(2, 2, 2, 2) },
    { "resnet18d", BASIC, S(2, 2, 2, 2), D_STEM },
    { "resnet26", BOTTLENECK, S(2, 2, 2, 2) },
    { "resnet26d", BOTTLENECK, S(2, 2, 2, 2), D_STEM },
    { "resnet26t", BOTTLENECK, S(2, 2, 2, 2), T_STEM },
    { "resnet34", BASIC, S(3, 4, 6, 3) },
    { "resnet34d", BASIC, S(3, 4, 6, 3), D_STEM },
    { "resnet50", BOTTLENECK, S(3, 4, 6, 3) },
    { "resnet50c", BOTTLENECK, S(3, 4, 6, 3), .stem = DEEP, .stem_width = 32 },
    { "resnet50d", BOTTLENECK, S(3, 4, 6, 3), D_STEM },
    { "resnet50s", BOTTLENECK, S(3, 4, 6, 3), .stem = DEEP },
    { "resnet50t", BOTTLENECK, S(3, 4, 6, 3), T_STEM },
    { "resnet101", BOTTLENECK, S(3, 4, 23, 3) },
    { "resnet101c", BOTTLENECK, S(3, 4, 23, 3), .stem = DEEP, .stem_width = 32 },
    { "resnet101d", BOTTLENECK, S(3, 4, 23, 3), D_STEM },
    { "resnet101s", BOTTLENECK, S(3, 4, 23, 3), .stem = DEEP },
    { "resnet152", BOTTLENECK, S(3, 8, 36, 3) },
    { "resnet152c", BOTTLENECK, S(3, 8, 36, 3), .stem = DEEP, .stem_width = 32 },
    { "resnet152d", BOTTLENECK, S(3, 8, 36, 3), D_STEM },
    { "resnet152s", BOTTLENECK, S(3, 8, 36, 3), .stem = DEEP },
    { "resnet200", BOTTLENECK, S(3, 24, 36, 3) },
    { "resnet200d", BOTTLENECK, S(3, 24, 36, 3), D_STEM },
    { "wide_resnet50_2", BOTTLENECK, S(3, 4, 6, 3), .base_width = 128 },
    { "wide_resnet101_2", BOTTLENECK, S(3, 4, 23, 3), .base_width = 128 },
    { "resnext50_32x4d", BOTTLENECK, S(3, 4, 6, 3), .cardinality = 32, .base_width = 4 },
    { "resnext50d_32x4d", BOTTLENECK, S(3, 4, 6, 3), D_STEM, .cardinality = 32, .base_width = 4 },
    { "resnext101_32x4d", BOTTLENECK, S(3, 4, 23, 3), .cardinality = 32, .base_width = 4 },
    { "resnext101_32x8d", BOTTLENECK, S(3, 4, 23, 3), .cardinality = 32, .base_width = 8 },
    { "resnext101_32x16d", BOTTLENECK, S(3, 4, 23, 3), .cardinality = 32, .base_width = 16 },
    { "resnext101_32x32d", BOTTLENECK, S(3, 4, 23, 3), .cardinality = 32, .base_width = 32 },
    { "resnext101_64x4d", BOTTLENECK, S(3, 4, 23, 3), .cardinality = 64, .base_width = 4 },
    { "ecaresnet26t", BOTTLENECK, S(2, 2, 2, 2), T_STEM, .attention = ECA },
    { "ecaresnet50d", BOTTLENECK, S(3, 4, 6, 3), D_STEM, .attention = ECA },
    { "ecaresnet50t", BOTTLENECK, S(3, 4, 6, 3), T_STEM, .attention = ECA },
    { "ecaresnet101d", BOTTLENECK, S(3, 4, 23, 3), D_STEM, .attention = ECA },
    { "ecaresnet200d", BOTTLENECK, S(3, 24, 36, 3), D_STEM, .attention = ECA },
    { "ecaresnet269d", BOTTLENECK, S(3, 30, 48, 8), D_STEM, .attention = ECA },
    { "ecaresnetlight", BOTTLENECK, S(1, 1, 11, 3), .stem_width = 32, .avg_down = true, .attention = ECA },
    { "ecaresnext26t_32x4d", BOTTLENECK, S(2, 2, 2, 2), T_STEM, .cardinality = 32, .base_width = 4, .attention = ECA },
    { "ecaresnext50t_32x4d", BOTTLENECK, S(3, 4, 6, 3), T_STEM, .cardinality = 32, .base_width = 4, .attention = ECA },
    { "seresnet18", BASIC, S(2, 2, 2, 2), .attention = SE },
    { "seresnet34", BASIC, S(3, 4, 6, 3), .attention = SE },
    { "seresnet50", BOTTLENECK, S(3, 4, 6, 3), .attention = SE },
    { "seresnet50t", BOTTLENECK, S(3, 4, 6, 3), T_STEM, .attention = SE },
    { "seresnet101", BOTTLENECK, S(3, 4, 23, 3), .attention = SE },
    { "seresnet152", BOTTLENECK, S(3, 8, 36, 3), .attention = SE },
    { "seresnet152d", BOTTLENECK, S(3, 8, 36, 3), D_STEM, .attention = SE },
    { "seresnet200d", BOTTLENECK, S(3, 24, 36, 3), D_STEM, .attention = SE },
    { "seresnet269d", BOTTLENECK, S(3, 30, 48, 8), D_STEM, .attention = SE },
    { "seresnext26d_32x4d", BOTTLENECK, S(2, 2, 2, 2), D_STEM, .cardinality = 32, .base_width = 4, .attention = SE },
    { "seresnext26t_32x4d", BOTTLENECK, S(2, 2, 2, 2), T_STEM, .cardinality = 32, .base_width = 4, .attention = SE },
    { "seresnext50_32x4d", BOTTLENECK, S(3, 4, 6, 3), .cardinality = 32, .base_width = 4, .attention = SE },
    { "seresnext101_32x4d", BOTTLENECK, S(3, 4, 23, 3), .cardinality = 32, .base_width = 4, .attention = SE },
    { "seresnext101_32x8d", BOTTLENECK, S(3, 4, 23, 3), .cardinality = 32, .base_width = 8, .attention = SE },
    { "seresnext101_64x4d", BOTTLENECK, S(3, 4, 23, 3), .cardinality = 64, .base_width = 4, .attention = SE },
    { "seresnext101d_32x8d", BOTTLENECK, S(3, 4, 23, 3), D_STEM, .cardinality = 32, .base_width = 8, .attention = SE },
    { "senet154", BOTTLENECK, S(3, 8, 36, 3), .stem = DEEP, .cardinality = 64, .base_width = 4, .attention = SE, .reduce_first = 2, .down_kernel = 3 },
    { "resnetblur18", BASIC, S(2, 2, 2, 2), .aa = AA_BLUR },
    { "resnetblur50", BOTTLENECK, S(3, 4, 6, 3), .aa = AA_BLUR },
    { "resnetblur50d", BOTTLENECK, S(3, 4, 6, 3), D_STEM, .aa = AA_BLUR },
    { "resnetblur101d", BOTTLENECK, S(3, 4, 23, 3), D_STEM, .aa = AA_BLUR },
    { "resnetaa34d", BASIC, S(3, 4, 6, 3), D_STEM, .aa = AA_AVG },
    { "resnetaa50", BOTTLENECK, S(3, 4, 6, 3), .aa = AA_AVG },
    { "resnetaa50d", BOTTLENECK, S(3, 4, 6, 3), D_STEM, .aa = AA_AVG },
    { "resnetaa101d", BOTTLENECK, S(3, 4, 23, 3), D_STEM, .aa = AA_AVG },
    { "seresnetaa50d", BOTTLENECK, S(3, 4, 6, 3), D_STEM, .aa = AA_AVG, .attention = SE },
    { "seresnextaa101d_32x8d", BOTTLENECK, S(3, 4, 23, 3), D_STEM, .cardinality = 32, .base_width = 8, .aa = AA_AVG, .attention = SE },
    { "seresnextaa201d_32x8d", BOTTLENECK, S(3, 24, 36, 4), .stem = DEEP, .avg_down = true, .cardinality = 32, .base_width = 8, .aa = AA_AVG, .attention = SE },
    { "resnetrs50", BOTTLENECK, S(3, 4, 6, 3), RS },
    { "resnetrs101", BOTTLENECK, S(3, 4, 23, 3), RS },
    { "resnetrs152", BOTTLENECK, S(3, 8, 36, 3), RS },
    { "resnetrs200", BOTTLENECK, S(3, 24, 36, 3), RS },
    { "resnetrs270", BOTTLENECK, S(4, 29, 53, 4), RS },
    { "resnetrs350", BOTTLENECK, S(4, 36, 72, 4), RS },
    { "resnetrs420", BOTTLENECK, S(4, 44, 87, 4), RS },
    { "test_resnet", TEST, S(1, 1, 1, 1), .stem = DEEP, .stem_width = 16, .avg_down = true, .channels = S(32, 48, 48, 96) },
};
#undef S

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/resnet_table.inc"
};

static bool is_bottleneck(const variant *v, int stage)
{
    return v->block == BOTTLENECK || (v->block == TEST && stage == 2);
}

static int64_t channels(const variant *v, int stage)
{
    return v->channels[stage] ? v->channels[stage] : 64 << stage;
}

static int64_t num_features(const void *variant_)
{
    const variant *v = variant_;
    return channels(v, 3) * (is_bottleneck(v, 3) ? 4 : 1);
}

static const char *first_conv_of(const void *variant_)
{
    const variant *v = variant_;
    return v->stem == PLAIN ? "conv1" : "conv1.0";
}

#define conv(g, x, name, ...) gv_conv2d(g, x, name, .init = "kaiming_normal_fan_out", __VA_ARGS__)

static gv_val antialias(gv_graph *g, int aa, gv_val x)
{
    return aa == AA_BLUR ? gv_blur_pool(g, x) : gv_avg_pool(g, x, .kernel = 2);
}

static gv_val stem(gv_graph *g, const variant *v, gv_val x)
{
    int64_t w = v->stem_width ? v->stem_width : 64, out = v->stem == PLAIN ? 64 : 2 * w;
    if (v->stem == PLAIN)
        x = conv(g, x, "conv1", .out = out, .kernel = 7, .stride = 2, .padding = 3);
    else {
        x = conv(g, x, "conv1.0", .out = v->stem == TIERED ? 3 * (w / 4) : w, .kernel = 3, .stride = 2, .padding = 1);
        x = gv_relu(g, gv_batch_norm(g, x, "conv1.1"));
        x = conv(g, x, "conv1.3", .out = w, .kernel = 3, .padding = 1);
        x = gv_relu(g, gv_batch_norm(g, x, "conv1.4"));
        x = conv(g, x, "conv1.6", .out = out, .kernel = 3, .padding = 1);
    }
    x = gv_relu(g, gv_batch_norm(g, x, "bn1")); /* [N,H/2,W/2,out] */
    if (v->stem_conv) {
        x = conv(g, x, "maxpool.0", .out = out, .kernel = 3, .stride = 2, .padding = 1);
        return gv_relu(g, gv_batch_norm(g, x, "maxpool.1"));
    }
    if (v->aa == AA_AVG)
        return gv_avg_pool(g, x, .kernel = 2);
    if (v->aa == AA_BLUR)
        return gv_blur_pool(g, gv_max_pool(g, x, .kernel = 3, .stride = 1, .padding = 1));
    return gv_max_pool(g, x, .kernel = 3, .stride = 2, .padding = 1); /* [N,H/4,W/4,out] */
}

static gv_val shortcut(gv_graph *g, const variant *v, gv_val x, int64_t out, int stride)
{
    if (v->avg_down) {
        x = stride > 1 ? gv_avg_pool(g, x, .kernel = 2, .ceil_mode = true, .exclude_pad = true) : x;
        x = conv(g, x, "downsample.1", .out = out, .kernel = 1);
        return gv_batch_norm(g, x, "downsample.2");
    }
    int k = stride > 1 && v->down_kernel ? v->down_kernel : 1;
    x = conv(g, x, "downsample.0", .out = out, .kernel = k, .stride = stride, .padding = k / 2);
    return gv_batch_norm(g, x, "downsample.1");
}

static gv_val block(gv_graph *g, const variant *v, gv_val x, int stage, int stride, double drop)
{
    bool deep = is_bottleneck(v, stage), aa = v->aa && stride == 2;
    int64_t planes = channels(v, stage), groups = v->cardinality ? v->cardinality : 1, out = planes * (deep ? 4 : 1);
    int64_t width = planes * (v->base_width ? v->base_width : 64) / 64 * groups; /* bottleneck only */
    int conv_stride = aa ? 1 : stride;
    gv_val y;
    gv_mark(g, "block");
    if (deep) {
        y = conv(g, x, "conv1", .out = width / (v->reduce_first ? v->reduce_first : 1), .kernel = 1);
        y = gv_relu(g, gv_batch_norm(g, y, "bn1"));
        y = conv(g, y, "conv2", .out = width, .kernel = 3, .stride = conv_stride, .padding = 1, .groups = groups);
        y = gv_relu(g, gv_batch_norm(g, y, "bn2"));
        y = aa ? antialias(g, v->aa, y) : y;
        y = conv(g, y, "conv3", .out = out, .kernel = 1);
        y = gv_batch_norm(g, y, "bn3", .zero_weight = true);
    } else {
        y = conv(g, x, "conv1", .out = planes, .kernel = 3, .stride = conv_stride, .padding = 1);
        y = gv_relu(g, gv_batch_norm(g, y, "bn1"));
        y = aa ? antialias(g, v->aa, y) : y;
        y = conv(g, y, "conv2", .out = out, .kernel = 3, .padding = 1);
        y = gv_batch_norm(g, y, "bn2", .zero_weight = true);
    }
    if (v->attention == SE || v->attention == SE4)
        y = gv_squeeze_excite(g, y, "se", .ratio = v->attention == SE4 ? 0.25 : 1. / 16, .init = "kaiming_normal_fan_out");
    else if (v->attention == ECA)
        y = gv_eca(g, y, "se");
    y = gv_drop_path(g, y, "drop_path", .p = drop);
    if (stride != 1 || gv_dim(g, x, 3) != out)
        x = shortcut(g, v, x, out, stride);
    return gv_relu(g, gv_add(g, y, x));
}

static gv_features build(gv_graph *g, const void *variant_, const gv_model_options *o, gv_val x)
{
    const variant *v = variant_;
    int count = v->layers[0] + v->layers[1] + v->layers[2] + v->layers[3], done = 0;
    x = stem(g, v, x);
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < v->layers[stage]; i++, done++) {
            gv_enter(g, "layer%d.%d", stage + 1, i);
            x = block(g, v, x, stage, stage && !i ? 2 : 1, o->drop_path_rate * done / (count - 1));
            gv_leave(g);
        }
    return (gv_features){ .kind = GV_MAP, .value = x }; /* [N,H/32,W/32,features] */
}

const gv_model gv_model_resnet = {
    .name = "resnet", .summary = "residual networks", .source = "timm/models/resnet.py",
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs),
    .classifier = "fc", .first_conv = "conv1",
    .num_features = num_features, .first_conv_of = first_conv_of, .build = build,
};
