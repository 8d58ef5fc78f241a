/* Loading weights: strictly by name, adapted as timm adapts them (scripts/golden/layers.py). */
#include "nn/heads/heads.h"
#include "nn/models/adapt.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"

static golden gold;
static gv_arena arena;

static double compare(const char *entry, const float *have, int64_t n)
{
    double want[4096], h[4096];
    if (golden_get(&gold, entry, want, 4096) != n)
        return 1;
    for (int64_t i = 0; i < n; i++)
        h[i] = have[i];
    return relative(h, want, n);
}

/* torch rounds weights and sums to float: 1e-6. */
static void functions(void)
{
    static const int channels[] = { 1, 2, 3, 4, 7 };
    static const int64_t grids[][2] = { { 3, 3 }, { 9, 9 }, { 4, 7 }, { 6, 6 } };
    float w[300], pos[38 * 8], out[2048];
    char entry[32];
    gv_err err = { 0 };
    for (int i = 0; i < 300; i++)
        w[i] = (float)formula_uniform(gv_hash_name("w"), i);
    for (int i = 0; i < 38 * 8; i++)
        pos[i] = (float)formula_uniform(gv_hash_name("pos"), i);
    for (size_t i = 0; i < GV_COUNT(channels); i++) {
        gv_adapt_input_conv(w, 4, 3, 25, channels[i], out);
        snprintf(entry, sizeof entry, "conv:%d", channels[i]);
        double d = compare(entry, out, 100 * channels[i]);
        ok(d < 1e-7, "3 input channels to %d (%.0e)", channels[i], d);
    }
    for (size_t i = 0; i < GV_COUNT(grids); i++) {
        int r = gv_resample_pos_embed(pos, 2, 6, 6, 8, grids[i][0], grids[i][1], out, &err);
        snprintf(entry, sizeof entry, "pos:%dx%d", (int)grids[i][0], (int)grids[i][1]);
        double d = compare(entry, out, (2 + grids[i][0] * grids[i][1]) * 8);
        ok(r == GV_OK && d < 1e-6, "a 6x6 grid to %s (%.0e)", entry + 4, d);
    }
}

static void dinov2(void)
{
    float reg[16], cls[8], pos[40], ones[4] = { 1, 1, 1, 1 };
    gv_err err = { 0 };
    for (int i = 0; i < 40; i++) {
        pos[i] = (float)formula_uniform(gv_hash_name("pos_embed"), i);
        reg[i % 16] = (float)formula_uniform(gv_hash_name("register_tokens"), i % 16);
        cls[i % 8] = (float)formula_uniform(gv_hash_name("cls_token"), i % 8);
    }
    gv_load_tensor t[] = {
        { "mask_token", GV_F32T, 2, { 1, 8 }, cls }, { "register_tokens", GV_F32T, 3, { 1, 2, 8 }, reg }, { "cls_token", GV_F32T, 3, { 1, 1, 8 }, cls },
        { "pos_embed", GV_F32T, 3, { 1, 5, 8 }, pos }, { "blocks.0.mlp.w12.bias", GV_F32T, 1, { 4 }, ones }, { "blocks.0.mlp.w3.bias", GV_F32T, 1, { 2 }, ones },
    };
    const gv_load_tensor *o;
    size_t n = 0, good = 0;
    gv_arena_reset(&arena);
    int r = gv_convert_dinov2(t, GV_COUNT(t), &o, &n, &arena, &err);
    for (size_t i = 0; r == GV_OK && i < n; i++) {
        char entry[64];
        snprintf(entry, sizeof entry, "dinov2:%s", o[i].name);
        good += compare(entry, o[i].data, gv_shape_count(o[i].shape, o[i].ndim)) < 1e-7;
    }
    ok(r == GV_OK && n == 5 && good == 5, "DINOv2's own names and positions become timm's");
    t[3].shape[1] = 1;
    ok(gv_convert_dinov2(t, GV_COUNT(t), &o, &n, &arena, &err) == GV_EDATA, "… and wrong shapes are refused");
}

/* A graph with its head and a store, initialised. */
static gv_graph *network(const char *arch, int64_t side, int64_t channels, int64_t classes, gv_model_ref *m, gv_store **s)
{
    gv_err err = { 0 };
    gv_graph *g = gv_graph_new(&arena, GV_EVAL, &err);
    if (!g || gv_model_find(arch, m, &err) < 0)
        return NULL;
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 1, side, side, channels }, 4);
    gv_features f = gv_model_build(g, m, NULL, x);
    gv_val v = gv_pool(g, m, &f, GV_AGG_CLS_TOKEN, false, NULL);
    if (classes)
        gv_head_build(g, gv_head_find("classification"), v, m->family->classifier, &(gv_head_options){ .out_dim = classes });
    return gv_store_open(s, GV_FP32, &err) == GV_OK && gv_store_init(*s, g, 1, &err) == GV_OK ? g : NULL;
}

/* The store's tensors as those of a file. */
static size_t listed(gv_store *s, gv_load_tensor *t)
{
    for (int i = 0; i < gv_store_count(s); i++) {
        const gv_stored *d = gv_store_at(s, i);
        t[i] = (gv_load_tensor){ .name = d->name, .dtype = d->dtype, .ndim = d->ndim, .data = d->data };
        memcpy(t[i].shape, d->shape, sizeof d->shape);
    }
    return (size_t)gv_store_count(s);
}

static void loading(void)
{
    static gv_load_tensor t[400];
    gv_err err = { 0 };
    gv_model_ref m;
    gv_store *from, *to;
    gv_load_report report;
    gv_arena_reset(&arena);
    network("test_vit", 64, 3, 20, &m, &from);
    gv_stored *pos = gv_store_find(from, "pos_embed");
    ((float *)pos->data)[0] = 42;
    size_t n = listed(from, t);
    gv_graph *g = network("test_vit", 64, 3, 20, &m, &to);
    gv_load_options o = gv_model_load_options(&m);
    ok(gv_model_load(to, g, t, n, &o, &report, &err) == GV_OK && report.loaded == (int)n && !*report.note && !report.head_kept, "a whole file loads%s", err.text);
    ok(((float *)gv_store_find(to, "pos_embed")->data)[0] == 42, "… its values arrive");
    const char *kept = t[3].name;
    t[3].name = "renamed";
    ok(gv_model_load(to, g, t, n, &o, &report, &err) == GV_EDATA && strstr(err.text, kept) && strstr(err.text, "'renamed'") && strstr(err.text, "1 missing"), "a renamed tensor is named twice: %s", err.text);
    t[3].name = kept;
    gv_err_clear(&err);
    ok(gv_model_load(to, g, t, n / 2, &o, &report, &err) == GV_EDATA && strstr(err.text, " more"), "many are counted: %.90s…", err.text);
    gv_err_clear(&err);
    t[4].shape[0]++;
    ok(gv_model_load(to, g, t, n, &o, &report, &err) == GV_EDATA && strstr(err.text, "of another shape"), "shapes are shown: %s", err.text);
    t[4].shape[0]--;
    gv_store_close(to);
    gv_err_clear(&err);

    g = network("test_vit", 96, 1, 5, &m, &to);
    ok(gv_model_load(to, g, t, n, &o, &report, &err) == GV_EDATA && strstr(err.text, "'head.weight' is [20,64], [5,64] wanted"), "another head is refused: %s", err.text);
    gv_err_clear(&err);
    o.allow_head = true;
    ok(gv_model_load(to, g, t, n, &o, &report, &err) == GV_OK && report.head_kept && report.loaded == (int)n - 2, "… unless that is allowed%s", err.text);
    ok(strstr(report.note, "from 3 to 1 input channels") && strstr(report.note, "4x4 to 6x6"), "what was adapted is said: %s", report.note);
    gv_store_close(to);

    g = network("test_vit", 64, 3, 0, &m, &to);
    ok(gv_model_load(to, g, t, n, &o, &report, &err) == GV_OK, "features need no head%s", err.text);
    gv_store_close(to);
    gv_store_close(from);
}

/* The name a tensor has in Facebook's own ConvNeXt files. */
static void original(const char *name, char out[128])
{
    int i, j;
    char rest[64];
    if (sscanf(name, "stages.%d.blocks.%d.%63s", &i, &j, rest) == 3) {
        const char *tail = strchr(rest, '.') ? strrchr(rest, '.') : "";
        const char *part = !strncmp(rest, "conv_dw", 7) ? "dwconv" : !strncmp(rest, "mlp.fc1", 7) ? "pwconv1" : !strncmp(rest, "mlp.fc2", 7) ? "pwconv2" : NULL;
        if (!strncmp(rest, "mlp.grn", 7))
            snprintf(out, 128, "stages.%d.%d.grn.%s", i, j, !strcmp(tail, ".weight") ? "gamma" : "beta");
        else if (part)
            snprintf(out, 128, "stages.%d.%d.%s%s", i, j, part, tail);
        else
            snprintf(out, 128, "stages.%d.%d.%s", i, j, rest);
    } else if (sscanf(name, "stages.%d.downsample.%63s", &i, rest) == 2)
        snprintf(out, 128, "downsample_layers.%d.%s", i, rest);
    else if (!strncmp(name, "stem.", 5))
        snprintf(out, 128, "downsample_layers.0.%s", name + 5);
    else
        snprintf(out, 128, "%s%s", !strncmp(name, "head.norm", 9) ? "norm" : "head", strrchr(name, '.'));
}

/* Published by its makers: linear layers where timm has 1x1 convolutions, grn [1,1,1,C], heads of a distillation. */
static void convnext(void)
{
    static gv_load_tensor t[400];
    static char names[400][128];
    static const char *const towers[] = { "stem", "stages", "head.norm" };
    gv_err err = { 0 };
    gv_model_ref m;
    gv_store *from, *to;
    gv_load_report report;
    gv_arena_reset(&arena);
    network("convnextv2_atto", 64, 3, 5, &m, &from);
    size_t n = listed(from, t), same = 0;
    for (size_t i = 0; i < n; i++) {
        original(t[i].name, names[i]);
        for (size_t k = 0; k < (size_t)gv_shape_count(t[i].shape, t[i].ndim); k++)
            ((float *)(uintptr_t)t[i].data)[k] = (float)((i * 31 + k) % 97);
        if (t[i].ndim == 4 && t[i].shape[3] == 1 && t[i].shape[1] > 1)
            t[i].ndim = 2;
        if (strstr(t[i].name, ".grn."))
            t[i].ndim = 4, t[i].shape[3] = t[i].shape[0], t[i].shape[0] = t[i].shape[1] = t[i].shape[2] = 1;
        t[i].name = names[i];
    }
    t[n] = t[0];
    t[n].name = "projectors.0.weight";
    gv_graph *g = network("convnextv2_atto", 64, 3, 5, &m, &to);
    gv_load_options o = gv_model_load_options(&m);
    int r = gv_model_load(to, g, t, n + 1, &o, &report, &err);
    for (int i = 0; r == GV_OK && i < gv_store_count(to); i++)
        same += !memcmp(gv_store_at(to, i)->data, gv_store_find(from, gv_store_at(to, i)->name)->data, gv_store_at(to, i)->bytes);
    ok(r == GV_OK && report.loaded == (int)n && same == n && n == 140, "a ConvNeXt V2 under its makers' names%s", err.text);

    n = listed(from, t);
    for (size_t i = 0; i < n; i++) {
        const char *name = t[i].name;
        for (size_t k = 0; k < GV_COUNT(towers); k++)
            if (!strncmp(name, towers[k], strlen(towers[k])))
                snprintf(names[i], 128, "visual.trunk.%s", name);
        if (!strncmp(name, "head.fc.", 8))
            snprintf(names[i], 128, "%s", !strcmp(name, "head.fc.weight") ? "visual.head.proj.weight" : "logit_scale");
        t[i].name = names[i];
    }
    r = gv_model_load(to, g, t, n, &o, &report, &err);
    const float *bias = gv_store_find(to, "head.fc.bias")->data;
    ok(r == GV_OK && report.loaded == (int)n && bias[0] == 0 && bias[4] == 0, "the image tower of an OpenCLIP file; its projection gets a bias of zeros%s", err.text);

    n = listed(from, t), same = 0;
    for (size_t i = 0; i < n; i++) {
        t[same] = t[i];
        same += strncmp(t[i].name, "head.", 5) != 0;
    }
    o.allow_head = true;
    ok(gv_model_load(to, g, t, same, &o, &report, &err) == GV_EDATA && strstr(err.text, "2 missing: 'head.norm"), "a norm that is missing is named: %s", err.text);
    gv_err_clear(&err);
    ok(gv_model_find("convnextv2_atto.fcmae", &m, &err) == GV_OK, "the masked autoencoder");
    o = gv_model_load_options(&m);
    o.allow_head = true;
    ok(gv_model_load(to, g, t, same, &o, &report, &err) == GV_OK && report.loaded == 136, "… was published without it%s", err.text);
    gv_store_close(to);
    gv_store_close(from);
}

/* Counters may be absent or a scalar; half precision is converted. */
static void types(void)
{
    static gv_load_tensor t[400];
    static uint16_t half[8] = { 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700, 0x4800 };
    gv_err err = { 0 };
    gv_model_ref m;
    gv_store *from, *to;
    gv_arena_reset(&arena);
    network("test_resnet", 64, 3, 5, &m, &from);
    gv_graph *g = network("test_resnet", 64, 3, 5, &m, &to);
    size_t n = listed(from, t), k = 0;
    int64_t seven = 7;
    for (size_t i = 0; i < n; i++) {
        t[k] = t[i];
        if (!strcmp(t[i].name, "fc.bias"))
            t[k] = (gv_load_tensor){ "fc.bias", GV_F16, 1, { 5 }, half };
        if (!strcmp(t[i].name, "bn1.num_batches_tracked"))
            t[k] = (gv_load_tensor){ "bn1.num_batches_tracked", GV_I64T, 0, { 0 }, &seven };
        else if (strstr(t[i].name, "num_batches_tracked"))
            continue;
        k++;
    }
    gv_load_options o = gv_model_load_options(&m);
    ok(gv_model_load(to, g, t, k, &o, NULL, &err) == GV_OK, "counters may be absent%s", err.text);
    ok(*(int64_t *)gv_store_find(to, "bn1.num_batches_tracked")->data == 7, "… or scalars");
    ok(((float *)gv_store_find(to, "fc.bias")->data)[4] == 5, "half precision is converted");
    gv_store_close(to);
    gv_store_close(from);
}

int main(void)
{
    gv_err err = { 0 };
    ok(golden_open(&gold, "tests/golden/layers.gold") == 0 && gv_arena_init(&arena, "graph", 1 << 28, &err) == GV_OK, "golden values");
    functions();
    dinov2();
    loading();
    convnext();
    types();
    gv_arena_release(&arena);
    gv_free(gold.text);
    return done();
}
