/* The encoders of series against PyTorch networks written from the papers, in float64: features, logits, loss, every gradient's norm,
 * whole gradients, running statistics, numbers of parameters; and onednn against the plain kernels in fp32.
 * Weights come from a formula on both sides (tests/golden/formula.h); scripts/golden/series_models.py made the golden files. */
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "nn/models/timeseries.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

enum { CLASSES = 10, BATCH = 2, MOST = 1 << 17 };

#define NONE GV_NONE_I64
#define INTS(...) { sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (int64_t[]){ __VA_ARGS__ } }
#define OPTIONS(w, d, length, stride, h, mlp, drop, ...) &(gv_timeseries_encoder){ .width = w, .depth = d, .patch_length = length, .patch_stride = stride, .heads = h, .hidden = mlp, .dropout = drop, __VA_ARGS__ }
#define ALL .residual = true, .bottleneck = true
static const struct model { const char *file, *type; int64_t length, channels; const gv_timeseries_encoder *options; } models[] = {
    { "resnet1d", "resnet1d", 37, 3, NULL },
    { "resnet1d_small", "resnet1d", 20, 1, OPTIONS(NONE, NONE, NONE, NONE, NONE, NONE, NAN, ALL, .widths = INTS(6, 6), .kernels = INTS(4, 1)) },
    { "inception_time", "inception_time", 50, 3, NULL },
    { "inception_time_small", "inception_time", 24, 1, OPTIONS(5, 4, NONE, NONE, NONE, NONE, NAN, .residual = true, .kernels = INTS(6, 3)) },
    { "inception_time_plain", "inception_time", 24, 2, OPTIONS(5, 3, NONE, NONE, NONE, NONE, NAN, .bottleneck = true, .kernels = INTS(6, 3)) },
    { "patch_transformer", "patch_transformer", 40, 3, OPTIONS(NONE, NONE, NONE, NONE, NONE, NONE, 0, ALL) },
    { "patch_transformer_cls", "patch_transformer", 33, 2, OPTIONS(24, 2, 8, 5, 3, 40, 0, ALL, .class_token = true) },
    { "patch_transformer_mix", "patch_transformer", 33, 2, OPTIONS(24, 2, 8, 8, 3, 40, 0, ALL, .class_token = true, .mix_channels = true) },
};

struct run { gv_graph *g; gv_store *s; gv_plan *p; gv_val loss; };

/* Encoder, pooling, head and loss, run once. */
static int network(struct run *r, gv_arena *a, const struct model *c, gv_phase phase, const char *backend, gv_precision precision, gv_err *err)
{
    static double x[MOST];
    static const int64_t y[BATCH] = { 3, 7 };
    gv_model_ref m;
    gv_arena_reset(a);
    *r = (struct run){ .g = gv_graph_new(a, phase, err) };
    if (!r->g || gv_model_find_in("timeseries", c->type, &m, err) < 0)
        return err->code;
    gv_val in = gv_input(r->g, "x", GV_CLASS_REAL, (int64_t[]){ BATCH, c->length, c->channels }, 3), t = gv_input(r->g, "y", GV_CLASS_I64, (int64_t[]){ BATCH }, 1);
    gv_features f = gv_model_build(r->g, &m, &(gv_model_options){ .params = c->options }, in);
    gv_val v = gv_pool(r->g, &m, &f, GV_AGG_CLS_TOKEN, false, NULL);
    gv_output(r->g, "features", v);
    v = gv_head_build(r->g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = CLASSES });
    gv_output(r->g, "logits", v);
    gv_loss_inputs li = { .target = t, .lam = GV_NO_VAL, .perm = GV_NO_VAL };
    r->loss = gv_loss_find("cross_entropy")->build(r->g, v, &li, &(gv_loss_options){ .label_smoothing = 0.1 });
    gv_output(r->g, "loss", r->loss);
    if (gv_graph_error(r->g)) {
        *err = *gv_graph_error(r->g);
        return err->code;
    }
    int code = phase == GV_TRAIN ? gv_differentiate(r->g, r->loss, NULL, NULL, err) : GV_OK;
    if (code < 0 || (code = gv_store_open(&r->s, precision, err)) < 0 || (code = gv_store_init(r->s, r->g, 1, err)) < 0)
        return code;
    for (int i = 0; i < gv_param_count(r->g); i++) { /* also in single precision */
        static double w[MOST];
        const gv_param_info *p = gv_param_at(r->g, i);
        gv_stored *to = gv_store_find(r->s, p->name);
        int64_t n = gv_shape_count(p->shape, p->ndim);
        if (to->dtype == GV_I64T || n > MOST)
            continue;
        formula_fill(p->name, p->shape, p->ndim, w);
        gv_from_f64(to->dtype, w, to->data, (size_t)n);
    }
    for (int64_t i = 0; i < BATCH * c->length * c->channels; i++)
        x[i] = formula_uniform(gv_hash_name("x"), i);
    gv_feed feeds[] = { { "x", x, GV_F64T }, { "y", y, GV_I64T } };
    code = gv_plan_make(&r->p, r->g, r->s, &(gv_plan_options){ .precision = precision, .backend = backend, .keep_grads = true, .grad_scale = 1 }, err);
    return code < 0 ? code : gv_plan_run(r->p, feeds, 2, 1, err);
}

static void drop(struct run *r)
{
    gv_plan_close(r->p);
    gv_store_close(r->s);
}

/* -1: not stored. */
static double compare(const golden *gold, const char *kind, const char *name, const gv_stored *have)
{
    static double want[MOST], got[MOST];
    char entry[256];
    snprintf(entry, sizeof entry, "%s%s", kind, name);
    int64_t n = golden_get(gold, entry, want, MOST);
    if (n < 0)
        return -1;
    if (!have || gv_shape_count(have->shape, have->ndim) != n)
        return 1;
    gv_to_f64(have->dtype, have->data, got, (size_t)n);
    return relative(got, want, n);
}

static void gradients(const struct model *c, const golden *gold, const struct run *r)
{
    int norms = 0, wholes = 0, buffers = 0;
    double worst = 0, parameters = 0, want;
    for (int i = 0; i < gv_param_count(r->g); i++) {
        const gv_param_info *p = gv_param_at(r->g, i);
        char name[256], entry[256];
        double sum = 0, d;
        if (p->buffer) {
            d = compare(gold, "buffer:", p->name, gv_store_find(r->s, p->name));
            buffers += d >= 0;
            worst = d > worst ? d : worst;
            continue;
        }
        snprintf(name, sizeof name, "grad.%s", p->name);
        snprintf(entry, sizeof entry, "norm:%s", p->name);
        const gv_stored *t = gv_store_find(r->s, name);
        int64_t n = gv_shape_count(p->shape, p->ndim);
        parameters += (double)n;
        for (int64_t k = 0; t && k < n; k++)
            sum += ((double *)t->data)[k] * ((double *)t->data)[k];
        bool there = t && golden_get(gold, entry, &want, 1) == 1;
        norms += there;
        /* a gradient that is zero in theory (a bias before a norm) is rounding on both sides */
        bool none = there && want < 1e-12;
        d = !there ? 1 : none ? (sqrt(sum) < 1e-11 ? 0 : 1) : fabs(sqrt(sum) - want) / want;
        double whole = compare(gold, "grad:", p->name, t);
        wholes += whole >= 0;
        d = !none && whole > d ? whole : d;
        if (d > 1e-8)
            printf("# '%s': %g\n", p->name, d);
        worst = d > worst ? d : worst;
    }
    ok(worst < 1e-8 && norms > 10 && wholes > 5 && buffers > 3, "%s: %d norms of gradients, %d whole ones, %d running statistics (%.0e)", c->file, norms, wholes, buffers, worst);
    ok(golden_get(gold, "parameters", &want, 1) == 1 && parameters == want, "%s: %.0f parameters", c->file, parameters);
}

static void against_papers(gv_arena *a, const struct model *c, const golden *gold)
{
    for (int train = 0; train < 2; train++) {
        gv_err err = { 0 };
        struct run r;
        int code = network(&r, a, c, train ? GV_TRAIN : GV_EVAL, "reference", GV_FP64, &err);
        double l = code < 0 ? 1 : compare(gold, train ? "train_" : "eval_", "logits", gv_plan_output(r.p, "logits"));
        double o = code < 0 ? 1 : train ? compare(gold, "", "loss", gv_plan_output(r.p, "loss")) : compare(gold, "", "features", gv_plan_output(r.p, "features"));
        ok(code == GV_OK && l >= 0 && l < 1e-10 && o >= 0 && o < 1e-10, "%s: logits (%.0e) and %s (%.0e)%s%s", c->file, l, train ? "loss in training" : "features in evaluation", o, code ? ": " : "", err.text);
        if (train && code == GV_OK)
            gradients(c, gold, &r);
        drop(&r);
    }
}

/* fp32 rounds at 6e-8; a deep network with norms over few values multiplies that by about 1000. */
static void by_onednn(gv_arena *a, const struct model *c, const golden *gold)
{
    gv_err err = { 0 };
    struct run r;
    int code = network(&r, a, c, GV_TRAIN, "onednn", GV_FP32, &err);
    double l = code < 0 ? 1 : compare(gold, "train_", "logits", gv_plan_output(r.p, "logits"));
    ok(code == GV_OK && l >= 0 && l < 1e-4, "%s: logits in training by onednn in fp32 (%.0e)%s%s", c->file, l, code ? ": " : "", err.text);
    drop(&r);
}

static void refused(gv_arena *a)
{
    gv_err err = { 0 };
    struct run r;
    struct model c = { "", "resnet1d", 20, 1, OPTIONS(NONE, NONE, NONE, NONE, NONE, NONE, 0, ALL) };
    ok(network(&r, a, &c, GV_EVAL, "reference", GV_FP64, &err) < 0 && strstr(err.text, "model.encoder.dropout is no option of 'resnet1d'"), "a field that a network has not is refused: %s", err.text);
    drop(&r);
    gv_err_clear(&err);
    c = (struct model){ "", "patch_transformer", 7, 1, NULL };
    ok(network(&r, a, &c, GV_EVAL, "reference", GV_FP64, &err) < 0 && strstr(err.text, "shorter than a patch of 16"), "a series shorter than a patch is refused: %s", err.text);
    drop(&r);
    gv_err_clear(&err);
    gv_model_ref m;
    ok(gv_model_find_in("timeseries", "inceptiontime", &m, &err) < 0 && strstr(err.text, "inception_time"), "a misspelt name: %s", err.text);
}

int main(int argc, char **argv)
{
    gv_arena a = { 0 };
    gv_err err = { 0 };
    ok(gv_arena_init(&a, "graph", (size_t)1 << 28, &err) == GV_OK, "arena");
    for (size_t i = 0; i < GV_COUNT(models); i++) {
        golden gold;
        char path[256];
        if (argc > 1 && strcmp(argv[1], models[i].file))
            continue;
        snprintf(path, sizeof path, "tests/golden/series/%s.gold", models[i].file);
        if (!ok(golden_open(&gold, path) == 0, "%s", path))
            continue;
        against_papers(&a, &models[i], &gold);
        by_onednn(&a, &models[i], &gold);
        gv_free(gold.text);
    }
    refused(&a);
    gv_arena_release(&a);
    return done();
}
