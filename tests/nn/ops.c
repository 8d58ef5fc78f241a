/* Every row of rows.h: gradients against central differences in double, backends against the plain kernels in double, guard bytes, and the same
 * bytes with and without shared memory. A row's name as argument runs it alone. */
#include "nn/backend.h"
#include "common/rng.h"
#include "tests/unit/tap.h"
#include <math.h>

enum { MAX_INPUTS = 6, PROBES = 12, MAX_TENSORS = 1 + MAX_INPUTS };

struct row {
    const char *name, *inputs, *reason;
    double f32, bf16;
    bool gradient;
    gv_val (*build)(gv_graph *g, const gv_val *in);
};

/* Some of the tokens of a grid, in any order, and their rotary positions. */
static gv_val gathered(gv_graph *g, const gv_val *in)
{
    gv_val keep = gv_topk(g, gv_detach(g, in[1]), 7);
    return gv_rotary(g, gv_gather(g, in[0], keep), keep, 1, 6, (int64_t[]){ 2, 2, 3 }, 10000);
}

#define ROW(n, i, f, b, r, ...) static gv_val build_##n(gv_graph *g, const gv_val *in) { return __VA_ARGS__; }
#define VALUES ROW
#include "tests/nn/rows.h"
#undef ROW
#undef VALUES
static const struct row rows[] = {
#define ROW(n, i, f, b, r, ...) { #n, i, r, f, b, true, build_##n },
#define VALUES(n, i, f, b, r, ...) { #n, i, r, f, b, false, build_##n },
#include "tests/nn/rows.h"
#undef ROW
#undef VALUES
};

/* One row built, its inputs in a store. */
struct model {
    gv_arena arena;
    gv_store *store;
    gv_plan *plan;
    int n;
    char kind[MAX_INPUTS];
    gv_err err;
};

static bool trained(const char *name, void *arg)
{
    const struct model *m = arg;
    int i = name[2] - '0';
    return !strncmp(name, "in", 2) && strchr("rspq", m->kind[i]);
}

static int open_model(struct model *m, const struct row *r, const char *backend, gv_precision p, bool guard)
{
    memset(m, 0, sizeof *m);
    if (gv_arena_init(&m->arena, "test", 64 << 20, &m->err) < 0 || gv_store_open(&m->store, p, &m->err) < 0)
        return -1;
    gv_graph *g = gv_graph_new(&m->arena, GV_TRAIN, &m->err);
    gv_val in[MAX_INPUTS];
    for (const char *s = r->inputs; *s;) {
        int64_t shape[GV_MAX_DIMS];
        int nd = 0;
        char *end, name[8];
        m->kind[m->n] = *s++;
        for (shape[nd++] = strtol(s, &end, 10); *end == ','; shape[nd++] = strtol(end + 1, &end, 10))
            ;
        s = *end ? end + 1 : end;
        snprintf(name, sizeof name, "in%d", m->n);
        in[m->n] = gv_param(g, name, shape, nd, "zeros");
        if (strchr("rp", m->kind[m->n]))
            in[m->n] = gv_cast(g, in[m->n], GV_CLASS_REAL);
        m->n++;
    }
    gv_enter(g, "row");
    gv_val y = r->build(g, in);
    gv_leave(g);
    gv_output(g, "y", y);
    if (r->gradient) { /* the loss weighs every element differently */
        gv_val c = gv_param(g, "weights", gv_shape(g, y), gv_ndim(g, y), "zeros");
        gv_val loss = gv_reduce(g, GV_SUM, gv_mul(g, gv_cast(g, y, GV_CLASS_STAT), c), (1u << gv_ndim(g, y)) - 1, false, GV_CLASS_STAT);
        gv_output(g, "loss", loss);
        if (gv_differentiate(g, loss, trained, m, &m->err) < 0)
            return -1;
        for (int i = 0; i < m->n; i++)
            if (strchr("rspq", m->kind[i])) {
                char name[16];
                snprintf(name, sizeof name, "d%d", i);
                gv_output(g, name, gv_grad_of(g, gv_param_at(g, i)->value));
            }
    }
    if (gv_store_init(m->store, g, 0, &m->err) < 0)
        return -1;
    gv_plan_options o = { .precision = p, .backend = backend, .seed = 11, .guard = guard };
    return gv_plan_make(&m->plan, g, m->store, &o, &m->err);
}

static void close_model(struct model *m)
{
    gv_plan_close(m->plan);
    gv_store_close(m->store);
    gv_arena_release(&m->arena);
}

/* Values between -1 and 1 (0.5 and 1.5 where they must be positive); coarse: multiples of 1/64, which bf16 holds exactly. */
static void fill(struct model *m, bool coarse)
{
    for (int i = 0; i < gv_store_count(m->store); i++) {
        gv_stored *t = gv_store_at(m->store, i);
        char kind = strncmp(t->name, "in", 2) ? 's' : m->kind[t->name[2] - '0'];
        size_t size = gv_dtype_of(t->dtype)->size;
        gv_rng r;
        gv_rng_init(&r, 5, GV_RNG_TEST, gv_hash_name(t->name), 0, 0);
        for (size_t k = 0; k < t->bytes / size; k++) {
            double v = gv_rng_range(&r, -1, 1);
            if (coarse)
                v = nearbyint(v * 64) / 64;
            if (strchr("pqv", kind))
                v = v / 2 + 1;
            gv_from_f64(t->dtype, &v, (char *)t->data + k * size, 1);
        }
    }
}

static int run(struct model *m) { return gv_plan_run(m->plan, NULL, 0, 3, &m->err); }

static double loss_of(struct model *m) { return *(const double *)gv_plan_output(m->plan, "loss")->data; }

static void check_gradient(const struct row *r)
{
    struct model m;
    double worst = 0, analytic[PROBES];
    char where[64] = "", input[16], name[16];
    if (open_model(&m, r, "reference", GV_FP64, true) < 0)
        goto out;
    fill(&m, false);
    for (int i = 0; i < m.n; i++) {
        snprintf(name, sizeof name, "d%d", i);
        snprintf(input, sizeof input, "in%d", i);
        gv_stored *x = gv_store_find(m.store, input);
        if (!strchr("rspq", m.kind[i]))
            continue;
        if (run(&m) < 0)
            goto out;
        size_t n = x->bytes / sizeof(double), step = n / PROBES + 1;
        for (size_t k = 0; k * step < n; k++)
            analytic[k] = ((const double *)gv_plan_output(m.plan, name)->data)[k * step];
        for (size_t k = 0; k * step < n; k++) {
            double *v = (double *)x->data + k * step, keep = *v, h = 1e-5, up, down;
            *v = keep + h;
            if (run(&m) < 0)
                goto out;
            up = loss_of(&m);
            *v = keep - h;
            if (run(&m) < 0)
                goto out;
            down = loss_of(&m);
            *v = keep;
            double off = fabs((up - down) / (2 * h) - analytic[k]) / (1 + fabs(analytic[k]));
            if (!(off <= worst)) {
                worst = off;
                snprintf(where, sizeof where, "input %d element %zu", i, k * step);
            }
        }
    }
out:
    ok(!m.err.code && worst < 2e-8, "%s: gradient equals central differences (off by %.1e) %s%s", r->name, worst, worst < 2e-8 ? "" : where, m.err.text);
    close_model(&m);
}

/* The outputs y, d0, d1, … as doubles. */
struct result { int n; struct { char name[16]; size_t count; double *v; } t[MAX_TENSORS]; };

static int result_of(struct model *m, struct result *o)
{
    o->n = 0;
    for (int i = -1; i < m->n; i++) {
        char name[16] = "y";
        if (i >= 0)
            snprintf(name, sizeof name, "d%d", i);
        const gv_stored *t = gv_plan_output(m->plan, name);
        if (!t)
            continue;
        size_t count = t->bytes / gv_dtype_of(t->dtype)->size;
        double *v = gv_alloc(count * sizeof *v, &m->err);
        if (!v)
            return -1;
        gv_to_f64(t->dtype, t->data, v, count);
        memcpy(o->t[o->n].name, name, sizeof name);
        o->t[o->n].count = count;
        o->t[o->n++].v = v;
    }
    return 0;
}

static void free_result(struct result *o)
{
    for (int i = 0; i < o->n; i++)
        gv_free(o->t[i].v);
}

static int compute(const struct row *r, const char *backend, gv_precision p, bool guard, bool coarse, struct result *o, gv_err *err)
{
    struct model m;
    o->n = 0;
    int s = open_model(&m, r, backend, p, guard);
    if (s == 0) {
        fill(&m, coarse);
        s = run(&m);
    }
    if (s == 0 && guard)
        s = run(&m); /* a second run on dirty memory */
    if (s == 0)
        s = result_of(&m, o);
    *err = m.err;
    close_model(&m);
    return s;
}

static double distance(const struct result *a, const struct result *b, char *where)
{
    double worst = 0;
    for (int i = 0; i < b->n; i++) {
        double d = 0, n = 0;
        for (size_t k = 0; k < b->t[i].count; k++) {
            double e = a->t[i].v[k] - b->t[i].v[k];
            d += e * e;
            n += b->t[i].v[k] * b->t[i].v[k];
        }
        d = sqrt(d / (n > 1e-20 ? n : 1));
        if (!(d <= worst)) {
            worst = d;
            memcpy(where, b->t[i].name, sizeof b->t[i].name);
        }
    }
    return worst;
}

static void check_backend(const struct row *r, const char *backend, gv_precision p, const struct result *gold)
{
    struct result a;
    gv_err err = { 0 };
    char where[16] = "";
    double bound = p == GV_FP32 ? r->f32 ? r->f32 : 2e-6 : r->bf16 ? r->bf16 : 2e-2, d = INFINITY;
    if (compute(r, backend, p, true, p == GV_MIXED_BF16, &a, &err) == 0 && a.n == gold->n)
        d = distance(&a, gold, where);
    ok(d <= bound, "%s: %s %s is near (%.1e of %.0e) %s %s", r->name, backend, p == GV_FP32 ? "f32" : "bf16", d, bound, where, err.text);
    free_result(&a);
}

static void check_row(const struct row *r)
{
    static const char *const backends[] = { "reference", "onednn" };
    struct result gold, coarse, again;
    gv_err err = { 0 };
    if (r->gradient)
        check_gradient(r);
    int s = compute(r, "reference", GV_FP64, true, false, &gold, &err);
    if (s == 0)
        s = compute(r, "reference", GV_FP64, true, true, &coarse, &err);
    if (!ok(s == 0, "%s: runs in double with guards %s", r->name, err.text))
        return;
    for (size_t b = 0; b < GV_COUNT(backends); b++) {
        if (!gv_backend_known(backends[b]))
            continue;
        check_backend(r, backends[b], GV_FP32, &gold);
        if (gv_backend_find(backends[b])->has_bf16())
            check_backend(r, backends[b], GV_MIXED_BF16, &coarse);
    }
    char where[16] = "";
    s = compute(r, "reference", GV_FP64, false, false, &again, &err);
    ok(s == 0 && distance(&again, &gold, where) == 0, "%s: shared memory changes nothing %s", r->name, err.text);
    free_result(&again);
    free_result(&gold);
    free_result(&coarse);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < GV_COUNT(rows); i++)
        if (argc < 2 || !strcmp(argv[1], rows[i].name))
            check_row(&rows[i]);
    return done();
}
