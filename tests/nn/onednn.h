/*
 * For tests of kernels of the onednn backend without a graph: tensors with guard bytes around, filled from a fixed seed, and a
 * call made of them. Real tensors are f32 or bf16; the double copy holds exactly the stored values.
 */
#ifndef GV_TESTS_NN_ONEDNN_H
#define GV_TESTS_NN_ONEDNN_H

#include "nn/onednn/onednn.h"
#include "nn/ops/attr.h"
#include "common/threads.h"
#include "tests/unit/tap.h"
#include <math.h>
#include <stdlib.h>

enum { GUARD = 64 };

typedef struct tensor {
    gv_desc d;
    unsigned char *base; /* GUARD bytes, the data, GUARD bytes */
    void *data;
    size_t bytes;
    double *v; /* what is stored (inputs) */
} tensor;

typedef struct bench {
    void *ctx;
    gv_node node;
    gv_call call;
    gv_kernel kernel;
    tensor in[GV_MAX_IN], out[GV_MAX_OUT];
    unsigned char *scratch;
    gv_run run;
    uint64_t seed;
} bench;

/* xorshift; the sum of four uniforms is near enough to a normal of variance 1/3 */
static inline double draw(uint64_t *s)
{
    double t = 0;
    for (int i = 0; i < 4; i++) {
        *s ^= *s << 13, *s ^= *s >> 7, *s ^= *s << 17;
        t += (double)(*s >> 11) / 9007199254740992.0 - 0.5;
    }
    return t;
}

static inline double tensor_at(const tensor *t, int64_t i)
{
    double v = 0;
    gv_to_f64(t->d.dtype, (const char *)t->data + (size_t)i * gv_dtype_of(t->d.dtype)->size, &v, 1);
    return v;
}

static inline void tensor_make(tensor *t, gv_dtype type, const int64_t *shape, int nd)
{
    *t = (tensor){ .d = { .dtype = type, .ndim = nd, .count = 1 } };
    for (int i = 0; i < nd; i++)
        t->d.count *= t->d.shape[i] = shape[i];
    t->bytes = (size_t)t->d.count * gv_dtype_of(type)->size;
    t->base = gv_alloc(t->bytes + 2 * GUARD + 64, NULL);
    if (!t->base)
        abort();
    t->data = t->base + GUARD + (64 - ((uintptr_t)t->base + GUARD) % 64) % 64;
    memset(t->base, 0xff, t->bytes + 2 * GUARD + 64);
    memset(t->data, 0xff, t->bytes); /* NaN: a place that is not written shows */
}

static inline bool guarded(const tensor *t)
{
    const unsigned char *a = t->base, *d = t->data;
    for (const unsigned char *p = a; p < d; p++)
        if (*p != 0xff)
            return false;
    for (const unsigned char *p = d + t->bytes; p < a + t->bytes + 2 * GUARD + 64; p++)
        if (*p != 0xff)
            return false;
    return true;
}

static inline void bench_in(bench *b, gv_dtype type, const int64_t *shape, int nd)
{
    tensor *t = &b->in[b->call.nin];
    tensor_make(t, type, shape, nd);
    t->v = gv_alloc((size_t)t->d.count * sizeof(double) + 8, NULL);
    if (!t->v)
        abort();
    for (int64_t i = 0; i < t->d.count; i++) {
        double v = draw(&b->seed);
        gv_from_f64(type, &v, (char *)t->data + (size_t)i * gv_dtype_of(type)->size, 1);
        t->v[i] = tensor_at(t, i);
    }
    b->call.in[b->call.nin] = t->d;
    b->call.x[b->call.nin++] = t->data;
}

static inline void bench_none(bench *b)
{
    b->call.in[b->call.nin++].ndim = -1;
}

static inline void bench_out(bench *b, gv_dtype type, const int64_t *shape, int nd)
{
    tensor *t = &b->out[b->call.nout];
    tensor_make(t, type, shape, nd);
    b->call.out[b->call.nout] = t->d;
    b->call.y[b->call.nout++] = t->data;
}

/* Compile; GV_OK, GV_UNSUPPORTED or a failure, which is printed. */
static inline int bench_compile(bench *b, gv_op_id op, const void *attr)
{
    gv_err err = { 0 };
    b->node = (gv_node){ .op = op, .attr = attr, .nin = b->call.nin, .nout = b->call.nout, .path = "" };
    b->call.node = &b->node;
    b->call.attr = attr;
    b->call.run = &b->run;
    int r = gv_backend_onednn.compile(b->ctx, &b->call, &b->kernel, &err);
    if (r < 0)
        printf("# %s\n", err.text);
    if (r == GV_OK) {
        size_t n = b->kernel.scratch_bytes;
        b->scratch = gv_alloc(n + 2 * GUARD, NULL);
        if (!b->scratch)
            abort();
        memset(b->scratch, 0xff, n);
        memset(b->scratch + n, 0xff, 2 * GUARD);
        b->call.scratch = b->scratch;
        b->call.self = b->kernel.self;
    }
    return r;
}

/* After a run: the largest difference to what the op's plain kernel makes of the same call, by 1e-4 (bf16: 1/64) of 1 + |value|. Coarse:
 * it shows where the two understand a call differently (order of inputs, meaning of an attribute), not how a sum is rounded. */
static inline double bench_apart(const bench *b)
{
    const gv_op *o = gv_op_of(b->node.op);
    bool narrow = b->call.in[0].dtype == GV_BF16;
    gv_call c = b->call;
    tensor out[GV_MAX_OUT];
    size_t n = o->scratch ? o->scratch(&c) : 0;
    void *scratch = gv_alloc(n + 64, NULL);
    if (!scratch)
        abort();
    c.scratch = scratch;
    c.self = NULL;
    for (int i = 0; i < c.nout; i++)
        tensor_make(&out[i], c.out[i].dtype, c.out[i].shape, c.out[i].ndim), c.y[i] = out[i].data;
    double worst = (narrow ? o->plain_bf16 : o->plain_f32)(&c) == GV_OK ? 0 : INFINITY;
    for (int i = 0; i < c.nout; i++) {
        for (int64_t j = 0; j < out[i].d.count; j++) {
            double v = tensor_at(&out[i], j), bad = fabs(v - tensor_at(&b->out[i], j)) / ((narrow ? 1.0 / 64 : 1e-4) * (1 + fabs(v)));
            worst = bad <= worst ? worst : bad;
        }
        gv_free(out[i].base);
    }
    gv_free(scratch);
    return worst;
}

static inline bool bench_guarded(const bench *b)
{
    bool good = true;
    for (int i = 0; i < b->call.nin; i++)
        good &= b->call.in[i].ndim < 0 || guarded(&b->in[i]);
    for (int i = 0; i < b->call.nout; i++)
        good &= guarded(&b->out[i]);
    for (int i = 0; i < 2 * GUARD; i++)
        good &= b->scratch[b->kernel.scratch_bytes + (size_t)i] == 0xff;
    return good;
}

static inline void bench_drop(bench *b)
{
    if (b->kernel.release)
        b->kernel.release(b->kernel.self);
    for (int i = 0; i < GV_MAX_IN; i++)
        gv_free(b->in[i].base), gv_free(b->in[i].v);
    for (int i = 0; i < GV_MAX_OUT; i++)
        gv_free(b->out[i].base);
    gv_free(b->scratch);
    void *ctx = b->ctx;
    *b = (bench){ .ctx = ctx };
}

#endif
