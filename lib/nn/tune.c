/* tune: the table of measured choices, and measuring (tune.h). Entries lie in an arena, sorted by key only when they are written. */
#include "nn/tune.h"
#include "nn/ops/attr.h"
#include "nn/profile.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY = 400, NAME = 64, CANDIDATES = 16, MOST = 100000, RUNS_LEAST = 3, RUNS_MOST = 20 };
static const double ENOUGH = 60; /* ms of runs of one kernel */
static const char FORMAT[] = "glovita-kernels 1";

typedef struct entry { const char *key, *name; } entry;

struct gv_tuning {
    gv_arena memory;
    char machine[200];
    entry *v;
    size_t n, cap;
    bool measures;
    gv_tuning_told *told;
    void *told_arg;
};

int gv_tuning_open(gv_tuning **out, const char *backend, int threads, gv_err *err)
{
    char where[120] = "";
    const gv_backend *b = gv_backend_find(backend);
    *out = NULL;
    gv_tuning *t = gv_alloc(sizeof *t, err);
    if (!t)
        return GV_ESYS;
    if (b && b->machine)
        b->machine(where, sizeof where);
    snprintf(t->machine, sizeof t->machine, "%s, %s, %d threads", FORMAT, where, threads);
    int r = gv_arena_init(&t->memory, "measured kernels", (size_t)256 << 20, err);
    if (r < 0) {
        gv_free(t);
        return r;
    }
    *out = t;
    return GV_OK;
}

void gv_tuning_close(gv_tuning *t)
{
    if (!t)
        return;
    gv_arena_release(&t->memory);
    gv_free(t);
}

const char *gv_tuning_machine(const gv_tuning *t) { return t->machine; }
size_t gv_tuning_count(const gv_tuning *t) { return t->n; }
bool gv_tuning_measures(const gv_tuning *t) { return t && t->measures; }

void gv_tuning_measure(gv_tuning *t, gv_tuning_told *told, void *arg)
{
    t->measures = true;
    t->told = told;
    t->told_arg = arg;
}

/* ---- the table ---- */

static entry *find(gv_tuning *t, const char *key)
{
    for (size_t i = 0; i < t->n; i++)
        if (!strcmp(t->v[i].key, key))
            return &t->v[i];
    return NULL;
}

static int set(gv_tuning *t, const char *key, const char *name, gv_err *err)
{
    entry *e = find(t, key);
    const char *copy = gv_arena_strdup(&t->memory, name, err);
    if (!copy)
        return GV_ESYS;
    if (e) {
        e->name = copy;
        return GV_OK;
    }
    if (t->n == MOST)
        return gv_fail(err, GV_EDATA, "more than %d measured kernels", MOST);
    if (t->n == t->cap) { /* the old list stays in the arena: twice as much in all */
        size_t cap = t->cap ? t->cap * 2 : 256;
        entry *v = gv_arena_alloc(&t->memory, cap * sizeof *v, err);
        if (!v)
            return GV_ESYS;
        if (t->n)
            memcpy(v, t->v, t->n * sizeof *v);
        t->v = v;
        t->cap = cap;
    }
    if (!(key = gv_arena_strdup(&t->memory, key, err)))
        return GV_ESYS;
    t->v[t->n++] = (entry){ key, copy };
    return GV_OK;
}

int gv_tuning_read(gv_tuning *t, const char *text, size_t n, bool *other, gv_err *err)
{
    const char *end = text + n, *eol = memchr(text, '\n', n);
    char key[KEY], name[NAME];
    *other = false;
    if (!eol || n < sizeof FORMAT || memcmp(text, FORMAT, sizeof FORMAT - 1))
        return gv_fail(err, GV_EDATA, "it does not begin with '%s'", FORMAT);
    if ((size_t)(eol - text) != strlen(t->machine) || memcmp(text, t->machine, strlen(t->machine))) {
        *other = true;
        return GV_OK;
    }
    size_t line = 2;
    for (const char *p = eol + 1; p < end; p = eol + 1, line++) {
        eol = memchr(p, '\n', (size_t)(end - p));
        const char *tab = eol ? memchr(p, '\t', (size_t)(eol - p)) : NULL;
        if (!tab || tab == p || tab - p >= KEY || eol - tab < 2 || eol - tab > NAME)
            return gv_fail(err, GV_EDATA, "line %zu is no key, tab and kernel", line);
        snprintf(key, sizeof key, "%.*s", (int)(tab - p), p);
        snprintf(name, sizeof name, "%.*s", (int)(eol - tab - 1), tab + 1);
        if (set(t, key, name, err) < 0)
            return err->code;
    }
    return GV_OK;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->key, ((const entry *)b)->key);
}

int gv_tuning_text(const gv_tuning *t, gv_buf *out, gv_err *err)
{
    if (t->n)
        qsort(t->v, t->n, sizeof *t->v, by_key);
    int r = gv_buf_printf(out, err, "%s\n", t->machine);
    for (size_t i = 0; i < t->n && r == GV_OK; i++)
        r = gv_buf_printf(out, err, "%s\t%s\n", t->v[i].key, t->v[i].name);
    return r;
}

/* ---- keys ---- */

static void add_desc(char *key, const gv_desc *d)
{
    size_t n = strlen(key);
    if (d->ndim < 0)
        snprintf(key + n, KEY - n, " -");
    else
        snprintf(key + n, KEY - n, " %s%s", gv_dtype_of(d->dtype)->name, d->constant ? "!" : "");
    for (int i = 0; i < d->ndim; i++) {
        n = strlen(key);
        snprintf(key + n, KEY - n, "%c%" PRId64, i ? 'x' : ':', d->shape[i]);
    }
}

static void add_window(char *key, const gv_window *w)
{
    for (int i = 0; i < w->dims; i++) {
        size_t n = strlen(key);
        snprintf(key + n, KEY - n, " k%" PRId64 "s%" PRId64 "p%" PRId64 "d%" PRId64, w->kernel[i], w->stride[i], w->pad[i], w->dilation[i]);
    }
    size_t n = strlen(key);
    snprintf(key + n, KEY - n, " g%" PRId64, w->groups);
}

/* False: an op without a choice, or a key that is too long to be kept. */
static bool key_of(const gv_call *c, char key[KEY])
{
    const gv_op_id op = c->node->op;
    snprintf(key, KEY, "%s", gv_op_of(op)->name);
    size_t n = strlen(key);
    if (op == GV_OP_conv || op == GV_OP_conv_dgrad || op == GV_OP_conv_wgrad) {
        const gv_conv_attr *a = c->attr;
        add_window(key, &a->window);
        n = strlen(key);
        snprintf(key + n, KEY - n, "%s", a->relu ? " relu" : "");
    } else if (op == GV_OP_matmul) {
        const gv_matmul_attr *a = c->attr;
        snprintf(key + n, KEY - n, "%s%s%s", a->ta ? " ta" : "", a->tb ? " tb" : "", a->alpha != 1 ? " alpha" : "");
    } else if (op != GV_OP_matmul_wgrad)
        return false;
    for (int i = 0; i < c->nin; i++)
        add_desc(key, &c->in[i]);
    for (int i = 0; i < c->nout; i++)
        add_desc(key, &c->out[i]);
    return strlen(key) < KEY - 1;
}

/* ---- measuring ---- */

static void drop(gv_kernel *k)
{
    if (k->release)
        k->release(k->self);
    *k = (gv_kernel){ 0 };
}

/* Tensors of the call with numbers near 1, which no kernel multiplies slower than others. */
static int fill(gv_call *c, size_t scratch, gv_arena *a, gv_err *err)
{
    for (int i = 0; i < c->nin + c->nout; i++) {
        const gv_desc *d = i < c->nin ? &c->in[i] : &c->out[i - c->nin];
        if (d->ndim < 0)
            continue;
        size_t size = gv_dtype_of(d->dtype)->size;
        char *p = gv_arena_alloc_dirty(a, (size_t)d->count * size + 64, err);
        if (!p)
            return GV_ESYS;
        double block[512];
        for (int64_t at = 0; at < d->count; at += 512) {
            size_t m = d->count - at < 512 ? (size_t)(d->count - at) : 512;
            for (size_t k = 0; k < m; k++)
                block[k] = (double)((at + (int64_t)k) * 37 % 101 - 50) / 50;
            gv_from_f64(d->dtype, block, p + (size_t)at * size, m);
        }
        *(i < c->nin ? &c->x[i] : &c->y[i - c->nin]) = p;
    }
    return (c->scratch = gv_arena_alloc_dirty(a, scratch + 64, err)) ? GV_OK : GV_ESYS;
}

/* Milliseconds of the best run; < 0 where the kernel failed. */
static double best_of(gv_call *c, const gv_kernel *k)
{
    double best = -1, all = 0;
    c->self = k->self;
    for (int i = 0; i <= RUNS_MOST && (i <= RUNS_LEAST || all < ENOUGH); i++) {
        double began = gv_profile_now();
        if (k->run(c) < 0)
            return -1;
        double ms = (gv_profile_now() - began) * 1e3;
        all += ms;
        if (i && (best < 0 || ms < best)) /* the first one touches memory */
            best = ms;
    }
    return best;
}

static int faster_first(const void *a, const void *b)
{
    double x = ((const gv_tuned *)a)->ms, y = ((const gv_tuned *)b)->ms;
    return x < y ? -1 : x > y;
}

/* All kernels that serve the call. */
static int candidates(const gv_backend *b, void *ctx, const gv_call *c, gv_kernel k[CANDIDATES], int *n, gv_err *err)
{
    *n = 0;
    for (int i = 0; *n < CANDIDATES; i++) {
        int r = b->candidate(ctx, c, i, &k[*n], err);
        if (r < 0)
            return r;
        if (r == GV_NO_CANDIDATE)
            break;
        if (r == GV_OK)
            ++*n;
    }
    return GV_OK;
}

/* The name of what the rules take. */
static int by_rules(const gv_backend *b, void *ctx, const gv_call *c, char name[NAME], gv_err *err)
{
    gv_kernel k = { 0 };
    int r = b->compile(ctx, c, &k, err);
    snprintf(name, NAME, "%s", r == GV_OK ? k.name : "");
    drop(&k);
    return r < 0 ? r : GV_OK;
}

static int measure(gv_tuning *t, const char *rules, const char *key, const gv_call *call, const gv_kernel *k, int n, gv_err *err)
{
    gv_call c = *call;
    gv_tuned v[CANDIDATES];
    gv_arena a = { 0 };
    size_t scratch = 0;
    int served = 0;
    for (int i = 0; i < n; i++)
        scratch = k[i].scratch_bytes > scratch ? k[i].scratch_bytes : scratch;
    int r = gv_arena_init(&a, "measured tensors", (size_t)64 << 30, err);
    if (r == GV_OK)
        r = fill(&c, scratch, &a, err);
    for (int i = 0; i < n && r == GV_OK; i++) {
        double ms = best_of(&c, &k[i]);
        if (ms >= 0)
            v[served++] = (gv_tuned){ k[i].name, ms, !strcmp(k[i].name, rules) };
    }
    gv_arena_release(&a);
    if (r < 0 || !served)
        return r;
    qsort(v, (size_t)served, sizeof *v, faster_first);
    if (t->told)
        t->told(t->told_arg, key, v, served);
    return set(t, key, v[0].name, err);
}

int gv_tuning_choose(gv_tuning *t, const gv_backend *b, void *ctx, const gv_call *c, gv_kernel *out, gv_err *err)
{
    char key[KEY], rules[NAME];
    gv_kernel k[CANDIDATES];
    int n, taken = -1;
    if (!b->candidate || !key_of(c, key))
        return GV_UNSUPPORTED;
    entry *e = find(t, key);
    if (!e && !t->measures)
        return GV_UNSUPPORTED;
    int r = candidates(b, ctx, c, k, &n, err);
    if (r == GV_OK && !e && n > 1) {
        r = by_rules(b, ctx, c, rules, err);
        r = r < 0 ? r : measure(t, rules, key, c, k, n, err);
        e = find(t, key);
    }
    for (int i = 0; i < n; i++)
        if (r == GV_OK && e && taken < 0 && !strcmp(k[i].name, e->name))
            taken = i;
        else
            drop(&k[i]);
    if (r < 0 || taken < 0) /* a name of an older program: as if nothing were known */
        return r < 0 ? r : GV_UNSUPPORTED;
    *out = k[taken];
    return GV_OK;
}
