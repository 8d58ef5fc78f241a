/* slowfast: two pathways over one clip, with pytorchvideo's names. clips [N,T,H,W,C] -> vector [N,2304], or a map where the clip is wider
 * than the published one.
 *
 *   fast  all frames, an eighth of the channels          slow  every alpha-th frame, from the first on
 * Behind the stem and each stage but the last, a convolution over time at stride alpha brings the fast pathway's channels to the slow one.
 *
 * slowfast_r50 has 34,566,488 parameters with its classifier `blocks.6.proj` of 400 classes. The published weights are for alpha 4.
 * Named intermediates: blocks.0 … blocks.4, of the slow pathway with what was brought to it.
 * Source: Feichtenhofer et al. 2019 arXiv:1812.03982. Names, widths, initialisation: pytorchvideo 0.1.5, models/slowfast.py. */
#include "nn/models/slowfast.h"
#include "nn/models/video.h"

typedef struct variant { const char *name; int depth[4]; int64_t fusion; /* frames that the convolution between the pathways sees */ } variant;
static const variant variants[] = {
    { "slowfast_r50", { 3, 4, 6, 3 }, 7 },
    { "slowfast_r101", { 3, 4, 23, 3 }, 5 },
};

static const gv_pretrained_cfg cfgs[] = {
#include "nn/models/slowfast_table.inc"
};

/* Every alpha-th frame: [N,T,H,W,C] -> [N,ceil(T/alpha),H,W,C]. */
static gv_val every(gv_graph *g, gv_val x, int64_t alpha)
{
    if (gv_graph_error(g))
        return GV_NO_VAL;
    const int64_t *s = gv_shape(g, x);
    int64_t n = s[0], t = (s[1] + alpha - 1) / alpha, h = s[2], w = s[3], c = s[4];
    x = gv_pad(g, x, 1, 0, t * alpha - s[1]); /* fills the last group up; of each group its first is taken */
    x = gv_reshape(g, x, (int64_t[]){ n * t, alpha, h * w * c }, 3);
    return gv_reshape(g, gv_slice(g, x, 1, 0, 1), (int64_t[]){ n, t, h, w, c }, 5);
}

static gv_val stem(gv_graph *g, gv_val x, int way)
{
    gv_enter(g, "multipathway_blocks.%d", way);
    x = gv_video_conv(g, x, "conv", .out = way ? 8 : 64, .kernel = { way ? 5 : 1, 7, 7 }, .stride = { 1, 2, 2 });
    x = gv_relu(g, gv_batch_norm(g, x, "norm"));
    gv_leave(g);
    return gv_video_max_pool(g, x, .kernel = { 1, 3, 3 }, .stride = { 1, 2, 2 });
}

static gv_val fused(gv_graph *g, gv_val slow, gv_val fast, int64_t frames, int64_t alpha)
{
    gv_enter(g, "multipathway_fusion");
    fast = gv_video_conv(g, fast, "conv_fast_to_slow", .out = 2 * gv_dim(g, fast, -1), .kernel = { frames }, .stride = { alpha });
    gv_val both[2] = { slow, gv_relu(g, gv_batch_norm(g, fast, "norm")) };
    gv_leave(g);
    return gv_concat(g, both, 2, -1);
}

/* What the published head pools: windows of 8 frames and of alpha times as many, 7x7 pixels, side by side in the channels. The two may differ in
 * how many fit into their frames, so each pathway's windows are averaged over time first; the linear classifier makes the same of it. */
static gv_val pooled(gv_graph *g, const gv_val way[2], int64_t alpha)
{
    gv_val v[2];
    for (int i = 0; i < 2; i++) {
        v[i] = gv_video_window_mean(g, way[i], (int64_t[]){ i ? 8 * alpha : 8, 7, 7 });
        v[i] = gv_graph_error(g) ? GV_NO_VAL : gv_reduce(g, GV_MEAN, v[i], 2, true, GV_CLASS_REAL);
    }
    return gv_concat(g, v, 2, -1); /* [N,1,h,w,2304] */
}

static gv_features build(gv_graph *g, const void *variant_, const gv_model_options *o, gv_val x)
{
    const variant *v = variant_;
    const struct gv_pytorchvideo_encoder *e = o->params;
    int64_t alpha = e ? e->slowfast_alpha : 4;
    gv_features f = { .kind = GV_MAP };
    int all = v->depth[0] + v->depth[1] + v->depth[2] + v->depth[3], done = 0;
    double step = o->drop_path_rate / (all - 1);
    gv_video_pathways(g, o, v->name, true);
    gv_val way[2] = { every(g, x, alpha), x };
    for (int b = 0; b < 5; b++) {
        gv_enter(g, "blocks.%d", b);
        for (int i = 0; i < 2; i++) {
            if (!b) {
                way[i] = stem(g, way[i], i);
                continue;
            }
            int64_t inner = (64 << (b - 1)) / (i ? 8 : 1);
            gv_enter(g, "multipathway_blocks.%d", i);
            way[i] = gv_video_stage(g, way[i], .depth = v->depth[b - 1], .inner = inner, .out = 4 * inner, .kernel_a = { i || b > 2 ? 3 : 1 },
                                    .kernel_b = { 1, 3, 3 }, .stride = { 1, b > 1 ? 2 : 1, b > 1 ? 2 : 1 }, .drop_path = { step * done, step });
            gv_leave(g);
        }
        done += b ? v->depth[b - 1] : 0;
        if (b < 4)
            way[0] = fused(g, way[0], way[1], v->fusion, alpha);
        gv_leave(g);
        gv_keep(&f, gv_block_name(b), way[0]);
    }
    f.value = pooled(g, way, alpha);
    return f;
}

static int64_t num_features(const void *v)
{
    (void)v;
    return 2304;
}

const gv_model gv_model_slowfast = {
    .name = "slowfast", .summary = "a slow and a fast pathway over one clip", .source = "pytorchvideo/models/hub/slowfast.py",
    .encoder = "pytorchvideo", .axes = 1u << 3,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .cfgs = cfgs, .cfg_count = GV_COUNT(cfgs), .classifier = "blocks.6.proj", .first_conv = "blocks.0.multipathway_blocks.0.conv blocks.0.multipathway_blocks.1.conv",
    .num_features = num_features, .build = build,
};
