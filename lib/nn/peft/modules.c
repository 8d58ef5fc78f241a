/* modules: linear layers and convolutions of a graph, found by their paths, and new nodes behind them. Rules: peft.h. */
#include "nn/internal.h"
#include "nn/ops/attr.h"
#include "nn/peft/peft.h"
#include "nn/rewrite.h"
#include <stdio.h>
#include <string.h>

enum { SHOWN = 8 };

static const char *mark_of(const gv_graph *g, gv_val w)
{
    for (int i = 0; i < gv_param_count(g); i++)
        if (g->param[i]->value == w)
            return gv_param_at(g, i)->mark;
    return NULL;
}

/* A product with a tensor <module>.weight, transposed, or a convolution with one (or a layer norm). The classifier is none. */
static bool module_of(const gv_graph *g, gv_node *n, bool norms, char name[GV_PATH_MAX], gv_peft_module *m)
{
    const gv_matmul_attr *a = n->attr;
    bool conv = n->op == GV_OP_conv, norm = norms && n->op == GV_OP_layernorm;
    if (!(conv || norm || (n->op == GV_OP_matmul && !a->ta && a->tb)) || n->in[1] == GV_NO_VAL)
        return false;
    const gv_value *w = g->value[n->in[1]];
    size_t len = w->kind == GV_VALUE_PARAM ? strlen(w->name) : 0;
    if (len < 8 || len - 7 >= GV_PATH_MAX || strcmp(w->name + len - 7, ".weight"))
        return false;
    snprintf(name, GV_PATH_MAX, "%.*s", (int)(len - 7), w->name);
    *m = (gv_peft_module){ name, mark_of(g, n->in[1]), n, n->in[0], n->in[1], n->nin > 2 ? n->in[2] : GV_NO_VAL, n->out[0], conv ? &((const gv_conv_attr *)n->attr)->window : NULL };
    return !gv_peft_has_mark(m->mark, "classifier") && !gv_peft_has_mark(m->mark, "adapter");
}

/* Who used y before node `first` was made uses `to`. */
static void replace(gv_graph *g, int first, gv_val y, gv_val to)
{
    for (int i = 0; i < first; i++)
        for (int k = 0; k < g->node[i]->nin; k++)
            if (g->node[i]->in[k] == y)
                g->node[i]->in[k] = to;
    for (int i = 0; i < g->noutput; i++)
        if (g->output[i].value == y)
            g->output[i].value = to;
}

/* Modules of one kind, in order, for a message; their number. */
static int listed(const gv_graph *g, bool convolutions, char *text, size_t size)
{
    char name[GV_PATH_MAX];
    gv_peft_module m;
    int n = 0;
    *text = 0;
    for (int i = 0; i < g->norder; i++)
        if (module_of(g, g->node[g->order[i]], false, name, &m) && !m.window == !convolutions && n++ < SHOWN)
            snprintf(text + strlen(text), size - strlen(text), "%s%s", n > 1 ? ", " : "", name);
    if (n > SHOWN)
        snprintf(text + strlen(text), size - strlen(text), " and %d more", n - SHOWN);
    return n;
}

/* The last name on a path. */
static const char *last_of(const char *text)
{
    const char *dot = strrchr(text, '.');
    return dot ? dot + 1 : text;
}

static int none_found(const gv_peft_rewrite *c, const gv_graph *g, gv_err *err)
{
    char targets[400] = "", modules[1200], name[GV_PATH_MAX], conv[GV_PATH_MAX] = "";
    gv_peft_module m;
    for (size_t i = 0; i < c->targets->n; i++)
        snprintf(targets + strlen(targets), sizeof targets - strlen(targets), "%s%s", i ? " " : "", c->targets->v[i]);
    if (!c->field)
        return gv_fail(err, GV_EUSAGE, "'--peft.method %s' changes the modules '%s', and the encoder has none that are called so; 'lora' with names of its own, 'partial_finetuning', 'bitfit' and 'linear_probing' are left", c->method, targets);
    static const char others[] = "'--peft.method partial_finetuning', 'bitfit' and 'linear_probing' work on every encoder";
    if (listed(g, false, modules, sizeof modules))
        return gv_fail(err, GV_EUSAGE, "'--peft.%s' is '%s', which no module of the encoder is called; its linear layers are %s", c->field, targets, modules);
    if (!listed(g, true, modules, sizeof modules))
        return gv_fail(err, GV_EUSAGE, "'--peft.%s' is '%s', and there is no module to adapt: choose '--peft.method full_finetuning', or 'linear_probing' for the head alone", c->field, targets);
    for (int i = 0; i < g->norder; i++)
        if (module_of(g, g->node[g->order[i]], false, name, &m) && m.window && m.window->groups == 1 && !strchr("0123456789", *last_of(name)))
            memcpy(conv, name, sizeof conv);
    if (!c->convolutions)
        return gv_fail(err, GV_EUSAGE, "'--peft.%s' is '%s', which no module of the encoder is called, and it has no linear layers; %s", c->field, targets, others);
    return gv_fail(err, GV_EUSAGE, "'--peft.%s' is '%s', which no module of the encoder is called; it has no linear layers, and its convolutions are %s: name those to adapt, as in '--peft.%s %s'; %s", c->field, targets, modules, c->field, last_of(conv), others);
}

int gv_peft_change(const gv_peft_rewrite *c, gv_graph *g, gv_err *err)
{
    char name[GV_PATH_MAX];
    gv_peft_module m;
    int n = g->norder, changed = 0, *old = gv_order_take(&(gv_rewrite_ctx){ .g = g }, err);
    if (!old)
        return GV_ESYS;
    for (int i = 0; i < n; i++) {
        gv_order_push(g, old[i]);
        if (gv_graph_error(g) || !module_of(g, g->node[old[i]], c->norms, name, &m) || !gv_peft_targets(c->targets, name, m.mark))
            continue;
        gv_graph_set_path(g, "");
        gv_enter(g, "%s", name);
        int first = g->nnode;
        gv_val y = m.window && !c->convolutions ? gv_graph_fail(g, "it is a convolution, and the method adapts linear layers ('--peft.%s')", c->field ? c->field : "method") : c->change(c->params, g, &m);
        gv_leave(g);
        if (!gv_graph_error(g))
            replace(g, first, m.y, y);
        changed++;
    }
    gv_graph_set_path(g, "");
    return changed || gv_graph_error(g) ? GV_OK : none_found(c, g, err);
}

gv_val gv_peft_param(gv_graph *g, const char *module, const char *name, const int64_t *shape, int ndim, const char *init)
{
    gv_enter(g, "%s", module);
    gv_enter(g, "%s", name);
    gv_mark(g, "adapter");
    gv_leave(g);
    gv_val w = gv_param(g, name, shape, ndim, init);
    gv_leave(g);
    return w;
}

gv_val gv_peft_again(gv_graph *g, const gv_peft_module *m, gv_val x, gv_val w)
{
    w = w == GV_NO_VAL ? m->w : w;
    return m->window ? gv_conv(g, x, w, GV_NO_VAL, m->window) : gv_matmul(g, x, w, GV_NO_VAL, false, true, 1);
}

gv_val gv_peft_update(gv_graph *g, const gv_peft_module *m, gv_val w, double p, double rows, bool scaled)
{
    int64_t flat[2] = { 1, -1 };
    bool train = gv_graph_phase(g) == GV_TRAIN;
    if (train && rows > 0)
        w = gv_affine(g, gv_dropout(g, w, rows, true), scaled ? 1 : 1 - rows, 0);
    if (train && p > 0)
        w = gv_affine(g, gv_dropout(g, gv_reshape(g, w, flat, 2), p, true), 1 - p, 0);
    return gv_add(g, m->y, gv_peft_again(g, m, m->x, gv_reshape(g, w, gv_shape(g, m->w), gv_ndim(g, m->w))));
}
