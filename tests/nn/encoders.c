/* Encoders with options of their own (nnU-Net's residual encoder, Primus): sizes, float32 outputs against dynamic-network-architectures
 * (scripts/golden/encoders.py), files in the layouts that nnU-Net and nnssl write, made here from formula weights since no published file is at
 * hand, and what is refused. Values and gradients in double: models.c. */
#include "nn/models/adapt.h"
#include "nn/models/encoders.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

#define INTS(...) { sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (int64_t[]){ __VA_ARGS__ } }
typedef struct gv_residual_encoder_encoder resenc;
typedef struct gv_primus_encoder primus;
enum { MOST = 2000 };

static const resenc large = { .spatial_dim = 3, .features_per_stage = INTS(32, 64, 128, 256, 320, 320), .kernel_sizes = INTS(3), .strides = INTS(1, 2, 2, 2, 2, 2),
                              .n_blocks_per_stage = INTS(1, 3, 4, 6, 6, 6), .conv_bias = true, .nonlinearity = GV_RESENC_LEAKY_RELU, .stem_channels = GV_NONE_I64 };
static const resenc small = { .spatial_dim = 3, .features_per_stage = INTS(4, 6), .kernel_sizes = INTS(3), .strides = INTS(1, 2), .n_blocks_per_stage = INTS(1),
                              .nonlinearity = GV_RESENC_LEAKY_RELU, .stem_channels = GV_NONE_I64 };
static const primus primus_s = { .variant = GV_PRIMUS_S, .input_shape = INTS(16, 24, 16), .patch_embed_size = INTS(8, 8, 8) };

/* One network without a head; fails[] takes the reason where it cannot be built. */
struct net { gv_arena arena; gv_model_ref m; gv_graph *g; gv_store *s; gv_plan *p; gv_val x; gv_features f; gv_err err; };

static bool build(struct net *n, const char *kind, const void *params, const int64_t *shape, int ndim, gv_phase phase)
{
    memset(n, 0, sizeof *n);
    if (gv_arena_init(&n->arena, "graph", (size_t)1 << 28, &n->err) < 0 || gv_model_find_in(kind, kind, &n->m, &n->err) < 0)
        return false;
    n->g = gv_graph_new(&n->arena, phase, &n->err);
    n->x = gv_input(n->g, "x", GV_CLASS_REAL, shape, ndim);
    n->f = gv_model_build(n->g, &n->m, &(gv_model_options){ .params = params }, n->x);
    if (!gv_graph_error(n->g))
        gv_output(n->g, "features", n->f.value);
    else
        n->err = *gv_graph_error(n->g);
    return !n->err.code;
}

static bool stored(struct net *n)
{
    return gv_store_open(&n->s, GV_FP32, &n->err) == GV_OK && gv_store_init(n->s, n->g, 1, &n->err) == GV_OK;
}

static bool planned(struct net *n)
{
    return gv_plan_make(&n->p, n->g, n->s, &(gv_plan_options){ .precision = GV_FP32, .backend = "onednn", .seed = 7 }, &n->err) == GV_OK;
}

static bool run(struct net *n, uint64_t step)
{
    int64_t count = gv_shape_count(gv_shape(n->g, n->x), gv_ndim(n->g, n->x));
    double *x = gv_alloc((size_t)count * sizeof *x, &n->err);
    for (int64_t i = 0; x && i < count; i++)
        x[i] = formula_uniform(gv_hash_name("x"), i);
    int r = x ? gv_plan_run(n->p, &(gv_feed){ "x", x, GV_F64T }, 1, step, &n->err) : -1;
    gv_free(x);
    return r == GV_OK;
}

static void drop(struct net *n)
{
    gv_plan_close(n->p);
    gv_store_close(n->s);
    gv_arena_release(&n->arena);
}

static void counted(const char *what, const char *kind, const void *params, const int64_t *shape, const char *without, int64_t want, int tensors)
{
    struct net n;
    int64_t all = 0;
    bool good = build(&n, kind, params, shape, 5, GV_EVAL);
    for (int i = 0; good && i < gv_param_count(n.g); i++) {
        const gv_param_info *p = gv_param_at(n.g, i);
        all += strcmp(p->name, without) ? gv_shape_count(p->shape, p->ndim) : 0;
    }
    ok(good && all == want && gv_param_count(n.g) == tensors, "%s: %lld parameters in %d tensors %s", what, (long long)all, good ? gv_param_count(n.g) : 0, n.err.text);
    drop(&n);
}

/* ---- files -------------------------------------------------------------------------------------------------------------------------- */

struct file { gv_load_tensor *t; size_t n; gv_arena arena; };

static void add(struct file *f, const char *name, const gv_load_tensor *like)
{
    if (f->n == MOST)
        abort();
    f->t[f->n] = *like;
    f->t[f->n++].name = name;
}

/* conv -> all_modules.0, norm -> all_modules.1; NULL: a name without a twin */
static const char *alias_of(struct file *f, const char *name, gv_err *err)
{
    const char *conv = strstr(name, ".conv."), *norm = strstr(name, ".norm."), *at = conv ? conv : norm;
    return at && !strstr(name, "eva.") ? gv_arena_printf(&f->arena, err, "%.*s.all_modules.%d.%s", (int)(at - name), name, norm != NULL, at + 6) : NULL;
}

/* Formula weights as a file has them: every tensor of the graph under a prefix, with the second names, and decoders that have no use here. Tensors
 * of another shape come in `other`. */
static bool written(struct file *f, struct net *n, const char *prefix, const gv_load_tensor *other)
{
    memset(f, 0, sizeof *f);
    f->t = gv_alloc(MOST * sizeof *f->t, &n->err);
    if (!f->t || gv_arena_init(&f->arena, "file", (size_t)1 << 32, &n->err) < 0)
        return false;
    for (int i = 0; i < gv_param_count(n->g); i++) {
        const gv_param_info *p = gv_param_at(n->g, i);
        gv_load_tensor t = { .name = p->name, .dtype = GV_F32T, .ndim = p->ndim };
        memcpy(t.shape, p->shape, sizeof t.shape);
        if (other && !strcmp(other->name, p->name))
            t = *other;
        int64_t count = gv_shape_count(t.shape, t.ndim);
        float *v = gv_arena_alloc(&f->arena, (size_t)count * sizeof *v, &n->err);
        double *wide = gv_alloc((size_t)count * sizeof *wide, &n->err);
        if (!v || !wide)
            return false;
        formula_fill(p->name, t.shape, t.ndim, wide);
        for (int64_t k = 0; k < count; k++)
            v[k] = (float)wide[k];
        gv_free(wide);
        t.data = v;
        const char *twin = alias_of(f, p->name, &n->err);
        add(f, gv_arena_printf(&f->arena, &n->err, "%s%s", prefix, p->name), &t);
        if (twin)
            add(f, gv_arena_printf(&f->arena, &n->err, "%s%s", prefix, twin), &t);
        if (*prefix && i % 7 == 0) /* a U-Net's decoder holds the encoder again */
            add(f, gv_arena_printf(&f->arena, &n->err, "decoder.%s%s", prefix, p->name), &t);
    }
    gv_load_tensor t = f->t[0];
    add(f, "decoder.seg_layers.0.weight", &t);
    add(f, "up_projection.decode.0.weight", &t);
    add(f, "mask_token", &t);
    return !n->err.code;
}

static void forget(struct file *f)
{
    gv_arena_release(&f->arena);
    gv_free(f->t);
}

static int load(struct net *n, const struct file *f, const int64_t *shape, gv_load_report *report)
{
    gv_load_options o = gv_model_load_options(&n->m);
    memcpy(o.grid, n->f.grid, sizeof o.grid);
    if (shape)
        memcpy(o.shape, shape, sizeof o.shape);
    return gv_model_load(n->s, n->g, f->t, f->n, &o, report, &n->err);
}

/* A whole encoder in float32, its weights from a file in a published layout. */
static void outputs(const char *gold_file, const char *kind, const void *params, const int64_t *shape, const char *prefix)
{
    struct net n;
    struct file f = { 0 };
    golden gold = { 0 };
    gv_load_report report = { 0 };
    bool good = build(&n, kind, params, shape, 5, GV_EVAL) && stored(&n) && written(&f, &n, prefix, NULL) && load(&n, &f, NULL, &report) == GV_OK;
    ok(good && report.loaded == gv_param_count(n.g) && !*report.note, "%s: %d of %zu tensors of a file are taken, each once %s", gold_file, report.loaded, f.n, n.err.text);
    double worst = 1, largest = 0;
    if (good && golden_open(&gold, gold_file) == 0 && planned(&n) && run(&n, 0)) {
        const gv_stored *have = gv_plan_output(n.p, "features");
        int64_t count = gv_shape_count(have->shape, have->ndim);
        double *want = gv_alloc((size_t)count * sizeof *want, &n.err);
        worst = want && golden_get(&gold, "features", want, count) == count ? 0 : 1;
        for (int64_t i = 0; want && i < count && worst < 1; i++) {
            worst = fmax(worst, fabs(((const float *)have->data)[i] - want[i]));
            largest = fmax(largest, fabs(want[i]));
        }
        gv_free(want);
    }
    /* float32 on both sides, sums in another order: 1e-4 of values around 1 */
    ok(worst < 1e-4 * fmax(1, largest), "%s: float32 outputs (off by %.1e, the largest is %.2g) %s", gold_file, worst, largest, n.err.text);
    gv_free(gold.text);
    forget(&f);
    drop(&n);
}

static void channels(void)
{
    struct net n;
    struct file f;
    gv_load_report report;
    gv_load_tensor stem = { .name = "stem.convs.0.conv.weight", .dtype = GV_F32T, .ndim = 5, .shape = { 4, 1, 3, 3, 3 } };
    bool good = build(&n, "residual_encoder", &small, (int64_t[]){ 1, 4, 4, 4, 3 }, 5, GV_EVAL) && stored(&n) && written(&f, &n, "online_encoder.", &stem) && load(&n, &f, NULL, &report) == GV_OK;
    const gv_stored *w = good ? gv_store_find(n.s, stem.name) : NULL;
    double worst = w ? 0 : 1, v[4 * 27];
    formula_fill(stem.name, stem.shape, 5, v);
    for (int64_t i = 0; w && i < 4 * 3 * 27; i++)
        worst = fmax(worst, fabs(((const float *)w->data)[i] - v[i / 81 * 27 + i % 27] / 3));
    ok(good && worst < 1e-7 && strstr(report.note, "from 1 to 3 input channels"), "a stem of 1 channel is repeated for 3 and divided by 3: %s%s", good ? report.note : "", n.err.text);
    forget(&f);
    drop(&n);
}

static void positions(void)
{
    golden gold;
    static float x[64 * 5], y[5 * 4 * 6 * 5];
    double want[5 * 4 * 6 * 5];
    gv_err err = { 0 };
    for (int i = 0; i < 64 * 5; i++)
        x[i] = (float)formula_uniform(gv_hash_name("x"), i);
    static const int64_t from[2][3] = { { 4, 4, 4 }, { 4, 2, 8 } }, to[2][3] = { { 2, 3, 2 }, { 5, 4, 6 } };
    if (!ok(golden_open(&gold, "tests/golden/models/pos_embed_3d.gold") == 0, "pos_embed_3d.gold"))
        return;
    for (int k = 0; k < 2; k++) {
        int64_t count = gv_shape_count(to[k], 3) * 5;
        double worst = 0;
        bool good = golden_get(&gold, k ? "5x4x6" : "2x3x2", want, count) == count && gv_resample_pos_embed_3d(x, from[k], 5, to[k], y, &err) == GV_OK;
        for (int64_t i = 0; i < count && good; i++)
            worst = fmax(worst, fabs(y[i] - want[i]));
        ok(good && worst < 1e-6, "positions on another grid of three axes, as torch (%.0e)", worst);
    }
    gv_free(gold.text);
    static const struct { int64_t tokens, shape[3]; const char *note; } files[] = {
        { 8, { 0 }, "from 2x2x2 to 2x3x2" }, { 6, { 24, 8, 16 }, "from 3x1x2 to 2x3x2" }, { 7, { 0 }, NULL },
    };
    for (size_t i = 0; i < GV_COUNT(files); i++) {
        struct net n;
        struct file f;
        gv_load_report report = { 0 };
        gv_load_tensor pos = { .name = "eva.pos_embed", .dtype = GV_F32T, .ndim = 3, .shape = { 1, files[i].tokens, 396 } };
        bool good = build(&n, "primus", &primus_s, (int64_t[]){ 1, 16, 24, 16, 1 }, 5, GV_EVAL) && stored(&n) && written(&f, &n, "", &pos);
        int r = good ? load(&n, &f, files[i].shape, &report) : -1;
        if (files[i].note)
            ok(r == GV_OK && strstr(report.note, files[i].note), "positions of %lld tokens: %s%s", (long long)files[i].tokens, report.note, n.err.text);
        else
            ok(r == GV_EDATA && strstr(n.err.text, "'eva.pos_embed' is [1,7,396]"), "positions of no known grid are refused: %s", n.err.text);
        forget(&f);
        drop(&n);
    }
}

/* ---- training ------------------------------------------------------------------------------------------------------------------------ */

/* Features of two steps: they differ, and a step repeated gives the same. */
static void draws(const char *what, const char *kind, const void *params, const int64_t *shape, int64_t tokens)
{
    struct net n;
    bool good = build(&n, kind, params, shape, 5, GV_TRAIN) && stored(&n) && planned(&n);
    float *v[3] = { NULL };
    size_t bytes = 0;
    for (int i = 0; i < 3 && good; i++) {
        good = run(&n, i == 1 ? 2 : 1);
        const gv_stored *t = good ? gv_plan_output(n.p, "features") : NULL;
        bytes = t ? t->bytes : 0;
        good = t && (!tokens || t->shape[1] == tokens) && (v[i] = gv_alloc(bytes, &n.err));
        if (good)
            memcpy(v[i], t->data, bytes);
    }
    ok(good && memcmp(v[0], v[1], bytes) && !memcmp(v[0], v[2], bytes), "%s: drawn anew each step, the same again for the same %s", what, n.err.text);
    for (int i = 0; i < 3; i++)
        gv_free(v[i]);
    drop(&n);
}

static void training(void)
{
    resenc r = small;
    r.dropout_p = 0.5;
    draws("dropout", "residual_encoder", &r, (int64_t[]){ 2, 4, 4, 4, 1 }, 0);
    r.dropout_p = 0;
    r.stochastic_depth_p = 0.5;
    draws("stochastic depth", "residual_encoder", &r, (int64_t[]){ 8, 4, 4, 4, 1 }, 0);
    primus p = { .variant = GV_PRIMUS_S, .input_shape = INTS(8, 8, 32), .patch_embed_size = INTS(4, 8, 8), .patch_drop_rate = 0.3 };
    draws("patch drop", "primus", &p, (int64_t[]){ 2, 8, 8, 32, 1 }, 5);
    p.patch_drop_rate = 0;
    p.drop_path_rate = 0.9;
    draws("drop path", "primus", &p, (int64_t[]){ 3, 8, 8, 32, 1 }, 8);
}

static void refused(const char *kind, const void *params, const int64_t *shape, int ndim, const char *words)
{
    struct net n;
    bool built = build(&n, kind, params, shape, ndim, GV_EVAL);
    ok(!built && n.err.code == GV_EUSAGE && strstr(n.err.text, words), "refused: %s", n.err.text);
    drop(&n);
}

static void misfits(void)
{
    const int64_t volume[] = { 1, 8, 8, 8, 1 }, odd[] = { 1, 8, 7, 8, 1 }, tiny[] = { 1, 2, 2, 2, 1 };
    resenc r = small;
    refused("residual_encoder", &r, (int64_t[]){ 1, 8, 8, 1 }, 4, "'--model.encoder.spatial_dim 3'");
    refused("residual_encoder", &r, odd, 5, "7 places along axis 1 do not divide by a stride of 2");
    refused("residual_encoder", &r, tiny, 5, "more than one value per channel and sample");
    r.kernel_sizes = (gv_ints)INTS(3, 3, 3);
    refused("residual_encoder", &r, volume, 5, "'--model.encoder.kernel_sizes' has 3 entries and '--model.encoder.features_per_stage' has 2");
    r = small;
    r.block_type = GV_RESENC_BOTTLENECK;
    refused("residual_encoder", &r, volume, 5, "need '--model.encoder.bottleneck_channels'");
    r = small;
    r.pool_type = GV_RESENC_AVG;
    r.strides = (gv_ints)INTS(1, 9);
    refused("residual_encoder", &r, volume, 5, "do not suffice for a stride of 9");
    primus p = { .variant = GV_PRIMUS_S, .input_shape = INTS(16, 16, 12), .patch_embed_size = INTS(8, 8, 8) };
    refused("primus", &p, volume, 5, "does not divide into patches of 8 8 8");
    p.input_shape = (gv_ints)INTS(16, 16, 16);
    refused("primus", &p, volume, 5, "the samples are 8 x 8 x 8");
    p.input_shape = (gv_ints)INTS(16, 16);
    refused("primus", &p, volume, 5, "three sides each");
    refused("primus", &p, (int64_t[]){ 1, 8, 8, 1 }, 4, "takes volumes");
}

int main(void)
{
    static const char *const names[] = { "Primus S", "Primus B", "Primus M", "Primus L" };
    static const int64_t counts[] = { 22893156, 90949320, 144085536, 322277472 }, depth[] = { 12, 12, 16, 24 };
    counted("ResEnc L", "residual_encoder", &large, (int64_t[]){ 1, 64, 64, 64, 1 }, "", 90296576, 224);
    for (int v = 0; v < 4; v++) {
        primus p = { .variant = v, .input_shape = INTS(16, 16, 16), .patch_embed_size = INTS(8, 8, 8) };
        counted(names[v], "primus", &p, (int64_t[]){ 1, 16, 16, 16, 1 }, "eva.pos_embed", counts[v], (int)(23 * depth[v] + 5));
    }
    outputs("tests/golden/models/resenc_default_f32.gold", "residual_encoder", &large, (int64_t[]){ 1, 64, 64, 64, 1 }, "encoder.");
    outputs("tests/golden/models/primus_s_f32.gold", "primus", &primus_s, (int64_t[]){ 1, 16, 24, 16, 1 }, "");
    channels();
    positions();
    training();
    misfits();
    return done();
}
