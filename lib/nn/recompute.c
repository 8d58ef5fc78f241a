/*
 * recompute: what the backward pass wants of the forward pass is made again just before its first use there, in place of being kept.
 *
 *   cheap    outputs of passes over memory (norms, activations, dropout, copies, casts of weights), where all they read is kept anyway. A
 *            chain of such nodes, as the sums along a ResNet's stage, is made again as a whole; every LONGEST + 1st of it is kept
 *   blocks   besides, everything inside a module marked "block" but what other modules read: the blocks' inputs are the checkpoints
 *   auto     of the cheap ones those that run as fast as memory reads one operand and writes the result (norms, ReLU, sums, copies), where at least
 *            ENOUGH bytes need not be kept. GELU takes twice as long a byte, and a cast of a weight reads more than it saves (tests/bench/LOG.md)
 *
 * A node is copied with its attributes and runs the same kernel on the same bytes, and dropout draws by key, so results are the same bytes.
 * Statistics of a batch are kept: the copy of batchnorm_train is given them. What changes state (update, count) is not copied.
 * Source: Chen et al. 2016, arXiv:1604.06174, section 4.
 */
#include "nn/recompute.h"
#include "nn/ops/op.h"
#include <limits.h>

enum { LONGEST = 4, ENOUGH = 256 << 20 };

typedef struct recompute {
    gv_rewrite_ctx *r;
    gv_graph *g;
    int turn;           /* the place in the list where the backward pass begins */
    int *first, *last;  /* by value: places of the first and the last reader behind the turn; INT_MAX and -1 where there is none */
    int *at, *block;    /* by node: its place before the turn, or -1; the mark of the block around it, or -1 */
    int *depth;         /* by value: 0 kept, else it is made again, and how many of its makers are too */
    bool *fixed;        /* by value: an output, or changed in place: it stays */
    gv_val *copy;       /* by value: the one made again, counted from 1 */
} recompute;

static double bytes_of(const recompute *c, gv_val v)
{
    const gv_value *o = c->g->value[v];
    return (double)gv_shape_count(o->shape, o->ndim) * (double)gv_dtype_of(gv_dtype_for(c->r->o->precision, o->cls))->size;
}

static bool is_view(const gv_node *n) { return gv_op_of(n->op)->flags & GV_OP_VIEW; }

/* One pass over memory. */
static bool is_cheap(const gv_node *n)
{
    switch (n->op) {
    case GV_OP_batchnorm_train: case GV_OP_batchnorm_eval: case GV_OP_layernorm: case GV_OP_dropout: case GV_OP_cast:
    case GV_OP_permute: case GV_OP_slice: case GV_OP_concat: case GV_OP_pad: case GV_OP_normalize: case GV_OP_rotary:
        return true;
    default:
        return gv_op_of(n->op)->flags & (GV_OP_ELEMENTWISE | GV_OP_VIEW);
    }
}

/* Is it worth its time even where memory is plenty? */
static bool is_light(const gv_node *n)
{
    if (n->op == GV_OP_unary) {
        gv_unary_kind k = ((const gv_unary_attr *)n->attr)->kind;
        return k == GV_RELU || k == GV_LEAKY_RELU || k == GV_SQUARE || k == GV_ABS;
    }
    return n->op != GV_OP_cast && n->op != GV_OP_dropout;
}

/* The outermost block around a module, as an index of the list of marks. */
static int block_of(const gv_graph *g, const char *path)
{
    int best = -1;
    size_t best_len = SIZE_MAX;
    for (int i = 0; i < g->nmark; i++) {
        const char *name = g->mark[i].name;
        size_t n = strlen(name);
        if (n && n < best_len && !strcmp(g->label[i], "block") && !strncmp(path, name, n) && (path[n] == '.' || !path[n])) {
            best = i;
            best_len = n;
        }
    }
    return best;
}

/* Statistics and losses are small, and the rest of a node may need them: they are kept. */
static bool stays(const recompute *c, gv_val v)
{
    const gv_value *o = c->g->value[v];
    return o->kind != GV_VALUE_NODE || o->cls == GV_CLASS_STAT || c->at[o->node] < 0;
}

static int look(recompute *c, gv_err *err)
{
    gv_graph *g = c->g;
    size_t values = (size_t)g->nvalue + 1, nodes = (size_t)g->nnode + 1;
    c->first = gv_arena_alloc(g->arena, values * sizeof *c->first, err);
    c->last = gv_arena_alloc(g->arena, values * sizeof *c->last, err);
    c->depth = gv_arena_alloc(g->arena, values * sizeof *c->depth, err);
    c->fixed = gv_arena_alloc(g->arena, values * sizeof *c->fixed, err);
    c->copy = gv_arena_alloc(g->arena, values * sizeof *c->copy, err);
    c->at = gv_arena_alloc(g->arena, nodes * sizeof *c->at, err);
    c->block = gv_arena_alloc(g->arena, nodes * sizeof *c->block, err);
    if (!c->first || !c->last || !c->depth || !c->fixed || !c->copy || !c->at || !c->block)
        return GV_ESYS;
    for (int v = 0; v < g->nvalue; v++) {
        c->first[v] = INT_MAX;
        c->last[v] = -1;
    }
    for (int i = 0; i < g->nnode; i++)
        c->at[i] = c->block[i] = -1;
    for (int i = 0; i < g->noutput; i++)
        c->fixed[g->output[i].value] = true;
    for (int i = 0; i < g->norder; i++) {
        const gv_node *n = g->node[g->order[i]];
        if (i < c->turn) {
            c->at[g->order[i]] = i;
            c->block[g->order[i]] = c->r->o->recompute == GV_RECOMPUTE_BLOCKS ? block_of(g, n->path) : -1;
        }
        if (n->in_place)
            c->fixed[n->in[0]] = true;
        for (int k = 0; k < n->nin && i >= c->turn; k++)
            if (n->in[k] != GV_NO_VAL) {
                c->first[n->in[k]] = i < c->first[n->in[k]] ? i : c->first[n->in[k]];
                c->last[n->in[k]] = i;
            }
    }
    for (int i = c->turn - 1; i >= 0; i--) { /* who reads a view reads what it looks at */
        const gv_node *n = g->node[g->order[i]];
        if (!is_view(n))
            continue;
        gv_val x = n->in[0], y = n->out[0];
        c->first[x] = c->first[y] < c->first[x] ? c->first[y] : c->first[x];
        c->last[x] = c->last[y] > c->last[x] ? c->last[y] : c->last[x];
    }
    if (c->r->o->recompute != GV_RECOMPUTE_BLOCKS)
        return GV_OK;
    for (int i = 0; i < c->turn; i++) { /* what leaves its block is a checkpoint */
        const gv_node *n = g->node[g->order[i]];
        for (int k = 0; k < n->nin; k++) {
            const gv_value *o = n->in[k] == GV_NO_VAL ? NULL : g->value[n->in[k]];
            if (o && o->kind == GV_VALUE_NODE && c->block[o->node] >= 0 && c->block[o->node] != c->block[g->order[i]])
                c->fixed[n->in[k]] = true;
        }
    }
    return GV_OK;
}

/* How long the chain of nodes is that makes the outputs of n again; 0: they are kept. */
static int depth_of(const recompute *c, int node)
{
    const gv_node *n = c->g->node[node];
    bool block = c->block[node] >= 0 && !is_view(n);
    int depth = is_view(n) ? 0 : 1, first = INT_MAX;
    if (n->in_place || n->nout < 1 || !(block || is_cheap(n)) || (c->r->o->recompute == GV_RECOMPUTE_AUTO && !is_light(n)))
        return 0;
    for (int k = 0; k < n->nout; k++) {
        if (c->fixed[n->out[k]])
            return 0;
        first = c->first[n->out[k]] < first ? c->first[n->out[k]] : first;
    }
    if (c->g->value[n->out[0]]->cls == GV_CLASS_STAT)
        return 0;
    for (int k = 0; k < n->nin; k++) {
        gv_val v = n->in[k];
        if (v == GV_NO_VAL)
            continue;
        if (c->fixed[v] && c->g->value[v]->kind == GV_VALUE_BUFFER) /* it may have changed by then */
            return 0;
        if (c->depth[v])
            depth = c->depth[v] + !is_view(n) > depth ? c->depth[v] + !is_view(n) : depth;
        else if (!block && !is_view(n) && !stays(c, v) && c->last[v] < (first == INT_MAX ? 0 : first))
            return 0; /* it would have to be kept longer */
    }
    if (is_view(n) && !depth)
        return 0;
    return block || depth <= LONGEST ? depth : 0;
}

static int add_copy(recompute *c, gv_node *n, gv_err *err)
{
    gv_graph *g = c->g;
    gv_graph_set_path(g, n->path);
    int made;
    if (n->op == GV_OP_batchnorm_train) {
        gv_batchnorm_attr a = *(const gv_batchnorm_attr *)n->attr;
        a.given = true;
        gv_val in[6] = { n->in[0], n->in[1], n->in[2], n->nin > 3 ? n->in[3] : GV_NO_VAL, n->out[1], n->out[2] };
        made = gv_node_new(g, n->op, &a, in, 6);
    } else
        made = gv_node_new(g, n->op, n->attr, n->in, n->nin);
    for (int k = 0; k < (n->op == GV_OP_batchnorm_train ? 1 : n->nout) && made >= 0; k++) {
        const gv_value *o = g->value[n->out[k]];
        gv_val v = gv_node_out(g, made, o->cls, o->shape, o->ndim);
        if (v >= 0)
            c->copy[n->out[k]] = v + 1;
    }
    return g->err.code ? gv_fail(err, g->err.code, "%s", g->err.text) : GV_OK;
}

/* v's copy, made at the end of the list with all that it needs. Nodes to be made wait on a stack, since a block may be long. */
static int again(recompute *c, gv_val v, int *stack, gv_err *err)
{
    gv_graph *g = c->g;
    int n = 0;
    stack[n++] = g->value[v]->node;
    while (n) {
        gv_node *node = g->node[stack[n - 1]];
        int waits = n;
        for (int k = 0; k < node->nin; k++) {
            gv_val x = node->in[k];
            if (x != GV_NO_VAL && c->depth[x] && !c->copy[x])
                stack[n++] = g->value[x]->node;
        }
        if (n > waits)
            continue;
        n--;
        if (c->copy[node->out[0]])
            continue; /* two wanted it */
        gv_node with = *node;
        for (int k = 0; k < with.nin; k++)
            if (with.in[k] != GV_NO_VAL && c->depth[with.in[k]])
                with.in[k] = c->copy[with.in[k]] - 1;
        int s = add_copy(c, &with, err);
        if (s < 0)
            return s;
    }
    return GV_OK;
}

static int rebuild(recompute *c, gv_err *err)
{
    gv_graph *g = c->g;
    int n = g->norder, values = g->nvalue, *old = gv_order_take(c->r, err);
    int *stack = gv_arena_alloc(g->arena, sizeof *stack * ((size_t)g->nnode * GV_MAX_IN + 1), err);
    if (!old || !stack)
        return GV_ESYS;
    for (int i = 0; i < n; i++) {
        gv_node *node = g->node[old[i]];
        for (int k = 0; k < node->nin && i >= c->turn; k++) {
            gv_val v = node->in[k];
            if (v == GV_NO_VAL || v >= values || !c->depth[v])
                continue;
            int s = c->copy[v] ? GV_OK : again(c, v, stack, err);
            if (s < 0)
                return s;
            node->in[k] = c->copy[v] - 1;
        }
        gv_order_push(g, old[i]);
    }
    gv_graph_set_path(g, "");
    return GV_OK;
}

int gv_recompute(gv_rewrite_ctx *r, gv_err *err)
{
    gv_graph *g = r->g;
    recompute c = { .r = r, .g = g };
    if (r->o->recompute == GV_RECOMPUTE_NO || g->backward_end <= g->backward_begin)
        return GV_OK;
    while (c.turn < g->norder && (g->order[c.turn] < g->backward_begin || g->order[c.turn] >= g->backward_end))
        c.turn++;
    int s = look(&c, err);
    if (s < 0)
        return s;
    double saved = 0;
    for (int i = 0; i < c.turn; i++) {
        const gv_node *n = g->node[g->order[i]];
        int depth = depth_of(&c, g->order[i]);
        for (int k = 0; k < n->nout && depth; k++)
            if (g->value[n->out[k]]->cls != GV_CLASS_STAT) {
                c.depth[n->out[k]] = depth;
                saved += c.last[n->out[k]] >= 0 && !is_view(n) ? bytes_of(&c, n->out[k]) : 0;
            }
    }
    if (r->o->recompute == GV_RECOMPUTE_AUTO && saved < ENOUGH)
        return GV_OK;
    return rebuild(&c, err);
}
