/* Whole models against timm in float64: features, logits, loss, every gradient's norm, some whole gradients, running statistics.
 * Weights come from a formula on both sides (tests/golden/formula.h); scripts/golden/models.py made the golden files. Encoders with options of
 * their own against dynamic-network-architectures in the same way (scripts/golden/encoders.py). */
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "nn/models/encoders.h"
#include "nn/models/models.h"
#include "tests/nn/whole.h"
#include <stdlib.h>

enum { CLASSES = 10, BATCH = 2 };

#define INTS(...) { sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (int64_t[]){ __VA_ARGS__ } }
typedef struct gv_residual_encoder_encoder resenc;
#define RESENC &(resenc)
#define COMMON .stem_channels = GV_NONE_I64, .conv_bias = true
static const struct gv_primus_encoder primus_s = { .variant = GV_PRIMUS_S, .input_channels = 1, .input_shape = INTS(16, 24, 16), .patch_embed_size = INTS(8, 8, 8) };

/* shape: of a sample; 0: side x side x 3. encoder, params: the kind, and its own fields */
static const struct model { const char *name, *file; int64_t side; bool qk_norm; int64_t shape[4]; const char *encoder; const void *params; } models[] = {
    { "test_resnet", "test_resnet", 72, false }, { "resnet18", "resnet18", 64, false }, { "resnet50d", "resnet50d", 64, false },
    { "seresnext26t_32x4d", "seresnext26t_32x4d", 64, false }, { "ecaresnet26t", "ecaresnet26t", 64, false },
    { "resnetblur18", "resnetblur18", 64, false }, { "resnetaa34d", "resnetaa34d", 64, false },
    { "test_vit", "test_vit_qknorm", 32, true }, { "test_vit2", "test_vit2", 48, false }, { "vit_tiny_patch16_224", "vit_tiny_patch16_224", 48, false },
    { "vit_wee_patch16_reg1_gap_256", "vit_wee_patch16_reg1_gap_256", 48, false }, { "vit_small_patch14_reg4_dinov2", "vit_small_patch14_reg4_dinov2", 28, false },
    { "vit_xsmall_patch16_clip_224", "vit_xsmall_patch16_clip_224", 48, false }, { "vit_medium_patch16_gap_240", "vit_medium_patch16_gap_240", 48, false },
    { "test_convnext", "test_convnext", 72, false }, { "test_convnext3", "test_convnext3", 64, false },
    { "convnext_zepto_rms_ols", "convnext_zepto_rms_ols", 64, false }, { "convnext_atto_ols", "convnext_atto_ols", 64, false },
    { "convnext_nano_ols", "convnext_nano_ols", 32, false }, { "convnext_atto_rms", "convnext_atto_rms", 64, false },
    { "convnext_tiny_hnf", "convnext_tiny_hnf", 32, false }, { "convnext_tiny", "convnext_tiny", 64, false },
    { "convnextv2_atto", "convnextv2_atto", 64, false }, { "convnextv2_tiny", "convnextv2_tiny", 32, false },
    { "residual_encoder", "resenc_3d", .shape = { 8, 4, 12, 3 }, .encoder = "residual_encoder",
      .params = RESENC{ COMMON, .spatial_dim = 3, .features_per_stage = INTS(4, 6, 6), .kernel_sizes = INTS(3), .strides = INTS(1, 2, 2), .n_blocks_per_stage = INTS(1, 2, 2), .nonlinearity = GV_RESENC_LEAKY_RELU } },
    { "residual_encoder", "resenc_3d_bottleneck", .shape = { 8, 9, 6, 1 }, .encoder = "residual_encoder",
      .params = RESENC{ .stem_channels = 5, .conv_bias = true, .spatial_dim = 3, .features_per_stage = INTS(8, 12), .kernel_sizes = INTS(3, 3), .strides = INTS(1, 2), .n_blocks_per_stage = INTS(1, 2),
                        .block_type = GV_RESENC_BOTTLENECK, .bottleneck_channels = INTS(4, 6), .pool_type = GV_RESENC_MAX } },
    { "residual_encoder", "resenc_3d_se", .shape = { 4, 8, 6, 2 }, .encoder = "residual_encoder",
      .params = RESENC{ .stem_channels = GV_NONE_I64, .spatial_dim = 3, .features_per_stage = INTS(8, 12), .kernel_sizes = INTS(1, 3, 3, 3, 3, 3), .strides = INTS(1, 1, 1, 1, 2, 2), .n_blocks_per_stage = INTS(1, 1),
                        .nonlinearity = GV_RESENC_LEAKY_RELU, .squeeze_excitation = true, .squeeze_excitation_reduction_ratio = 0.25 } },
    { "residual_encoder", "resenc_2d_batch", .shape = { 12, 8, 3 }, .encoder = "residual_encoder",
      .params = RESENC{ COMMON, .spatial_dim = 2, .features_per_stage = INTS(6, 8, 10), .kernel_sizes = INTS(3, 3, 5), .strides = INTS(1, 2, 2), .n_blocks_per_stage = INTS(1, 2, 1), .norm = GV_RESENC_BATCH,
                        .nonlinearity = GV_RESENC_GELU, .squeeze_excitation = true, .squeeze_excitation_reduction_ratio = 0.0625 } },
    { "residual_encoder", "resenc_2d_bottleneck", .shape = { 16, 12, 3 }, .encoder = "residual_encoder",
      .params = RESENC{ COMMON, .spatial_dim = 2, .features_per_stage = INTS(8, 12), .kernel_sizes = INTS(3), .strides = INTS(1, 2), .n_blocks_per_stage = INTS(2, 1), .norm = GV_RESENC_BATCH,
                        .nonlinearity = GV_RESENC_LEAKY_RELU, .block_type = GV_RESENC_BOTTLENECK, .bottleneck_channels = INTS(3, 4), .pool_type = GV_RESENC_AVG } },
    { "residual_encoder", "resenc_1d", .shape = { 40, 4 }, .encoder = "residual_encoder",
      .params = RESENC{ COMMON, .spatial_dim = 1, .features_per_stage = INTS(6, 8, 8), .kernel_sizes = INTS(7, 5, 3), .strides = INTS(1, 2, 4), .n_blocks_per_stage = INTS(1, 1, 2) } },
    { "residual_encoder", "resenc_1d_bottleneck", .shape = { 30, 2 }, .encoder = "residual_encoder",
      .params = RESENC{ COMMON, .spatial_dim = 1, .features_per_stage = INTS(8, 8), .kernel_sizes = INTS(5), .strides = INTS(1, 3), .n_blocks_per_stage = INTS(1, 2), .norm = GV_RESENC_BATCH,
                        .nonlinearity = GV_RESENC_LEAKY_RELU, .block_type = GV_RESENC_BOTTLENECK, .bottleneck_channels = INTS(4, 4), .pool_type = GV_RESENC_MAX } },
    { "primus", "primus_s", .shape = { 16, 24, 16, 1 }, .encoder = "primus", .params = &primus_s },
};

/* [BATCH,s…,C]; the number of axes. */
static int shape_of(const struct model *c, int64_t shape[5])
{
    int n = 1;
    shape[0] = BATCH;
    if (!c->shape[0])
        return memcpy(shape + 1, (int64_t[]){ c->side, c->side, 3 }, 3 * sizeof *shape), 4;
    for (; n < 5 && c->shape[n - 1]; n++)
        shape[n] = c->shape[n - 1];
    return n;
}

/* Encoder, pooling, head and loss; outputs features, logits, loss. */
static gv_graph *network(gv_arena *a, const struct model *c, gv_phase phase, gv_val *loss, gv_err *err)
{
    gv_model_ref m;
    gv_graph *g = gv_graph_new(a, phase, err);
    int64_t shape[5];
    if (!g || gv_model_find_in(c->encoder ? c->encoder : "timm", c->name, &m, err) < 0)
        return NULL;
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, shape, shape_of(c, shape));
    gv_val y = gv_input(g, "y", GV_CLASS_I64, (int64_t[]){ BATCH }, 1);
    gv_features f = gv_model_build(g, &m, &(gv_model_options){ .qk_norm = c->qk_norm, .params = c->params }, x);
    gv_val v = gv_pool(g, &m, &f, GV_AGG_CLS_TOKEN, false, NULL);
    gv_output(g, "features", f.kind == GV_TOKENS || c->encoder ? f.value : v);
    v = gv_head_build(g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = CLASSES });
    gv_output(g, "logits", v);
    gv_loss_inputs in = { .target = y, .lam = GV_NO_VAL, .perm = GV_NO_VAL };
    *loss = gv_loss_find("cross_entropy")->build(g, v, &in, &(gv_loss_options){ .label_smoothing = 0.1 });
    gv_output(g, "loss", *loss);
    if (gv_graph_error(g)) {
        *err = *gv_graph_error(g);
        return NULL;
    }
    return g;
}

static int run(gv_graph *g, gv_store *s, gv_plan **p, const struct model *c, gv_err *err)
{
    static double x[BATCH * 96 * 96 * 3];
    static const int64_t y[BATCH] = { 3, 7 };
    int64_t shape[5], n = gv_shape_count(shape, shape_of(c, shape));
    for (int64_t i = 0; i < n; i++)
        x[i] = formula_uniform(gv_hash_name("x"), i);
    gv_feed feeds[] = { { "x", x, GV_F64T }, { "y", y, GV_I64T } };
    int r = gv_plan_make(p, g, s, &(gv_plan_options){ .precision = GV_FP64, .backend = "reference", .keep_grads = true, .grad_scale = 1 }, err);
    return r == GV_OK ? gv_plan_run(*p, feeds, 2, 1, err) : r;
}

static void evaluation(gv_arena *a, const struct model *c, const golden *gold)
{
    gv_err err = { 0 };
    gv_store *s = NULL;
    gv_plan *p = NULL;
    gv_val loss;
    gv_graph *g = network(a, c, GV_EVAL, &loss, &err);
    int r = g ? gv_store_open(&s, GV_FP64, &err) : -1;
    if (r == GV_OK && (r = gv_store_init(s, g, 1, &err)) == GV_OK) {
        formula_store(s, g);
        r = run(g, s, &p, c, &err);
    }
    double f = r == GV_OK ? whole_compare(gold, "features", gv_plan_output(p, "features")) : 1;
    double l = r == GV_OK ? whole_compare(gold, "eval_logits", gv_plan_output(p, "logits")) : 1;
    ok(r == GV_OK && f < 1e-11 && l < 1e-11, "%s: features (%.0e) and logits (%.0e) in evaluation%s%s", c->file, f, l, r ? ": " : "", err.text);
    gv_plan_close(p);
    gv_store_close(s);
}

static void statistics(const struct model *c, const golden *gold, gv_graph *g, gv_store *s)
{
    double worst = 0;
    int n = 0;
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        char entry[256];
        if (!p->buffer || p->cls == GV_CLASS_I64 || p->shape[0] > 64)
            continue;
        snprintf(entry, sizeof entry, "buffer:%s", p->name);
        double d = whole_compare(gold, entry, gv_store_find(s, p->name));
        worst = d > worst ? d : worst;
        n++;
    }
    const gv_stored *t = gv_store_find(s, c->encoder ? "stem.convs.0.norm.num_batches_tracked" : "bn1.num_batches_tracked");
    ok(n > 1 && worst < 1e-12 && t && *(int64_t *)t->data == 1, "%s: running statistics after one step (%.0e)", c->file, worst);
}

static void training(gv_arena *a, const struct model *c, const golden *gold)
{
    gv_err err = { 0 };
    gv_store *s = NULL;
    gv_plan *p = NULL;
    gv_val loss;
    gv_graph *g = network(a, c, GV_TRAIN, &loss, &err);
    int r = g ? gv_differentiate(g, loss, NULL, NULL, &err) : -1;
    if (r == GV_OK && (r = gv_store_open(&s, GV_FP64, &err)) == GV_OK && (r = gv_store_init(s, g, 1, &err)) == GV_OK) {
        formula_store(s, g);
        r = run(g, s, &p, c, &err);
    }
    double l = r == GV_OK ? whole_compare(gold, "train_logits", gv_plan_output(p, "logits")) : 1;
    double e = r == GV_OK ? whole_compare(gold, "loss", gv_plan_output(p, "loss")) : 1;
    if (ok(r == GV_OK && l < 1e-10 && e < 1e-11, "%s: logits (%.0e) and loss (%.0e) in training%s%s", c->file, l, e, r ? ": " : "", err.text)) {
        whole_gradients(c->file, gold, g, s);
        if (c->encoder ? gv_store_find(s, "stem.convs.0.norm.running_mean") != NULL : !strstr(c->name, "vit") && !strstr(c->name, "convnext"))
            statistics(c, gold, g, s);
    }
    gv_plan_close(p);
    gv_store_close(s);
}

/* What convnext_large_mlp has between pooling and classifier, on a made-up pooled feature: the whole model is too large for a test. */
static void convnext_head(gv_arena *a)
{
    static double x[2 * 1536];
    static const int64_t y[2] = { 3, 7 };
    golden gold;
    gv_err err = { 0 };
    gv_model_ref m;
    gv_store *s = NULL;
    gv_plan *p = NULL;
    if (!ok(golden_open(&gold, "tests/golden/models/convnext_head.gold") == 0 && gv_model_find("convnext_large_mlp", &m, &err) == GV_OK, "convnext_head.gold"))
        return;
    for (int i = 0; i < 2 * 1536; i++)
        x[i] = formula_uniform(gv_hash_name("x"), i);
    gv_arena_reset(a);
    gv_graph *g = gv_graph_new(a, GV_TRAIN, &err);
    gv_val v = m.family->pooled(g, m.variant, gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 2, 1536 }, 2)), t = gv_input(g, "y", GV_CLASS_I64, (int64_t[]){ 2 }, 1);
    v = gv_head_build(g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = CLASSES });
    gv_output(g, "logits", v);
    gv_loss_inputs in = { .target = t, .lam = GV_NO_VAL, .perm = GV_NO_VAL };
    v = gv_loss_find("cross_entropy")->build(g, v, &in, &(gv_loss_options){ .label_smoothing = 0.1 });
    int r = gv_differentiate(g, v, NULL, NULL, &err);
    if (r == GV_OK && (r = gv_store_open(&s, GV_FP64, &err)) == GV_OK && (r = gv_store_init(s, g, 1, &err)) == GV_OK) {
        formula_store(s, g);
        r = gv_plan_make(&p, g, s, &(gv_plan_options){ .precision = GV_FP64, .backend = "reference", .keep_grads = true, .grad_scale = 1 }, &err);
    }
    if (r == GV_OK)
        r = gv_plan_run(p, (gv_feed[]){ { "x", x, GV_F64T }, { "y", y, GV_I64T } }, 2, 1, &err);
    double d = r == GV_OK ? whole_compare(&gold, "logits", gv_plan_output(p, "logits")) : 1, worst = r == GV_OK && gv_param_count(g) == 6 ? 0 : 1;
    for (int i = 0; r == GV_OK && i < gv_param_count(g); i++) {
        char name[64], entry[64];
        double want, sum = 0;
        snprintf(name, sizeof name, "grad.%s", gv_param_at(g, i)->name);
        snprintf(entry, sizeof entry, "norm:%s", gv_param_at(g, i)->name);
        const gv_stored *grad = gv_store_find(s, name);
        for (int64_t k = 0; grad && k < gv_shape_count(grad->shape, grad->ndim); k++)
            sum += ((double *)grad->data)[k] * ((double *)grad->data)[k];
        double e = golden_get(&gold, entry, &want, 1) == 1 ? fabs(sqrt(sum) - want) / want : 1;
        worst = e > worst ? e : worst;
    }
    ok(d < 1e-12 && worst < 1e-10, "the head of convnext_large_mlp: logits (%.0e), norms of gradients (%.0e) %s", d, worst, err.text);
    gv_plan_close(p);
    gv_store_close(s);
    gv_free(gold.text);
}

int main(int argc, char **argv)
{
    gv_arena a = { 0 };
    gv_err err = { 0 };
    ok(gv_arena_init(&a, "graph", (size_t)1 << 30, &err) == GV_OK, "arena");
    for (size_t i = 0; i < GV_COUNT(models); i++) {
        golden gold;
        char path[256];
        if (argc > 1 && strcmp(argv[1], models[i].file))
            continue;
        snprintf(path, sizeof path, "tests/golden/models/%s.gold", models[i].file);
        if (!ok(golden_open(&gold, path) == 0, "%s", path))
            continue;
        gv_arena_reset(&a);
        evaluation(&a, &models[i], &gold);
        gv_arena_reset(&a);
        training(&a, &models[i], &gold);
        gv_free(gold.text);
    }
    if (argc < 2 || !strcmp(argv[1], "convnext_head"))
        convnext_head(&a);
    gv_arena_release(&a);
    return done();
}
