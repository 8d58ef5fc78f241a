/* Fused plans against the same graphs as they were built, in double on the plain kernels: loss, logits, every gradient, every running
 * statistic; and logits of plans whose weights stay. What is left between them is the rounding of sums in another order: 1e-11 is far above it
 * and far below any mistake. */
#include "nn/backend.h"
#include "tests/nn/network.h"

/* gone: an op that must not be left in the fused plan. */
static const struct model { const char *name; double drop_path; const char *gone[2]; } models[] = {
    { "resnet18", 0, { "\"op\":\"unary\"", "\"op\":\"unary_grad\"" } },
    { "resnet50d", 0, { "\"op\":\"unary\"", "\"op\":\"unary_grad\"" } },
    { "seresnext26t_32x4d", 0.2, { NULL } },
    { "resnetblur18", 0, { "\"op\":\"unary\"", "\"op\":\"unary_grad\"" } },
    { "convnext_atto", 0.2, { NULL } },
    { "vit_tiny_patch16_224", 0.2, { NULL } },
};

/* One step, or (frozen or not) two forward passes in evaluation: what is kept from the first serves the second. */
static void run(struct outcome *o, const struct model *c, bool unfused, gv_phase phase, gv_precision precision, const char *backend)
{
    bool train = phase == GV_TRAIN;
    struct network w = { .name = c->name, .options = { .drop_path_rate = c->drop_path }, .phase = phase, .by_formula = true, .same_step = true, .runs = train ? 1 : 2 };
    gv_plan_options po = { .precision = precision, .backend = backend, .threads = 2, .keep_grads = train, .grad_scale = 1, .unfused = unfused, .guard = !unfused && train,
                           .frozen = !unfused && !train };
    network_run(o, &w, &po);
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
        ok(d < how[i].bound && !norm && gv_plan_nodes(b.p) < gv_plan_nodes(a.p) + !was, "%s %s, weights that stay: logits (%.0e), %d nodes were %d", c->name, how[i].name, d, gv_plan_nodes(b.p), gv_plan_nodes(a.p));
        network_drop(&b);
        network_drop(&a);
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
               models[i].gone[k], gv_plan_nodes(fused.p), gv_plan_nodes(plain.p));
        network_drop(&fused);
        network_drop(&plain);
        frozen(&models[i]);
    }
    return done();
}
