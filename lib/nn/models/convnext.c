/* convnext: the convolutional networks of timm's convnext.py, with its names: ConvNeXt and ConvNeXt V2, zepto to xxlarge, CLIP and
 * DINOv3 image towers. images [N,H,W,C] -> map [N,H/32,W/32,dims[3]].
 *
 *   stem        a 4x4 convolution with stride 4, or two 3x3 with stride 2 (`overlap`; narrower first: tiered; activation between: act);
 *               then a norm
 *   stages.i    but for the first: norm and 2x2 convolution with stride 2 (downsample.0, .1); then blocks:
 *               x += gamma * mlp(norm(depthwise k x k convolution of x)); V2 has no gamma, and a global response norm in the mlp
 *   head.norm   behind the pooling, or `norm_pre` before it (hnf); head.pre_logits.fc and GELU in large_mlp
 *
 * Every norm is over channels, which lie last here. The small ones have an mlp of 1x1 convolutions (`conv_mlp`: weights [O,I,1,1]).
 * convnext_tiny has 28,589,128 parameters with its classifier `head.fc` of 1,000 classes.
 * Initialised as timm does: weights normal with deviation 0.02, biases 0, gamma 1e-6.
 *
 * Sources: Liu et al. 2022 arXiv:2201.03545; Woo et al. 2023 arXiv:2301.00808. Names, widths, initialisation: timm 1.0.31. */
#include "nn/layers/layers.h"
#include "nn/models/models.h"
#include <string.h>

enum { PATCH, OVERLAP, TIERED, ACT };
enum { LAYER_NORM, SIMPLE_NORM, RMS_NORM };

typedef struct variant {
    const char *name;
    int depths[4], dims[4];
    bool conv_mlp, grn;
    int stem, norm;
    gv_activation act;
    double eps;          /* of the norms; 0: 1e-6 */
    int kernels[4];      /* 0: 7 */
    bool norm_first;     /* norm_pre before the pooling, no head.norm */
    int head_hidden;     /* 0: none */
} variant;

#define S(...) { __VA_ARGS__ }
#define CONV .conv_mlp = true
#define V2 .grn = true
#define TEST .eps = 1e-5, .act = GV_ACT_GELU_TANH
static const variant variants[] = {
    { "convnext_zepto_rms", S(2, 2, 4, 2), S(32, 64, 128, 256), CONV, .norm = SIMPLE_NORM },
    { "convnext_zepto_rms_ols", S(2, 2, 4, 2), S(32, 64, 128, 256), CONV, .norm = SIMPLE_NORM, .stem = ACT },
    { "convnext_atto", S(2, 2, 6, 2), S(40, 80, 160, 320), CONV },
    { "convnext_atto_ols", S(2, 2, 6, 2), S(40, 80, 160, 320), CONV, .stem = TIERED },
    { "convnext_atto_rms", S(2, 2, 6, 2), S(40, 80, 160, 320), CONV, .norm = RMS_NORM },
    { "convnext_femto", S(2, 2, 6, 2), S(48, 96, 192, 384), CONV },
    { "convnext_femto_ols", S(2, 2, 6, 2), S(48, 96, 192, 384), CONV, .stem = TIERED },
    { "convnext_pico", S(2, 2, 6, 2), S(64, 128, 256, 512), CONV },
    { "convnext_pico_ols", S(2, 2, 6, 2), S(64, 128, 256, 512), CONV, .stem = TIERED },
    { "convnext_nano", S(2, 2, 8, 2), S(80, 160, 320, 640), CONV },
    { "convnext_nano_ols", S(2, 2, 8, 2), S(80, 160, 320, 640), CONV, .stem = OVERLAP },
    { "convnext_tiny_hnf", S(3, 3, 9, 3), S(96, 192, 384, 768), CONV, .norm_first = true },
    { "convnext_tiny", S(3, 3, 9, 3), S(96, 192, 384, 768) },
    { "convnext_small", S(3, 3, 27, 3), S(96, 192, 384, 768) },
    { "convnext_base", S(3, 3, 27, 3), S(128, 256, 512, 1024) },
    { "convnext_large", S(3, 3, 27, 3), S(192, 384, 768, 1536) },
    { "convnext_large_mlp", S(3, 3, 27, 3), S(192, 384, 768, 1536), .head_hidden = 1536 },
    { "convnext_xlarge", S(3, 3, 27, 3), S(256, 512, 1024, 2048) },
    { "convnext_xxlarge", S(3, 4, 30, 3), S(384, 768, 1536, 3072), .eps = 1e-5 },
    { "convnextv2_atto", S(2, 2, 6, 2), S(40, 80, 160, 320), CONV, V2 },
    { "convnextv2_femto", S(2, 2, 6, 2), S(48, 96, 192, 384), CONV, V2 },
    { "convnextv2_pico", S(2, 2, 6, 2), S(64, 128, 256, 512), CONV, V2 },
    { "convnextv2_nano", S(2, 2, 8, 2), S(80, 160, 320, 640), CONV, V2 },
    { "convnextv2_tiny", S(3, 3, 9, 3), S(96, 192, 384, 768), V2 },
    { "convnextv2_small", S(3, 3, 27, 3), S(96, 192, 384, 768), V2 },
    { "convnextv2_base", S(3, 3, 27, 3), S(128, 256, 512, 1024), V2 },
    { "convnextv2_large", S(3, 3, 27, 3), S(192, 384, 768, 1536), V2 },
    { "convnextv2_huge", S(3, 3, 27, 3), S(352, 704, 1408, 2816), V2 },
    { "test_convnext", S(1, 2, 4, 2), S(24, 32, 48, 64), TEST },
    { "test_convnext2", S(1, 1, 1, 1), S(32, 64, 96, 128), TEST },
    { "test_convnext3", S(1, 1, 1, 1), S(32, 64, 96, 128), .eps = 1e-5, .act = GV_ACT_SILU, .kernels = S(7, 5, 5, 3) },
};
#undef S

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/convnext_table.inc"
};

static int64_t num_features(const void *variant_)
{
    const variant *v = variant_;
    return v->head_hidden ? v->head_hidden : v->dims[3];
}

static const char init[] = "trunc_normal 0.02";
#define conv(g, x, name, ...) gv_conv2d(g, x, name, .bias = true, .init = init, .bias_init = "zeros", __VA_ARGS__)

static gv_val norm(gv_graph *g, const variant *v, gv_val x, const char *name)
{
    if (v->norm != LAYER_NORM)
        return gv_rms_norm(g, x, name, .eps = v->eps, .deviation = v->norm == SIMPLE_NORM);
    return gv_layer_norm(g, x, name, .eps = v->eps);
}

static gv_val stem(gv_graph *g, const variant *v, gv_val x)
{
    int64_t w = v->dims[0];
    if (v->stem == PATCH)
        return norm(g, v, conv(g, x, "stem.0", .out = w, .kernel = 4, .stride = 4), "stem.1"); /* [N,H/4,W/4,w] */
    x = conv(g, x, "stem.0", .out = v->stem == TIERED ? (w / 2 + 4) / 8 * 8 : w, .kernel = 3, .stride = 2, .padding = 1);
    if (v->stem == ACT)
        x = gv_activate(g, v->act, x);
    x = conv(g, x, v->stem == ACT ? "stem.2" : "stem.1", .out = w, .kernel = 3, .stride = 2, .padding = 1);
    return norm(g, v, x, v->stem == ACT ? "stem.3" : "stem.2");
}

static gv_val block(gv_graph *g, const variant *v, gv_val x, int stage, double drop)
{
    int64_t c = v->dims[stage], k = v->kernels[stage] ? v->kernels[stage] : 7;
    gv_mark(g, "block");
    gv_val y = conv(g, x, "conv_dw", .out = c, .kernel = k, .padding = k / 2, .groups = c);
    y = norm(g, v, y, "norm");
    y = gv_mlp(g, y, "mlp", .hidden = 4 * c, .act = v->act, .grn = v->grn, .conv = v->conv_mlp, .init = init);
    if (!v->grn)
        y = gv_layer_scale(g, y, "", .init = 1e-6);
    return gv_add(g, gv_drop_path(g, y, "drop_path", .p = drop), x);
}

static gv_features build(gv_graph *g, const void *variant_, const gv_model_options *o, gv_val x)
{
    const variant *v = variant_;
    int count = v->depths[0] + v->depths[1] + v->depths[2] + v->depths[3], done = 0;
    if (gv_dim(g, x, 1) < 32 || gv_dim(g, x, 2) < 32) {
        gv_graph_fail(g, "an image of %d x %d pixels is too small: the last of its maps has a 32nd of its side (set data.augmentation.image_size)",
                      (int)gv_dim(g, x, 1), (int)gv_dim(g, x, 2));
        return (gv_features){ .value = GV_NO_VAL };
    }
    x = stem(g, v, x);
    for (int stage = 0; stage < 4; stage++) {
        if (stage) {
            gv_enter(g, "stages.%d", stage);
            x = norm(g, v, x, "downsample.0");
            x = conv(g, x, "downsample.1", .out = v->dims[stage], .kernel = 2, .stride = 2); /* [N,H/4/2^stage,…,dims[stage]] */
            gv_leave(g);
        }
        for (int i = 0; i < v->depths[stage]; i++, done++) {
            gv_enter(g, "stages.%d.blocks.%d", stage, i);
            x = block(g, v, x, stage, o->drop_path_rate * done / (count - 1));
            gv_leave(g);
        }
    }
    x = v->norm_first ? norm(g, v, x, "norm_pre") : x;
    return (gv_features){ .kind = GV_MAP, .value = x }; /* [N,H/32,W/32,dims[3]] */
}

static gv_val pooled(gv_graph *g, const void *variant_, gv_val x)
{
    const variant *v = variant_;
    x = v->norm_first ? x : norm(g, v, x, "head.norm");
    if (v->head_hidden)
        x = gv_gelu(g, gv_linear(g, x, "head.pre_logits.fc", .out = v->head_hidden, .bias = true, .init = init, .bias_init = "zeros"));
    return x;
}

const gv_model gv_model_convnext = {
    .name = "convnext", .summary = "convolutional networks built like transformers", .source = "timm/models/convnext.py",
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs),
    .classifier = "head.fc", .first_conv = "stem.0",
    .num_features = num_features, .build = build, .pooled = pooled,
};
