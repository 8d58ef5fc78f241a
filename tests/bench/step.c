/*
 * step: a whole training step (or a forward pass) of a named model on one batch that stays the same, optimizer included.
 *
 *   build/gcc/tests/bench/step MODEL [--encoder KIND] [--batch N] [--frames T] [--size S] [--classes K] [--precision no|bf16] [--threads T] [--infer] [--features]
 *                              [--steps N] [--optimizer SGD|AdamW] [--lr X] [--weight_decay X] [--weights FILE] [--input FILE] [--profile]
 *                              [--recompute no|auto|cheap|blocks]
 *
 * MODEL: an architecture of lib/nn/models, "resnet50"; one of another kind of encoder, on clips of T frames (x3d_s --encoder pytorchvideo
 * --frames 4); or an encoder of volumes, "residual_encoder" (nnU-Net's ResEnc L) or "primus" (S), on S^3 voxels of one channel.
 * --weights: a .safetensors (or .pt) with all of its tensors, else drawn ones.
 * --infer goes through a batch in pieces, as glovita-forward does (gv_plan_piece).
 * --input: a .safetensors with x [N,S,S,3] (or [N,S,S,S,1]) float and y [N] int64, else made up. Two steps (three with --infer) are not counted.
 *
 * JSON lines on stdout (bench.h), each name beginning with "step/MODEL-PRECISION[-infer]":
 *   rate     img/s (samples a second) at the median step; best: at the fastest. roof_share: multiply-adds of that step over the measured roof.
 *   losses   of the first steps, the uncounted ones first: what another engine with the same weights must get too
 *   kernels  ms of all nodes and the optimizer with each at its best; step_over_kernels: the best step over that
 *   ideal    ms that the multiply-adds alone would take at the roof
 *   peak     MB of memory at most (resident), arena: of intermediates
 * --features prints "features", the first numbers of the pooled features, in place of losses.
 * Ends in 1 when something fails, in 2 for a wrong command line.
 */
#include "common/threads.h"
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "nn/models/encoders.h"
#include "nn/models/models.h"
#include "nn/optim/optim.h"
#include "nn/profile.h"
#include "nn/tune.h"
#include "tests/bench/bench.h"
#include "weights/weights.h"
#include <inttypes.h>
#include <string.h>

enum { MAX_STEPS = 1000, FIRST_LOSSES = 3 };

typedef struct options {
    const char *model, *optimizer, *weights, *input, *recompute;
    int64_t batch, size, frames, classes, threads, steps;
    int64_t shape[4]; /* of a sample */
    int axes;
    const char *encoder; /* the kind of encoder */
    const void *params;  /* its fields, or NULL */
    double lr, weight_decay;
    bool bf16, infer, features, profile, tune;
} options;

typedef struct work {
    options o;
    gv_arena arena;
    gv_model_ref model;
    gv_graph *graph;
    gv_store *store;
    gv_plan *plan;
    gv_optimizer *opt;
    gv_profile *profile;
    gv_tuning *tuning;
    gv_roof roof;
    gv_weights *file;
    const float *x;
    const int64_t *y;
    int64_t piece; /* samples that the plan takes: all of a batch in training */
    double took[MAX_STEPS], loss[FIRST_LOSSES];
    char name[128];
} work;

#define INTS(...) { sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (int64_t[]){ __VA_ARGS__ } }
static const struct gv_residual_encoder_encoder resenc = {
    .input_channels = 1, .spatial_dim = 3, .features_per_stage = INTS(32, 64, 128, 256, 320, 320), .kernel_sizes = INTS(3), .strides = INTS(1, 2, 2, 2, 2, 2),
    .n_blocks_per_stage = INTS(1, 3, 4, 6, 6, 6), .conv_bias = true, .nonlinearity = GV_RESENC_LEAKY_RELU, .stem_channels = GV_NONE_I64,
};
static int64_t sides[3];
static const struct gv_primus_encoder primus = { .variant = GV_PRIMUS_S, .input_channels = 1, .input_shape = { 3, sides }, .patch_embed_size = INTS(8, 8, 8) };
static const struct { const char *model; const void *params; } volumes[] = { { "residual_encoder", &resenc }, { "primus", &primus } };

/* The shape of a sample, and the fields of an encoder that has its own. */
static void shape(options *o)
{
    if (!o->encoder)
        o->encoder = "timm";
    o->axes = o->frames ? 4 : 3;
    memcpy(o->shape, o->frames ? (int64_t[]){ o->frames, o->size, o->size, 3 } : (int64_t[]){ o->size, o->size, 3, 0 }, sizeof o->shape);
    for (size_t i = 0; i < GV_COUNT(volumes); i++)
        if (!strcmp(o->model, volumes[i].model)) {
            o->encoder = o->model;
            o->params = volumes[i].params;
            o->axes = 4;
            memcpy(o->shape, (int64_t[]){ o->size, o->size, o->size, 1 }, sizeof o->shape);
            sides[0] = sides[1] = sides[2] = o->size;
        }
}

static int usage(const char *what)
{
    fprintf(stderr, "step: error: %s; usage: step MODEL [--batch N] [--size S] [--classes K] [--precision no|bf16] [--threads T] [--infer] [--features] [--steps N] "
                    "[--optimizer SGD|AdamW] [--lr X] [--weight_decay X] [--weights FILE] [--input FILE] [--profile] [--tune] [--recompute no|auto|cheap|blocks]\n", what);
    return 2;
}

static int level_of(const options *o)
{
    static const char *const names[] = { "no", "auto", "cheap", "blocks" }; /* as gv_recompute_level */
    for (int i = 0; i < (int)GV_COUNT(names); i++)
        if (!strcmp(o->recompute, names[i]))
            return i;
    return -1;
}

static int parse(options *o, int argc, char **argv)
{
    *o = (options){ .batch = 16, .size = 224, .classes = 1000, .steps = 8, .optimizer = "SGD", .recompute = "auto", .lr = 0.01, .bf16 = true };
    struct { const char *name; int64_t *number; double *real; const char **text; bool *flag; } table[] = {
        { "--batch", .number = &o->batch }, { "--size", .number = &o->size }, { "--frames", .number = &o->frames }, { "--encoder", .text = &o->encoder }, { "--classes", .number = &o->classes }, { "--threads", .number = &o->threads },
        { "--steps", .number = &o->steps }, { "--lr", .real = &o->lr }, { "--weight_decay", .real = &o->weight_decay }, { "--optimizer", .text = &o->optimizer }, { "--recompute", .text = &o->recompute },
        { "--weights", .text = &o->weights }, { "--input", .text = &o->input }, { "--infer", .flag = &o->infer }, { "--features", .flag = &o->features }, { "--profile", .flag = &o->profile }, { "--tune", .flag = &o->tune },
    };
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        if (argv[i][0] != '-') {
            o->model = argv[i];
            continue;
        }
        if (!strcmp(argv[i], "--precision") && i + 1 < argc && (!strcmp(argv[i + 1], "no") || !strcmp(argv[i + 1], "bf16"))) {
            o->bf16 = !strcmp(argv[++i], "bf16");
            continue;
        }
        while (k < GV_COUNT(table) && strcmp(argv[i], table[k].name))
            k++;
        if (k == GV_COUNT(table) || (!table[k].flag && ++i == argc))
            return usage("unknown option, or one without its value");
        if (table[k].flag)
            *table[k].flag = true;
        else if (table[k].text)
            *table[k].text = argv[i];
        else if (table[k].real)
            *table[k].real = strtod(argv[i], NULL);
        else
            *table[k].number = strtoll(argv[i], NULL, 10);
    }
    if (o->features)
        o->infer = true;
    if (level_of(o) < 0)
        return usage("--recompute is no, auto, cheap or blocks");
    if (!o->model)
        return usage("no model");
    if (o->batch < 1 || o->batch > 4096 || o->size < 8 || o->size > 8192 || o->frames < 0 || o->frames > 1024 || o->classes < 2 || o->classes > 100000 || o->steps < 1 || o->steps > MAX_STEPS || o->threads < 0 || o->threads > 256)
        return usage("a number is out of range");
    shape(o);
    return 0;
}

/* Images and labels: of the file, or uniform in -1 … 1 and 0, 1, 2, … */
static int input(work *w, gv_err *err)
{
    const options *o = &w->o;
    int64_t n = o->batch * gv_shape_count(o->shape, o->axes);
    if (o->input) {
        int r = gv_weights_open(&w->file, o->input, err);
        const gv_named *x = r == GV_OK ? gv_weights_find(w->file, "x") : NULL, *y = r == GV_OK ? gv_weights_find(w->file, "y") : NULL;
        if (r < 0)
            return r;
        if (!x || !y || x->dtype != GV_F32T || y->dtype != GV_I64T || gv_shape_count(x->shape, x->ndim) != n || gv_shape_count(y->shape, y->ndim) != o->batch)
            return gv_fail(err, GV_EDATA, "'%s' has no x of %" PRId64 " float in %" PRId64 " samples and y [%" PRId64 "] of int64", o->input, n, o->batch, o->batch);
        w->x = x->data;
        w->y = y->data;
        return GV_OK;
    }
    float *x = gv_arena_alloc(&w->arena, (size_t)n * sizeof *x, err);
    int64_t *y = gv_arena_alloc(&w->arena, (size_t)o->batch * sizeof *y, err);
    uint32_t s = 12345;
    if (!x || !y)
        return GV_ESYS;
    for (int64_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = (float)(s >> 8) / 8388608.f - 1;
    }
    for (int64_t i = 0; i < o->batch; i++)
        y[i] = i * 7 % o->classes;
    w->x = x;
    w->y = y;
    return GV_OK;
}

static int build(work *w, gv_err *err)
{
    const options *o = &w->o;
    int r = gv_model_find_in(o->encoder, o->model, &w->model, err);
    gv_graph *g = w->graph = r == GV_OK ? gv_graph_new(&w->arena, o->infer ? GV_EVAL : GV_TRAIN, err) : NULL;
    if (!g)
        return err->code;
    gv_model_options m = { .img_size = w->model.family->transformer && o->axes == 3 ? o->size : 0, .params = o->params };
    int64_t batch[5] = { w->piece };
    memcpy(batch + 1, o->shape, sizeof o->shape);
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, batch, o->axes + 1);
    gv_features f = gv_model_build(g, &w->model, &m, x);
    gv_val v = gv_pool(g, &w->model, &f, GV_AGG_CLS_TOKEN, false, NULL), loss = GV_NO_VAL;
    if (o->features)
        gv_output(g, "logits", v);
    else {
        gv_val logits = gv_head_build(g, gv_head_find("classification"), v, w->model.classifier, &(gv_head_options){ .out_dim = o->classes });
        gv_output(g, "logits", logits);
        if (!o->infer) {
            gv_loss_inputs in = { .target = gv_input(g, "y", GV_CLASS_I64, &w->piece, 1), .lam = GV_NO_VAL, .perm = GV_NO_VAL };
            loss = gv_loss_find("cross_entropy")->build(g, logits, &in, &(gv_loss_options){ 0 });
            gv_output(g, "loss", loss);
        }
    }
    const gv_err *e = gv_graph_error(g);
    if (e)
        return gv_fail(err, e->code, "%s", e->text);
    return o->infer ? GV_OK : gv_differentiate(g, loss, NULL, NULL, err);
}

/* Every parameter and buffer from the file; a counter of batches may be missing. */
static int load(work *w, gv_err *err)
{
    gv_weights *file;
    int r = gv_weights_open(&file, w->o.weights, err);
    if (r < 0)
        return r;
    for (int i = 0; i < gv_param_count(w->graph) && r == GV_OK; i++) {
        const gv_param_info *p = gv_param_at(w->graph, i);
        gv_stored *t = gv_store_find(w->store, p->name);
        const gv_named *v = gv_weights_find(file, p->name);
        if (!v && strstr(p->name, "num_batches_tracked"))
            continue;
        if (!v || !t || gv_shape_count(v->shape, v->ndim) != gv_shape_count(t->shape, t->ndim))
            r = gv_fail(err, GV_EDATA, "'%s' has no '%s' of that shape", w->o.weights, p->name);
        else if (v->dtype == t->dtype)
            memcpy(t->data, v->data, t->bytes);
        else if (v->dtype == GV_F32T || v->dtype == GV_BF16 || v->dtype == GV_F16)
            gv_to_f32(v->dtype, v->data, t->data, t->bytes / sizeof(float));
        else
            r = gv_fail(err, GV_EDATA, "'%s' holds '%s' as %s", w->o.weights, p->name, gv_dtype_of(v->dtype)->name);
    }
    gv_weights_close(file);
    return r;
}

static void told(void *arg GV_UNUSED, const char *key, const gv_tuned *v, int n)
{
    fprintf(stderr, "%s:", key);
    for (int i = 0; i < n; i++)
        fprintf(stderr, " %s %.3f ms%s", v[i].name, v[i].ms, v[i].by_rules ? " (rules)" : "");
    fputc('\n', stderr);
}

static int ready(work *w, gv_err *err)
{
    const options *o = &w->o;
    gv_precision p = o->bf16 ? GV_MIXED_BF16 : GV_FP32;
    int threads = o->threads ? (int)o->threads : gv_threads_available();
    int r = gv_arena_init(&w->arena, "graph", (size_t)2 << 30, err);
    if (r == GV_OK)
        r = input(w, err);
    w->piece = o->infer && o->batch >= 4 * threads ? 2 * threads : o->batch;
    if (r == GV_OK)
        r = build(w, err);
    if (r == GV_OK)
        r = gv_store_open(&w->store, p, err);
    if (r == GV_OK)
        r = gv_store_init(w->store, w->graph, 1, err);
    if (r == GV_OK && o->weights)
        r = load(w, err);
    gv_optim_hyper h = gv_optim_defaults();
    h.weight_decay = o->weight_decay;
    if (r == GV_OK && !o->infer)
        r = gv_optimizer_open(&w->opt, o->optimizer, &h, &(gv_optim_groups){ 0 }, w->store, w->graph, err);
    gv_plan_options plan = { .precision = p, .backend = "onednn", .threads = threads, .keep_grads = !o->infer, .overwrite_grads = true, .grad_scale = 1, .frozen = o->infer, .recompute = (gv_recompute_level)level_of(o) };
    if (r == GV_OK && o->tune && (r = gv_tuning_open(&w->tuning, plan.backend, threads, err)) == GV_OK)
        gv_tuning_measure(w->tuning, told, NULL);
    plan.tuning = w->tuning;
    if (r == GV_OK)
        r = gv_plan_make(&w->plan, w->graph, w->store, &plan, err);
    int64_t piece = r == GV_OK && w->piece < o->batch ? gv_plan_piece(w->plan, w->piece, o->batch) : w->piece;
    if (r == GV_OK && piece != w->piece) { /* the first plan was of a few, to find this out; as glovita-forward does */
        gv_plan_close(w->plan);
        w->plan = NULL;
        w->piece = piece;
        r = build(w, err);
        if (r == GV_OK)
            r = gv_plan_make(&w->plan, w->graph, w->store, &plan, err);
    }
    if (r == GV_OK)
        r = gv_profile_open(&w->profile, err);
    return r == GV_OK ? gv_plan_profile(w->plan, w->profile, err) : r;
}

static double optimizer_bytes(const work *w)
{
    double n = 0;
    for (int i = 0; i < gv_param_count(w->graph); i++) {
        const gv_param_info *p = gv_param_at(w->graph, i);
        n += p->trained ? (double)gv_shape_count(p->shape, p->ndim) : 0;
    }
    return n * 4 * (strcmp(w->o.optimizer, "SGD") ? 7 : 5); /* gradient read; weight and each state read and written */
}

static int one(work *w, uint64_t at, double *seconds, double *loss, gv_err *err)
{
    double began = bench_now();
    int64_t pieces = (w->o.batch + w->piece - 1) / w->piece;
    int r = GV_OK;
    for (int64_t i = pieces - 1; i >= 0 && r == GV_OK; i--) { /* the first piece last: what is shown is its outcome */
        int64_t from = i * w->piece < w->o.batch - w->piece ? i * w->piece : w->o.batch - w->piece;
        const gv_feed feeds[] = { { "x", w->x + from * gv_shape_count(w->o.shape, w->o.axes), GV_F32T }, { "y", w->y + from, GV_I64T } };
        r = gv_plan_run(w->plan, feeds, w->o.infer ? 1 : 2, at, err);
    }
    if (r == GV_OK && !w->o.infer) {
        const gv_stored *l = gv_plan_output(w->plan, "loss");
        gv_to_f64(l->dtype, l->data, loss, 1);
        double t = gv_profile_now(), norm;
        r = gv_optimizer_step(w->opt, w->o.lr, &norm, err);
        gv_profile_other(w->profile, "optimizer", w->o.optimizer, t, optimizer_bytes(w), 0);
    }
    *seconds = (bench_now() - began) / (double)pieces;
    return r;
}

/* The roof is measured behind the steps: its arrays would show as the step's memory. */
static int report(work *w, int n, gv_err *err)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    int r = gv_roof_measure(&w->roof, NULL, gv_threads(), err);
    if (r < 0)
        return r;
    gv_precision p = w->o.bf16 ? GV_MIXED_BF16 : GV_FP32;
    gv_profile_sum sum = gv_profile_total(w->profile);
    double median = bench_median(w->took, n), best = w->took[0], madd = gv_roof_madd(&w->roof, p), ideal = sum.macs / madd, images = (double)w->piece;
    char name[200], more[600];
    snprintf(more, sizeof more, "\"best\":%.6g,\"median_ms\":%.6g,\"best_ms\":%.6g,\"batch\":%" PRId64 ",\"size\":%" PRId64 ",\"threads\":%d,\"steps\":%d,\"roof_gmadds\":%.6g,\"copy_gbs\":%.6g", images / best,
             1e3 * median, 1e3 * best, w->o.batch, w->o.size, gv_threads(), n, 1e-9 * madd, 1e-9 * w->roof.copy);
    snprintf(name, sizeof name, "%s/rate", w->name);
    bench_line(name, images / median, "img/s", ideal / median, more);
    if (!w->o.infer) {
        int k = n + 2 < FIRST_LOSSES ? n + 2 : FIRST_LOSSES, at = snprintf(more, sizeof more, "\"losses\":[");
        for (int i = 0; i < k; i++)
            at += snprintf(more + at, sizeof more - (size_t)at, "%s%.9g", i ? "," : "", w->loss[i]);
        snprintf(more + at, sizeof more - (size_t)at, "]");
        snprintf(name, sizeof name, "%s/losses", w->name);
        bench_line(name, w->loss[0], "nat", NAN, more);
    } else {
        const gv_stored *l = gv_plan_output(w->plan, "logits");
        int at = snprintf(more, sizeof more, "\"values\":[");
        double v[8];
        gv_to_f64(l->dtype, l->data, v, 8);
        for (int i = 0; i < 8; i++)
            at += snprintf(more + at, sizeof more - (size_t)at, "%s%.9g", i ? "," : "", v[i]);
        snprintf(more + at, sizeof more - (size_t)at, "]");
        snprintf(name, sizeof name, "%s/%s", w->name, w->o.features ? "features" : "logits");
        bench_line(name, v[0], "", NAN, more);
    }
    snprintf(more, sizeof more, "\"mean_ms\":%.6g,\"step_over_kernels\":%.4f,\"gmadds\":%.6g,\"mb\":%.6g", 1e3 * sum.seconds, best / sum.best, 1e-9 * sum.macs, 1e-6 * sum.bytes);
    snprintf(name, sizeof name, "%s/kernels", w->name);
    bench_line(name, 1e3 * sum.best, "ms", ideal / sum.best, more);
    snprintf(name, sizeof name, "%s/ideal", w->name);
    bench_line(name, 1e3 * ideal, "ms", 1, NULL);
    snprintf(more, sizeof more, "\"arena\":%.6g", 1e-6 * (double)gv_plan_bytes(w->plan));
    snprintf(name, sizeof name, "%s/peak", w->name);
    bench_line(name, 1e-3 * (double)u.ru_maxrss, "MB", NAN, more);
    return GV_OK;
}

int main(int argc, char **argv)
{
    work *w = gv_alloc(sizeof *w, NULL);
    gv_err err = { 0 };
    int r = w ? parse(&w->o, argc, argv) : 1;
    if (r)
        return r;
    r = ready(w, &err);
    snprintf(w->name, sizeof w->name, "step/%.60s-%s%s", w->o.model, w->o.bf16 ? "bf16" : "fp32", w->o.features ? "-features" : w->o.infer ? "-infer" : "");
    int skip = w->o.infer ? 3 : 2;
    for (int i = 0; i < w->o.steps + skip && r == GV_OK; i++) {
        double seconds = 0, loss = NAN;
        r = one(w, (uint64_t)i, &seconds, &loss, &err);
        if (i < FIRST_LOSSES)
            w->loss[i] = loss;
        if (i >= skip)
            w->took[i - skip] = seconds;
    }
    if (r == GV_OK)
        r = report(w, (int)w->o.steps, &err);
    if (r == GV_OK && w->o.profile) {
        gv_buf text = { 0 };
        r = gv_profile_table(w->profile, &w->roof, w->o.bf16 ? GV_MIXED_BF16 : GV_FP32, &text, &err);
        if (r == GV_OK)
            fputs(text.data, stderr);
        gv_buf_release(&text);
    }
    if (r < 0)
        fprintf(stderr, "step: error: %s\n", err.text);
    gv_plan_close(w->plan);
    gv_tuning_close(w->tuning);
    gv_profile_close(w->profile);
    gv_optimizer_close(w->opt);
    gv_store_close(w->store);
    gv_weights_close(w->file);
    gv_arena_release(&w->arena);
    gv_free(w);
    return r < 0;
}
