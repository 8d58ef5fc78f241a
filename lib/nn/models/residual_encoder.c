/* residual_encoder: nnU-Net's encoder of residual blocks, for series, images and volumes. x [N,s…,C] -> features [N,s'…,features of the last
 * stage]. A stem of one convolution, then stages; the first block of a stage strides (or a pool stands before it).
 *
 *   basic       conv, norm, act, conv, norm                      bottleneck  1, norm, act, k (strides), norm, act, 1, norm
 *   both        + skip (average pool by the stride, 1x1 convolution and norm where channels change), act behind the sum
 *
 * With 1 input channel and its defaults in three dimensions: 90,296,576 parameters.
 *
 * Squeeze and excitation averages over the first two spatial axes alone, as the published one does in three dimensions too, so that its
 * weights give its features: along the last axis each place has its own gate. (In one dimension the published one fails; here the mean is
 * over time.) Dropout leaves out whole channels and stands before the norm.
 *
 * Sources: Isensee et al. 2024, arXiv:2404.09556; dynamic-network-architectures 0.4, building_blocks/residual_encoders.py (names, order). */
#include "nn/layers/layers.h"
#include "nn/models/encoders.h"
#include "nn/models/models.h"
#include <inttypes.h>

typedef struct gv_residual_encoder_encoder params;

static const struct variant { const char *name; } variants[] = { { "residual_encoder" } };
static const char init[] = "kaiming_normal_leaky";

/* Entry of stage s (and axis i, where the list may have one for each of `axes`). 0 where the list has neither length. */
static int64_t entry(const gv_ints *list, int64_t stages, int64_t s, int64_t axes, int64_t i)
{
    int64_t n = (int64_t)list->n;
    return n == 1 ? list->v[0] : n == stages ? list->v[s] : n == stages * axes ? list->v[s * axes + i] : 0;
}

/* One convolution with what follows it. */
struct unit { int64_t out, kernel[3], stride[3]; bool bias, drop, act; };

static gv_val activate(gv_graph *g, const params *p, gv_val x)
{
    return p->nonlinearity == GV_RESENC_RELU ? gv_relu(g, x) : p->nonlinearity == GV_RESENC_GELU ? gv_gelu(g, x) : gv_unary(g, GV_LEAKY_RELU, x);
}

static gv_val unit(gv_graph *g, const params *p, gv_val x, const char *name, const struct unit *u)
{
    gv_enter(g, "%s", name);
    struct gv_convnd c = { .dims = (int)p->spatial_dim, .out = u->out, .bias = u->bias, .init = init, .bias_init = "zeros" };
    for (int i = 0; i < c.dims; i++) {
        c.kernel[i] = u->kernel[i];
        c.stride[i] = u->stride[i];
        c.padding[i] = (u->kernel[i] - 1) / 2;
    }
    x = gv_layer_build(g, &gv_layer_convnd, x, "conv", &c);
    if (u->drop)
        x = gv_channel_dropout(g, x, "dropout", .p = p->dropout_p);
    x = p->norm == GV_RESENC_BATCH ? gv_batch_norm(g, x, "norm", .eps = 1e-5) : gv_instance_norm(g, x, "norm", .eps = 1e-5);
    x = u->act ? activate(g, p, x) : x;
    gv_leave(g);
    return x;
}

/* What a stage is made of. */
struct stage { int64_t out, middle, kernel[3], stride[3]; };

static bool strides(const struct stage *s)
{
    return s->stride[0] * s->stride[1] * s->stride[2] > 1;
}

static gv_val pooled(gv_graph *g, const params *p, gv_val x, const int64_t *stride, bool max)
{
    gv_window w = { .dims = (int)p->spatial_dim, .groups = 1, .count_include_pad = true };
    for (int i = 0; i < w.dims; i++) {
        w.kernel[i] = w.stride[i] = stride[i];
        w.dilation[i] = 1;
        if (gv_dim(g, x, 1 + i) < stride[i])
            return gv_graph_fail(g, "%" PRId64 " places do not suffice for a stride of %" PRId64 "; the sample is too small for so many stages", gv_dim(g, x, 1 + i), stride[i]);
    }
    return max ? gv_maxpool(g, x, &w).y : gv_avgpool(g, x, &w);
}

static gv_val skip(gv_graph *g, const params *p, const struct stage *s, gv_val x)
{
    bool pool = strides(s), project = gv_dim(g, x, -1) != s->out;
    gv_enter(g, "skip");
    if (pool)
        x = pooled(g, p, x, s->stride, false);
    if (project)
        x = unit(g, p, x, pool ? "1" : "0", &(struct unit){ .out = s->out, .kernel = { 1, 1, 1 } });
    gv_leave(g);
    return x;
}

static gv_val block(gv_graph *g, const params *p, const struct stage *s, gv_val x)
{
    bool drop = p->dropout_p > 0;
    gv_mark(g, "block");
    for (int i = 0; i < p->spatial_dim; i++) /* the skip would have another size than the branch */
        if (gv_dim(g, x, 1 + i) % s->stride[i])
            return gv_graph_fail(g, "%" PRId64 " places along axis %d do not divide by a stride of %" PRId64 " (pad or crop the samples: --data.augmentation.patch_size)", gv_dim(g, x, 1 + i), i, s->stride[i]);
    gv_val more = skip(g, p, s, x), y = x;
    struct unit k = { .out = s->middle, .bias = p->conv_bias, .drop = drop, .act = true };
    memcpy(k.kernel, s->kernel, sizeof k.kernel);
    memcpy(k.stride, s->stride, sizeof k.stride);
    if (p->block_type == GV_RESENC_BASIC) {
        y = unit(g, p, y, "conv1", &k);
        struct unit last = { .out = s->out, .bias = p->conv_bias };
        memcpy(last.kernel, s->kernel, sizeof last.kernel);
        y = unit(g, p, y, "conv2", &last);
    } else {
        y = unit(g, p, y, "conv1", &(struct unit){ .out = s->middle, .kernel = { 1, 1, 1 }, .bias = p->conv_bias, .act = true });
        y = unit(g, p, y, "conv2", &k);
        y = unit(g, p, y, "conv3", &(struct unit){ .out = s->out, .kernel = { 1, 1, 1 }, .bias = p->conv_bias });
    }
    y = gv_drop_path(g, y, "drop_path", .p = p->stochastic_depth_p);
    if (p->squeeze_excitation)
        y = gv_squeeze_excite(g, y, "squeeze_excitation", .ratio = p->squeeze_excitation_reduction_ratio, .init = init, .bias_init = "zeros", .axes = 2);
    return activate(g, p, gv_add(g, y, more));
}

/* The lists must say the same number of stages. */
static bool fits(gv_graph *g, const params *p, int64_t stages)
{
    const struct { const char *name; const gv_ints *list; int64_t axes; } all[] = {
        { "kernel_sizes", &p->kernel_sizes, p->spatial_dim }, { "strides", &p->strides, p->spatial_dim }, { "n_blocks_per_stage", &p->n_blocks_per_stage, 1 },
        { "bottleneck_channels", &p->bottleneck_channels, 1 },
    };
    for (size_t i = 0; i < GV_COUNT(all); i++)
        if (all[i].list->v && !entry(all[i].list, stages, 0, all[i].axes, 0)) {
            gv_graph_fail(g, "'--model.encoder.%s' has %zu entries and '--model.encoder.features_per_stage' has %" PRId64 " stages; one for each stage%s, or one for all, is wanted", all[i].name,
                          all[i].list->n, stages, all[i].axes > 1 ? ", one for each axis of each stage" : "");
            return false;
        }
    if (p->block_type == GV_RESENC_BOTTLENECK && !p->bottleneck_channels.v)
        gv_graph_fail(g, "bottleneck blocks need '--model.encoder.bottleneck_channels'");
    return !gv_graph_error(g);
}

static gv_val stage(gv_graph *g, const params *p, int64_t stages, int64_t k, gv_val x)
{
    struct stage s = { .out = p->features_per_stage.v[k], .stride = { 1, 1, 1 } };
    s.middle = p->block_type == GV_RESENC_BASIC ? s.out : entry(&p->bottleneck_channels, stages, k, 1, 0);
    for (int64_t i = 0; i < p->spatial_dim; i++) {
        s.kernel[i] = entry(&p->kernel_sizes, stages, k, p->spatial_dim, i);
        s.stride[i] = entry(&p->strides, stages, k, p->spatial_dim, i);
    }
    if (p->pool_type != GV_RESENC_CONV) { /* a module of its own before the stage, also where its window is one place */
        x = strides(&s) ? pooled(g, p, x, s.stride, p->pool_type == GV_RESENC_MAX) : x;
        s.stride[0] = s.stride[1] = s.stride[2] = 1;
        gv_enter(g, "1");
    }
    for (int64_t b = 0, n = entry(&p->n_blocks_per_stage, stages, k, 1, 0); b < n; b++) {
        gv_enter(g, "blocks.%d", (int)b);
        x = block(g, p, &s, x);
        gv_leave(g);
        s.stride[0] = s.stride[1] = s.stride[2] = 1;
    }
    if (p->pool_type != GV_RESENC_CONV)
        gv_leave(g);
    return x;
}

static gv_features build(gv_graph *g, const void *variant, const gv_model_options *o, gv_val x)
{
    static const char *const names[] = { "stem", "stage0", "stage1", "stage2", "stage3", "stage4", "stage5", "stage6", "stage7", "stage8", "stage9", "stage10" };
    const params *p = o->params;
    gv_features f = { .kind = GV_MAP, .value = GV_NO_VAL };
    (void)variant;
    if (!p || gv_ndim(g, x) != p->spatial_dim + 2) {
        gv_graph_fail(g, "samples with %d spatial axes do not fit '--model.encoder.spatial_dim %d'", gv_ndim(g, x) - 2, p ? (int)p->spatial_dim : 0);
        return f;
    }
    int64_t stages = (int64_t)p->features_per_stage.n;
    if (!fits(g, p, stages))
        return f;
    struct unit stem = { .out = p->stem_channels == GV_NONE_I64 ? p->features_per_stage.v[0] : p->stem_channels, .bias = p->conv_bias, .drop = p->dropout_p > 0, .act = true };
    for (int64_t i = 0; i < p->spatial_dim; i++)
        stem.kernel[i] = entry(&p->kernel_sizes, stages, 0, p->spatial_dim, i);
    for (int64_t k = -1; k < stages; k++) {
        gv_enter(g, k < 0 ? "stem.convs" : "stages.%d", (int)k);
        x = k < 0 ? unit(g, p, x, "0", &stem) : stage(g, p, stages, k, x);
        gv_leave(g);
        if (k + 1 < (int64_t)GV_COUNT(names)) {
            f.stage[f.stages].name = names[k + 1];
            f.stage[f.stages++].value = x;
        }
    }
    f.value = x;
    return f;
}

const gv_model gv_model_residual_encoder = {
    .name = "residual_encoder", .summary = "nnU-Net's residual encoder", .source = "dynamic_network_architectures/building_blocks/residual_encoders.py",
    .encoder = "residual_encoder", .axes = 1u << 1 | 1u << 2 | 1u << 3,
    .variants = variants, .variant_size = sizeof *variants, .variant_count = GV_COUNT(variants),
    .classifier = "head", .first_conv = "stem.convs.0.conv", .any_channels = true, .build = build,
};
