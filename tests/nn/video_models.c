/* The video encoders against the originals in float64: names and shapes of all tensors, counts of parameters, pooled features, logits, loss, every
 * gradient's norm and projection, running statistics; and features and logits of the fast backend in single precision.
 * Weights come from a formula on both sides (tests/golden/formula.h); scripts/golden/video_models.py made the golden files.
 *
 *   video_models [NAME]          NAME alone;  GLOVITA_TEST_ALL=1: all of them; without it one of each kind is run whole, under sanitizers the small ones
 *   video_models --names NAME    names and shapes, as video_models.py --names prints them */
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "nn/models/adapt.h"
#include "tests/nn/whole.h"
#include <stdlib.h>

enum { CLASSES = 10, BATCH = 2, MOST = BATCH * 4 * 192 * 192 * 3 };

typedef struct model { const char *encoder, *name; int64_t frames, side; int costs; bool only_eval, other; int64_t side_made, frames_made; /* that positions are made for; 0: the published ones */ } model;
/* costs: 1 not under sanitizers, 2 only where all are asked for; other: the clips have another size than positions are made for */
static const char tv[] = "torchvision_video", ptv[] = "pytorchvideo";
#define MADE .side_made = 64, .frames_made = 4
static const model models[] = {
    { tv, "r3d_18", 4, 32, .costs = 1 }, { tv, "mc3_18", 4, 32 }, { tv, "r2plus1d_18", 4, 32, .costs = 1 },
    { tv, "s3d", 16, 64 }, { tv, "mvit_v1_b", 4, 64, MADE, .costs = 2 }, { tv, "mvit_v2_s", 4, 64, MADE, .costs = 1 },
    { tv, "mvit_v1_b", 6, 96, MADE, .costs = 1, .other = true, .only_eval = true }, { tv, "mvit_v2_s", 6, 96, MADE, .costs = 1, .other = true, .only_eval = true },
    { tv, "swin3d_t", 6, 64, .costs = 1 }, { tv, "swin3d_s", 6, 64, .costs = 2 }, { tv, "swin3d_b", 6, 64, .costs = 2 },
    { ptv, "slow_r50", 4, 32, .costs = 1 }, { ptv, "c2d_r50", 4, 32, .costs = 2 }, { ptv, "i3d_r50", 4, 32, .costs = 2 }, { ptv, "csn_r101", 8, 64, .costs = 2 },
    { ptv, "r2plus1d_r50", 8, 64, .costs = 2 }, { ptv, "slowfast_r50", 8, 32, .costs = 1 }, { ptv, "slowfast_r101", 8, 32, .costs = 2 },
    { ptv, "mvit_base_16x4", 4, 64, MADE, .costs = 2 }, { ptv, "mvit_base_32x3", 4, 64, MADE, .costs = 2 },
    { ptv, "x3d_xs", 4, 192, .only_eval = true }, { ptv, "x3d_s", 4, 64 }, { ptv, "x3d_m", 4, 64, .costs = 2 }, { ptv, "x3d_l", 4, 64, .costs = 2 },
};

/* Encoder, pooling, head and loss; outputs features, logits, loss. */
static gv_graph *network(gv_arena *a, const model *c, int64_t classes, gv_phase phase, gv_val *loss, gv_features *f, gv_err *err)
{
    gv_model_ref m;
    gv_arena_reset(a);
    gv_graph *g = gv_graph_new(a, phase, err);
    if (!g || gv_model_find_in(c->encoder, c->name, &m, err) < 0)
        return NULL;
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ BATCH, c->frames, c->side, c->side, 3 }, 5);
    gv_val y = gv_input(g, "y", GV_CLASS_I64, (int64_t[]){ BATCH }, 1);
    *f = gv_model_build(g, &m, &(gv_model_options){ .spatial_size = c->side_made, .temporal_size = c->frames_made }, x);
    gv_val v = gv_pool(g, &m, f, GV_AGG_CLS_TOKEN, false, NULL);
    gv_output(g, "features", v);
    if (!gv_graph_error(g) && m.num_features != gv_dim(g, v, -1))
        gv_graph_fail(g, "%d features were announced and %d came", (int)m.num_features, (int)gv_dim(g, v, -1));
    gv_head_in head = { .x = v, .mask = GV_NO_VAL, .target = GV_NO_VAL, .axes = m.family->classifier_axes };
    v = gv_head_build_on(g, gv_head_find("classification"), &head, m.classifier, &(gv_head_options){ .out_dim = classes });
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

static int run(gv_graph *g, gv_store *s, gv_plan **p, const model *c, gv_precision precision, gv_err *err)
{
    static double x[MOST];
    static float x32[MOST];
    static const int64_t y[BATCH] = { 3, 7 };
    for (int64_t i = 0; i < BATCH * c->frames * c->side * c->side * 3; i++)
        x32[i] = (float)(x[i] = formula_uniform(gv_hash_name("x"), i));
    gv_feed feeds[] = { { "x", precision == GV_FP64 ? (const void *)x : x32, precision == GV_FP64 ? GV_F64T : GV_F32T }, { "y", y, GV_I64T } };
    const char *backend = precision == GV_FP64 ? "reference" : "onednn";
    int r = gv_plan_make(p, g, s, &(gv_plan_options){ .precision = precision, .backend = backend, .keep_grads = true, .grad_scale = 1 }, err);
    return r == GV_OK ? gv_plan_run(*p, feeds, 2, 1, err) : r;
}

/* A float output as double against the golden one. */
static double compare32(const golden *gold, const char *entry, const gv_stored *have)
{
    double wide[BATCH * 4096];
    gv_stored t = *have;
    gv_to_f64(t.dtype, t.data, wide, (size_t)gv_shape_count(t.shape, t.ndim));
    t.dtype = GV_F64T;
    t.data = wide;
    return whole_compare(gold, entry, &t);
}

static void evaluation(gv_arena *a, const model *c, const golden *gold, gv_precision precision)
{
    gv_err err = { 0 };
    gv_store *s = NULL;
    gv_plan *p = NULL;
    gv_val loss;
    gv_features none;
    gv_graph *g = network(a, c, CLASSES, GV_EVAL, &loss, &none, &err);
    double limit = precision == GV_FP64 ? 1e-8 : 1e-4; /* relative: sums of 50 layers in another order */
    int r = g ? gv_store_open(&s, precision, &err) : -1;
    if (r == GV_OK && (r = gv_store_init(s, g, 1, &err)) == GV_OK) {
        formula_store(s, g);
        r = run(g, s, &p, c, precision, &err);
    }
    double f = r == GV_OK ? compare32(gold, "features", gv_plan_output(p, "features")) : 1;
    double l = r == GV_OK ? compare32(gold, "eval_logits", gv_plan_output(p, "logits")) : 1;
    ok(r == GV_OK && f < limit && l < limit, "%s: features (%.0e) and logits (%.0e) in evaluation, %s%s%s", c->name, f, l, precision == GV_FP64 ? "double" : "single", r ? ": " : "", err.text);
    gv_plan_close(p);
    gv_store_close(s);
}

static void statistics(const model *c, const golden *gold, gv_graph *g, gv_store *s)
{
    double worst = 0;
    int n = 0, kept = 0;
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        char entry[256];
        if (!p->buffer || p->cls == GV_CLASS_I64 || p->shape[0] > 32)
            continue;
        snprintf(entry, sizeof entry, "buffer:%s", p->name);
        double d = whole_compare(gold, entry, gv_store_find(s, p->name));
        worst = d > worst ? d : worst;
        n++;
    }
    for (const char *l = gold->text; (l = strstr(l, "\nbuffer:")); l++)
        kept++;
    if (n || kept)
        ok(n == kept && worst < 1e-9, "%s: %d running statistics after one step (%.0e)", c->name, n, worst);
}

static void training(gv_arena *a, const model *c, const golden *gold)
{
    gv_err err = { 0 };
    gv_store *s = NULL;
    gv_plan *p = NULL;
    gv_val loss;
    gv_features none;
    gv_graph *g = network(a, c, CLASSES, GV_TRAIN, &loss, &none, &err);
    int r = g ? gv_differentiate(g, loss, NULL, NULL, &err) : -1;
    if (r == GV_OK && (r = gv_store_open(&s, GV_FP64, &err)) == GV_OK && (r = gv_store_init(s, g, 1, &err)) == GV_OK) {
        formula_store(s, g);
        r = run(g, s, &p, c, GV_FP64, &err);
    }
    double l = r == GV_OK ? whole_compare(gold, "train_logits", gv_plan_output(p, "logits")) : 1;
    double e = r == GV_OK ? whole_compare(gold, "loss", gv_plan_output(p, "loss")) : 1;
    if (ok(r == GV_OK && l < 1e-8 && e < 1e-8, "%s: logits (%.0e) and loss (%.0e) in training%s%s", c->name, l, e, r ? ": " : "", err.text)) {
        whole_gradients(c->name, gold, g, s);
        statistics(c, gold, g, s);
    }
    gv_plan_close(p);
    gv_store_close(s);
}

/* "name d0 d1 …" of a tensor, as the golden script writes it. */
static void line_of(const gv_param_info *p, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s ", p->name);
    for (int d = 0; d < p->ndim && n < size; d++)
        n += (size_t)snprintf(out + n, size - n, "%s%lld", d ? " " : "", (long long)p->shape[d]);
}

/* Parameters, tensors and their names' and shapes' hash with 400 classes; printed with `names`. */
static bool counted(gv_arena *a, const model *c, int64_t *params, int *tensors, uint64_t *hash, bool names)
{
    gv_err err = { 0 };
    gv_val loss;
    gv_features none;
    gv_graph *g = network(a, c, 400, GV_EVAL, &loss, &none, &err);
    *params = 0, *tensors = 0, *hash = 0;
    for (int i = 0; g && i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        char line[300];
        const char *last = strrchr(p->name, '.');
        if (last && !strcmp(last, ".num_batches_tracked"))
            continue;
        line_of(p, line, sizeof line);
        if (names)
            printf("%s\n", line);
        *params += p->buffer ? 0 : gv_shape_count(p->shape, p->ndim);
        *hash += gv_hash_name(line);
        ++*tensors;
    }
    if (!g)
        printf("# %s: %s\n", c->name, err.text);
    return g != NULL;
}

static void counts(gv_arena *a)
{
    FILE *f = fopen("tests/golden/models/video_counts.txt", "r");
    char encoder[64], name[64];
    long long want, frames, side;
    unsigned long long want_hash;
    int want_tensors, known = 0, all = 0, files = 0;
    ok(f != NULL, "the published counts are there");
    while (f && fscanf(f, "%63s %63s %lld %d %llx %lld %lld", encoder, name, &want, &want_tensors, &want_hash, &frames, &side) == 7) {
        model c = { .encoder = encoder, .name = name, .frames = frames, .side = side };
        int64_t params;
        int tensors;
        uint64_t hash;
        bool built = counted(a, &c, &params, &tensors, &hash, false);
        ok(built && params == want && tensors == want_tensors && hash == want_hash, "%s: %lld parameters of %lld, %d tensors of %d, by the published names", name, (long long)params, want, tensors, want_tensors);
        known++;
    }
    while (gv_model_arch_in(tv, all))
        all++;
    int more = all;
    while (gv_model_arch_in(ptv, more - all))
        more++;
    for (size_t i = 0; i < GV_COUNT(models); i++)
        files += !models[i].other;
    ok(known == more && known == files, "all %d video encoders have a published count and a golden file", known);
    if (f)
        fclose(f);
}

/* The named intermediates of an encoder, as "stem 64x16x56x56, …". */
static void stages(gv_arena *a, const model *c, const char *want)
{
    gv_err err = { 0 };
    gv_val loss;
    gv_features f = { 0 };
    char have[1000] = "";
    gv_graph *g = network(a, c, CLASSES, GV_EVAL, &loss, &f, &err);
    for (int i = 0; g && i < f.stages; i++) {
        size_t n = strlen(have);
        const int64_t *s = gv_shape(g, f.stage[i].value);
        snprintf(have + n, sizeof have - n, "%s%s %lldx%lldx%lldx%lld", i ? ", " : "", f.stage[i].name, (long long)s[4], (long long)s[1], (long long)s[2], (long long)s[3]);
    }
    ok(!strcmp(have, want), "%s: %s", c->name, have);
}

static void intermediates(gv_arena *a)
{
    stages(a, &(model){ tv, "r3d_18", 16, 112, .costs = 1 }, "stem 64x16x56x56, layer1 64x16x56x56, layer2 128x8x28x28, layer3 256x4x14x14, layer4 512x2x7x7");
    stages(a, &(model){ tv, "mc3_18", 16, 112 }, "stem 64x16x56x56, layer1 64x16x56x56, layer2 128x16x28x28, layer3 256x16x14x14, layer4 512x16x7x7");
    stages(a, &(model){ tv, "s3d", 16, 224 }, "features.0 64x8x112x112, features.3 192x8x56x56, features.6 480x8x28x28, features.12 832x4x14x14, features.15 1024x2x7x7");
    stages(a, &(model){ tv, "mvit_v2_s", 16, 224, .costs = 1 }, "blocks.0 96x8x56x56, blocks.2 192x8x28x28, blocks.13 384x8x14x14, blocks.15 768x8x7x7");
    stages(a, &(model){ tv, "swin3d_t", 5, 90, .costs = 1 }, "features.0 96x3x23x23, features.2 192x3x12x12, features.4 384x3x6x6, features.6 768x3x3x3");
    stages(a, &(model){ ptv, "slow_r50", 8, 224, .costs = 1 }, "blocks.0 64x8x56x56, blocks.1 256x8x56x56, blocks.2 512x8x28x28, blocks.3 1024x8x14x14, blocks.4 2048x8x7x7");
    stages(a, &(model){ ptv, "slowfast_r50", 30, 224, .costs = 1 }, "blocks.0 80x8x56x56, blocks.1 320x8x56x56, blocks.2 640x8x28x28, blocks.3 1280x8x14x14, blocks.4 2048x8x7x7");
    stages(a, &(model){ ptv, "x3d_s", 13, 182 }, "blocks.0 24x13x91x91, blocks.1 24x13x46x46, blocks.2 48x13x23x23, blocks.3 96x13x12x12, blocks.4 192x13x6x6");
}

/* Published weights of 3 channels into a model of other ones: every first convolution is adapted, also where there are two. */
static void channels(gv_arena *a, const char *encoder, const char *name, int64_t c, int adapted)
{
    static float zeros[1 << 23];
    static gv_load_tensor t[2000];
    gv_err err = { 0 };
    gv_model_ref m;
    gv_store *s = NULL;
    gv_load_report report = { 0 };
    gv_arena_reset(a);
    gv_graph *g = gv_graph_new(a, GV_EVAL, &err);
    int r = gv_model_find_in(encoder, name, &m, &err), n = 0, first = 0;
    if (r == GV_OK)
        gv_model_build(g, &m, NULL, gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 1, 8, 64, 64, c }, 5));
    for (; r == GV_OK && n < gv_param_count(g) && n < (int)GV_COUNT(t); n++) {
        const gv_param_info *p = gv_param_at(g, n);
        t[n] = (gv_load_tensor){ p->name, p->cls == GV_CLASS_I64 ? GV_I64T : GV_F32T, p->ndim, { 0 }, zeros };
        memcpy(t[n].shape, p->shape, sizeof t[n].shape);
        if (p->ndim == 5 && p->shape[1] == c) { /* no other convolution sees so few */
            t[n].shape[1] = 3;
            first++;
        }
    }
    gv_load_options o = gv_model_load_options(&m);
    if (r == GV_OK && (r = gv_store_open(&s, GV_FP32, &err)) == GV_OK && (r = gv_store_init(s, g, 1, &err)) == GV_OK)
        r = gv_model_load(s, g, t, (size_t)n, &o, &report, &err);
    ok(r == GV_OK && first == adapted && report.loaded == n && strstr(report.note, "from 3 to"), "%s with %d channels takes weights of 3: %s%s", name, (int)c, report.note, err.text);
    gv_store_close(s);
}

static void whole(gv_arena *a, const model *c)
{
    golden gold;
    char path[256];
    snprintf(path, sizeof path, "tests/golden/models/%s%s.gold", c->name, c->other ? "_other" : "");
    if (!ok(golden_open(&gold, path) == 0, "%s", path))
        return;
    evaluation(a, c, &gold, GV_FP64);
    evaluation(a, c, &gold, GV_FP32);
    if (!c->only_eval)
        training(a, c, &gold);
    gv_free(gold.text);
}

int main(int argc, char **argv)
{
    gv_arena a = { 0 };
    gv_err err = { 0 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(GV_SANITIZED)
    const int most = 0;
#else
    const int most = getenv("GLOVITA_TEST_ALL") ? 2 : 1;
#endif
    bool names = argc > 2 && !strcmp(argv[1], "--names");
    const char *name = names ? argv[2] : argc > 1 ? argv[1] : NULL;
    ok(gv_arena_init(&a, "graph", (size_t)1 << 30, &err) == GV_OK, "arena");
    for (size_t i = 0; i < GV_COUNT(models); i++) {
        const model *c = &models[i];
        int64_t params;
        int tensors;
        uint64_t hash;
        if (name ? strcmp(name, c->name) != 0 : c->costs > most)
            continue;
        if (names)
            counted(&a, c, &params, &tensors, &hash, true);
        else
            whole(&a, c);
    }
    if (!name) {
        counts(&a);
        intermediates(&a);
        channels(&a, tv, "mc3_18", 4, 1);
        channels(&a, ptv, "slowfast_r50", 4, 2);
    }
    gv_arena_release(&a);
    return done();
}
