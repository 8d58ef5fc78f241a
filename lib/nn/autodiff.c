/* autodiff: the backward pass, appended to the graph. Each op gives its gradient in ops; contributions to one value are added in the order
 * in which they come. Nothing is made for values that do not depend on a trained parameter. */
#include "nn/internal.h"
#include "nn/ops/op.h"

typedef struct diff { gv_graph *g; bool *need; int nneed; } diff;

/* One more contribution to the gradient of v. */
static void contribute(diff *d, gv_val v, gv_val dv)
{
    gv_graph *g = d->g;
    char a[GV_SHAPE_TEXT], b[GV_SHAPE_TEXT];
    if (dv == GV_NO_VAL || gv_graph_error(g))
        return;
    if (!gv_same_shape(g, v, dv)) {
        gv_graph_fail(g, "a gradient of shape %s for a value of shape %s", gv_shape_text(g, dv, a), gv_shape_text(g, v, b));
        return;
    }
    dv = gv_cast(g, dv, gv_class_of(g, v));
    g->grad[v] = g->grad[v] == GV_NO_VAL ? dv : gv_add(g, g->grad[v], dv);
}

static void backward(diff *d, const gv_node *n)
{
    gv_graph *g = d->g;
    gv_val dy[GV_MAX_OUT], dx[GV_MAX_IN];
    bool want[GV_MAX_IN], any = false, reached = false;
    for (int i = 0; i < n->nout; i++) {
        dy[i] = g->grad[n->out[i]];
        reached = reached || dy[i] != GV_NO_VAL;
    }
    for (int i = n->nout; i < GV_MAX_OUT; i++)
        dy[i] = GV_NO_VAL;
    for (int i = 0; i < GV_MAX_IN; i++) {
        want[i] = i < n->nin && n->in[i] != GV_NO_VAL && d->need[n->in[i]];
        dx[i] = GV_NO_VAL;
        any = any || want[i];
    }
    const gv_op *op = gv_op_of(n->op);
    if (!reached || !any || !op->gradient)
        return;
    gv_graph_set_path(g, n->path);
    op->gradient(g, n, dy, want, dx);
    for (int i = 0; i < n->nin; i++)
        if (want[i])
            contribute(d, n->in[i], dx[i]);
}

int gv_differentiate(gv_graph *g, gv_val loss, bool (*trainable)(const char *name, void *arg), void *arg, gv_err *err)
{
    if (g->err.code)
        return gv_fail(err, g->err.code, "%s", g->err.text);
    if (loss < 0 || loss >= g->nvalue || gv_class_of(g, loss) != GV_CLASS_STAT || gv_shape_count(gv_shape(g, loss), gv_ndim(g, loss)) != 1)
        return gv_fail(err, GV_EINTERNAL, "the loss to differentiate must be one number of class STAT");
    if (g->grad)
        return gv_fail(err, GV_EINTERNAL, "a graph is differentiated once");
    int nodes = g->norder, values = g->nvalue, trained = 0;
    int *order = gv_arena_alloc(g->arena, sizeof *order * (size_t)(nodes + 1), &g->err); /* a method of fine-tuning may have put nodes in between */
    diff d = { g, gv_arena_alloc(g->arena, (size_t)values * sizeof(bool), &g->err), values };
    g->grad = gv_arena_alloc(g->arena, (size_t)values * sizeof *g->grad, &g->err);
    if (!order || !d.need || !g->grad)
        return gv_fail(err, g->err.code, "%s", g->err.text);
    memcpy(order, g->order, sizeof *order * (size_t)nodes);
    g->ngrad = values;
    for (int i = 0; i < values; i++)
        g->grad[i] = GV_NO_VAL;
    for (int i = 0; i < g->nparam; i++) {
        gv_param_info *p = g->param[i];
        p->trained = !p->buffer && (!trainable || trainable(p->name, arg));
        d.need[p->value] = p->trained;
        trained += p->trained;
    }
    for (int i = 0; i < nodes; i++) {
        const gv_node *n = g->node[order[i]];
        bool any = false;
        for (int k = 0; k < n->nin && gv_op_of(n->op)->gradient; k++)
            any = any || (n->in[k] != GV_NO_VAL && d.need[n->in[k]]);
        for (int k = 0; k < n->nout; k++)
            d.need[n->out[k]] = any;
    }
    if (!trained)
        return gv_fail(err, GV_EUSAGE, "no parameter is trained");
    if (!d.need[loss])
        return gv_fail(err, GV_EUSAGE, "the loss depends on no trained parameter");
    g->backward_begin = g->nnode;
    g->grad[loss] = gv_constant(g, 1, GV_CLASS_STAT, gv_shape(g, loss), gv_ndim(g, loss));
    for (int i = nodes - 1; i >= 0 && !g->err.code; i--)
        backward(&d, g->node[order[i]]);
    g->backward_end = g->nnode;
    gv_graph_set_path(g, "");
    return g->err.code ? gv_fail(err, g->err.code, "%s", g->err.text) : GV_OK;
}
