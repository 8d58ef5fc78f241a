/* Fused plans against the same graphs as they were built, in double on the plain kernels: loss, logits, every gradient, every running
 * statistic; and logits of plans whose weights stay. What is left between them is the rounding of sums in another order: 1e-11 is far above it and far below any mistake. */
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "nn/models/models.h"
#include "tests/golden/formula.h"
#include "nn/backend.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

enum { CLASSES = 5, BATCH = 2, SIDE = 64 };

/* gone: an op that must not be left in the fused plan. */
static const struct model { const char *name; double drop_path; const char *gone[2]; } models[] = {
    { "resnet18", 0, { "\"op\":\"unary\"", "\"op\":\"unary_grad\"" } },
    { "resnet50d", 0, { "\"op\":\"unary\"", "\"op\":\"unary_grad\"" } },
    { "seresnext26t_32x4d", 0.2, { NULL } },
    { "resnetblur18", 0, { "\"op\":\"unary\"", "\"op\":\"unary_grad\"" } },
    { "convnext_atto", 0.2, { NULL } },
    { "vit_tiny_patch16_224", 0.2, { NULL } },
};

struct outcome { gv_arena arena; gv_graph *g; gv_store *s; gv_plan *p; gv_buf text; int nodes; };

/* One step, or (frozen or not) one forward pass in evaluation. */
static void run(struct outcome *o, const struct model *c, bool unfused, gv_phase phase, gv_precision precision, const char *backend)
{
    static double x[BATCH * SIDE * SIDE * 3];
    static const int64_t y[BATCH] = { 1, 3 };
    gv_err err = { 0 };
    gv_model_ref m;
    memset(o, 0, sizeof *o);
    int r = gv_arena_init(&o->arena, "graph", (size_t)1 << 28, &err);
    r = r < 0 ? r : gv_model_find(c->name, &m, &err);
    o->g = r < 0 ? NULL : gv_graph_new(&o->arena, phase, &err);
    if (o->g) {
        gv_val in = gv_input(o->g, "x", GV_CLASS_REAL, (int64_t[]){ BATCH, SIDE, SIDE, 3 }, 4), t = gv_input(o->g, "y", GV_CLASS_I64, (int64_t[]){ BATCH }, 1);
        gv_features f = gv_model_build(o->g, &m, &(gv_model_options){ .drop_path_rate = c->drop_path }, in);
        gv_val v = gv_pool(o->g, &m, &f, GV_AGG_CLS_TOKEN, false, NULL);
        v = gv_head_build(o->g, gv_head_find("classification"), v, m.family->classifier, &(gv_head_options){ .out_dim = CLASSES });
        gv_output(o->g, "logits", v);
        gv_loss_inputs li = { .target = t, .lam = GV_NO_VAL, .perm = GV_NO_VAL };
        gv_val loss = gv_loss_find("cross_entropy")->build(o->g, v, &li, &(gv_loss_options){ 0 });
        gv_output(o->g, "loss", loss);
        for (int i = 0; i < BATCH * SIDE * SIDE * 3; i++)
            x[i] = formula_uniform(gv_hash_name("x"), i);
        r = gv_store_open(&o->s, precision, &err);
        r = r < 0 ? r : gv_store_init(o->s, o->g, 1, &err);
        if (r == GV_OK)
            formula_store(o->s, o->g);
        if (phase == GV_TRAIN)
            r = r < 0 ? r : gv_differentiate(o->g, loss, NULL, NULL, &err);
        gv_plan_options po = { .precision = precision, .backend = backend, .threads = 2, .keep_grads = phase == GV_TRAIN, .grad_scale = 1, .unfused = unfused,
                               .guard = !unfused && phase == GV_TRAIN, .frozen = !unfused && phase == GV_EVAL };
        r = r < 0 ? r : gv_plan_make(&o->p, o->g, o->s, &po, &err);
        gv_feed feeds[] = { { "x", x, GV_F64T }, { "y", y, GV_I64T } };
        for (uint64_t k = 0; k < (phase == GV_TRAIN ? 1 : 2); k++) /* what is kept from the first pass serves the second */
            r = r < 0 ? r : gv_plan_run(o->p, feeds, 2, 1, &err);
        r = r < 0 ? r : gv_plan_describe(o->p, &o->text, &err);
    }
    if (!o->p || r < 0) {
        printf("Bail out! %s: %s\n", c->name, err.text);
        exit(1);
    }
    o->nodes = gv_plan_nodes(o->p);
}

static void drop(struct outcome *o)
{
    gv_buf_release(&o->text);
    gv_plan_close(o->p);
    gv_store_close(o->s);
    gv_arena_release(&o->arena);
}

/* The relative difference of two tensors; those that are rounding and nothing else (a bias before a norm) count as equal. */
static double apart(const gv_stored *a, const gv_stored *b)
{
    int64_t n = gv_shape_count(a->shape, a->ndim);
    double d = 0, q = 0, u, v;
    for (int64_t i = 0; i < n && a->dtype != GV_I64T; i++) {
        size_t size = gv_dtype_of(a->dtype)->size;
        gv_to_f64(a->dtype, (const char *)a->data + (size_t)i * size, &u, 1);
        gv_to_f64(b->dtype, (const char *)b->data + (size_t)i * size, &v, 1);
        d += (u - v) * (u - v), q += v * v;
    }
    return q < 1e-24 ? (d < 1e-20 ? 0 : 1) : sqrt(d / q);
}

/* Plans whose weights stay: double on the plain kernels, float and bf16 on those of oneDNN. bf16 rounds in other places when fused: 2^-8 for each
 * of the layers, which partly cancel. */
static void frozen(const struct model *c)
{
    static const struct { gv_precision p; const char *backend, *name; double bound; } how[] = {
        { GV_FP64, "reference", "fp64", 1e-11 }, { GV_FP32, "onednn", "fp32", 1e-5 }, { GV_MIXED_BF16, "onednn", "bf16", 3e-2 },
    };
    for (size_t i = 0; i < GV_COUNT(how); i++) {
        struct outcome a, b;
        if (i && (!gv_backend_known("onednn") || (how[i].p == GV_MIXED_BF16 && !gv_backend_find("onednn")->has_bf16()))) {
            ok(true, "%s: # SKIP this processor or build has no %s", c->name, how[i].name);
            continue;
        }
        run(&a, c, true, GV_EVAL, how[i].p, how[i].backend);
        run(&b, c, false, GV_EVAL, how[i].p, how[i].backend);
        double d = apart(gv_plan_output(b.p, "logits"), gv_plan_output(a.p, "logits"));
        bool norm = strstr(b.text.data, "\"op\":\"batchnorm_eval\"") != NULL, was = strstr(a.text.data, "\"op\":\"batchnorm_eval\"") != NULL;
        ok(d < how[i].bound && !norm && b.nodes < a.nodes + !was, "%s %s, weights that stay: logits (%.0e), %d nodes were %d", c->name, how[i].name, d, b.nodes, a.nodes);
        drop(&b);
        drop(&a);
    }
}

int main(void)
{
    for (size_t i = 0; i < GV_COUNT(models); i++) {
        struct outcome plain, fused;
        run(&plain, &models[i], true, GV_TRAIN, GV_FP64, "reference");
        run(&fused, &models[i], false, GV_TRAIN, GV_FP64, "reference");
        double worst = 0, out = 0;
        int n = 0;
        const char *which = "";
        for (int k = 0; k < gv_store_count(plain.s); k++) {
            const gv_stored *a = gv_store_at(plain.s, k), *b = gv_store_find(fused.s, a->name);
            double d = b ? apart(b, a) : 1;
            n++;
            if (!(d <= worst))
                worst = d, which = a->name;
        }
        static const char *const outputs[] = { "loss", "logits" };
        for (int k = 0; k < 2; k++)
            out = fmax(out, apart(gv_plan_output(fused.p, outputs[k]), gv_plan_output(plain.p, outputs[k])));
        ok(out < 1e-11, "%s: loss and logits (%.0e)", models[i].name, out);
        ok(worst < 1e-11, "%s: %d parameters, gradients and statistics (%.0e %s)", models[i].name, n, worst, which);
        for (int k = 0; k < 2 && models[i].gone[k]; k++)
            ok(strstr(plain.text.data, models[i].gone[k]) && !strstr(fused.text.data, models[i].gone[k]), "%s: no %s is left (%d nodes were %d)", models[i].name,
               models[i].gone[k], fused.nodes, plain.nodes);
        drop(&fused);
        drop(&plain);
        frozen(&models[i]);
    }
    return done();
}
