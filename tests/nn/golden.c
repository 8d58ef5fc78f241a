/* PyTorch's float64 values and gradients (scripts/golden/ops.py) against the plain kernels in double, to 1e-12. */
#include "nn/nn.h"
#include "tests/unit/tap.h"
#include <math.h>

enum { MAX_INPUTS = 8 };

typedef struct test { const char *name, *inputs; bool loss; gv_val (*build)(gv_graph *g, const gv_val *in); } test;

#define W1(...) &(gv_window){ .dims = 1, __VA_ARGS__ }
#define W2(...) &(gv_window){ .dims = 2, __VA_ARGS__ }
#define W3(...) &(gv_window){ .dims = 3, __VA_ARGS__ }
#define POOL(...) W2(.kernel = { 3, 3 }, .stride = { 2, 2 }, __VA_ARGS__)

static gv_val residual(gv_graph *g, const gv_val *in)
{
    gv_val y = gv_conv(g, in[0], in[1], GV_NO_VAL, W2(.stride = { 2, 2 }, .pad = { 1, 1 }, .pad_end = { 1, 1 }));
    y = gv_batchnorm_train(g, y, in[2], in[3], 1e-5).y;
    return gv_relu(g, gv_add(g, y, gv_conv(g, in[0], in[4], GV_NO_VAL, W2(.stride = { 2, 2 }))));
}

/* in: x, norm weight, norm bias, qkv, proj, up, down */
static gv_val transformer(gv_graph *g, const gv_val *in)
{
    enum { N = 2, L = 5, H = 2, D = 4 };
    gv_val none = GV_NO_VAL, x = in[0];
    gv_val h = gv_matmul(g, gv_layernorm(g, x, in[1], in[2], 1e-6).y, in[3], none, false, true, 1);
    h = gv_permute(g, gv_reshape(g, h, (int64_t[]){ N, L, 3, H, D }, 5), (int[]){ 2, 0, 3, 1, 4 }); /* [3,N,H,L,D] */
    gv_val part[3];
    for (int i = 0; i < 3; i++)
        part[i] = gv_reshape(g, gv_slice(g, h, 0, i, 1), (int64_t[]){ N, H, L, D }, 4);
    gv_val a = gv_softmax(g, gv_matmul(g, part[0], part[1], none, false, true, 0.5));
    a = gv_permute(g, gv_matmul(g, a, part[2], none, false, false, 1), (int[]){ 0, 2, 1, 3 });
    x = gv_add(g, x, gv_matmul(g, gv_reshape(g, a, (int64_t[]){ N, L, H * D }, 3), in[4], none, false, true, 1));
    return gv_add(g, x, gv_matmul(g, gv_gelu(g, gv_matmul(g, x, in[5], none, false, true, 1)), in[6], none, false, true, 1));
}

static gv_val ignoring(gv_graph *g, gv_val logits)
{
    gv_val y = gv_input(g, "label", GV_CLASS_I64, (int64_t[]){ 4 }, 1);
    return gv_cross_entropy(g, logits, gv_one_hot(g, y, 6, 0.1));
}

#define CASES \
    CASE(conv1d, "r2,9,4 r6,2,3 s6", false, gv_conv(g, in[0], in[1], in[2], W1(.stride = { 2 }, .pad = { 1 }, .pad_end = { 1 }, .groups = 2))) \
    CASE(conv2d, "r2,7,6,3 r5,3,3,2 s5", false, gv_conv(g, in[0], in[1], in[2], W2(.stride = { 2, 1 }, .pad = { 1, 1 }, .pad_end = { 1, 1 }, .dilation = { 1, 2 }))) \
    CASE(conv3d, "r1,4,5,4,2 r3,2,2,3,3 s3", false, gv_conv(g, in[0], in[1], in[2], W3(.pad = { 0, 1, 1 }, .pad_end = { 0, 1, 1 }))) \
    CASE(maxpool, "r2,7,8,3", false, gv_maxpool(g, in[0], POOL(.pad = { 1, 1 }, .pad_end = { 1, 1 })).y) \
    CASE(maxpool_ceil, "r1,7,8,3", false, gv_maxpool(g, in[0], POOL(.ceil_mode = true)).y) \
    CASE(avgpool, "r1,7,8,3", false, gv_avgpool(g, in[0], POOL(.pad = { 1, 1 }, .pad_end = { 1, 1 }))) \
    CASE(avgpool_counted, "r1,7,8,3", false, gv_avgpool(g, in[0], POOL(.pad = { 1, 1 }, .pad_end = { 1, 1 }, .ceil_mode = true, .count_include_pad = true))) \
    CASE(avgpool_ceil, "r1,7,8,3", false, gv_avgpool(g, in[0], POOL(.ceil_mode = true))) \
    CASE(relu, "r40", false, gv_relu(g, gv_affine(g, in[0], 4, 0))) \
    CASE(gelu, "r40", false, gv_gelu(g, gv_affine(g, in[0], 4, 0))) \
    CASE(gelu_tanh, "r40", false, gv_unary(g, GV_GELU_TANH, gv_affine(g, in[0], 4, 0))) \
    CASE(silu, "r40", false, gv_silu(g, gv_affine(g, in[0], 4, 0))) \
    CASE(sigmoid, "r40", false, gv_sigmoid(g, gv_affine(g, in[0], 4, 0))) \
    CASE(tanh, "r40", false, gv_tanh(g, gv_affine(g, in[0], 4, 0))) \
    CASE(hard_sigmoid, "r40", false, gv_unary(g, GV_HARD_SIGMOID, gv_affine(g, in[0], 4, 0))) \
    CASE(leaky_relu, "r40", false, gv_unary(g, GV_LEAKY_RELU, gv_affine(g, in[0], 4, 0))) \
    CASE(batchnorm_train, "r3,2,2,4 s4 s4", false, running(g, in)) \
    CASE(batchnorm_eval, "r3,2,2,4 s4 s4 b4 v4", false, gv_batchnorm_eval(g, in[0], in[1], in[2], in[3], in[4], 1e-5)) \
    CASE(layernorm, "r3,5,12 s12 s12", false, gv_layernorm(g, in[0], in[1], in[2], 1e-6).y) \
    CASE(cross_entropy, "r4,6", true, ignoring(g, in[0])) \
    CASE(bce, "r4,6 b4,6", true, gv_bce_logits(g, gv_affine(g, in[0], 3, 0), gv_affine(g, in[1], 0.5, 0.5))) \
    CASE(mse, "r4,6 b4,6", true, gv_mse(g, in[0], in[1])) \
    CASE(residual, "r2,6,6,4 r8,4,3,3 s8 s8 r8,4,1,1", false, residual(g, in)) \
    CASE(transformer, "r2,5,8 s8 s8 r24,8 r8,8 r16,8 r8,16", false, transformer(g, in))

/* Batch norm with its running statistics, momentum 0.1, the unbiased variance of 12 values. */
static gv_val running(gv_graph *g, const gv_val *in)
{
    gv_norm_out o = gv_batchnorm_train(g, in[0], in[1], in[2], 1e-5);
    int64_t c = 4;
    gv_update(g, gv_buffer(g, "running_mean", &c, 1, "zeros", GV_CLASS_STAT), 0.9, 0.1, o.mean);
    gv_update(g, gv_buffer(g, "running_var", &c, 1, "ones", GV_CLASS_STAT), 0.9, 0.1 * 12 / 11, o.var);
    return o.y;
}

#define CASE(n, i, l, e) static gv_val build_##n(gv_graph *g, const gv_val *in) { return e; }
CASES
#undef CASE
static const test tests[] = {
#define CASE(n, i, l, e) { #n, i, l, build_##n },
    CASES
#undef CASE
};

static double value(int64_t s, int64_t i) { return (double)((i * 7919 + s * 104729) % 2003) / 1001 - 1; }

static bool trained(const char *name, void *arg)
{
    return !strncmp(name, "in", 2) && strchr("rs", ((const char *)arg)[name[2] - '0']);
}

/* Build and run one case; what it gave is in plan and store. */
static gv_plan *compute(const test *t, gv_arena *a, gv_store **s, gv_err *err)
{
    gv_graph *g = gv_graph_new(a, GV_TRAIN, err);
    gv_val in[MAX_INPUTS];
    char kind[MAX_INPUTS + 1] = "", name[16];
    int n = 0;
    for (const char *p = t->inputs; *p; n++) {
        int64_t shape[GV_MAX_DIMS];
        int nd = 0;
        char *end;
        kind[n] = *p++;
        for (shape[nd++] = strtol(p, &end, 10); *end == ','; shape[nd++] = strtol(end + 1, &end, 10))
            ;
        p = *end ? end + 1 : end;
        snprintf(name, sizeof name, "in%d", n);
        in[n] = gv_param(g, name, shape, nd, "zeros");
    }
    gv_val args[MAX_INPUTS];
    for (int i = 0; i < n; i++)
        args[i] = kind[i] == 'r' ? gv_cast(g, in[i], GV_CLASS_REAL) : in[i];
    gv_val y = t->build(g, args), loss = y;
    if (!t->loss) {
        gv_val c = gv_param(g, "weights", gv_shape(g, y), gv_ndim(g, y), "zeros");
        loss = gv_reduce(g, GV_SUM, gv_mul(g, gv_cast(g, y, GV_CLASS_STAT), c), (1u << gv_ndim(g, y)) - 1, false, GV_CLASS_STAT);
    }
    gv_output(g, "y", t->loss ? in[0] : y);
    gv_output(g, "loss", loss);
    gv_plan *p = NULL;
    if (gv_differentiate(g, loss, trained, kind, err) < 0)
        return NULL;
    for (int i = 0; i < n; i++)
        if (gv_grad_of(g, in[i]) != GV_NO_VAL) {
            snprintf(name, sizeof name, "d%d", i);
            gv_output(g, name, gv_grad_of(g, in[i]));
        }
    if (gv_store_open(s, GV_FP64, err) < 0 || gv_store_init(*s, g, 0, err) < 0 ||
        gv_plan_make(&p, g, *s, &(gv_plan_options){ .precision = GV_FP64, .backend = "reference" }, err) < 0)
        return NULL;
    for (int i = 0; i < gv_store_count(*s); i++) {
        gv_stored *x = gv_store_at(*s, i);
        bool input = !strncmp(x->name, "in", 2);
        if (!input && strcmp(x->name, "weights"))
            continue;
        for (size_t k = 0; k < x->bytes / 8; k++)
            ((double *)x->data)[k] = value(input ? x->name[2] - '0' + 1 : 99, (int64_t)k) + (input && kind[x->name[2] - '0'] == 'v' ? 1.5 : 0);
    }
    static const int64_t label[4] = { 2, -100, 0, 5 };
    if (gv_plan_run(p, &(gv_feed){ "label", label, GV_I64T }, 1, 0, err) < 0)
        printf("# %s\n", err->text);
    return p;
}

/* One line of the file: case, tensor, count, values. Returns 0 at the end. */
static int next(FILE *f, char *name, char *tensor, double *v, size_t cap, size_t *n)
{
    if (fscanf(f, "%63s %63s %zu", name, tensor, n) != 3 || *n > cap)
        return 0;
    for (size_t i = 0; i < *n; i++)
        if (fscanf(f, "%lf", &v[i]) != 1)
            return 0;
    return 1;
}

int main(void)
{
    enum { CAP = 4096 };
    static double v[CAP];
    char name[64], tensor[64], current[64] = "";
    gv_arena a;
    gv_err err = { 0 };
    gv_plan *p = NULL;
    gv_store *s = NULL;
    size_t n, cases = 0;
    FILE *f = fopen("tests/golden/ops.txt", "re");
    if (!ok(f != NULL, "golden values are there") || gv_arena_init(&a, "test", 64 << 20, &err) < 0)
        return done();
    while (next(f, name, tensor, v, CAP, &n)) {
        if (strcmp(name, current)) {
            gv_plan_close(p);
            gv_store_close(s);
            gv_arena_reset(&a);
            p = NULL;
            s = NULL;
            memset(&err, 0, sizeof err);
            memcpy(current, name, sizeof current);
            for (size_t i = 0; i < GV_COUNT(tests); i++)
                if (!strcmp(tests[i].name, name)) {
                    cases++;
                    p = compute(&tests[i], &a, &s, &err);
                }
        }
        const gv_stored *t = p ? gv_plan_output(p, tensor) : NULL;
        if (!t && s)
            t = gv_store_find(s, tensor);
        double d = 0, size = 0;
        bool whole = t && t->bytes == n * 8;
        for (size_t i = 0; whole && i < n; i++) {
            double e = ((const double *)t->data)[i] - v[i];
            d += e * e;
            size += v[i] * v[i];
        }
        d = sqrt(d / (size > 1e-20 ? size : 1));
        ok(whole && d < 1e-12, "%s: %s equals PyTorch's (%.1e) %s", name, tensor, d, err.text);
    }
    ok(feof(f) && cases == GV_COUNT(tests), "every case was read (%zu of %zu)", cases, GV_COUNT(tests));
    fclose(f);
    gv_plan_close(p);
    gv_store_close(s);
    gv_arena_release(&a);
    return done();
}
