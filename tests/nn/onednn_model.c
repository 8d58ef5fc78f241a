/*
 * Whole models on the onednn backend against the plain kernels in double: one training step of a small ResNet, ViT and ConvNeXt (both versions), f32 and bf16,
 * loss and the gradient of every parameter.
 *
 * Tolerance, of each gradient's L2 norm: f32 2e-3 with ReLUs (one at zero may flip, and shifts what lies below it), 1e-4 without; loss 1e-5.
 * bf16 keeps 8 bits, and ten layers of batch norms and ReLUs add up: 0.15 of the whole gradient's norm, up to 0.6 of a single small one; loss 0.03.
 */
#include "common/threads.h"
#include "nn/backend.h"
#include "nn/layers/layers.h"
#include "nn/models/models.h"
#include "tests/unit/tap.h"
#include <math.h>

enum { N = 8, SIDE = 32, CLASSES = 10 };

static gv_val block(gv_graph *g, gv_val x, int64_t out, int64_t stride, const char *name)
{
    gv_enter(g, "%s", name);
    gv_val y = gv_relu(g, gv_batch_norm(g, gv_conv2d(g, x, "conv1", .out = out, .kernel = 3, .stride = stride, .padding = 1), "bn1"));
    y = gv_batch_norm(g, gv_conv2d(g, y, "conv2", .out = out, .kernel = 3, .padding = 1), "bn2");
    if (stride > 1)
        x = gv_batch_norm(g, gv_conv2d(g, x, "down", .out = out, .kernel = 1, .stride = stride), "bn3");
    gv_leave(g);
    return gv_relu(g, gv_add(g, x, y));
}

static gv_val resnet(gv_graph *g, gv_val x)
{
    x = gv_relu(g, gv_batch_norm(g, gv_conv2d(g, x, "stem", .out = 32, .kernel = 7, .stride = 2, .padding = 3), "bn"));
    x = gv_max_pool(g, x, .kernel = 3, .stride = 2, .padding = 1);
    x = block(g, block(g, x, 32, 1, "a"), 64, 2, "b");
    x = gv_reduce(g, GV_MEAN, x, 2 | 4, false, GV_CLASS_REAL);
    return gv_linear(g, x, "fc", .out = CLASSES, .bias = true);
}

static gv_val vit(gv_graph *g, gv_val x)
{
    x = gv_conv2d(g, x, "patch", .out = 64, .kernel = 8, .stride = 8, .bias = true);
    x = gv_reshape(g, x, (int64_t[]){ N, 16, 64 }, 3);
    for (int i = 0; i < 2; i++) {
        gv_enter(g, "blocks.%d", i);
        gv_val h = gv_linear(g, gv_layer_norm(g, x, "norm1"), "qkv", .out = 192, .bias = true);
        h = gv_permute(g, gv_reshape(g, h, (int64_t[]){ N, 16, 3, 4, 16 }, 5), (int[]){ 2, 0, 3, 1, 4 }); /* [3,N,heads,L,16] */
        gv_val q = gv_slice(g, h, 0, 0, 1), k = gv_slice(g, h, 0, 1, 1), v = gv_slice(g, h, 0, 2, 1);
        gv_val p = gv_softmax(g, gv_matmul(g, q, k, GV_NO_VAL, false, true, 0.25));
        h = gv_reshape(g, gv_matmul(g, p, v, GV_NO_VAL, false, false, 1), (int64_t[]){ N, 4, 16, 16 }, 4);
        h = gv_reshape(g, gv_permute(g, h, (int[]){ 0, 2, 1, 3 }), (int64_t[]){ N, 16, 64 }, 3);
        x = gv_add(g, x, gv_linear(g, h, "proj", .out = 64, .bias = true));
        h = gv_gelu(g, gv_linear(g, gv_layer_norm(g, x, "norm2"), "fc1", .out = 256, .bias = true));
        x = gv_add(g, x, gv_linear(g, h, "fc2", .out = 64, .bias = true));
        gv_leave(g);
    }
    x = gv_reduce(g, GV_MEAN, gv_layer_norm(g, x, "norm"), 2, false, GV_CLASS_REAL);
    return gv_linear(g, x, "head", .out = CLASSES, .bias = true);
}

static gv_val family(gv_graph *g, gv_val x, const char *arch)
{
    gv_err err = { 0 };
    gv_model_ref m;
    if (gv_model_find(arch, &m, &err) < 0)
        return gv_graph_fail(g, "%s", err.text);
    gv_features f = gv_model_build(g, &m, NULL, x);
    return gv_linear(g, gv_pool(g, &m, &f, GV_AGG_AVG, false, NULL), "head.fc", .out = CLASSES, .bias = true);
}

static gv_val convnext(gv_graph *g, gv_val x)
{
    return family(g, x, "test_convnext");
}

static gv_val convnextv2(gv_graph *g, gv_val x)
{
    return family(g, x, "convnextv2_atto");
}

static float pixels[N * SIDE * SIDE * 3];
static int64_t labels[N];

/* One step; the store then holds the gradients. Returns the loss, NaN on failure. */
static double step(gv_store **s, gv_val (*model)(gv_graph *, gv_val), gv_precision p, const char *backend, int threads)
{
    gv_err err = { 0 };
    gv_arena a = { 0 };
    gv_plan *plan = NULL;
    double loss = NAN;
    *s = NULL;
    if (gv_arena_init(&a, "graph", (size_t)256 << 20, &err) < 0)
        return loss;
    gv_graph *g = gv_graph_new(&a, GV_TRAIN, &err);
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ N, SIDE, SIDE, 3 }, 4), y = gv_input(g, "y", GV_CLASS_I64, (int64_t[]){ N }, 1);
    gv_val l = gv_cross_entropy(g, model(g, x), gv_one_hot(g, y, CLASSES, 0.1));
    gv_output(g, "loss", l);
    gv_plan_options o = { .precision = p, .backend = backend, .threads = threads, .keep_grads = true, .grad_scale = 1 };
    const gv_feed feeds[] = { { "x", pixels, GV_F32T }, { "y", labels, GV_I64T } };
    if (gv_differentiate(g, l, NULL, NULL, &err) == GV_OK && gv_store_open(s, p, &err) == GV_OK && gv_store_init(*s, g, 7, &err) == GV_OK &&
        gv_plan_make(&plan, g, *s, &o, &err) == GV_OK && gv_plan_run(plan, feeds, 2, 0, &err) == GV_OK) {
        const gv_stored *out = gv_plan_output(plan, "loss");
        gv_to_f64(out->dtype, out->data, &loss, 1);
    } else {
        printf("# %s\n", err.text);
    }
    gv_plan_close(plan);
    gv_arena_release(&a);
    return loss;
}

/* |a - b|^2 and |b|^2 */
static void distance(const gv_stored *a, const gv_stored *b, double *d, double *n)
{
    size_t ea = gv_dtype_of(a->dtype)->size, eb = gv_dtype_of(b->dtype)->size;
    *d = *n = 0;
    for (size_t i = 0; i < a->bytes / ea; i++) {
        double u, v;
        gv_to_f64(a->dtype, (char *)a->data + i * ea, &u, 1), gv_to_f64(b->dtype, (char *)b->data + i * eb, &v, 1);
        *d += (u - v) * (u - v), *n += v * v;
    }
}

static void compare(const char *name, gv_val (*model)(gv_graph *, gv_val), gv_precision p, double loss_tol, double each, double whole)
{
    gv_store *a, *b;
    double la = step(&a, model, p, "onednn", gv_threads_available()), lb = step(&b, model, GV_FP64, "reference", gv_threads_available()), d = 0, n = 0, worst = 0;
    const char *where = "";
    int grads = 0;
    for (int i = 0; a && b && i < gv_store_count(a); i++) {
        const gv_stored *u = gv_store_at(a, i), *v = gv_store_find(b, u->name);
        double du, nv;
        if (strncmp(u->name, "grad.", 5) || !v)
            continue;
        distance(u, v, &du, &nv);
        d += du, n += nv, grads++;
        if (nv > 1e-12 && !(sqrt(du / nv) <= worst)) /* a bias before a norm has no gradient but rounding */
            worst = sqrt(du / nv), where = u->name;
    }
    ok(fabs(la - lb) <= loss_tol * fabs(lb), "%s: loss %.6f, in double %.6f", name, la, lb);
    ok(grads > 10 && worst <= each, "%s: each gradient (worst %.2g, %s)", name, worst, where);
    ok(grads > 10 && sqrt(d / n) <= whole, "%s: the whole gradient (%.2g)", name, sqrt(d / n));
    gv_store_close(a);
    gv_store_close(b);
}

/* One and two threads add in another order, and nothing else differs. */
static void threads(const char *name, gv_val (*model)(gv_graph *, gv_val), gv_precision p, double tol)
{
    gv_store *a, *b;
    double la = step(&a, model, p, "onednn", 1), lb = step(&b, model, p, "onednn", 2), worst = 0, d, n;
    const char *where = "";
    int grads = 0;
    for (int i = 0; a && b && i < gv_store_count(a); i++) {
        const gv_stored *u = gv_store_at(a, i), *v = gv_store_find(b, u->name);
        if (strncmp(u->name, "grad.", 5) || !v)
            continue;
        distance(u, v, &d, &n), grads++;
        if (n > 1e-12 && !(sqrt(d / n) <= worst))
            worst = sqrt(d / n), where = u->name;
    }
    ok(grads > 10 && fabs(la - lb) <= tol * fabs(lb) && worst <= tol, "%s: 1 and 2 threads give the same (loss %.2g, worst gradient %.2g, %s)", name, fabs(la / lb - 1), worst, where);
    gv_store_close(a);
    gv_store_close(b);
}

int main(void)
{
    uint32_t r = 12345;
    for (int i = 0; i < N * SIDE * SIDE * 3; i++) {
        r = r * 1664525u + 1013904223u;
        pixels[i] = (float)(r >> 8) / 8388608.f - 1;
    }
    for (int i = 0; i < N; i++)
        labels[i] = i % CLASSES;
    compare("resnet, f32", resnet, GV_FP32, 1e-5, 2e-3, 1e-3);
    compare("vit, f32", vit, GV_FP32, 1e-5, 1e-4, 1e-4);
    compare("convnext, f32", convnext, GV_FP32, 1e-5, 1e-4, 1e-4);
    compare("convnext v2, f32", convnextv2, GV_FP32, 1e-5, 1e-4, 1e-4);
    threads("convnext, f32", convnext, GV_FP32, 1e-5);
    threads("convnext v2, f32", convnextv2, GV_FP32, 1e-5);
    if (gv_backend_find("onednn")->has_bf16()) {
        threads("convnext, bf16", convnext, GV_MIXED_BF16, 2e-2);
        threads("convnext v2, bf16", convnextv2, GV_MIXED_BF16, 2e-2);
        compare("resnet, bf16", resnet, GV_MIXED_BF16, 0.03, 0.6, 0.15);
        compare("vit, bf16", vit, GV_MIXED_BF16, 0.03, 0.15, 0.15);
        compare("convnext, bf16", convnext, GV_MIXED_BF16, 0.03, 0.15, 0.15);
        compare("convnext v2, bf16", convnextv2, GV_MIXED_BF16, 0.03, 0.15, 0.15);
    }
    return done();
}
