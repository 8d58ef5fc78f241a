/* Weights and inputs from a formula, and golden files: the C side of scripts/golden/formula.py. */
#ifndef GV_TESTS_GOLDEN_FORMULA_H
#define GV_TESTS_GOLDEN_FORMULA_H

#include "common/arena.h"
#include "common/rng.h"
#include "nn/nn.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* u in [-1, 1) for element i of the tensor of that name. */
static inline double formula_uniform(uint64_t hash, int64_t i)
{
    uint32_t x = (uint32_t)i * 0x9e3779b9u + (uint32_t)(hash ^ hash >> 32);
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 16;
    x *= 0xc2b2ae35u;
    x ^= x >> 15;
    return x / 2147483648.0 - 1.0;
}

static inline void formula_fill(const char *name, const int64_t *shape, int ndim, double *v)
{
    uint64_t h = gv_hash_name(name);
    const char *last = strrchr(name, '.') ? strrchr(name, '.') + 1 : name;
    int64_t n = gv_shape_count(shape, ndim);
    double centre = 0, scale = ndim > 1 ? sqrt(3.0 / (double)(n / shape[0])) : 0.1;
    if (!strcmp(last, "num_batches_tracked"))
        scale = 0;
    else if (!strcmp(last, "running_var") || (ndim == 1 && !strcmp(last, "weight")))
        centre = 1, scale = 0.2;
    else if (!strcmp(last, "gamma"))
        centre = 0.5, scale = 0.2;
    else if (ndim == 3 && (!strcmp(last, "cls_token") || !strcmp(last, "reg_token") || !strcmp(last, "pos_embed")))
        scale = 0.5;
    for (int64_t i = 0; i < n; i++)
        v[i] = centre + scale * formula_uniform(h, i);
}

/* Every parameter and buffer of the graph. */
static inline void formula_store(gv_store *s, const gv_graph *g)
{
    for (int i = 0; i < gv_param_count(g); i++) {
        const gv_param_info *p = gv_param_at(g, i);
        gv_stored *t = gv_store_find(s, p->name);
        if (t && t->dtype == GV_F64T)
            formula_fill(p->name, p->shape, p->ndim, t->data);
        else if (t && t->dtype == GV_F32T) {
            int64_t n = gv_shape_count(p->shape, p->ndim);
            gv_err err = { 0 };
            double *v = gv_alloc((size_t)n * sizeof *v, &err);
            if (v) {
                formula_fill(p->name, p->shape, p->ndim, v);
                gv_from_f64(t->dtype, v, t->data, (size_t)n);
            }
            gv_free(v);
        }
    }
}

typedef struct golden { char *text; char *data; } golden; /* gv_free(text) frees both */

static inline int golden_open(golden *g, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    gv_err err = { 0 };
    g->text = gv_alloc((size_t)n + 1, &err);
    size_t got = g->text ? fread(g->text, 1, (size_t)n, f) : 0;
    fclose(f);
    char *end = got == (size_t)n ? memmem(g->text, got, "\n\n", 2) : NULL;
    if (!end)
        return -1;
    end[1] = 0;
    g->data = end + 2;
    return 0;
}

/* The values of an entry copied to out (room for max); their number, or -1. */
static inline int64_t golden_get(const golden *g, const char *name, double *out, int64_t max)
{
    int64_t at = 0;
    for (const char *p = g->text; *p; p = strchr(p, '\n') + 1) {
        char key[200];
        long long n;
        if (sscanf(p, "%199s %lld", key, &n) != 2)
            return -1;
        if (!strcmp(key, name)) {
            if (n > max)
                return -1;
            memcpy(out, g->data + at * 8, (size_t)n * 8);
            return n;
        }
        at += n;
    }
    return -1;
}

/* ||a - b|| / ||b||, or ||a|| where b is zero. */
static inline double relative(const double *a, const double *b, int64_t n)
{
    double d = 0, s = 0;
    for (int64_t i = 0; i < n; i++) {
        d += (a[i] - b[i]) * (a[i] - b[i]);
        s += b[i] * b[i];
    }
    return s > 0 ? sqrt(d / s) : sqrt(d);
}

#endif
