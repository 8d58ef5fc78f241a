/* The tables of models: every architecture has the parameters that timm counts; names, tags and their errors. */
#include "nn/heads/heads.h"
#include "nn/models/models.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

/* Parameters and tensors of an architecture with its classifier; -1: its graph failed. */
static int64_t count(gv_arena *arena, const char *arch, int64_t side, int *tensors)
{
    gv_err err = { 0 };
    gv_model_ref m;
    gv_arena_reset(arena);
    gv_graph *g = gv_graph_new(arena, GV_EVAL, &err);
    if (!g || gv_model_find(arch, &m, &err) < 0)
        return -1;
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 1, side, side, 3 }, 4);
    gv_features f = gv_model_build(g, &m, NULL, x);
    gv_val v = gv_pool(g, &m, &f, GV_AGG_CLS_TOKEN, false, NULL);
    gv_head_build(g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = 1000 });
    if (gv_graph_error(g)) {
        printf("# %s: %s\n", arch, gv_graph_error(g)->text);
        return -1;
    }
    int64_t sum = 0;
    *tensors = gv_param_count(g);
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        sum += p->buffer ? 0 : gv_shape_count(p->shape, p->ndim);
    }
    return sum;
}

static void counts(void)
{
    FILE *f = fopen("tests/golden/models/counts.txt", "r");
    char arch[128];
    long long want;
    int want_tensors, side, known = 0, wrong = 0, tensors = 0;
    gv_arena arena = { 0 };
    gv_err err = { 0 };
    gv_model_ref m;
    ok(f && gv_arena_init(&arena, "graph", (size_t)1 << 30, &err) == GV_OK, "the published counts are there");
    while (f && fscanf(f, "%127s %lld %d %d", arch, &want, &want_tensors, &side) == 4) {
        gv_err none = { 0 };
        if (gv_model_find(arch, &m, &none) < 0)
            continue;
        int64_t n = count(&arena, arch, side, &tensors);
        known++;
        if (n != want || tensors != want_tensors) {
            printf("# %s: %lld parameters in %d tensors; timm has %lld in %d\n", arch, (long long)n, tensors, want, want_tensors);
            wrong++;
        }
    }
    int all = 0;
    while (gv_model_arch(all))
        all++;
    ok(known == all && all == 222, "all %d architectures have a published count", all);
    ok(wrong == 0, "every architecture has timm's number of parameters and tensors");
    gv_arena_release(&arena);
    if (f)
        fclose(f);
}

static void names(void)
{
    gv_err err = { 0 };
    gv_model_ref m;
    ok(gv_model_find("resnet50.a1_in1k", &m, &err) == GV_OK && !strcmp(m.hub, "timm/resnet50.a1_in1k"), "arch.tag gives its repository");
    ok(strstr(m.cfg->url, "resnet50_a1_0-14fe96d1.pth") && m.cfg->input_size == 224 && m.cfg->crop_pct == 0.95, "… and its URL, size and crop");
    ok(m.num_features == 2048 && !strcmp(m.first_conv, "conv1") && !strcmp(m.family->classifier, "fc"), "… and its keys");
    ok(gv_model_find("resnet50d", &m, &err) == GV_OK && !strcmp(m.first_conv, "conv1.0"), "a deep stem's first convolution has its own key");
    ok(gv_model_find("vit_base_patch16_224", &m, &err) == GV_OK && !strcmp(m.cfg->tag, "augreg2_in21k_ft_in1k"), "without a tag the default one");
    ok(m.patch_size == 16 && m.num_features == 768, "patch and width of a transformer");
    ok(gv_model_find("resnet50.tv_in1k", &m, &err) == GV_OK && !strcmp(m.cfg->interpolation, "bilinear"), "interpolation of a tag");
    ok(gv_model_find("vit_huge_patch14_clip_quickgelu_224.dfn5b", &m, &err) == GV_OK && !strcmp(m.hub, "timm/vit_huge_patch14_clip_224.dfn5b"), "weights in another repository");
    ok(gv_model_find("tv_resnet50", &m, &err) == GV_OK && !strcmp(m.hub, "timm/resnet50.tv_in1k"), "an older name");
    ok(gv_model_find("convnext_large_mlp.clip_laion2b_soup_ft_in12k_320", &m, &err) == GV_OK && m.cfg->input_size == 320 && m.cfg->num_classes == 11821, "a CLIP tower fine-tuned");
    ok(!strcmp(m.first_conv, "stem.0") && !strcmp(m.family->classifier, "head.fc") && m.num_features == 1536, "… and its keys");
    ok(gv_model_find("convnext_tiny_in22k", &m, &err) == GV_OK && !strcmp(m.hub, "timm/convnext_tiny.fb_in22k"), "an older name of a ConvNeXt");
    ok(gv_model_find("resnet5O", &m, &err) == GV_EUSAGE && strstr(err.text, "'resnet50'"), "a misspelt name gets its nearest: %s", err.text);
    gv_err_clear(&err);
    ok(gv_model_find("resnet18.b_in1k", &m, &err) == GV_EUSAGE && strstr(err.text, "a1_in1k") && strstr(err.text, "tv_in1k"), "an unknown tag gets the list: %s", err.text);
    gv_err_clear(&err);
    ok(gv_model_find("", &m, &err) == GV_EUSAGE, "no name");
}

/* The shape of a pooled feature, and what the graph says. */
static gv_val pool(gv_graph *g, const char *arch, gv_aggregation method, bool typed, gv_aggregation *used)
{
    gv_err err = { 0 };
    gv_model_ref m;
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 2, 64, 96, 3 }, 4);
    if (gv_model_find(arch, &m, &err) < 0)
        return GV_NO_VAL;
    gv_features f = gv_model_build(g, &m, NULL, x);
    return gv_pool(g, &m, &f, method, typed, used);
}

static void pooling(void)
{
    gv_arena a = { 0 };
    gv_err err = { 0 };
    gv_aggregation used;
    ok(gv_arena_init(&a, "graph", (size_t)1 << 28, &err) == GV_OK, "arena");
    gv_graph *g = gv_graph_new(&a, GV_EVAL, &err);
    gv_val v = pool(g, "vit_tiny_patch16_224", GV_AGG_JOINT, true, &used);
    ok(!gv_graph_error(g) && gv_dim(g, v, 1) == 384 && used == GV_AGG_JOINT, "joint is twice the width, on an image that is no square");
    g = gv_graph_new(&a, GV_EVAL, &err);
    v = pool(g, "test_vit2", GV_AGG_CLS_TOKEN, false, &used);
    ok(!gv_graph_error(g) && gv_dim(g, v, 1) == 64 && used == GV_AGG_AVG, "the untouched cls_token becomes avg without a class token");
    g = gv_graph_new(&a, GV_EVAL, &err);
    pool(g, "test_vit2", GV_AGG_CLS_TOKEN, true, &used);
    ok(gv_graph_error(g) && strstr(gv_graph_error(g)->text, "needs a class token"), "the typed one is an error");
    g = gv_graph_new(&a, GV_EVAL, &err);
    v = pool(g, "resnet18", GV_AGG_CLS_TOKEN, true, &used);
    ok(!gv_graph_error(g) && gv_ndim(g, v) == 2 && gv_dim(g, v, 1) == 512, "a map is averaged");
    g = gv_graph_new(&a, GV_EVAL, &err);
    v = pool(g, "eva_large_patch14_196", GV_AGG_AVG, true, &used);
    ok(gv_graph_error(g) && strstr(gv_graph_error(g)->text, "patches of 14"), "an image that does not divide is named: %s", gv_graph_error(g) ? gv_graph_error(g)->text : "");
    gv_arena_release(&a);
}

int main(void)
{
    names();
    pooling();
    counts();
    return done();
}
