/*
 * fuse_attention: what the attention layer builds, forward and backward, becomes one node each (ops/attention.c), where the backend has a kernel.
 *
 *   qkv -> reshape [N,L,3,H,d] -> permute [3,N,H,L,d] -> slices q, k, v -> softmax(alpha q k') v -> permute, reshape -> y [N,L,D]
 *
 * Found from the softmax. Every value between must serve this pattern alone: a norm on q and k, dropout on the probabilities, or an
 * output that wants them keeps the layer as it is built. The gradient of qkv is followed back through the nodes that autodiff made.
 */
#include "nn/fuse.h"
#include "nn/ops/op.h"

typedef struct found {
    gv_val qkv, part[3], prob, y; /* part: q, k, v as the products see them */
    int64_t N, L, H, d;
    double alpha;
    gv_val dqkv, dy;
} found;

/* From v through reshapes to its maker of kind `op`; every value passed is read once. */
static gv_node *maker(const gv_uses *u, gv_val v, gv_op_id op, int readers)
{
    gv_node *n = gv_fuse_maker(u, v);
    while (n && n->op == GV_OP_reshape && op != GV_OP_reshape) {
        if (u->count[v] != readers)
            return NULL;
        readers = 1;
        v = n->in[0];
        n = gv_fuse_maker(u, v);
    }
    return n && n->op == op && u->count[v] == readers ? n : NULL;
}

static bool is_shape(const gv_graph *g, gv_val v, int ndim, const int64_t *want)
{
    return gv_ndim(g, v) == ndim && !memcmp(gv_shape(g, v), want, (size_t)ndim * sizeof *want);
}

static bool permutes(const gv_node *n, const int *axes, int ndim)
{
    const gv_permute_attr *a = n->attr;
    return !memcmp(a->axes, axes, (size_t)ndim * sizeof *axes);
}

static bool product_of(const gv_node *n, gv_val a, gv_val b, bool ta, bool tb, double alpha)
{
    const gv_matmul_attr *o = n ? n->attr : NULL;
    return n && n->op == GV_OP_matmul && n->in[0] == a && n->in[1] == b && n->in[2] == GV_NO_VAL && o->ta == ta && o->tb == tb && o->alpha == alpha;
}

static const int split[5] = { 2, 0, 3, 1, 4 }, join[5] = { 1, 3, 0, 2, 4 }, turn[4] = { 0, 2, 1, 3 };

/* The input of the permute behind part i of qkv; readers: of the part. */
static gv_val source(const gv_uses *u, found *f, int i, int readers)
{
    gv_graph *g = u->g;
    gv_node *s = maker(u, f->part[i], GV_OP_slice, readers);
    const gv_slice_attr *a = s ? s->attr : NULL;
    if (!s || a->axis != 0 || a->start != i || a->len != 1 || !is_shape(g, f->part[i], 4, (int64_t[]){ f->N, f->H, f->L, f->d }))
        return GV_NO_VAL;
    gv_node *p = gv_fuse_maker(u, s->in[0]);
    if (!p || p->op != GV_OP_permute || u->count[s->in[0]] != 3 || !is_shape(g, s->in[0], 5, (int64_t[]){ 3, f->N, f->H, f->L, f->d }) || !permutes(p, split, 5))
        return GV_NO_VAL;
    gv_node *r = maker(u, p->in[0], GV_OP_reshape, 1);
    return r && is_shape(g, r->in[0], 3, (int64_t[]){ f->N, f->L, 3 * f->H * f->d }) ? r->in[0] : GV_NO_VAL;
}

static bool forward(const gv_uses *u, const gv_node *softmax, bool trained, found *f)
{
    gv_graph *g = u->g;
    *f = (found){ .prob = softmax->out[0], .dqkv = GV_NO_VAL, .dy = GV_NO_VAL };
    int more = trained ? 1 : 0; /* readers that the backward pass adds */
    gv_node *qk = maker(u, softmax->in[0], GV_OP_matmul, 1);
    gv_node *pv = gv_fuse_reader(u, f->prob, GV_OP_matmul, 0);
    if (!qk || !pv || gv_ndim(g, f->prob) != 4 || u->count[f->prob] != 1 + 2 * more)
        return false;
    const int64_t *s = gv_shape(g, qk->in[0]);
    f->N = s[0], f->H = s[1], f->L = s[2], f->d = gv_dim(g, qk->in[0], -1);
    f->part[0] = qk->in[0], f->part[1] = qk->in[1], f->part[2] = pv->in[1];
    f->alpha = ((const gv_matmul_attr *)qk->attr)->alpha;
    if (!product_of(qk, f->part[0], f->part[1], false, true, f->alpha) || !product_of(pv, f->prob, f->part[2], false, false, 1) || f->alpha <= 0)
        return false;
    f->qkv = source(u, f, 0, 1 + more);
    if (f->qkv == GV_NO_VAL || source(u, f, 1, 1 + more) != f->qkv || source(u, f, 2, 1 + more) != f->qkv)
        return false;
    gv_node *p = gv_fuse_reader(u, pv->out[0], GV_OP_permute, 0);
    gv_node *r = p && u->count[pv->out[0]] == 1 && permutes(p, turn, 4) ? gv_fuse_reader(u, p->out[0], GV_OP_reshape, 0) : NULL;
    if (!r || u->count[p->out[0]] != 1 || !is_shape(g, r->out[0], 3, (int64_t[]){ f->N, f->L, f->H * f->d }))
        return false;
    f->y = r->out[0];
    return true;
}

/* dqkv <- reshape <- permute <- sum of three pads, of dq, dk, dv; the products they come from end at dy. */
static bool backward(const gv_uses *u, found *f)
{
    gv_graph *g = u->g;
    gv_val part[3] = { GV_NO_VAL, GV_NO_VAL, GV_NO_VAL };
    gv_node *sg = gv_fuse_reader(u, f->prob, GV_OP_softmax_grad, 0);
    if (!sg || u->count[sg->out[0]] != 2)
        return false;
    gv_node *dq = gv_fuse_reader(u, sg->out[0], GV_OP_matmul, 0), *r = NULL, *p = NULL;
    /* forward from dq: (reshape) pad, add, add, permute, reshape */
    gv_val v = dq ? dq->out[0] : GV_NO_VAL;
    for (int i = 0; i < 8 && v != GV_NO_VAL && !r; i++) {
        gv_node *n = gv_fuse_only(u, v);
        if (!n)
            return false;
        if (n->op == GV_OP_permute)
            p = n;
        else if (n->op == GV_OP_reshape && p)
            r = n;
        else if (n->op != GV_OP_pad && n->op != GV_OP_add && n->op != GV_OP_reshape)
            return false;
        v = n->out[0];
    }
    if (!r || !permutes(p, join, 5) || !is_shape(g, p->in[0], 5, (int64_t[]){ 3, f->N, f->H, f->L, f->d }) || !is_shape(g, r->out[0], 3, (int64_t[]){ f->N, f->L, 3 * f->H * f->d }))
        return false;
    gv_val leaves[3] = { p->in[0], GV_NO_VAL, GV_NO_VAL };
    int n = 1;
    for (int i = 0; i < n; i++) {
        gv_node *a = gv_fuse_maker(u, leaves[i]);
        if (a && a->op == GV_OP_add && u->count[leaves[i]] == 1) {
            if (n == 3)
                return false;
            leaves[i--] = a->in[0];
            leaves[n++] = a->in[1];
            continue;
        }
        const gv_pad_attr *o = a ? a->attr : NULL;
        if (!a || a->op != GV_OP_pad || u->count[leaves[i]] != 1 || o->axis != 0 || o->before + o->after != 2 || o->before < 0 || o->before > 2)
            return false;
        part[o->before] = a->in[0];
    }
    gv_node *d[3];
    for (int i = 0; i < 3; i++)
        if (part[i] == GV_NO_VAL || !(d[i] = maker(u, part[i], GV_OP_matmul, 1)))
            return false;
    gv_val ds = sg->out[0], heads = d[2]->in[1];
    gv_node *dp = gv_fuse_maker(u, sg->in[1]);
    if (!product_of(d[0], ds, f->part[1], false, false, f->alpha) || !product_of(d[1], ds, f->part[0], true, false, f->alpha) || sg->in[0] != f->prob ||
        !product_of(d[2], f->prob, heads, true, false, 1) || !product_of(dp, heads, f->part[2], false, true, 1) || u->count[sg->in[1]] != 1)
        return false;
    gv_node *t = maker(u, heads, GV_OP_permute, 2);
    gv_node *back = t && permutes(t, turn, 4) ? maker(u, t->in[0], GV_OP_reshape, 1) : NULL;
    if (!back || !is_shape(g, back->in[0], 3, (int64_t[]){ f->N, f->L, f->H * f->d }))
        return false;
    f->dy = back->in[0];
    f->dqkv = r->out[0];
    return true;
}

/* The node that makes y (or dqkv) becomes the fused one, and both or none do. */
static bool replace(gv_rewrite_ctx *r, const found *f, bool trained)
{
    gv_graph *g = r->g;
    int at = g->value[f->y]->node;
    gv_node *n = g->node[at], *b = trained ? g->node[g->value[f->dqkv]->node] : NULL, was = *n, b_was = trained ? *b : was;
    gv_attention_attr *o = gv_arena_alloc(g->arena, sizeof *o, &g->err);
    if (!o)
        return false;
    *o = (gv_attention_attr){ f->H, f->alpha };
    n->op = GV_OP_attention;
    n->attr = o;
    n->nin = 1;
    n->in[0] = f->qkv;
    gv_val lse = gv_node_out(g, at, GV_CLASS_STAT, (int64_t[]){ f->N, f->H, f->L }, 3);
    if (lse == GV_NO_VAL)
        return false;
    bool fits = gv_rewrite_supported(r, n);
    if (fits && trained) {
        b->op = GV_OP_attention_grad;
        b->attr = o;
        b->nin = 3;
        b->in[0] = f->qkv, b->in[1] = lse, b->in[2] = f->dy;
        fits = gv_rewrite_supported(r, b);
    }
    if (fits)
        return true;
    *n = was;
    if (trained)
        *b = b_was;
    return false;
}

int gv_fuse_attention(gv_rewrite_ctx *r, gv_err *err)
{
    gv_graph *g = r->g;
    gv_uses u;
    int s = gv_fuse_uses(&u, g, err);
    if (s < 0)
        return s;
    for (int i = 0; i < g->norder && !gv_graph_error(g); i++) {
        gv_node *n = g->node[g->order[i]];
        found f;
        if (n->op != GV_OP_softmax)
            continue;
        bool trained = gv_fuse_reader(&u, n->out[0], GV_OP_softmax_grad, 0) != NULL;
        if (!forward(&u, n, trained, &f) || (trained && !backward(&u, &f)))
            continue;
        if (!replace(r, &f, trained))
            break; /* the backend has none: it would say so each time */
    }
    return GV_OK;
}
