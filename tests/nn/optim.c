/* Optimizers against torch.optim, groups, schedules: five steps in double to 1e-14, in float to rounding. */
#include "common/threads.h"
#include "nn/optim/optim.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"

static const struct tensor { const char *name; int ndim; int64_t shape[4]; } tensors[] = {
    { "conv.weight", 4, { 3, 4, 3, 3 } }, { "bn.weight", 1, { 7 } }, { "fc.weight", 2, { 5, 21 } }, { "fc.bias", 1, { 5 } },
};

static gv_arena arena;

/* A graph that has those parameters, and a store that holds them. */
static gv_graph *params(gv_store **s, gv_precision p)
{
    gv_err err = { 0 };
    gv_graph *g = gv_graph_new(&arena, GV_TRAIN, &err);
    for (size_t i = 0; i < GV_COUNT(tensors); i++)
        gv_param(g, tensors[i].name, tensors[i].shape, tensors[i].ndim, "zeros");
    if (gv_store_open(s, p, &err) < 0 || gv_store_init(*s, g, 1, &err) < 0) {
        printf("# %s\n", err.text);
        return NULL;
    }
    for (size_t i = 0; i < GV_COUNT(tensors); i++) {
        double v[256];
        formula_fill(tensors[i].name, tensors[i].shape, tensors[i].ndim, v);
        gv_stored *t = gv_store_find(*s, tensors[i].name);
        gv_from_f64(t->dtype, v, t->data, (size_t)gv_shape_count(tensors[i].shape, tensors[i].ndim));
    }
    return g;
}

static void gradients(gv_store *s, int step)
{
    for (size_t i = 0; i < GV_COUNT(tensors); i++) {
        char name[64];
        double v[256];
        int64_t n = gv_shape_count(tensors[i].shape, tensors[i].ndim);
        snprintf(name, sizeof name, "%d.%s", step, tensors[i].name);
        for (int64_t k = 0; k < n; k++)
            v[k] = formula_uniform(gv_hash_name(name), k);
        snprintf(name, sizeof name, "grad.%s", tensors[i].name);
        gv_stored *t = gv_store_find(s, name);
        gv_from_f64(t->dtype, v, t->data, (size_t)n);
    }
}

/* The largest relative difference of a tensor from the golden one. */
static double difference(gv_store *s, const golden *gold, const char *key, const char *entry, const char *tensor)
{
    char name[128];
    double want[256], have[256];
    snprintf(name, sizeof name, "%s:%s", key, entry);
    int64_t n = golden_get(gold, name, want, 256);
    gv_stored *t = gv_store_find(s, tensor);
    if (n < 0 || !t)
        return 1;
    gv_to_f64(t->dtype, t->data, have, (size_t)n);
    return relative(have, want, n);
}

static void one(const golden *gold, const char *key, const char *name, gv_precision p, gv_optim_hyper h)
{
    gv_err err = { 0 };
    gv_store *s;
    gv_optimizer *o = NULL;
    gv_graph *g = params(&s, p);
    double worst = 0, norms[5], want[5], norm;
    int r = g ? gv_optimizer_open(&o, name, &h, &(gv_optim_groups){ 0 }, s, g, &err) : -1;
    for (int step = 0; r == GV_OK && step < 5; step++) {
        gradients(s, step);
        r = gv_optimizer_step(o, 0.1 / (step + 1), &norm, &err);
        norms[step] = norm;
    }
    for (size_t i = 0; i < GV_COUNT(tensors); i++) {
        double d = difference(s, gold, key, tensors[i].name, tensors[i].name);
        worst = d > worst ? d : worst;
    }
    ok(r == GV_OK && worst < (p == GV_FP64 ? 1e-14 : 2e-7), "%s: parameters after five steps (%.1e)", key, worst);
    if (p == GV_FP64) {
        char entry[128];
        snprintf(entry, sizeof entry, "%s:norms", key);
        ok(golden_get(gold, entry, want, 5) == 5 && relative(norms, want, 5) < 1e-15, "%s: gradient norms", key);
        ok(gv_optimizer_steps(o) == 5, "%s: steps are counted", key);
    }
    if (p == GV_FP64 && h.clip == 0)
        for (int i = 0; gv_optimizer_state(o, i); i++) {
            const char *state = gv_optimizer_state(o, i);
            char entry[64];
            if (strncmp(state, "optim.fc.weight.", 16))
                continue;
            snprintf(entry, sizeof entry, "state:%s", state + 16);
            ok(difference(s, gold, key, entry, state) < 1e-14, "%s: %s", key, state);
        }
    gv_optimizer_close(o);
    gv_store_close(s);
}

static void groups(void)
{
    static const struct { const char *name; double scale; } want[] = { /* n = 2 blocks: lr 0.5^(5 - depth) */
        { "patch_embed.proj.weight", 0.0625 }, { "cls_token", 1 }, { "blocks.0.norm1.weight", 0.125 }, { "blocks.1.mlp.fc1.bias", 0.25 },
        { "norm.weight", 0.5 }, { "head.weight", 1 },
    };
    gv_err err = { 0 };
    gv_store *s;
    gv_optimizer *o = NULL;
    gv_graph *g = gv_graph_new(&arena, GV_TRAIN, &err);
    int64_t two = 2;
    double scale, decay;
    for (size_t i = 0; i < GV_COUNT(want); i++)
        gv_param(g, want[i].name, &two, 1, "ones");
    gv_optim_hyper h = gv_optim_defaults();
    h.weight_decay = 0.05;
    ok(gv_store_open(&s, GV_FP32, &err) == GV_OK && gv_store_init(s, g, 1, &err) == GV_OK, "a store");
    ok(gv_optimizer_open(&o, "AdamW", &h, &(gv_optim_groups){ .undecay_norm = true, .layer_wise_lr_decay = 0.5 }, s, g, &err) == GV_OK, "layer-wise decay opens");
    bool good = o && gv_optimizer_count(o) == (int)GV_COUNT(want), same = good;
    for (size_t i = 0; good && i < GV_COUNT(want); i++) {
        good &= !strcmp(gv_optimizer_param(o, (int)i, &scale, &decay), want[i].name) && scale == want[i].scale;
        same &= decay == 0.05;
    }
    ok(good, "each depth has its factor, the head too; unmatched names keep 1");
    ok(same, "weight decay is uniform under layer-wise decay");
    gv_optimizer_close(o);
    ok(gv_optimizer_open(&o, "SGD", &h, &(gv_optim_groups){ .undecay_norm = true, .layer_wise_lr_decay = NAN }, s, g, &err) == GV_OK, "undecay_norm opens");
    int undecayed = 0;
    for (int i = 0; o && i < gv_optimizer_count(o); i++) {
        gv_optimizer_param(o, i, &scale, &decay);
        undecayed += decay == 0 && scale == 1;
    }
    ok(undecayed == 3, "norm and bias names get no decay");
    gv_stored *grad = gv_store_find(s, "grad.norm.weight");
    ((float *)grad->data)[1] = INFINITY;
    ok(gv_optimizer_step(o, 0.1, NULL, &err) == GV_ENAN && strstr(err.text, "'norm.weight'"), "a gradient that is not finite is named: %s", err.text);
    ok(((float *)gv_store_find(s, "head.weight")->data)[0] == 1 && gv_optimizer_steps(o) == 0, "… and nothing has changed");
    gv_optimizer_zero_grads(o);
    ok(((float *)grad->data)[1] == 0, "gradients are zeroed");
    gv_optimizer_close(o);
    gv_err_clear(&err);
    ok(gv_optimizer_open(&o, "Madgrad", &h, &(gv_optim_groups){ 0 }, s, g, &err) == GV_EUSAGE && strstr(err.text, "'Madgrad'"), "an optimizer that is not built is named");
    gv_store_close(s);
    gv_err_clear(&err);
    g = params(&s, GV_FP32);
    ok(g && gv_optimizer_open(&o, "SGD", &h, &(gv_optim_groups){ .layer_wise_lr_decay = 0.5 }, s, g, &err) == GV_EUSAGE && strstr(err.text, "blocks"), "layer-wise decay without blocks is an error");
    gv_store_close(s);
}

/* A large parameter gives the same bytes with one thread and with three. */
static void threads(void)
{
    gv_err err = { 0 };
    float *kept = NULL;
    int64_t n = 100003;
    bool same = true;
    for (int t = 1; t <= 3; t += 2) {
        gv_store *s;
        gv_optimizer *o = NULL;
        gv_graph *g = gv_graph_new(&arena, GV_TRAIN, &err);
        gv_param(g, "w", &n, 1, "ones");
        gv_threads_set(t);
        gv_optim_hyper h = gv_optim_defaults();
        h.clip = 1;
        if (gv_store_open(&s, GV_FP32, &err) < 0 || gv_store_init(s, g, 1, &err) < 0 || gv_optimizer_open(&o, "Adam", &h, &(gv_optim_groups){ 0 }, s, g, &err) < 0)
            return;
        float *grad = gv_store_find(s, "grad.w")->data, *w = gv_store_find(s, "w")->data;
        for (int64_t i = 0; i < n; i++)
            grad[i] = (float)formula_uniform(7, i);
        same &= gv_optimizer_step(o, 0.01, NULL, &err) == GV_OK;
        if (t == 1) {
            kept = gv_arena_alloc(&arena, (size_t)n * 4, &err);
            memcpy(kept, w, (size_t)n * 4);
        } else
            same &= !memcmp(kept, w, (size_t)n * 4) && w[n - 1] != 1;
        gv_optimizer_close(o);
        gv_store_close(s);
    }
    ok(same, "the same bytes with one thread and three");
}

static void schedules(void)
{
    static const double cosine[] = { 1. / 3, 2. / 3, 1, 0.853553390593, 0.5, 0.146446609407 };
    bool good = true;
    for (int e = 0; e < 6; e++)
        good &= fabs(gv_schedule(GV_COSINE_ANNEAL, e, 6, 2) - cosine[e]) < 1e-10;
    ok(good, "CosineAnneal with warm-up 2 of 6");
    ok(gv_schedule(GV_COSINE_ANNEAL, 0, 4, 0) == 1 && fabs(gv_schedule(GV_COSINE_ANNEAL, 2, 4, 0) - 0.5) < 1e-15, "cosine without warm-up");
    ok(fabs(gv_schedule(GV_COSINE_ANNEAL, 1, 2, 10) - 2. / 11) < 1e-15, "a run shorter than its warm-up never leaves it");
    ok(gv_schedule(GV_STEP, 1, 9, 0) == 1 && fabs(gv_schedule(GV_STEP, 4, 9, 0) - 0.01) < 1e-15 && fabs(gv_schedule(GV_STEP, 1, 3, 0) - 0.1) < 1e-15, "Step: every T/4 epochs, at least 1");
    ok(gv_schedule(GV_MULTI_STEP, 4, 10, 0) == 1 && fabs(gv_schedule(GV_MULTI_STEP, 5, 10, 0) - 0.1) < 1e-15 && fabs(gv_schedule(GV_MULTI_STEP, 7, 10, 0) - 0.01) < 1e-15, "MultiStep: at T/2 and 3T/4");
    ok(gv_schedule(GV_NO_SCHEDULE, 3, 10, 5) == 1, "None");
}

int main(void)
{
    static const struct { const char *key, *name; double decay; bool nesterov; } cases[] = {
        { "sgd", "SGD", 0.01, false }, { "nesterov", "SGD", 0.01, true }, { "adam", "Adam", 0.01, false }, { "adamw", "AdamW", 0.05, false },
    };
    golden gold = { 0 };
    gv_err err = { 0 };
    ok(golden_open(&gold, "tests/golden/optim.gold") == 0 && gv_arena_init(&arena, "graph", 1 << 24, &err) == GV_OK, "golden values");
    for (size_t i = 0; i < GV_COUNT(cases); i++)
        for (int p = 0; p < 2; p++)
            for (int clip = 0; clip < 2; clip++) {
                char key[64];
                gv_optim_hyper h = gv_optim_defaults();
                h.weight_decay = cases[i].decay;
                h.nesterov = cases[i].nesterov;
                h.clip = clip ? 0.5 : 0;
                snprintf(key, sizeof key, "%s_%s_%s", cases[i].key, p ? "f32" : "f64", clip ? "0.5" : "0");
                one(&gold, key, cases[i].name, p ? GV_FP32 : GV_FP64, h);
            }
    groups();
    schedules();
    threads();
    gv_free(gold.text);
    return done();
}
