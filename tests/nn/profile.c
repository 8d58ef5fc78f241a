/* profile: what a node is said to do, what is counted, and the table. */
#include "nn/layers/layers.h"
#include "nn/profile.h"
#include "tests/unit/tap.h"
#include <math.h>
#include <string.h>

enum { N = 2, SIDE = 9, CLASSES = 10 };

/* Multiply-adds of a 3x3 convolution with padding 1 and stride 2, tap by tap. */
static double conv_by_hand(int64_t in, int64_t out)
{
    double n = 0;
    for (int oy = 0; oy < (SIDE + 1) / 2; oy++)
        for (int ox = 0; ox < (SIDE + 1) / 2; ox++)
            for (int k = 0; k < 9; k++) {
                int y = 2 * oy - 1 + k / 3, x = 2 * ox - 1 + k % 3;
                n += y >= 0 && y < SIDE && x >= 0 && x < SIDE;
            }
    return n * N * (double)in * (double)out;
}

int main(void)
{
    static float pixels[N * SIDE * SIDE * 3];
    int64_t labels[N] = { 3, 4 };
    gv_err err = { 0 };
    gv_arena a = { 0 };
    gv_store *s = NULL;
    gv_plan *plan = NULL;
    gv_profile *q = NULL;
    gv_buf text = { 0 };
    if (gv_arena_init(&a, "graph", (size_t)64 << 20, &err) < 0)
        return 1;
    gv_graph *g = gv_graph_new(&a, GV_TRAIN, &err);
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, (int64_t[]){ N, SIDE, SIDE, 3 }, 4), y = gv_input(g, "y", GV_CLASS_I64, (int64_t[]){ N }, 1);
    x = gv_relu(g, gv_conv2d(g, x, "one", .out = 8, .kernel = 3, .stride = 2, .padding = 1));
    x = gv_reduce(g, GV_MEAN, x, 2 | 4, false, GV_CLASS_REAL);
    gv_val loss = gv_cross_entropy(g, gv_linear(g, x, "fc", .out = CLASSES, .bias = true), gv_one_hot(g, y, CLASSES, 0));
    gv_output(g, "loss", loss);
    gv_plan_options o = { .precision = GV_FP32, .backend = "onednn", .threads = 1, .keep_grads = true, .overwrite_grads = true, .grad_scale = 1 };
    const gv_feed feeds[] = { { "x", pixels, GV_F32T }, { "y", labels, GV_I64T } };
    ok(gv_differentiate(g, loss, NULL, NULL, &err) == GV_OK && gv_store_open(&s, GV_FP32, &err) == GV_OK && gv_store_init(s, g, 1, &err) == GV_OK &&
       gv_plan_make(&plan, g, s, &o, &err) == GV_OK && gv_profile_open(&q, &err) == GV_OK, "a plan and a profile %s", err.text);
    if (!q)
        return done();
    ok(gv_plan_run(plan, feeds, 2, 0, &err) == GV_OK && gv_profile_total(q).runs == 0, "a plan that is not attached is not timed");
    ok(gv_profile_table(q, NULL, GV_FP32, &text, &err) == GV_OK && strstr(text.data, "nothing was run"), "an empty profile says so");
    ok(gv_plan_profile(plan, q, &err) == GV_OK && gv_plan_run(plan, feeds, 2, 0, &err) == GV_OK && gv_profile_total(q).runs == 1, "one run");
    for (uint64_t i = 1; i < 4; i++) {
        if (gv_plan_run(plan, feeds, 2, i, &err) < 0)
            break;
        gv_profile_other(q, "optimizer", "SGD", gv_profile_now() - 0.25, 4e6, 0);
    }
    gv_profile_sum t = gv_profile_total(q);
    ok(t.runs == 3, "of four runs the first is left out");
    /* forward and weight gradient of the convolution (its input needs none), the three products of the linear layer */
    double macs = 2 * conv_by_hand(3, 8) + 3.0 * N * 8 * CLASSES;
    ok(fabs(t.macs - macs) < 0.5, "multiply-adds of a step: %.0f, by hand %.0f", t.macs, macs);
    ok(t.seconds >= t.best && t.best > 0.16 && t.seconds < 60, "two of three calls of the optimizer count, 0.25 s each: %.3f s, at best %.3f", t.seconds, t.best);
    ok(t.bytes > N * SIDE * SIDE * 3 * 4, "bytes: %.0f", t.bytes);
    gv_buf_release(&text);
    gv_roof roof = { .madd_f32 = 1e9, .copy = 1e9 };
    ok(gv_profile_table(q, &roof, GV_FP32, &text, &err) == GV_OK, "a table");
    ok(text.data && strstr(text.data, "conv_wgrad") && strstr(text.data, "optimizer") && strstr(text.data, "roof of this run: 1 G"), "it names ops, the rest of the step, and the roof");
    ok(text.data && strstr(text.data, "  one 2x5x5x8"), "the costliest nodes with module and shape");
    ok(gv_plan_profile(plan, NULL, &err) == GV_OK && gv_plan_run(plan, feeds, 2, 4, &err) == GV_OK && gv_profile_total(q).runs == 3, "detached, it is timed no more");
    int r = gv_roof_measure(&roof, NULL, 1, &err);
    ok(r == GV_OK && roof.madd_f32 > 1e8 && roof.copy > 1e8 && (roof.madd_bf16 == 0 || roof.madd_bf16 > 1e8),
       "a roof: %.3g float and %.3g bf16 multiply-adds/s, %.3g bytes/s", roof.madd_f32, roof.madd_bf16, roof.copy);
    ok(gv_roof_measure(&roof, "abacus", 1, &err) == GV_EUSAGE, "an unknown backend");
    gv_buf_release(&text);
    gv_plan_close(plan);
    gv_profile_close(q);
    gv_store_close(s);
    gv_arena_release(&a);
    return done();
}
