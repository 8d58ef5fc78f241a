/* What rewrites save is not done, and what it computed stays the same: gradients written straight to the store. */
#include "nn/backend.h"
#include "nn/layers/layers.h"
#include "tests/unit/tap.h"
#include <math.h>

static float pixels[64 * 48];

/* Two steps of two linear layers that share nothing, with one weight used twice; the gradients are in the store then. */
static gv_store *two_steps(gv_plan_options o, gv_plan **plan, gv_arena *a)
{
    gv_err err = { 0 };
    gv_store *s = NULL;
    if (gv_arena_init(a, "graph", 64 << 20, &err) < 0)
        return NULL;
    gv_graph *g = gv_graph_new(a, GV_TRAIN, &err);
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ 64, 48 }, 2), w = gv_param(g, "twice", (int64_t[]){ 48, 48 }, 2, "normal 0.1");
    x = gv_matmul(g, gv_relu(g, gv_matmul(g, x, w, GV_NO_VAL, false, true, 1)), w, GV_NO_VAL, false, true, 1);
    x = gv_linear(g, gv_gelu(g, gv_linear(g, x, "a", .out = 40, .bias = true)), "b", .out = 5, .bias = true);
    gv_val loss = gv_reshape(g, gv_reduce(g, GV_SUM, gv_mul(g, x, x), 3, false, GV_CLASS_STAT), (int64_t[]){ 1 }, 1);
    gv_output(g, "loss", loss);
    if (gv_differentiate(g, loss, NULL, NULL, &err) < 0 || gv_store_open(&s, o.precision, &err) < 0 || gv_store_init(s, g, 5, &err) < 0 || gv_plan_make(plan, g, s, &o, &err) < 0 ||
        gv_plan_run(*plan, &(gv_feed){ "x", pixels, GV_F32T }, 1, 0, &err) < 0 || gv_plan_run(*plan, &(gv_feed){ "x", pixels, GV_F32T }, 1, 1, &err) < 0) {
        printf("# %s\n", err.text);
        return NULL;
    }
    return s;
}

/* Updates of matrices in the plan. */
static int updates(const gv_plan *p)
{
    gv_buf j = { 0 };
    gv_err err = { 0 };
    int n = 0;
    if (gv_plan_describe(p, NULL, &j, &err) < 0)
        return -1;
    for (const char *t = j.data; (t = strstr(t, "\"op\":\"update\"")); t++)
        n += strchr(t, ',') && strchr(strstr(t, "\"in\":["), ',') < strchr(strstr(t, "\"in\":["), ']');
    gv_buf_release(&j);
    return n;
}

static void gradients(gv_precision p, const char *backend)
{
    gv_arena a = { 0 }, b = { 0 };
    gv_plan *pa = NULL, *pb = NULL;
    gv_plan_options o = { .precision = p, .backend = backend, .threads = 1, .keep_grads = true, .grad_scale = 1, .overwrite_grads = true };
    gv_store *fused = two_steps(o, &pa, &a);
    o.guard = true;
    gv_store *plain = two_steps(o, &pb, &b);
    ok(fused && plain && updates(pa) == 0 && updates(pb) == 3, "%s: gradients of matrices are written where they are kept (%d updates, else %d)", backend, updates(pa), updates(pb));
    int same = 0, all = 0;
    for (int i = 0; fused && plain && i < gv_store_count(plain); i++) {
        const gv_stored *u = gv_store_at(plain, i), *v = gv_store_find(fused, u->name);
        all++;
        same += v && v->bytes == u->bytes && !memcmp(v->data, u->data, u->bytes);
    }
    ok(all == 10 && same == all, "%s: and are the same bytes (%d of %d)", backend, same, all);
    gv_plan_close(pa), gv_plan_close(pb);
    gv_store_close(fused), gv_store_close(plain);
    gv_arena_release(&a), gv_arena_release(&b);
}

int main(void)
{
    for (size_t i = 0; i < GV_COUNT(pixels); i++)
        pixels[i] = (float)((double)(i * 2654435761u % 1000003) / 500001 - 1);
    gradients(GV_FP64, "reference");
    gradients(GV_FP32, "onednn");
    if (gv_backend_find("onednn")->has_bf16())
        gradients(GV_MIXED_BF16, "onednn");
    return done();
}
