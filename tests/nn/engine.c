/* Graphs, gradients, plans and the store: what holds for all of them. */
#include "nn/graph.h"
#include "common/rng.h"
#include "common/threads.h"
#include "tests/unit/tap.h"
#include <math.h>

static gv_arena arena;
static gv_err err;

/* Every allocation of the process is counted, to show that a step makes none. */
static long allocations;
#ifndef GV_SANITIZED
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *counted_malloc(size_t n) __asm__("malloc");
void *counted_calloc(size_t n, size_t size) __asm__("calloc");
void *counted_malloc(size_t n) { allocations++; return __libc_malloc(n); }
void *counted_calloc(size_t n, size_t size) { allocations++; return __libc_calloc(n, size); }
#endif

static gv_graph *fresh(gv_phase phase)
{
    gv_arena_reset(&arena);
    memset(&err, 0, sizeof err);
    return gv_graph_new(&arena, phase, &err);
}

#define SHAPE(...) (int64_t[]){ __VA_ARGS__ }, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / 8)

/* A plan of g on the plain kernels with a new store. */
static gv_plan *plan_of(gv_graph *g, gv_store **s, gv_plan_options o)
{
    gv_plan *p = NULL;
    *s = NULL;
    if (!o.backend)
        o.backend = "reference";
    if (gv_store_open(s, o.precision, &err) < 0 || gv_store_init(*s, g, 7, &err) < 0 || gv_plan_make(&p, g, *s, &o, &err) < 0)
        printf("# %s\n", err.text);
    return p;
}

static void close_all(gv_plan *p, gv_store *s)
{
    gv_plan_close(p);
    gv_store_close(s);
}

static int count_ops(gv_plan *p, const char *op)
{
    gv_buf b = { 0 };
    char key[64];
    int n = 0;
    snprintf(key, sizeof key, "\"op\":\"%s\"", op);
    if (gv_plan_describe(p, NULL, &b, &err) < 0)
        return -1;
    for (const char *s = b.data; (s = strstr(s, key)); s++)
        n++;
    gv_buf_release(&b);
    return n;
}

static float f(gv_plan *p, const char *name, int i) { return ((const float *)gv_plan_output(p, name)->data)[i]; }

static void test_messages(void)
{
    gv_graph *g = fresh(GV_TRAIN);
    gv_enter(g, "layer1");
    gv_enter(g, "%d", 3);
    gv_val a = gv_input(g, "a", GV_CLASS_REAL, SHAPE(2, 5)), b = gv_input(g, "b", GV_CLASS_REAL, SHAPE(4, 3));
    gv_val bad = gv_matmul(g, a, b, GV_NO_VAL, false, false, 1);
    ok(bad == GV_NO_VAL && gv_graph_error(g) && !strcmp(gv_graph_error(g)->text, "module 'layer1.3': matmul of [2,5] and [4,3]: the shapes do not fit"),
       "a failure names module, op and shapes (%s)", gv_graph_error(g)->text);
    gv_val c = gv_relu(g, gv_conv(g, bad, bad, bad, &(gv_window){ .dims = 2 }));
    ok(c == GV_NO_VAL && gv_dim(g, c, -1) == 1 && strstr(gv_graph_error(g)->text, "matmul"), "a failed graph stays failed with its first message");
    gv_plan *p = NULL;
    gv_store *s = NULL;
    ok(gv_store_open(&s, GV_FP32, &err) == GV_OK && gv_plan_make(&p, g, s, &(gv_plan_options){ .backend = "reference" }, &err) == GV_EUSAGE && strstr(err.text, "layer1.3"), "a plan of it passes the message on");
    gv_store_close(s);
    g = fresh(GV_TRAIN);
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, SHAPE(1, 4, 4, 3)), w = gv_param(g, "w", SHAPE(8, 3, 7, 7), "zeros");
    gv_conv(g, x, w, GV_NO_VAL, &(gv_window){ .dims = 2 });
    ok(strstr(gv_graph_error(g)->text, "a window of 7 does not fit into 4+0 pixels"), "a window larger than the image is named (%s)", gv_graph_error(g)->text);
    g = fresh(GV_TRAIN);
    gv_param(g, "w", SHAPE(3), "zeros");
    gv_param(g, "w", SHAPE(3), "zeros");
    ok(strstr(gv_graph_error(g)->text, "two tensors are called 'w'"), "two tensors of one name are refused");
    g = fresh(GV_TRAIN);
    x = gv_input(g, "x", GV_CLASS_U8, SHAPE(3));
    gv_add(g, x, x);
    ok(gv_graph_error(g) && strstr(gv_graph_error(g)->text, "cast or normalize"), "arithmetic on raw pixels is refused");
}

static bool only_second(const char *name, void *arg)
{
    (void)arg;
    return !strncmp(name, "second", 6);
}

static void test_frozen(void)
{
    gv_graph *g = fresh(GV_TRAIN);
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, SHAPE(4, 6));
    gv_val w1 = gv_param(g, "first.weight", SHAPE(5, 6), "kaiming_uniform_a5"), w2 = gv_param(g, "second.weight", SHAPE(3, 5), "kaiming_uniform_a5");
    gv_val w3 = gv_param(g, "third.weight", SHAPE(2, 3), "kaiming_uniform_a5");
    gv_val h = gv_relu(g, gv_matmul(g, x, w1, GV_NO_VAL, false, true, 1));
    h = gv_relu(g, gv_matmul(g, h, w2, GV_NO_VAL, false, true, 1));
    gv_val loss = gv_reduce(g, GV_SUM, gv_matmul(g, h, w3, GV_NO_VAL, false, true, 1), 3, false, GV_CLASS_STAT);
    gv_output(g, "loss", loss);
    ok(gv_differentiate(g, loss, only_second, NULL, &err) == GV_OK, "differentiate");
    ok(gv_grad_of(g, w1) == GV_NO_VAL && gv_grad_of(g, w3) == GV_NO_VAL && gv_grad_of(g, w2) != GV_NO_VAL, "only the trained weight has a gradient");
    gv_store *s;
    gv_plan *p = plan_of(g, &s, (gv_plan_options){ .keep_grads = true, .grad_scale = 1 });
    ok(p && count_ops(p, "matmul") == 4 && count_ops(p, "matmul_wgrad") == 1 && count_ops(p, "unary_grad") == 1,
       "no work for frozen weights or below the lowest trained one");
    close_all(p, s);
}

static void test_keep_grads(void)
{
    gv_graph *g = fresh(GV_TRAIN);
    gv_val a = gv_param(g, "a", SHAPE(3), "ones"), b = gv_param(g, "b", SHAPE(3), "ones"), c = gv_param(g, "unused", SHAPE(2), "ones");
    gv_val loss = gv_reduce(g, GV_SUM, gv_add(g, gv_add(g, a, b), gv_mul(g, a, a)), 1, false, GV_CLASS_STAT); /* da = 1 + 2a, db = 1 */
    gv_output(g, "loss", loss);
    ok(gv_differentiate(g, loss, NULL, NULL, &err) == GV_OK && gv_grad_of(g, c) == GV_NO_VAL, "a parameter without influence has no gradient");
    gv_store *s;
    gv_plan *p = plan_of(g, &s, (gv_plan_options){ .keep_grads = true, .grad_scale = 0.5 });
    ok(p && gv_plan_run(p, NULL, 0, 0, &err) == GV_OK && gv_plan_run(p, NULL, 0, 1, &err) == GV_OK, "two runs");
    const float *da = gv_store_find(s, "grad.a")->data, *db = gv_store_find(s, "grad.b")->data;
    ok(da[0] == 3 && da[2] == 3 && db[1] == 1, "gradients of two runs add up, scaled (%g %g)", (double)da[0], (double)db[1]);
    ok(f(p, "loss", 0) == 9, "the loss is its own");
    close_all(p, s);

    g = fresh(GV_TRAIN);
    a = gv_param(g, "a", SHAPE(3), "ones");
    b = gv_param(g, "b", SHAPE(3), "ones");
    loss = gv_reduce(g, GV_SUM, gv_add(g, a, b), 1, false, GV_CLASS_STAT);
    ok(gv_differentiate(g, loss, NULL, NULL, &err) == GV_OK && gv_grad_of(g, a) == gv_grad_of(g, b), "two parameters can share one gradient value");
    p = plan_of(g, &s, (gv_plan_options){ .keep_grads = true, .grad_scale = 1, .overwrite_grads = true });
    ok(p && gv_plan_run(p, NULL, 0, 0, &err) == GV_OK && gv_plan_run(p, NULL, 0, 1, &err) == GV_OK && *(float *)gv_store_find(s, "grad.a")->data == 1 &&
           *(float *)gv_store_find(s, "grad.b")->data == 1, "both are kept; overwriting does not add up");
    close_all(p, s);
}

static void test_state(void)
{
    gv_graph *g = fresh(GV_TRAIN);
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, SHAPE(2));
    gv_val m = gv_buffer(g, "m", SHAPE(2), "ones", GV_CLASS_STAT), n = gv_buffer(g, "n", NULL, 0, "zeros", GV_CLASS_I64);
    gv_update(g, m, 0.5, 2, x);
    gv_count(g, n);
    gv_store *s;
    gv_plan *p = plan_of(g, &s, (gv_plan_options){ 0 });
    float v[2] = { 3, NAN };
    ok(p && gv_plan_run(p, &(gv_feed){ "x", v, GV_F32T }, 1, 0, &err) == GV_OK, "a graph of state alone runs");
    v[1] = 1;
    ok(gv_plan_run(p, &(gv_feed){ "x", v, GV_F32T }, 1, 1, &err) == GV_OK, "and again");
    const float *t = gv_store_find(s, "m")->data;
    ok(t[0] == 9.25f && isnan(t[1]) && *(int64_t *)gv_store_find(s, "n")->data == 2, "updates are done once a run, in place (%g)", (double)t[0]);
    close_all(p, s);
}

static void test_dropout(void)
{
    enum { N = 4000 };
    gv_graph *g = fresh(GV_TRAIN);
    gv_val x = gv_param(g, "x", SHAPE(N), "ones");
    gv_enter(g, "drop");
    gv_val a = gv_dropout(g, x, 0.25, false), b = gv_dropout(g, x, 0.25, false);
    gv_leave(g);
    gv_val path = gv_dropout(g, gv_reshape(g, x, SHAPE(40, 100)), 0.5, true);
    gv_output(g, "a", a);
    gv_output(g, "b", b);
    gv_output(g, "path", path);
    gv_val loss = gv_reduce(g, GV_SUM, a, 1, false, GV_CLASS_STAT);
    ok(gv_differentiate(g, loss, NULL, NULL, &err) == GV_OK, "dropout has a gradient");
    gv_output(g, "dx", gv_grad_of(g, x));
    gv_store *s;
    gv_plan *p = plan_of(g, &s, (gv_plan_options){ .seed = 3 });
    ok(p && gv_plan_run(p, NULL, 0, 5, &err) == GV_OK, "runs");
    int kept = 0, same = 0, twin = 0, whole = 0, samples = 0;
    float first[N];
    for (int i = 0; i < N; i++) {
        first[i] = f(p, "a", i);
        kept += first[i] != 0;
        same += f(p, "dx", i) == first[i];
        twin += f(p, "b", i) == first[i];
        whole += f(p, "path", i) == f(p, "path", i / 100 * 100);
        samples += i % 100 == 0 && f(p, "path", i) == 2;
    }
    ok(fabs(kept / (double)N - 0.75) < 0.03, "p = 0.25 keeps three quarters (%d of %d)", kept, N);
    ok(first[0] == 0 || fabsf(first[0] - 4 / 3.f) < 1e-6f, "what is kept is scaled");
    ok(same == N, "forward and backward draw the same");
    ok(twin < N * 0.75, "two in one module draw differently");
    ok(whole == N && samples > 8 && samples < 32, "drop path takes whole samples (%d of 40 kept)", samples);
    gv_rng r;
    int agree = 0;
    gv_rng_init(&r, 3, GV_RNG_DROPOUT, gv_hash_name("drop"), 5, 0);
    for (int i = 0; i < N; i++)
        agree += (gv_rng_u32(&r) < 0x40000000u) == (first[i] == 0);
    ok(agree == N, "element i takes word i of the stream (seed, step, path) (%d of %d)", agree, N);
    ok(gv_plan_run(p, NULL, 0, 6, &err) == GV_OK, "another step");
    int again = 0;
    for (int i = 0; i < N; i++)
        again += f(p, "a", i) == first[i];
    ok(again < N * 0.75, "another step draws anew");
    gv_threads_set(1);
    ok(gv_plan_run(p, NULL, 0, 5, &err) == GV_OK && !memcmp(gv_plan_output(p, "a")->data, first, sizeof first), "the same step draws the same, with any number of threads");
    gv_threads_set(0);
    close_all(p, s);
    g = fresh(GV_EVAL);
    x = gv_input(g, "x", GV_CLASS_REAL, SHAPE(N));
    ok(gv_dropout(g, x, 0.5, false) == x, "in evaluation it is the identity");
    gv_dropout(g, x, 1.5, false);
    ok(gv_graph_error(g) != NULL, "a chance above 1 is refused");
}

static void test_feeds(void)
{
    gv_graph *g = fresh(GV_EVAL);
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, SHAPE(2)), y = gv_input(g, "y", GV_CLASS_I64, SHAPE(2));
    gv_output(g, "z", gv_mul(g, gv_affine(g, x, 2, 0), gv_reduce(g, GV_SUM, gv_one_hot(g, y, 3, 0), 2, false, GV_CLASS_STAT)));
    gv_output(g, "x", x);
    gv_store *s;
    gv_plan *p = plan_of(g, &s, (gv_plan_options){ .precision = GV_FP64 });
    double xd[2] = { 1, 2 };
    float xf[2] = { 3, 4 };
    int64_t label[2] = { 0, 2 };
    gv_feed feeds[2] = { { "x", xd, GV_F64T }, { "y", label, GV_I64T } };
    ok(gv_plan_run(p, feeds, 2, 0, &err) == GV_OK && ((const double *)gv_plan_output(p, "z")->data)[1] == 4, "feeds are read");
    ok(gv_plan_output(p, "x")->data == xd, "and not copied");
    feeds[0] = (gv_feed){ "x", xf, GV_F32T };
    ok(gv_plan_run(p, feeds, 2, 0, &err) == GV_OK && ((const double *)gv_plan_output(p, "z")->data)[1] == 8, "a float of another width is converted");
    ok(gv_plan_run(p, feeds, 1, 0, &err) < 0 && strstr(err.text, "'y' was not fed"), "a missing feed is named");
    memset(&err, 0, sizeof err);
    feeds[1].dtype = GV_I32;
    ok(gv_plan_run(p, feeds, 2, 0, &err) == GV_EDATA && strstr(err.text, "input 'y' is int32; int64 is wanted"), "a wrong type is named (%s)", err.text);
    memset(&err, 0, sizeof err);
    feeds[1].dtype = GV_I64T;
    label[0] = 3;
    ok(gv_plan_run(p, feeds, 2, 0, &err) == GV_EDATA && strstr(err.text, "one_hot"), "a label out of range stops the run (%s)", err.text);
    close_all(p, s);
}

static void test_small_ops(void)
{
    gv_graph *g = fresh(GV_TRAIN);
    gv_val y = gv_input(g, "y", GV_CLASS_I64, SHAPE(3)), px = gv_input(g, "px", GV_CLASS_U8, SHAPE(2, 1, 2, 2));
    gv_val lam = gv_input(g, "lam", GV_CLASS_F32, SHAPE(1)), perm = gv_input(g, "perm", GV_CLASS_I32, SHAPE(2));
    gv_output(g, "hot", gv_one_hot(g, y, 4, 0.2));
    gv_val n = gv_normalize(g, px, 1 / 255., (double[]){ 0.5, 0.25 }, (double[]){ 0.5, 2 }, 2);
    gv_output(g, "n", n);
    gv_output(g, "mix", gv_mix(g, n, lam, perm));
    gv_val logits = gv_param(g, "logits", SHAPE(3, 4), "normal 1");
    gv_output(g, "loss", gv_cross_entropy(g, logits, gv_one_hot(g, y, 4, 0)));
    gv_store *s;
    gv_plan *p = plan_of(g, &s, (gv_plan_options){ .guard = true });
    int64_t label[3] = { 2, -1, 0 };
    uint8_t pixel[8] = { 0, 255, 51, 102, 255, 0, 1, 2 };
    float l = 0.25f;
    int32_t swap[2] = { 1, 0 };
    gv_feed feeds[4] = { { "y", label, GV_I64T }, { "px", pixel, GV_U8 }, { "lam", &l, GV_F32T }, { "perm", swap, GV_I32 } };
    ok(p && gv_plan_run(p, feeds, 4, 0, &err) == GV_OK, "small ops run %s", err.text);
    ok(fabsf(f(p, "hot", 2) - 0.85f) < 1e-6f && fabsf(f(p, "hot", 0) - 0.05f) < 1e-7f && f(p, "hot", 4) == 0 && f(p, "hot", 7) == 0, "one_hot smooths; a negative label is ignored");
    ok(fabsf(f(p, "n", 0) + 1) < 1e-6f && fabsf(f(p, "n", 1) - 0.375f) < 1e-6f && fabsf(f(p, "n", 2) + 0.6f) < 1e-6f, "normalize by channel");
    ok(fabsf(f(p, "mix", 0) - (0.25f * f(p, "n", 0) + 0.75f * f(p, "n", 4))) < 1e-6f, "mix");
    const float *z = gv_store_find(s, "logits")->data;
    double want = 0;
    for (int r = 0; r < 3; r += 2) {
        double sum = 0;
        for (int k = 0; k < 4; k++)
            sum += exp((double)z[r * 4 + k]);
        want += (log(sum) - (double)z[r * 4 + label[r]]) / 2;
    }
    ok(fabs((double)f(p, "loss", 0) - want) < 1e-6, "cross entropy is the mean over the rows that count");
    swap[0] = 2;
    ok(gv_plan_run(p, feeds, 4, 0, &err) == GV_EDATA, "a permutation outside the batch stops the run");
    close_all(p, s);
}

static void test_places(void)
{
    gv_graph *g = fresh(GV_TRAIN);
    gv_val x = gv_param(g, "x", SHAPE(2, 5), "zeros"), at = gv_input(g, "at", GV_CLASS_I32, SHAPE(2, 3));
    gv_output(g, "top", gv_topk(g, x, 4));
    gv_val y = gv_gather(g, x, at);
    gv_output(g, "y", y);
    gv_val loss = gv_reduce(g, GV_SUM, gv_mul(g, y, y), 3, false, GV_CLASS_STAT);
    ok(gv_differentiate(g, loss, NULL, NULL, &err) == GV_OK, "a gather is differentiated %s", err.text);
    gv_output(g, "dx", gv_grad_of(g, x));
    gv_store *s;
    gv_plan *p = plan_of(g, &s, (gv_plan_options){ .guard = true });
    static const float v[10] = { 1, 3, 2, 3, -1, -5, NAN, 0, 7, NAN };
    memcpy(gv_store_find(s, "x")->data, v, sizeof v);
    int32_t place[6] = { 4, 1, 4, 3, 3, 0 };
    ok(p && gv_plan_run(p, &(gv_feed){ "at", place, GV_I32 }, 1, 0, &err) == GV_OK, "places are found and used %s", err.text);
    ok(!memcmp(gv_plan_output(p, "top")->data, (int32_t[]){ 1, 3, 2, 0, 1, 4, 3, 2 }, 32), "topk: largest first, equal ones in their order, NaN before all");
    ok(f(p, "y", 0) == -1 && f(p, "y", 1) == 3 && f(p, "y", 3) == 7 && f(p, "y", 5) == -5, "gather");
    ok(f(p, "dx", 4) == -4 && f(p, "dx", 1) == 6 && f(p, "dx", 0) == 0 && f(p, "dx", 8) == 28 && f(p, "dx", 5) == -10, "what was fetched twice gets both gradients");
    place[2] = 5;
    ok(gv_plan_run(p, &(gv_feed){ "at", place, GV_I32 }, 1, 0, &err) == GV_EDATA, "a place outside stops the run");
    close_all(p, s);
    g = fresh(GV_TRAIN);
    ok(gv_topk(g, gv_param(g, "x", SHAPE(2, 5), "zeros"), 6) == GV_NO_VAL && strstr(gv_graph_error(g)->text, "the 6 largest"), "more than there are fail the graph");
}

static void test_noise(void)
{
    enum { N = 20011 };
    gv_graph *g = fresh(GV_TRAIN);
    gv_val x = gv_param(g, "x", SHAPE(N), "ones");
    gv_output(g, "a", gv_noise(g, x, 2));
    gv_output(g, "b", gv_noise(g, x, 2));
    gv_store *s;
    gv_plan *p = plan_of(g, &s, (gv_plan_options){ .guard = true, .seed = 5 });
    double sum = 0, square = 0, both = 0;
    float first;
    ok(p && gv_plan_run(p, NULL, 0, 3, &err) == GV_OK, "noise runs %s", err.text);
    for (int i = 0; i < N; i++) {
        double a = (double)f(p, "a", i) - 1, b = (double)f(p, "b", i) - 1;
        sum += a, square += a * a, both += a * b;
    }
    first = f(p, "a", N - 1);
    /* Four standard errors of N draws. */
    ok(fabs(sum / N) < 4 * 2 / sqrt(N) && fabs(square / N - 4) < 4 * 4 * sqrt(2. / N) && fabs(both / N) < 4 * 4 / sqrt(N), "mean 0, variance 4, two in a module are independent (%g %g %g)", sum / N, square / N, both / N);
    ok(gv_plan_run(p, NULL, 0, 4, &err) == GV_OK && f(p, "a", N - 1) != first && gv_plan_run(p, NULL, 0, 3, &err) == GV_OK && f(p, "a", N - 1) == first, "another step draws other numbers, the same step the same");
    close_all(p, s);
    g = fresh(GV_EVAL);
    x = gv_param(g, "x", SHAPE(4), "ones");
    ok(gv_noise(g, x, 2) == x, "nothing is added in evaluation");
}

static gv_graph *net(gv_arena *a, int64_t n)
{
    gv_graph *g = gv_graph_new(a, GV_TRAIN, &err);
    gv_val x = gv_input(g, "x", GV_CLASS_U8, SHAPE(n, 12, 12, 3)), y = gv_input(g, "y", GV_CLASS_I64, &n, 1);
    gv_val h = gv_normalize(g, x, 1 / 255., (double[]){ 0.5 }, (double[]){ 0.25 }, 1);
    h = gv_conv(g, h, gv_param(g, "conv.weight", SHAPE(16, 3, 3, 3), "kaiming_normal_fan_out"), GV_NO_VAL, &(gv_window){ .dims = 2 });
    gv_norm_out o = gv_batchnorm_train(g, h, gv_param(g, "bn.weight", SHAPE(16), "ones"), gv_param(g, "bn.bias", SHAPE(16), "zeros"), 1e-5);
    gv_update(g, gv_buffer(g, "bn.running_mean", SHAPE(16), "zeros", GV_CLASS_STAT), 0.9, 0.1, o.mean);
    h = gv_reduce(g, GV_MEAN, gv_relu(g, o.y), 6, false, GV_CLASS_REAL);
    h = gv_matmul(g, h, gv_param(g, "fc.weight", SHAPE(4, 16), "kaiming_uniform_a5"), gv_param(g, "fc.bias", SHAPE(4), "zeros"), false, true, 1);
    gv_val loss = gv_cross_entropy(g, h, gv_one_hot(g, y, 4, 0));
    gv_output(g, "loss", loss);
    if (gv_differentiate(g, loss, NULL, NULL, &err) < 0)
        printf("# %s\n", err.text);
    return g;
}

static void test_plans(void)
{
    fresh(GV_TRAIN);
    enum { N = 8 };
    static uint8_t px[2 * N * 12 * 12 * 3];
    int64_t label[2 * N];
    for (size_t i = 0; i < sizeof px; i++)
        px[i] = (uint8_t)(i * 7919 % 251);
    for (int i = 0; i < 2 * N; i++)
        label[i] = i % 4;
    gv_feed feeds[2] = { { "x", px, GV_U8 }, { "y", label, GV_I64T } };
    gv_plan_options o = { .backend = "reference", .keep_grads = true, .grad_scale = 1, .overwrite_grads = true };
    gv_store *s;
    gv_plan *p = plan_of(net(&arena, N), &s, o), *large = NULL;
    ok(p && gv_plan_run(p, feeds, 2, 0, &err) == GV_OK, "a small network runs");
    float loss = f(p, "loss", 0);
    gv_graph *g = net(&arena, 2 * N);
    ok(gv_plan_make(&large, g, s, &o, &err) == GV_OK && gv_plan_bytes(large) > gv_plan_bytes(p), "a plan for a larger batch shares the store %s", err.text);
    ok(gv_plan_run(large, feeds, 2, 0, &err) == GV_OK, "it runs");
    ok(gv_plan_run(p, feeds, 2, 0, &err) == GV_OK && f(p, "loss", 0) == loss, "the first still runs and gives the same, although memory has moved");
    GV_UNUSED long before = allocations;
    for (int i = 0; i < 3; i++) {
        static uint8_t other[sizeof px];
        feeds[0].data = i % 2 ? px : other; /* new pointers too */
        if (gv_plan_run(p, feeds, 2, (uint64_t)i, &err) < 0)
            before = -1;
    }
#ifndef GV_SANITIZED
    ok(before > 0 && allocations == before, "a step allocates nothing (%ld allocations)", allocations - before);
#endif
    gv_plan_close(large);
    gv_buf text = { 0 };
    ok(gv_plan_describe(p, NULL, &text, &err) == GV_OK && strstr(text.data, "\"op\":\"conv\",\"kernel\":\"plain\""), "a plan describes itself");
    gv_buf_release(&text);
    memset(&err, 0, sizeof err);
    o.backend = "none";
    ok(gv_plan_make(&large, net(&arena, N), s, &o, &err) == GV_EUSAGE && strstr(err.text, "no backend 'none'"), "an unknown backend is named");
    close_all(p, s);
}

static void test_bf16(void)
{
    gv_graph *g = fresh(GV_TRAIN);
    gv_val x = gv_input(g, "x", GV_CLASS_REAL, SHAPE(4, 8));
    gv_val w = gv_param(g, "w", SHAPE(8, 8), "kaiming_uniform_a5");
    gv_val h = gv_matmul(g, gv_matmul(g, x, w, GV_NO_VAL, false, true, 1), w, GV_NO_VAL, false, true, 1);
    gv_val loss = gv_mse(g, h, x);
    gv_output(g, "h", h);
    gv_output(g, "loss", loss);
    ok(gv_differentiate(g, loss, NULL, NULL, &err) == GV_OK, "differentiate");
    gv_output(g, "dw", gv_grad_of(g, w));
    gv_store *s;
    gv_plan *p = plan_of(g, &s, (gv_plan_options){ .precision = GV_MIXED_BF16 });
    float v[32];
    for (int i = 0; i < 32; i++)
        v[i] = (float)i / 16 - 1;
    ok(p && gv_plan_run(p, &(gv_feed){ "x", v, GV_F32T }, 1, 0, &err) == GV_OK, "mixed precision runs %s", err.text);
    ok(gv_plan_output(p, "h")->dtype == GV_BF16 && gv_plan_output(p, "loss")->dtype == GV_F32T && gv_plan_output(p, "dw")->dtype == GV_F32T,
       "activations are bf16; loss and weight gradients are f32");
    gv_buf b = { 0 };
    int casts = 0;
    if (gv_plan_describe(p, NULL, &b, &err) == GV_OK)
        for (const char *at = b.data; (at = strstr(at, "[\"float32[8,8]\"],\"out\":[\"bfloat16[8,8]\"]")); at++)
            casts++;
    gv_buf_release(&b);
    ok(casts == 1, "a weight used four times is cast once (%d)", casts);
    close_all(p, s);
}

static void test_init(void)
{
    const struct { const char *init; double std, low, high; } rows[] = {
        { "normal 0.02", 0.02, -0.2, 0.2 }, { "trunc_normal 1", 0.8796, -2, 2 }, { "trunc_normal 0.02", 0.02, -0.2, 0.2 },
        { "uniform -1 3", 4 / sqrt(12), -1, 3 }, { "kaiming_normal_fan_out", sqrt(2 / (200. * 9)), -1, 1 },
        { "kaiming_uniform_a5", 1 / sqrt(150. * 9) / sqrt(3), -1 / sqrt(150. * 9), 1 / sqrt(150. * 9) },
        { "xavier_uniform", sqrt(2 / (350. * 9)), -sqrt(6 / (350. * 9)), sqrt(6 / (350. * 9)) },
        { "lecun_normal", sqrt(1 / (150. * 9)), -2 * sqrt(1 / (150. * 9)) / 0.87962566, 2 * sqrt(1 / (150. * 9)) / 0.87962566 },
    };
    for (size_t i = 0; i < GV_COUNT(rows); i++) {
        gv_store *s[2];
        double sum = 0, square = 0, low = 0, high = 0;
        const float *v = NULL;
        int n = 200 * 150 * 9;
        for (int k = 0; k < 2; k++) {
            gv_threads_set(k + 1);
            gv_graph *g = fresh(GV_TRAIN);
            gv_param(g, "w", SHAPE(200, 150, 3, 3), rows[i].init);
            if (gv_store_open(&s[k], GV_FP32, &err) < 0 || gv_store_init(s[k], g, 1, &err) < 0)
                printf("# %s\n", err.text);
        }
        gv_threads_set(0);
        v = gv_store_find(s[0], "w")->data;
        for (int k = 0; k < n; k++) {
            sum += (double)v[k];
            square += (double)v[k] * (double)v[k];
            low = fmin(low, (double)v[k]);
            high = fmax(high, (double)v[k]);
        }
        double mean = sum / n, std = sqrt(square / n - mean * mean), middle = strncmp(rows[i].init, "uniform", 7) ? 0 : 1;
        ok(fabs(std / rows[i].std - 1) < 0.01 && fabs(mean - middle) < 0.01 * rows[i].std && low >= rows[i].low * 1.0001 - 1e-6 && high <= rows[i].high * 1.0001 + 1e-6,
           "%s: deviation %.5f (%.5f), from %.4f to %.4f", rows[i].init, std, rows[i].std, low, high);
        ok(!memcmp(v, gv_store_find(s[1], "w")->data, (size_t)n * sizeof *v), "%s: the same with one and two threads", rows[i].init);
        gv_store_close(s[0]);
        gv_store_close(s[1]);
    }
    gv_graph *g = fresh(GV_TRAIN);
    gv_store *s;
    gv_param(g, "odd", SHAPE(3), "kaiming_uniform_a5");
    ok(gv_store_open(&s, GV_FP32, &err) == GV_OK && gv_store_init(s, g, 1, &err) < 0 && strstr(err.text, "'odd'"), "a vector has no fans (%s)", err.text);
    gv_store_close(s);
}

static void test_store(void)
{
    gv_store *s;
    memset(&err, 0, sizeof err);
    ok(gv_store_open(&s, GV_FP32, &err) == GV_OK, "open");
    char name[16];
    int bad = 0;
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "t%d", i);
        gv_stored *t = gv_store_get(s, name, GV_F32T, SHAPE(i + 1), &err);
        bad += !t || (uintptr_t)t->data % 64 || t->bytes != 4 * (size_t)(i + 1);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "t%d", i);
        bad += strcmp(gv_store_at(s, i)->name, name) != 0;
    }
    ok(!bad && gv_store_count(s) == 200, "tensors are aligned and keep their order");
    ok(!gv_store_find(s, "t200") && gv_store_find(s, "t7") == gv_store_at(s, 7), "find");
    ok(!gv_store_get(s, "t7", GV_F32T, SHAPE(9), &err) && strstr(err.text, "tensor 't7' is float32 [8]; float32 [9] is wanted"), "another shape is refused (%s)", err.text);
    memset(&err, 0, sizeof err);
    ok(!gv_store_get(s, "huge", GV_F32T, SHAPE(INT64_MAX / 2, 4), &err), "a size beyond counting is refused");
    gv_store_close(s);
}

int main(void)
{
    if (gv_arena_init(&arena, "test", 64 << 20, &err) < 0)
        return 1;
    test_messages();
    test_frozen();
    test_keep_grads();
    test_state();
    test_dropout();
    test_feeds();
    test_small_ops();
    test_places();
    test_noise();
    test_plans();
    test_bf16();
    test_init();
    test_store();
    return done();
}
