/* profile: the times of nodes, and tables of them. */
#include "nn/profile.h"
#include "nn/backend.h"
#include "nn/ops/attr.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLANS = 64, MAX_OTHER = 16, NODES_SHOWN = 20 };

typedef struct row {
    const char *name, *kernel, *path;
    const gv_call *call;  /* NULL: no node */
    int64_t calls;
    double seconds, best; /* best of a call; in a row of several nodes: their bests added */
    double bytes, macs;   /* of a call; in a row of several nodes: of all calls */
    bool warm;            /* no node: its first time is behind it */
} row;

struct gv_profile_part { int nodes; int64_t runs; row *node; };

struct gv_profile {
    gv_arena arena;
    gv_profile_part *part[MAX_PLANS];
    int parts, others;
    row other[MAX_OTHER];
};

/* ---- what a node does ---- */

/* Taps of a window along axis d that fall on the input, over all outputs. */
static double taps(const gv_window *w, int d, int64_t in, int64_t out)
{
    int64_t n = 0;
    for (int64_t o = 0; o < out; o++)
        for (int64_t k = 0; k < w->kernel[d]; k++) {
            int64_t at = o * w->stride[d] - w->pad[d] + k * w->dilation[d];
            n += at >= 0 && at < in;
        }
    return (double)n;
}

static double conv_macs(const gv_window *w, const gv_desc *x, const gv_desc *y, const gv_desc *weight)
{
    double n = (double)y->shape[0] * (double)weight->shape[0] * (double)weight->shape[1];
    for (int d = 0; d < w->dims; d++)
        n *= taps(w, d, x->shape[1 + d], y->shape[1 + d]);
    return n;
}

/* One of attention's products; y [N,L,D]. */
static double attention_macs(const gv_desc *y)
{
    return (double)y->count * (double)y->shape[1];
}

double gv_call_macs(const gv_call *c)
{
    const gv_matmul_attr *m = c->attr;
    const gv_conv_attr *v = c->attr;
    const gv_desc *a = &c->in[0];
    switch (c->node->op) {
    case GV_OP_conv: return conv_macs(&v->window, a, &c->out[0], &c->in[1]);
    case GV_OP_conv_dgrad: return conv_macs(&v->window, &c->out[0], a, &c->in[1]);
    case GV_OP_conv_wgrad: return conv_macs(&v->window, a, &c->in[1], &c->out[0]);
    case GV_OP_matmul: return (double)c->out[0].count * (double)a->shape[a->ndim - (m->ta ? 2 : 1)];
    case GV_OP_attention: return 2 * attention_macs(&c->out[0]);
    case GV_OP_attention_grad: return 4 * attention_macs(&c->in[2]); /* what is computed a second time is not counted */
    case GV_OP_matmul_wgrad: return (double)a->count * (double)c->in[1].shape[c->in[1].ndim - 1];
    default: return 0;
    }
}

double gv_call_bytes(const gv_call *c)
{
    double n = 0;
    for (int k = 0; k < c->nin + c->nout; k++) {
        const gv_desc *d = k < c->nin ? &c->in[k] : &c->out[k - c->nin];
        if (d->ndim >= 0)
            n += (double)d->count * (double)gv_dtype_of(d->dtype)->size;
    }
    return n;
}

/* ---- gathering ---- */

int gv_profile_open(gv_profile **out, gv_err *err)
{
    gv_profile *q = *out = gv_alloc(sizeof *q, err);
    int r = q ? gv_arena_init(&q->arena, "profile", (size_t)256 << 20, err) : GV_ESYS;
    if (r < 0) {
        gv_free(q);
        *out = NULL;
    }
    return r;
}

void gv_profile_close(gv_profile *q)
{
    if (q)
        gv_arena_release(&q->arena);
    gv_free(q);
}

gv_profile_part *gv_profile_part_new(gv_profile *q, int nodes, gv_err *err)
{
    if (q->parts == MAX_PLANS) {
        gv_fail(err, GV_EINTERNAL, "a profile takes %d plans", MAX_PLANS);
        return NULL;
    }
    gv_profile_part *t = gv_arena_alloc(&q->arena, sizeof *t, err);
    if (!t || !(t->node = gv_arena_alloc(&q->arena, sizeof *t->node * (size_t)(nodes + 1), err)))
        return NULL;
    t->nodes = nodes;
    return q->part[q->parts++] = t;
}

static void forget(row *v)
{
    v->calls = 0;
    v->seconds = 0;
    v->best = INFINITY;
}

static void took(row *v, double seconds)
{
    v->calls++;
    v->seconds += seconds;
    v->best = seconds < v->best ? seconds : v->best;
}

void gv_profile_node(gv_profile_part *t, int i, const gv_call *c, const char *kernel)
{
    t->node[i] = (row){ .name = gv_op_of(c->node->op)->name, .kernel = kernel, .path = c->node->path, .call = c, .best = INFINITY };
    t->node[i].bytes = gv_call_bytes(c);
    t->node[i].macs = gv_call_macs(c);
}

void gv_profile_run(gv_profile_part *t)
{
    if (++t->runs == 2)
        for (int i = 0; i < t->nodes; i++)
            forget(&t->node[i]);
}

void gv_profile_add(gv_profile_part *t, int i, double began)
{
    took(&t->node[i], gv_profile_now() - began);
}

void gv_profile_other(gv_profile *q, const char *name, const char *kind, double began, double bytes, double macs)
{
    double seconds = gv_profile_now() - began;
    row *v = q->other, *end = q->other + q->others;
    while (v < end && (strcmp(v->name, name) || strcmp(v->kernel, kind)))
        v++;
    if (v == end) {
        if (q->others == MAX_OTHER)
            return;
        q->others++;
        *v = (row){ .name = name, .kernel = kind, .path = "", .bytes = bytes, .macs = macs, .best = INFINITY };
    } else if (!v->warm) { /* as with nodes, the first one does not count */
        v->warm = true;
        forget(v);
    }
    took(v, seconds);
}

/* ---- tables ---- */

static int64_t runs_of(const gv_profile_part *t)
{
    return t->runs > 1 ? t->runs - 1 : t->runs;
}

static int64_t all_runs(const gv_profile *q)
{
    int64_t n = 0;
    for (int i = 0; i < q->parts; i++)
        n += runs_of(q->part[i]);
    return n;
}

/* Each row that was called, with bytes and multiply-adds and best of all its calls. */
static int each(const gv_profile *q, int (*f)(void *arg, const row *v), void *arg)
{
    int r = GV_OK;
    for (int i = 0; i < q->parts && r == GV_OK; i++)
        for (int k = 0; k < q->part[i]->nodes && r == GV_OK; k++)
            r = q->part[i]->node[k].calls ? f(arg, &q->part[i]->node[k]) : GV_OK;
    for (int i = 0; i < q->others && r == GV_OK; i++)
        r = f(arg, &q->other[i]);
    return r;
}

static int add_total(void *arg, const row *v)
{
    gv_profile_sum *s = arg;
    s->seconds += v->seconds;
    s->best += v->best * (double)v->calls;
    s->macs += v->macs * (double)v->calls;
    s->bytes += v->bytes * (double)v->calls;
    return GV_OK;
}

gv_profile_sum gv_profile_total(const gv_profile *q)
{
    gv_profile_sum s = { .runs = all_runs(q) };
    each(q, add_total, &s);
    double n = s.runs ? (double)s.runs : 1;
    s.seconds /= n, s.best /= n, s.macs /= n, s.bytes /= n;
    return s;
}

struct table { row *v; int n, cap; bool join; };

/* A row of its own, or joined with the one of the same op and kernel. Sums, not means. */
static int gather(void *arg, const row *v)
{
    struct table *t = arg;
    double calls = (double)v->calls;
    row *to = t->v, *end = t->v + t->n;
    while (t->join && to < end && (strcmp(to->name, v->name) || strcmp(to->kernel, v->kernel)))
        to++;
    if (!t->join || to == end) {
        to = &t->v[t->n++];
        *to = *v;
        to->calls = 0;
        to->seconds = to->bytes = to->macs = 0;
    }
    to->calls += v->calls;
    to->seconds += v->seconds;
    to->bytes += v->bytes * calls;
    to->macs += v->macs * calls;
    return GV_OK;
}

static int count(void *arg, const row *v)
{
    (void)v;
    ++*(int *)arg;
    return GV_OK;
}

static int by_time(const void *a, const void *b)
{
    const row *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return x->seconds != y->seconds ? (x->seconds < y->seconds ? 1 : -1) : c ? c : strcmp(x->path, y->path);
}

static void shape(char *to, size_t size, const gv_call *c)
{
    *to = 0;
    if (!c)
        return;
    const gv_desc *d = c->nout ? &c->out[0] : &c->in[0];
    size_t at = 0;
    for (int i = 0; i < d->ndim && at < size; i++)
        at += (size_t)snprintf(to + at, size - at, "%s%" PRId64, i ? "x" : "", d->shape[i]);
}

/* One line: what `runs` runs add up to, told of one of them. */
static int line(gv_buf *text, const row *v, int64_t runs, double total, const gv_roof *roof, gv_precision p, bool node, gv_err *err)
{
    double n = (double)runs, s = v->seconds;
    char rate[32] = "", share[32] = "", moved[32] = "", speed[32] = "", madds[32] = "", where[80];
    double peak = roof ? gv_roof_madd(roof, p) : 0;
    if (v->macs > 0) {
        snprintf(madds, sizeof madds, "%.3f", 1e-9 * v->macs / n);
        snprintf(rate, sizeof rate, "%.0f", v->macs / s * 1e-9);
    }
    if (v->bytes > 0) {
        snprintf(moved, sizeof moved, "%.2f", 1e-6 * v->bytes / n);
        snprintf(speed, sizeof speed, "%.1f", v->bytes / s * 1e-9);
    }
    if (peak > 0 && v->macs > 0)
        snprintf(share, sizeof share, "%.0f%%", 100 * v->macs / s / peak);
    else if (roof && v->bytes > 0 && roof->copy > 0)
        snprintf(share, sizeof share, "%.0f%% b", 100 * v->bytes / s / roof->copy);
    shape(where, sizeof where, node ? v->call : NULL);
    return gv_buf_printf(text, err, "%9.3f %5.1f%% %7.1f  %-18s %-22.22s %9s %7s %8s %7s %7s%s%s%s%s\n", 1e3 * s / n, 100 * s / total, (double)v->calls / n, v->name, v->kernel,
                         moved, speed, madds, rate, share, node ? "  " : "", node ? v->path : "", *where ? " " : "", where);
}

static int head(gv_buf *text, const char *what, gv_err *err)
{
    return gv_buf_printf(text, err, "%9s %6s %7s  %-18s %-22s %9s %7s %8s %7s %7s%s\n", "ms", "share", "calls", "op", "kernel", "MB", "GB/s", "Gmadd", "Gmadd/s", "roof", what);
}

int gv_profile_table(const gv_profile *q, const gv_roof *roof, gv_precision p, gv_buf *text, gv_err *err)
{
    gv_profile_sum sum = gv_profile_total(q);
    int rows = 0;
    each(q, count, &rows);
    if (!sum.runs || !rows)
        return gv_buf_printf(text, err, "profile: nothing was run\n");
    struct table ops = { .v = gv_alloc(sizeof(row) * (size_t)rows, err), .join = true }, nodes = { .v = gv_alloc(sizeof(row) * (size_t)rows, err) };
    int r = ops.v && nodes.v ? GV_OK : GV_ESYS;
    if (r == GV_OK) {
        each(q, gather, &ops);
        each(q, gather, &nodes);
        qsort(ops.v, (size_t)ops.n, sizeof *ops.v, by_time);
        qsort(nodes.v, (size_t)nodes.n, sizeof *nodes.v, by_time);
        r = gv_buf_printf(text, err, "profile of %" PRId64 " runs: %.2f ms each, %.2f with every row at its best; %.3f G multiply-adds, %.1f MB in and out of nodes\n", sum.runs,
                          1e3 * sum.seconds, 1e3 * sum.best, 1e-9 * sum.macs, 1e-6 * sum.bytes);
    }
    double peak = roof ? gv_roof_madd(roof, p) : 0;
    if (r == GV_OK && peak > 0 && roof->copy > 0)
        r = gv_buf_printf(text, err, "roof of this run: %.0f G multiply-adds/s (%s), %.1f GB/s copied; the multiply-adds alone would take %.2f ms; b: share of the bandwidth\n",
                          1e-9 * peak, p == GV_MIXED_BF16 ? "bf16" : "float", 1e-9 * roof->copy, 1e3 * sum.macs / peak);
    if (r == GV_OK)
        r = head(text, "", err);
    double total = sum.seconds * (double)sum.runs;
    for (int i = 0; i < ops.n && r == GV_OK; i++)
        r = line(text, &ops.v[i], sum.runs, total, roof, p, false, err);
    if (r == GV_OK)
        r = gv_buf_printf(text, err, "\nthe costliest nodes\n");
    if (r == GV_OK)
        r = head(text, "  module, first output", err);
    for (int i = 0; i < nodes.n && i < NODES_SHOWN && r == GV_OK; i++)
        r = line(text, &nodes.v[i], sum.runs, total, roof, p, true, err);
    gv_free(ops.v);
    gv_free(nodes.v);
    return r;
}
