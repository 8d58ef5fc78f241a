/* rewrite: the table of passes, and those that every plan needs. */
#include "nn/fuse.h"
#include "nn/recompute.h"
#include "nn/ops/op.h"

int *gv_order_take(gv_rewrite_ctx *r, gv_err *err)
{
    gv_graph *g = r->g;
    int *old = gv_arena_alloc(g->arena, sizeof *old * (size_t)(g->norder + 1), err);
    if (old) {
        memcpy(old, g->order, sizeof *old * (size_t)g->norder);
        g->norder = 0;
    }
    return old;
}

void gv_order_push(gv_graph *g, int node)
{
    if (gv_graph_grow(g, &g->order, g->norder, &g->order_cap, sizeof *g->order))
        g->order[g->norder++] = node;
}

void gv_call_describe(gv_call *c, gv_graph *g, const gv_node *n, const gv_plan_options *p)
{
    *c = (gv_call){ .node = n, .attr = n->attr, .nin = n->nin, .nout = n->nout };
    for (int i = 0; i < n->nin + n->nout; i++) {
        gv_val v = i < n->nin ? n->in[i] : n->out[i - n->nin];
        gv_desc *d = i < n->nin ? &c->in[i] : &c->out[i - n->nin];
        if (v == GV_NO_VAL) {
            d->ndim = -1;
            continue;
        }
        const gv_value *o = g->value[v];
        *d = (gv_desc){ .dtype = gv_dtype_for(p->precision, o->cls), .ndim = o->ndim, .count = gv_shape_count(o->shape, o->ndim) };
        d->constant = p->frozen && (o->kind == GV_VALUE_PARAM || o->kind == GV_VALUE_BUFFER);
        memcpy(d->shape, o->shape, sizeof d->shape);
    }
    for (int i = n->nin; i < GV_MAX_IN; i++)
        c->in[i].ndim = -1;
}

bool gv_rewrite_supported(gv_rewrite_ctx *r, const gv_node *n)
{
    gv_call c;
    gv_kernel k = { 0 };
    gv_err err = { 0 };
    gv_call_describe(&c, r->g, n, r->o);
    if (r->backend->compile(r->backend_ctx, &c, &k, &err) != GV_OK)
        return false;
    if (k.release)
        k.release(k.self);
    return true;
}

/* A trained parameter's gradient is added to the store as soon as it is whole. */
static int keep_grads(gv_rewrite_ctx *r, gv_err *err)
{
    gv_graph *g = r->g;
    if (!r->o->keep_grads)
        return GV_OK;
    int n = g->norder, values = g->nvalue, *old = gv_order_take(r, err);
    int *first = gv_arena_alloc(g->arena, sizeof *first * (size_t)values, err), *next = gv_arena_alloc(g->arena, sizeof *next * (size_t)(g->nparam + 1), err);
    if (!old || !first || !next)
        return GV_ESYS;
    /* By gradient, the parameters that have it (counted from 1; two may share one). A parameter the loss does not depend on has none, and
     * its gradient in the store stays as it is. */
    for (int i = 0; i < g->nparam; i++) {
        gv_val d = g->param[i]->trained ? gv_grad_of(g, g->param[i]->value) : GV_NO_VAL;
        if (d == GV_NO_VAL)
            continue;
        next[i] = first[d];
        first[d] = i + 1;
    }
    for (int i = 0; i < n; i++) {
        const gv_node *node = g->node[old[i]];
        gv_order_push(g, old[i]);
        for (int k = 0; k < node->nout; k++)
            for (int p = node->out[k] < values ? first[node->out[k]] : 0; p; p = next[p - 1]) {
                const gv_param_info *info = g->param[p - 1];
                const char *name = gv_arena_printf(g->arena, err, "grad.%s", info->name);
                if (!name)
                    return GV_ESYS;
                gv_val target = gv_graph_value(g, GV_VALUE_BUFFER, name, GV_CLASS_STAT, info->shape, info->ndim);
                gv_graph_set_path(g, node->path);
                gv_update(g, target, r->o->overwrite_grads ? 0 : 1, r->o->grad_scale, node->out[k]);
            }
    }
    gv_graph_set_path(g, "");
    return GV_OK;
}

/* Casts that change no type. */
static int identities(gv_rewrite_ctx *r, gv_err *err)
{
    (void)err;
    gv_graph *g = r->g;
    for (int i = 0; i < g->norder; i++) {
        gv_node *n = g->node[g->order[i]];
        if (n->op != GV_OP_cast || n->dead)
            continue;
        if (gv_dtype_for(r->o->precision, gv_class_of(g, n->in[0])) == gv_dtype_for(r->o->precision, gv_class_of(g, n->out[0]))) {
            n->dead = true;
            gv_graph_replace(g, n->out[0], n->in[0]);
        }
    }
    return GV_OK;
}

/* What no output and no state depends on. */
static int dead_code(gv_rewrite_ctx *r, gv_err *err)
{
    gv_graph *g = r->g;
    bool *wanted = gv_arena_alloc(g->arena, (size_t)g->nvalue + 1, err);
    if (!wanted)
        return GV_ESYS;
    for (int i = 0; i < g->noutput; i++)
        wanted[g->output[i].value] = true;
    for (int i = g->norder - 1; i >= 0; i--) {
        gv_node *n = g->node[g->order[i]];
        bool live = n->in_place;
        for (int k = 0; k < n->nout; k++)
            live = live || wanted[n->out[k]];
        n->dead = n->dead || !live;
        for (int k = 0; k < n->nin && !n->dead; k++)
            if (n->in[k] != GV_NO_VAL)
                wanted[n->in[k]] = true;
    }
    int m = 0;
    for (int i = 0; i < g->norder; i++)
        if (!g->node[g->order[i]]->dead)
            g->order[m++] = g->order[i];
    g->norder = m;
    return GV_OK;
}

/* Where an op wants another number type than its input has, a cast goes before it, once per value and type. */
static int types(gv_rewrite_ctx *r, gv_err *err)
{
    gv_graph *g = r->g;
    int n = g->norder, values = g->nvalue, *old = gv_order_take(r, err);
    gv_val *made = gv_arena_alloc(g->arena, sizeof *made * 2 * (size_t)values, err); /* +1: as REAL, as STAT */
    if (!old || !made)
        return GV_ESYS;
    for (int i = 0; i < n; i++) {
        gv_node *node = g->node[old[i]];
        const char *w = gv_op_of(node->op)->wants;
        for (int k = 0; k < node->nin; k++) {
            char c = *w;
            if (w[1])
                w++;
            gv_val v = node->in[k];
            if (v == GV_NO_VAL || c == 'a' || (c == 'o' && !node->nout))
                continue;
            gv_class want = c == 'r' ? GV_CLASS_REAL : c == 's' ? GV_CLASS_STAT : gv_class_of(g, node->out[0]);
            if (gv_dtype_for(r->o->precision, want) == gv_dtype_for(r->o->precision, gv_class_of(g, v)))
                continue;
            gv_value_kind kind = g->value[v]->kind;
            if (r->o->frozen && (kind == GV_VALUE_PARAM || kind == GV_VALUE_BUFFER) && gv_rewrite_supported(r, node))
                continue; /* the kernel turns it into what it wants once and keeps it */
            gv_val *slot = &made[2 * v + (want == GV_CLASS_STAT)];
            if (!*slot) {
                gv_graph_set_path(g, node->path);
                *slot = gv_cast(g, v, want) + 1; /* appended to the order */
            }
            node->in[k] = *slot - 1;
        }
        gv_order_push(g, old[i]);
    }
    gv_graph_set_path(g, "");
    return GV_OK;
}

static const gv_rewrite passes[] = {
    { "keep_grads", keep_grads },
    { "identities", identities },
    { "dead_code", dead_code },
    { "fuse_attention", gv_fuse_attention, .fusion = true },
    { "dead_code", dead_code },
    { "fuse_norm", gv_fuse_norm, .fusion = true },
    { "types", types },
    { "recompute", gv_recompute },
    { "fuse_grads", gv_fuse_grads },
};

int gv_rewrite_all(gv_rewrite_ctx *r, gv_err *err)
{
    for (size_t i = 0; i < GV_COUNT(passes); i++) {
        if (passes[i].fusion && r->o->unfused)
            continue;
        int s = passes[i].apply(r, err);
        if (s < 0)
            return gv_fail_in(err, "rewrite '%s'", passes[i].name);
        if (r->g->err.code)
            return gv_fail(err, r->g->err.code, "rewrite '%s': %s", passes[i].name, r->g->err.text);
    }
    return GV_OK;
}
