/* fuse_grads: where grad.<param> = gradient is all that an update does, the node that makes the gradient writes it there, and the pass over
 * memory (twice the size of the weights) is saved. Not for views: their bytes belong to a value of another shape. */
#include "nn/fuse.h"
#include "nn/ops/op.h"

static bool writes_there(gv_graph *g, const gv_uses *u, const gv_node *n)
{
    const gv_update_attr *o = n->attr;
    gv_node *m = gv_fuse_maker(u, n->in[1]);
    if (!m || o->a != 0 || o->b != 1 || g->value[n->in[0]]->kind != GV_VALUE_BUFFER || u->count[n->in[0]] != 1 || gv_class_of(g, n->in[1]) != GV_CLASS_STAT)
        return false;
    for (int i = 0; i < g->noutput; i++) /* an output stays valid until the next run, whatever is done to the store */
        if (g->output[i].value == n->in[1])
            return false;
    return !(gv_op_of(m->op)->flags & GV_OP_VIEW) && m->op != GV_OP_slice;
}

int gv_fuse_grads(gv_rewrite_ctx *r, gv_err *err)
{
    gv_graph *g = r->g;
    gv_uses u;
    if (!r->o->keep_grads || !r->o->overwrite_grads || r->o->guard) /* guarded plans look at the bytes around every buffer, which the store's are not */
        return GV_OK;
    int s = gv_fuse_uses(&u, g, err), m = 0;
    if (s < 0)
        return s;
    for (int i = 0; i < g->norder; i++) {
        gv_node *n = g->node[g->order[i]];
        if (n->op == GV_OP_update && writes_there(g, &u, n)) {
            gv_value *v = g->value[n->in[1]];
            v->kind = GV_VALUE_BUFFER; /* a second gradient with the same value finds it taken: no NODE any more */
            v->name = g->value[n->in[0]]->name;
            n->dead = true;
        } else
            g->order[m++] = g->order[i];
    }
    g->norder = m;
    return GV_OK;
}
