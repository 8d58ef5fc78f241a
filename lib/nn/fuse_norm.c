/*
 * fuse_norm: what stands around batch norm joins its two passes over memory.
 *
 *   forward    y = norm(x); z = y + r; relu(z)       the norm adds r and applies relu (or leaky relu), where r is there before the norm
 *   backward   dz = relu_grad(y, dy); norm_grad(dz)  the norm's gradient masks dy; where others want dz too, it gives it as an output
 *              dy = p + q; relu_grad(y, dy)          and adds p and q
 *   inference  norm_eval(conv(x, w))                 in plans whose weights stay: the convolution gets other weights and a bias, in the store, and
 *                                                    adds r and applies relu as above
 *
 * Nothing but the rounding of intermediate values changes; every backend's kernels and the plain ones know the fused forms
 * (ops/batchnorm_train.c, ops/batchnorm_grad.c). A ResNet's step reads and writes 40 % less for its norms.
 */
#include "nn/fuse.h"
#include "nn/ops/op.h"

typedef struct uses {
    gv_graph *g;
    bool frozen;
    gv_uses all;
    int *at;       /* by node: its place in the list of execution, -1 when it is not in it */
    int *grad;     /* by node: the batchnorm_grad of a batchnorm_train, or -1 */
    int *goes_to;  /* by node: the node whose place it takes in the list, or -1 */
} uses;

/* v is made before the node `n` runs. */
static bool there_before(const uses *u, gv_val v, int n)
{
    const gv_value *o = u->g->value[v];
    return o->kind != GV_VALUE_NODE || (u->at[o->node] >= 0 && u->at[o->node] < u->at[n]);
}

static int node_of(const uses *u, gv_val v) { return u->g->value[v]->node; }

static bool real(const uses *u, gv_val v) { return gv_class_of(u->g, v) == GV_CLASS_REAL; }

/* The one reader of n's first output becomes part of n. */
static void absorb(uses *u, gv_node *n, gv_node *reader)
{
    reader->dead = true;
    gv_val old = reader->out[0];
    gv_graph_replace(u->g, old, n->out[0]);
    u->all.count[n->out[0]] = u->all.count[old];
    u->all.count[old] = 0;
}

static void *own_attr(uses *u, gv_node *n, size_t size)
{
    void *a = gv_arena_alloc(u->g->arena, size, &u->g->err);
    if (a) {
        memcpy(a, n->attr, size);
        n->attr = a;
    }
    return a;
}

/* A norm of the training form, or a convolution of a plan for inference, that nothing but one node reads and to which relu was not applied yet. */
static gv_node *bare(const uses *u, gv_val v)
{
    gv_node *n = gv_fuse_maker(&u->all, v);
    if (!n || n->out[0] != v || u->all.count[v] != 1 || !real(u, v))
        return NULL;
    if (n->op == GV_OP_conv)
        return u->frozen && !((const gv_conv_attr *)n->attr)->relu ? n : NULL;
    return n->op == GV_OP_batchnorm_train && !((const gv_batchnorm_attr *)n->attr)->relu ? n : NULL;
}

static void take_add(uses *u, gv_node *add)
{
    if (!real(u, add->out[0]) || !gv_same_shape(u->g, add->in[0], add->in[1]) || add->in[0] == add->in[1])
        return;
    for (int k = 0; k < 2; k++) {
        gv_node *n = bare(u, add->in[k]);
        gv_val r = add->in[1 - k];
        if (!n || n->nin > 3 || !real(u, r) || !there_before(u, r, node_of(u, add->in[k])))
            continue;
        n->in[n->nin++] = r;
        absorb(u, n, add);
        return;
    }
}

static void take_relu(uses *u, gv_node *relu)
{
    gv_unary_kind kind = ((const gv_unary_attr *)relu->attr)->kind;
    gv_node *n = kind == GV_RELU || kind == GV_LEAKY_RELU ? bare(u, relu->in[0]) : NULL;
    if (!n || (n->op == GV_OP_conv && kind != GV_RELU))
        return;
    if (n->op == GV_OP_conv) {
        gv_conv_attr *a = own_attr(u, n, sizeof *a);
        if (!a)
            return;
        a->relu = true;
    } else {
        gv_batchnorm_attr *a = own_attr(u, n, sizeof *a);
        if (!a)
            return;
        a->relu = true;
        a->slope = kind == GV_LEAKY_RELU ? GV_LEAK : 0;
    }
    absorb(u, n, relu);
}

/* A stored tensor, or NULL. */
static gv_stored *stored(const uses *u, gv_store *s, gv_val v)
{
    const gv_value *o = v == GV_NO_VAL ? NULL : u->g->value[v];
    return o && (o->kind == GV_VALUE_PARAM || o->kind == GV_VALUE_BUFFER) && o->cls == GV_CLASS_STAT ? gv_store_find(s, o->name) : NULL;
}

static double number(const gv_stored *t, int64_t i)
{
    return t->dtype == GV_F64T ? ((const double *)t->data)[i] : ((const float *)t->data)[i];
}

static void set_number(gv_stored *t, int64_t i, double v)
{
    if (t->dtype == GV_F64T)
        ((double *)t->data)[i] = v;
    else
        ((float *)t->data)[i] = (float)v;
}

/* norm(conv(x, w, b)) = conv(x, w s, (b - mean) s + shift), s = weight / sqrt(var + eps), worked out in double. */
static int fold(uses *u, gv_rewrite_ctx *r, gv_node *norm, gv_err *err)
{
    gv_graph *g = u->g;
    gv_node *conv = gv_fuse_maker(&u->all, norm->in[0]);
    if (!conv || conv->op != GV_OP_conv || conv->nin != 3 || u->all.count[norm->in[0]] != 1 || ((const gv_conv_attr *)conv->attr)->relu)
        return GV_OK;
    const gv_stored *t[6];
    gv_val from[6] = { conv->in[1], norm->in[1], norm->in[2], norm->in[3], norm->in[4], conv->in[2] };
    for (int i = 0; i < 6; i++) {
        t[i] = stored(u, r->store, from[i]);
        if (!t[i] && (i < 3 || from[i] != GV_NO_VAL))
            return GV_OK;
    }
    int64_t O = t[0]->shape[0], row = gv_shape_count(t[0]->shape, t[0]->ndim) / O;
    const char *wn = gv_arena_printf(g->arena, err, "folded.%s", t[0]->name), *bn = gv_arena_printf(g->arena, err, "folded.%s.bias", t[0]->name);
    gv_stored *w = wn && bn ? gv_store_get(r->store, wn, t[0]->dtype, t[0]->shape, t[0]->ndim, err) : NULL;
    gv_stored *b = w ? gv_store_get(r->store, bn, t[0]->dtype, &O, 1, err) : NULL;
    if (!b)
        return err ? err->code : GV_ESYS;
    for (int64_t o = 0; o < O; o++) {
        double s = (t[3] ? number(t[3], o) : 1) / sqrt(number(t[2], o) + ((const gv_batchnorm_attr *)norm->attr)->eps);
        for (int64_t i = 0; i < row; i++)
            set_number(w, o * row + i, number(t[0], o * row + i) * s);
        set_number(b, o, ((t[5] ? number(t[5], o) : 0) - number(t[1], o)) * s + (t[4] ? number(t[4], o) : 0));
    }
    conv->in[1] = gv_graph_value(g, GV_VALUE_BUFFER, wn, GV_CLASS_STAT, w->shape, w->ndim);
    conv->in[2] = gv_graph_value(g, GV_VALUE_BUFFER, bn, GV_CLASS_STAT, &O, 1);
    absorb(u, conv, norm);
    return GV_OK;
}

/* mask: unary_grad of relu, leaky or not, from the output of a norm that applies it. */
static void take_mask(uses *u, gv_node *mask, int mask_at)
{
    gv_graph *g = u->g;
    gv_unary_kind kind = ((const gv_unary_attr *)mask->attr)->kind;
    gv_node *norm = kind == GV_RELU || kind == GV_LEAKY_RELU ? gv_fuse_maker(&u->all, mask->in[0]) : NULL;
    if (!norm || norm->op != GV_OP_batchnorm_train || mask->in[0] != norm->out[0] || !((const gv_batchnorm_attr *)norm->attr)->relu)
        return;
    int at = u->grad[node_of(u, norm->out[0])];
    gv_node *grad = at < 0 ? NULL : g->node[at];
    if (!grad || grad->dead || grad->in[1] != mask->out[0] || grad->nin != 5)
        return;
    gv_batchnorm_grad_attr *a = own_attr(u, grad, sizeof *a);
    if (!a)
        return;
    a->relu = true;
    a->slope = ((const gv_batchnorm_attr *)norm->attr)->slope;
    bool added = norm->nin > 3;
    grad->in[1] = mask->in[1];
    grad->in[5] = added ? GV_NO_VAL : norm->in[2];
    grad->in[6] = added ? norm->out[0] : GV_NO_VAL;
    grad->nin = 7;
    gv_node *sum = gv_fuse_maker(&u->all, mask->in[1]);
    if (sum && sum->op == GV_OP_add && u->all.count[mask->in[1]] == 1 && gv_same_shape(g, sum->in[0], sum->in[1]) && real(u, sum->in[0]) && real(u, sum->in[1])) {
        grad->in[1] = sum->in[0];
        grad->in[7] = sum->in[1];
        grad->nin = 8;
        sum->dead = true;
    }
    if (u->all.count[mask->out[0]] > 1) { /* others want the masked gradient */
        const int64_t *shape = gv_shape(g, mask->out[0]);
        gv_val dz = gv_node_out(g, at, GV_CLASS_REAL, shape, gv_ndim(g, mask->out[0]));
        if (dz == GV_NO_VAL)
            return;
        gv_graph_replace(g, mask->out[0], dz);
        grad->in[1] = sum && sum->dead ? sum->in[0] : mask->in[1]; /* which the replacement must not touch */
    }
    mask->dead = true;
    u->goes_to[mask_at] = at; /* early enough for all who want dz; all it reads is there */
}

static int find_uses(uses *u, gv_rewrite_ctx *r, gv_err *err)
{
    gv_graph *g = r->g;
    size_t bytes = sizeof(int) * ((size_t)g->nnode + 1);
    *u = (uses){ .g = g, .frozen = r->o->frozen, .at = gv_arena_alloc(g->arena, bytes, err), .grad = gv_arena_alloc(g->arena, bytes, err), .goes_to = gv_arena_alloc(g->arena, bytes, err) };
    if (!u->at || !u->grad || !u->goes_to)
        return GV_ESYS;
    int s = gv_fuse_uses(&u->all, g, err);
    if (s < 0)
        return s;
    for (int i = 0; i < g->nnode; i++)
        u->at[i] = u->grad[i] = u->goes_to[i] = -1;
    for (int i = 0; i < g->norder; i++) {
        const gv_node *n = g->node[g->order[i]];
        u->at[g->order[i]] = i;
        if (n->op == GV_OP_batchnorm_grad) { /* it reads the same x and the mean that the norm made */
            const gv_node *norm = gv_fuse_maker(&u->all, n->in[2]);
            if (norm && norm->op == GV_OP_batchnorm_train && norm->in[0] == n->in[0] && norm->in[1] == n->in[4])
                u->grad[node_of(u, n->in[2])] = g->order[i];
        }
    }
    return GV_OK;
}

int gv_fuse_norm(gv_rewrite_ctx *r, gv_err *err)
{
    gv_graph *g = r->g;
    uses u;
    int s = find_uses(&u, r, err);
    if (s < 0)
        return s;
    for (int i = 0; i < g->norder && !g->err.code; i++) {
        gv_node *n = g->node[g->order[i]];
        if (n->dead)
            continue;
        if (n->op == GV_OP_batchnorm_eval && r->o->frozen && (s = fold(&u, r, n, err)) < 0)
            return s;
        if (n->op == GV_OP_add)
            take_add(&u, n);
        else if (n->op == GV_OP_unary)
            take_relu(&u, n);
        else if (n->op == GV_OP_unary_grad)
            take_mask(&u, n, g->order[i]);
    }
    int n = g->norder, *old = gv_order_take(r, err);
    bool *moved = gv_arena_alloc(g->arena, (size_t)g->nnode + 1, err);
    if (!old || !moved)
        return GV_ESYS;
    for (int i = 0; i < n; i++) {
        int to = u.goes_to[old[i]];
        if (to >= 0) {
            gv_order_push(g, to);
            moved[to] = true;
        } else if (!g->node[old[i]]->dead && !moved[old[i]])
            gv_order_push(g, old[i]);
    }
    return GV_OK;
}
