/* fuse: readers and makers of values, for passes that look for patterns. */
#include "nn/fuse.h"
#include "nn/ops/op.h"

int gv_fuse_uses(gv_uses *u, gv_graph *g, gv_err *err)
{
    size_t edges = 1, at = 0;
    for (int i = 0; i < g->norder; i++)
        edges += (size_t)g->node[g->order[i]]->nin;
    *u = (gv_uses){ .g = g, .values = g->nvalue };
    u->count = gv_arena_alloc(g->arena, sizeof *u->count * (size_t)(g->nvalue + 1), err);
    u->first = gv_arena_alloc(g->arena, sizeof *u->first * (size_t)(g->nvalue + 1), err);
    u->next = gv_arena_alloc(g->arena, sizeof *u->next * edges, err);
    u->reader = gv_arena_alloc(g->arena, sizeof *u->reader * edges, err);
    if (!u->count || !u->first || !u->next || !u->reader)
        return GV_ESYS;
    for (int i = g->norder - 1; i >= 0; i--) { /* from the end, so that lists begin with the first reader */
        const gv_node *n = g->node[g->order[i]];
        for (int k = 0; k < n->nin && !n->dead; k++) {
            gv_val v = n->in[k];
            if (v == GV_NO_VAL)
                continue;
            u->count[v]++;
            u->reader[++at] = g->order[i]; /* edges count from 1; 0 ends a list */
            u->next[at] = u->first[v];
            u->first[v] = (int)at;
        }
    }
    for (int i = 0; i < g->noutput; i++)
        u->count[g->output[i].value]++;
    return GV_OK;
}

gv_node *gv_fuse_maker(const gv_uses *u, gv_val v)
{
    if (v < 0 || v >= u->values || u->g->value[v]->kind != GV_VALUE_NODE)
        return NULL;
    gv_node *n = u->g->node[u->g->value[v]->node];
    return n->dead ? NULL : n;
}

gv_node *gv_fuse_reader(const gv_uses *u, gv_val v, gv_op_id op, int k)
{
    for (int e = v < 0 || v >= u->values ? 0 : u->first[v]; e; e = u->next[e]) {
        gv_node *n = u->g->node[u->reader[e]];
        if (n->op == op && !k--)
            return n;
    }
    return NULL;
}

gv_node *gv_fuse_only(const gv_uses *u, gv_val v)
{
    return v >= 0 && v < u->values && u->count[v] == 1 && u->first[v] ? u->g->node[u->reader[u->first[v]]] : NULL;
}
