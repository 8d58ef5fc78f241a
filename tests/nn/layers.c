/* Layers that no small whole model has, losses plain and mixed, and first values, against PyTorch and timm (scripts/golden/layers.py). */
#include "nn/heads/heads.h"
#include "nn/layers/layers.h"
#include "nn/losses/losses.h"
#include "nn/models/models.h"
#include "nn/peft/peft.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"

static golden gold;
static gv_arena arena;

static double compare(const char *entry, const gv_stored *have)
{
    double want[4096];
    int64_t n = golden_get(&gold, entry, want, 4096);
    if (!have || n < 1 || have->dtype != GV_F64T || gv_shape_count(have->shape, have->ndim) != n)
        return 1;
    return relative(have->data, want, n);
}

static int execute(gv_graph *g, gv_store *s, gv_plan **p, const gv_feed *feeds, int n, gv_err *err)
{
    int r = gv_plan_make(p, g, s, &(gv_plan_options){ .precision = GV_FP64, .backend = "reference", .keep_grads = true, .grad_scale = 1 }, err);
    return r == GV_OK ? gv_plan_run(*p, feeds, n, 1, err) : r;
}

static gv_val built(gv_graph *g, int which, gv_val x)
{
    switch (which) {
    case 0: return gv_attention(g, x, "layer", .heads = 4, .scale_norm = true, .eps = 1e-5);
    case 1: return gv_attention(g, x, "layer", .heads = 2, .no_qkv_bias = true, .no_proj_bias = true);
    case 2: return gv_swiglu(g, x, "layer", .hidden = 48);
    case 3: return gv_mlp(g, x, "layer", .hidden = 64, .norm = true, .eps = 1e-5);
    case 4: return gv_mlp(g, x, "layer", .hidden = 64, .act = GV_ACT_GELU_TANH);
    default: return gv_mlp(g, x, "layer", .hidden = 64, .act = GV_ACT_QUICK_GELU);
    }
}

/* Output and every gradient's norm of a layer under loss mean(y^2). */
static void layers(void)
{
    static const char *const keys[] = { "attention_scale_norm", "attention_no_bias", "swiglu", "mlp_norm", "mlp_tanh", "mlp_quick" };
    static double x[2 * 5 * 32];
    for (int i = 0; i < 2 * 5 * 32; i++)
        x[i] = formula_uniform(gv_hash_name("x"), i);
    for (int k = 0; k < (int)GV_COUNT(keys); k++) {
        gv_err err = { 0 };
        gv_store *s = NULL;
        gv_plan *p = NULL;
        char entry[128], name[128];
        gv_arena_reset(&arena);
        gv_graph *g = gv_graph_new(&arena, GV_TRAIN, &err);
        gv_val in = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 2, 5, 32 }, 3), y = built(g, k, in);
        gv_output(g, "y", y);
        gv_val loss = gv_reshape(g, gv_reduce(g, GV_MEAN, gv_unary(g, GV_SQUARE, y), 7, false, GV_CLASS_STAT), (int64_t[]){ 1 }, 1);
        int r = gv_differentiate(g, loss, NULL, NULL, &err);
        if (r == GV_OK && (r = gv_store_open(&s, GV_FP64, &err)) == GV_OK && (r = gv_store_init(s, g, 1, &err)) == GV_OK) {
            formula_store(s, g);
            r = execute(g, s, &p, &(gv_feed){ "x", x, GV_F64T }, 1, &err);
        }
        snprintf(entry, sizeof entry, "%s:y", keys[k]);
        double d = r == GV_OK ? compare(entry, gv_plan_output(p, "y")) : 1, worst = 0;
        for (int i = 0; r == GV_OK && i < gv_param_count(g); i++) {
            const char *param = gv_param_at(g, i)->name;
            double want = -1, sum = 0;
            snprintf(entry, sizeof entry, "%s:norm:%s", keys[k], param);
            snprintf(name, sizeof name, "grad.%s", param);
            const gv_stored *t = gv_store_find(s, name);
            for (int64_t j = 0; t && j < gv_shape_count(t->shape, t->ndim); j++)
                sum += ((double *)t->data)[j] * ((double *)t->data)[j];
            double e = golden_get(&gold, entry, &want, 1) == 1 ? fabs(sqrt(sum) - want) / want : 1;
            worst = e > worst ? e : worst;
        }
        ok(r == GV_OK && d < 1e-13 && worst < 1e-12, "%s: output (%.0e), norms of gradients (%.0e)%s", keys[k], d, worst, err.text);
        gv_plan_close(p);
        gv_store_close(s);
    }
}

/* which: 0 cross-entropy, 1 bce, 2 mse, 3 mse of one value per sample. */
static void one_loss(int which, bool mixed)
{
    static const char *const names[] = { "cross_entropy", "bce", "mse", "mse" };
    static const int64_t y[4] = { 1, 4, 0, 2 };
    static const int32_t perm[4] = { 2, 0, 3, 1 };
    static const float lam[1] = { 0.75f };
    double z[20];
    float t[20];
    int64_t k = which == 3 ? 1 : 5;
    for (int i = 0; i < 20; i++) {
        z[i] = 3 * formula_uniform(gv_hash_name("logits"), which == 3 ? i * 5 : i);
        t[i] = (float)formula_uniform(gv_hash_name("target"), which == 3 ? i * 5 : i);
        t[i] = which == 1 ? t[i] > 0 : t[i];
        if (which == 3 && i == 3)
            break;
    }
    gv_err err = { 0 };
    gv_store *s = NULL;
    gv_plan *p = NULL;
    char entry[64];
    gv_arena_reset(&arena);
    gv_graph *g = gv_graph_new(&arena, GV_TRAIN, &err);
    gv_val w = gv_param(g, "z", (int64_t[]){ 4, k }, 2, "zeros");
    gv_loss_inputs in = { .lam = GV_NO_VAL, .perm = GV_NO_VAL };
    in.target = which == 0 ? gv_input(g, "y", GV_CLASS_I64, (int64_t[]){ 4 }, 1) : gv_input(g, "y", GV_CLASS_F32, (int64_t[]){ 4, k }, which == 3 ? 1 : 2);
    if (mixed) {
        in.lam = gv_input(g, "lam", GV_CLASS_F32, (int64_t[]){ 1 }, 1);
        in.perm = gv_input(g, "perm", GV_CLASS_I32, (int64_t[]){ 4 }, 1);
    }
    gv_val loss = gv_loss_find(names[which])->build(g, w, &in, &(gv_loss_options){ .label_smoothing = 0.2 });
    gv_output(g, "loss", loss);
    int r = gv_differentiate(g, loss, NULL, NULL, &err);
    if (r == GV_OK && (r = gv_store_open(&s, GV_FP64, &err)) == GV_OK && (r = gv_store_init(s, g, 1, &err)) == GV_OK) {
        memcpy(gv_store_find(s, "z")->data, z, 4 * (size_t)k * sizeof *z);
        gv_feed feeds[] = { { "y", which ? (const void *)t : y, which ? GV_F32T : GV_I64T }, { "lam", lam, GV_F32T }, { "perm", perm, GV_I32 } };
        r = execute(g, s, &p, feeds, mixed ? 3 : 1, &err);
    }
    if (which < 3) {
        snprintf(entry, sizeof entry, "loss:%s:%d", names[which], mixed);
        ok(r == GV_OK && compare(entry, gv_plan_output(p, "loss")) < 1e-13, "%s%s%s", names[which], mixed ? ", mixed" : "", err.text);
        snprintf(entry, sizeof entry, "loss:%s:%d:grad", names[which], mixed);
    } else
        snprintf(entry, sizeof entry, "loss:mse:flat:grad");
    ok(r == GV_OK && compare(entry, gv_store_find(s, "grad.z")) < 1e-13, "%s%s: gradient%s", names[which], mixed ? ", mixed" : which == 3 ? " of one value" : "", err.text);
    gv_plan_close(p);
    gv_store_close(s);
}

/* Mean, root mean square and largest magnitude of each parameter over ten seeds, against ten models of timm. */
static void first_values(const char *arch, int64_t side, int64_t classes)
{
    gv_err err = { 0 };
    gv_model_ref m;
    gv_store *s[10] = { 0 };
    gv_arena_reset(&arena);
    gv_graph *g = gv_graph_new(&arena, GV_TRAIN, &err);
    int r = gv_model_find(arch, &m, &err), wrong = 0, seen = 0;
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 2, side, side, 3 }, 4);
    gv_features f = gv_model_build(g, &m, NULL, x);
    gv_val v = gv_pool(g, &m, &f, GV_AGG_CLS_TOKEN, false, NULL);
    gv_head_build(g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = classes });
    for (uint64_t k = 0; k < 10 && r == GV_OK; k++)
        if ((r = gv_store_open(&s[k], GV_FP32, &err)) == GV_OK)
            r = gv_store_init(s[k], g, k, &err);
    for (int i = 0; r == GV_OK && i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        char entry[256];
        double want[3] = { 0 }, mean = 0, square = 0, top = 0;
        if (p->buffer || (m.family->transformer && p->mark && !strcmp(p->mark, "classifier"))) /* the head is torch's Linear, as the original's */
            continue;
        int64_t n = gv_shape_count(p->shape, p->ndim);
        for (int k = 0; k < 10; k++)
            for (int64_t j = 0; j < n; j++) {
                double u = ((float *)gv_store_find(s[k], p->name)->data)[j];
                mean += u / (10. * (double)n);
                square += u * u / (10. * (double)n);
                top = fabs(u) > top ? fabs(u) : top;
            }
        snprintf(entry, sizeof entry, "init:%s:%s", arch, p->name);
        double rms = sqrt(square), noise = 6 / sqrt(10. * (double)n);
        bool there = golden_get(&gold, entry, want, 3) == 3;
        bool good = there && fabs(mean - want[0]) <= noise * want[1] * 1.5 + 1e-9 && fabs(rms - want[1]) <= noise * want[1] + 1e-9;
        if (good && want[2] <= want[1] * 1.000001) /* a constant */
            good = fabs(top - want[2]) < 1e-7;
        else if (good && n >= 100 && want[2] < 1.75 * want[1]) /* uniform: bounded at sqrt(3) deviations */
            good = top < 1.75 * rms;
        if (!good)
            printf("# %s %s: mean %g rms %g max %g; timm %g %g %g\n", arch, p->name, mean, rms, top, want[0], want[1], want[2]);
        wrong += !good;
        seen++;
    }
    ok(r == GV_OK && seen > 20 && wrong == 0, "%s: %d parameters start as timm's%s", arch, seen, err.text);
    for (int k = 0; k < 10; k++)
        gv_store_close(s[k]);
}

/* linear_probing trains the head alone; the rest gets no gradient. */
static void probing(void)
{
    gv_err err = { 0 };
    gv_model_ref m;
    gv_arena_reset(&arena);
    gv_graph *g = gv_graph_new(&arena, GV_TRAIN, &err);
    int r = gv_model_find("test_resnet", &m, &err), trained = 0;
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 2, 64, 64, 3 }, 4);
    gv_features f = gv_model_build(g, &m, NULL, x);
    gv_val v = gv_head_build(g, gv_head_find("regression"), gv_pool(g, &m, &f, GV_AGG_CLS_TOKEN, false, NULL), "fc", &(gv_head_options){ .out_dim = 1 });
    gv_val y = gv_input(g, "y", GV_CLASS_F32, (int64_t[]){ 2, 1 }, 2);
    gv_val loss = gv_loss_find("mse")->build(g, v, &(gv_loss_inputs){ y, GV_NO_VAL, GV_NO_VAL }, &(gv_loss_options){ 0 });
    int before = r == GV_OK ? gv_param_count(g) : 0;
    r = gv_differentiate(g, loss, gv_peft_trains, &(gv_peft_choice){ gv_peft_find("linear_probing"), NULL, g }, &err);
    for (int i = 0; r == GV_OK && i < gv_param_count(g); i++)
        trained += gv_param_at(g, i)->trained ? (!strncmp(gv_param_at(g, i)->name, "fc.", 3) ? 1 : 100) : 0;
    ok(r == GV_OK && before > 20 && trained == 2, "linear_probing trains fc.weight and fc.bias%s", err.text);
    ok(gv_peft_find("full_finetuning") && gv_peft_trainable(gv_peft_find("full_finetuning"), NULL, g, gv_param_at(g, 0)) && !gv_peft_find("adalora"), "the methods that are built");
}

int main(void)
{
    gv_err err = { 0 };
    ok(golden_open(&gold, "tests/golden/layers.gold") == 0 && gv_arena_init(&arena, "graph", 1 << 28, &err) == GV_OK, "golden values");
    layers();
    for (int which = 0; which < 3; which++)
        for (int mixed = 0; mixed < 2; mixed++)
            one_loss(which, mixed);
    one_loss(3, false);
    first_values("test_resnet", 64, 1000);
    first_values("seresnet18", 64, 10);
    first_values("test_vit2", 48, 10);
    probing();
    gv_arena_release(&arena);
    gv_free(gold.text);
    return done();
}
