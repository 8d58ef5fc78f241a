/* Fused plans against the same graphs as they were built, in double on the plain kernels: loss, logits, every gradient, every running
 * statistic. What is left between them is the rounding of sums in another order: 1e-11 is far above it and far below any mistake. */
#include "nn/heads/heads.h"
#include "nn/losses/losses.h"
#include "nn/models/models.h"
#include "tests/golden/formula.h"
#include "tests/unit/tap.h"
#include <stdlib.h>

enum { CLASSES = 5, BATCH = 2, SIDE = 64 };

/* gone: an op that must not be left in the fused plan. */
static const struct model { const char *name; double drop_path; const char *gone[2]; } models[] = {
    { "resnet18", 0, { "\"op\":\"unary\"", "\"op\":\"unary_grad\"" } },
    { "resnet50d", 0, { "\"op\":\"unary\"", "\"op\":\"unary_grad\"" } },
    { "seresnext26t_32x4d", 0.2, { NULL } },
    { "resnetblur18", 0, { "\"op\":\"unary\"", "\"op\":\"unary_grad\"" } },
    { "vit_tiny_patch16_224", 0.2, { NULL } },
};

struct outcome { gv_arena arena; gv_graph *g; gv_store *s; gv_plan *p; gv_buf text; int nodes; };

static void run(struct outcome *o, const struct model *c, bool unfused)
{
    static double x[BATCH * SIDE * SIDE * 3];
    static const int64_t y[BATCH] = { 1, 3 };
    gv_err err = { 0 };
    gv_model_ref m;
    memset(o, 0, sizeof *o);
    int r = gv_arena_init(&o->arena, "graph", (size_t)1 << 28, &err);
    r = r < 0 ? r : gv_model_find(c->name, &m, &err);
    o->g = r < 0 ? NULL : gv_graph_new(&o->arena, GV_TRAIN, &err);
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
        r = gv_store_open(&o->s, GV_FP64, &err);
        r = r < 0 ? r : gv_store_init(o->s, o->g, 1, &err);
        if (r == GV_OK)
            formula_store(o->s, o->g);
        r = r < 0 ? r : gv_differentiate(o->g, loss, NULL, NULL, &err);
        gv_plan_options po = { .precision = GV_FP64, .backend = "reference", .keep_grads = true, .grad_scale = 1, .unfused = unfused, .guard = !unfused };
        r = r < 0 ? r : gv_plan_make(&o->p, o->g, o->s, &po, &err);
        gv_feed feeds[] = { { "x", x, GV_F64T }, { "y", y, GV_I64T } };
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
    double d = 0, q = 0;
    for (int64_t i = 0; i < n && a->dtype == GV_F64T; i++) {
        double u = ((const double *)a->data)[i], v = ((const double *)b->data)[i];
        d += (u - v) * (u - v), q += v * v;
    }
    return q < 1e-24 ? (d < 1e-20 ? 0 : 1) : sqrt(d / q);
}

int main(void)
{
    for (size_t i = 0; i < GV_COUNT(models); i++) {
        struct outcome plain, fused;
        run(&plain, &models[i], true);
        run(&fused, &models[i], false);
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
    }
    return done();
}
