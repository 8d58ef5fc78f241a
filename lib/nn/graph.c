/* graph: nodes, values, paths and names of a graph under construction. */
#include "nn/internal.h"
#include "nn/ops/op.h"

#define GV_OP(n) extern const gv_op gv_op_##n;
#include "nn/ops/ops.def"
#undef GV_OP

static const gv_op *const ops[] = {
#define GV_OP(n) &gv_op_##n,
#include "nn/ops/ops.def"
#undef GV_OP
};

const gv_op *gv_op_of(gv_op_id id)
{
    return ops[id];
}

gv_graph *gv_graph_new(gv_arena *arena, gv_phase phase, gv_err *err)
{
    gv_graph *g = gv_arena_alloc(arena, sizeof *g, err);
    if (g) {
        g->arena = arena;
        g->phase = phase;
    }
    return g;
}

gv_phase gv_graph_phase(const gv_graph *g) { return g->phase; }
gv_arena *gv_graph_arena(gv_graph *g) { return g->arena; }
const gv_err *gv_graph_error(const gv_graph *g) { return g->err.code ? &g->err : NULL; }

gv_val gv_graph_fail(gv_graph *g, const char *fmt, ...)
{
    if (g->err.code)
        return GV_NO_VAL;
    char text[1500];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (g->path_len)
        gv_fail(&g->err, GV_EUSAGE, "module '%s': %s", g->path, text);
    else
        gv_fail(&g->err, GV_EUSAGE, "%s", text);
    return GV_NO_VAL;
}

bool gv_graph_grow(gv_graph *g, void *list, int n, int *cap, size_t size)
{
    if (g->err.code)
        return false;
    if (n < *cap)
        return true;
    int want = *cap ? *cap * 2 : 64;
    void **old = list, *p = gv_arena_alloc(g->arena, (size_t)want * size, &g->err);
    if (!p)
        return false;
    if (n)
        memcpy(p, *old, (size_t)n * size);
    *old = p;
    *cap = want;
    return true;
}

/* ---- paths ---- */

void gv_enter(gv_graph *g, const char *fmt, ...)
{
    if (g->depth == GV_PATH_DEPTH) {
        gv_graph_fail(g, "modules are nested deeper than %d", GV_PATH_DEPTH);
        return;
    }
    g->level[g->depth++] = g->path_len;
    size_t at = g->path_len;
    if (at && at + 1 < sizeof g->path)
        g->path[at++] = '.';
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(g->path + at, sizeof g->path - at, fmt, ap);
    va_end(ap);
    if (n < 0 || at + (size_t)n >= sizeof g->path) {
        g->path[g->path_len] = 0;
        gv_graph_fail(g, "a module path is longer than %d characters", GV_PATH_MAX - 1);
        return;
    }
    g->path_len = at + (size_t)n;
    if (n == 0) { /* an empty name adds no level to the path */
        g->path_len = g->level[g->depth - 1];
        g->path[g->path_len] = 0;
    }
    g->path_copy = NULL;
}

void gv_leave(gv_graph *g)
{
    if (!g->depth) {
        gv_graph_fail(g, "gv_leave without gv_enter");
        return;
    }
    g->path_len = g->level[--g->depth];
    g->path[g->path_len] = 0;
    g->path_copy = NULL;
}

const char *gv_path(const gv_graph *g) { return g->path; }

void gv_graph_set_path(gv_graph *g, const char *path)
{
    g->path_len = strlen(path) < sizeof g->path ? strlen(path) : 0;
    memcpy(g->path, path, g->path_len);
    g->path[g->path_len] = 0;
    g->path_copy = path;
}

static const char *path_text(gv_graph *g)
{
    if (!g->path_copy)
        g->path_copy = gv_arena_strdup(g->arena, g->path, &g->err);
    return g->path_copy;
}

void gv_mark(gv_graph *g, const char *label)
{
    if (!gv_graph_grow(g, &g->mark, g->nmark, &g->mark_cap, sizeof *g->mark) || !gv_graph_grow(g, &g->label, g->nmark, &g->label_cap, sizeof *g->label))
        return;
    const char *p = path_text(g), *l = gv_arena_strdup(g->arena, label, &g->err);
    if (!p || !l)
        return;
    g->mark[g->nmark].name = p;
    g->label[g->nmark++] = l;
}

/* The label whose path is the longest one that holds `name`. */
static const char *mark_of(const gv_graph *g, const char *name)
{
    const char *best = NULL;
    size_t best_len = 0;
    for (int i = 0; i < g->nmark; i++) {
        size_t n = strlen(g->mark[i].name);
        bool inside = !n || (!strncmp(name, g->mark[i].name, n) && (name[n] == '.' || !name[n]));
        if (inside && (!best || n >= best_len)) {
            best = g->label[i];
            best_len = n;
        }
    }
    return best;
}

int gv_block_count(const gv_graph *g)
{
    int n = 0;
    for (int i = 0; i < g->nmark; i++)
        n += !strcmp(g->label[i], "block");
    return n;
}

int gv_block_of(const gv_graph *g, const char *name)
{
    for (int i = 0, block = -1; i < g->nmark; i++) {
        if (strcmp(g->label[i], "block"))
            continue;
        size_t n = strlen(g->mark[i].name);
        block++;
        if (!strncmp(name, g->mark[i].name, n) && (name[n] == '.' || !name[n]))
            return block;
    }
    return -1;
}

gv_val gv_block_tokens(gv_graph *g, gv_val x, int front)
{
    int block = g->sequences++;
    if (!g->tokens.enter || gv_graph_error(g))
        return x;
    int64_t before = gv_dim(g, x, 1);
    x = g->tokens.enter(g->tokens.state, g, x, block, front);
    g->tokens_added += gv_dim(g, x, 1) - before;
    g->tokens_front = front;
    return x;
}

/* The added tokens leave: what follows sees the sequence that the model has without them. */
gv_val gv_blocks_end(gv_graph *g, gv_val x)
{
    int64_t n = g->tokens_added, front = g->tokens_front;
    if (!n || gv_graph_error(g))
        return x;
    gv_val rest = gv_slice(g, x, 1, front + n, gv_dim(g, x, 1) - front - n);
    return front ? gv_concat(g, (gv_val[]){ gv_slice(g, x, 1, 0, front), rest }, 2, 1) : rest;
}

int64_t gv_tokens_added(const gv_graph *g) { return g->tokens_added; }

/* ---- values ---- */

static gv_val new_value(gv_graph *g, gv_value_kind kind, gv_class cls, const int64_t *shape, int ndim)
{
    if (!gv_graph_grow(g, &g->value, g->nvalue, &g->value_cap, sizeof *g->value))
        return GV_NO_VAL;
    if (ndim < 0 || ndim > GV_MAX_DIMS)
        return gv_graph_fail(g, "a tensor of %d dimensions; at most %d are possible", ndim, GV_MAX_DIMS);
    gv_value *v = gv_arena_alloc(g->arena, sizeof *v, &g->err);
    if (!v)
        return GV_NO_VAL;
    *v = (gv_value){ .kind = kind, .cls = cls, .ndim = ndim, .node = -1 };
    for (int i = 0; i < ndim; i++) {
        v->shape[i] = shape[i];
        if (shape[i] < 1)
            return gv_graph_fail(g, "a tensor would get %" PRId64 " elements along axis %d", shape[i], i);
    }
    if (gv_shape_count(v->shape, ndim) < 0 || gv_shape_count(v->shape, ndim) > INT64_MAX / 16)
        return gv_graph_fail(g, "a tensor is too large to be counted");
    g->value[g->nvalue] = v;
    return g->nvalue++;
}

static gv_val named_value(gv_graph *g, gv_value_kind kind, const char *name, gv_class cls, const int64_t *shape, int ndim)
{
    gv_val v = new_value(g, kind, cls, shape, ndim);
    if (v == GV_NO_VAL)
        return v;
    const char *s = g->path_len && kind != GV_VALUE_INPUT ? gv_arena_printf(g->arena, &g->err, "%s.%s", g->path, name)
                                                          : gv_arena_strdup(g->arena, name, &g->err);
    if (!s)
        return GV_NO_VAL;
    g->value[v]->name = s;
    return v;
}

gv_val gv_graph_value(gv_graph *g, gv_value_kind kind, const char *full_name, gv_class cls, const int64_t *shape, int ndim)
{
    gv_val v = new_value(g, kind, cls, shape, ndim);
    if (v != GV_NO_VAL)
        g->value[v]->name = full_name;
    return v;
}

gv_val gv_input(gv_graph *g, const char *name, gv_class c, const int64_t *shape, int ndim)
{
    for (int i = 0; i < g->nvalue && !g->err.code; i++)
        if (g->value[i]->kind == GV_VALUE_INPUT && !strcmp(g->value[i]->name, name))
            return gv_graph_fail(g, "two inputs are called '%s'", name);
    return named_value(g, GV_VALUE_INPUT, name, c, shape, ndim);
}

static gv_val stored(gv_graph *g, gv_value_kind kind, const char *name, const int64_t *shape, int ndim, const char *init, gv_class c)
{
    gv_val v = named_value(g, kind, name, c, shape, ndim);
    if (v == GV_NO_VAL)
        return v;
    for (int i = 0; i < g->nparam; i++)
        if (!strcmp(g->param[i]->name, g->value[v]->name))
            return gv_graph_fail(g, "two tensors are called '%s'", g->value[v]->name);
    gv_param_info *p = gv_arena_alloc(g->arena, sizeof *p, &g->err);
    if (!p || !gv_graph_grow(g, &g->param, g->nparam, &g->param_cap, sizeof *g->param))
        return GV_NO_VAL;
    *p = (gv_param_info){ .name = g->value[v]->name, .value = v, .buffer = kind == GV_VALUE_BUFFER, .ndim = ndim, .cls = c };
    p->init = gv_arena_strdup(g->arena, init, &g->err);
    memcpy(p->shape, g->value[v]->shape, sizeof p->shape);
    g->param[g->nparam++] = p;
    return g->err.code ? GV_NO_VAL : v;
}

gv_val gv_param(gv_graph *g, const char *name, const int64_t *shape, int ndim, const char *init)
{
    return stored(g, GV_VALUE_PARAM, name, shape, ndim, init, GV_CLASS_STAT);
}

gv_val gv_buffer(gv_graph *g, const char *name, const int64_t *shape, int ndim, const char *init, gv_class c)
{
    return stored(g, GV_VALUE_BUFFER, name, shape, ndim, init, c);
}

int gv_param_count(const gv_graph *g) { return g->nparam; }

const gv_param_info *gv_param_at(const gv_graph *g, int i)
{
    gv_param_info *p = g->param[i];
    p->mark = mark_of(g, p->name);
    return p;
}

void gv_output(gv_graph *g, const char *name, gv_val v)
{
    if (g->err.code)
        return;
    if (v == GV_NO_VAL) {
        gv_graph_fail(g, "output '%s' has no value", name);
        return;
    }
    if (gv_find_output(g, name) != GV_NO_VAL) {
        gv_graph_fail(g, "two outputs are called '%s'", name);
        return;
    }
    if (!gv_graph_grow(g, &g->output, g->noutput, &g->output_cap, sizeof *g->output))
        return;
    const char *s = gv_arena_strdup(g->arena, name, &g->err);
    if (s)
        g->output[g->noutput++] = (gv_named){ s, v };
}

gv_val gv_find_output(const gv_graph *g, const char *name)
{
    for (int i = 0; i < g->noutput; i++)
        if (!strcmp(g->output[i].name, name))
            return g->output[i].value;
    return GV_NO_VAL;
}

/* After a failure builders go on with this: one element. */
static const int64_t no_shape[GV_MAX_DIMS] = { 1, 1, 1, 1, 1, 1, 1, 1 };

static bool known(const gv_graph *g, gv_val v) { return !g->err.code && v >= 0 && v < g->nvalue; }

int gv_ndim(const gv_graph *g, gv_val v) { return known(g, v) ? g->value[v]->ndim : 1; }
const int64_t *gv_shape(const gv_graph *g, gv_val v) { return known(g, v) ? g->value[v]->shape : no_shape; }
gv_class gv_class_of(const gv_graph *g, gv_val v) { return known(g, v) ? g->value[v]->cls : GV_CLASS_REAL; }

int64_t gv_dim(const gv_graph *g, gv_val v, int axis)
{
    if (!known(g, v))
        return 1;
    int n = g->value[v]->ndim, a = axis < 0 ? axis + n : axis;
    if (a < 0 || a >= n) {
        char t[GV_SHAPE_TEXT];
        gv_graph_fail((gv_graph *)g, "axis %d of a tensor of shape %s", axis, gv_shape_text(g, v, t));
        return 1;
    }
    return g->value[v]->shape[a];
}

int gv_node_count(const gv_graph *g) { return g->nnode; }
gv_node *gv_node_at(gv_graph *g, int i) { return g->node[i]; }
int gv_value_count(const gv_graph *g) { return g->nvalue; }
gv_value *gv_value_at(gv_graph *g, gv_val v) { return g->value[v]; }

/* ---- nodes ---- */

int gv_node_new(gv_graph *g, gv_op_id op, const void *attr, const gv_val *in, int nin)
{
    if (!gv_graph_grow(g, &g->node, g->nnode, &g->node_cap, sizeof *g->node) || !gv_graph_grow(g, &g->order, g->norder, &g->order_cap, sizeof *g->order))
        return -1;
    if (nin > GV_MAX_IN) {
        gv_graph_fail(g, "%s of %d inputs; at most %d are possible", ops[op]->name, nin, GV_MAX_IN);
        return -1;
    }
    gv_node *n = gv_arena_alloc(g->arena, sizeof *n, &g->err);
    const char *path = path_text(g);
    if (!n || !path)
        return -1;
    *n = (gv_node){ .op = op, .nin = nin, .path = path, .in_place = (ops[op]->flags & GV_OP_STATE) != 0 };
    for (int i = 0; i < nin; i++)
        n->in[i] = in[i];
    if (ops[op]->attr_size) {
        void *a = gv_arena_alloc(g->arena, ops[op]->attr_size, &g->err);
        if (!a)
            return -1;
        memcpy(a, attr, ops[op]->attr_size);
        n->attr = a;
    }
    g->node[g->nnode] = n;
    g->order[g->norder++] = g->nnode;
    return g->nnode++;
}

gv_val gv_node_out(gv_graph *g, int node, gv_class cls, const int64_t *shape, int ndim)
{
    if (node < 0)
        return GV_NO_VAL;
    gv_node *n = g->node[node];
    gv_val v = new_value(g, GV_VALUE_NODE, cls, shape, ndim);
    if (v == GV_NO_VAL)
        return v;
    g->value[v]->node = node;
    g->value[v]->slot = n->nout;
    n->out[n->nout++] = v;
    return v;
}

void gv_graph_replace(gv_graph *g, gv_val from, gv_val to)
{
    for (int i = 0; i < g->nnode; i++)
        for (int k = 0; k < g->node[i]->nin; k++)
            if (g->node[i]->in[k] == from)
                g->node[i]->in[k] = to;
    for (int i = 0; i < g->noutput; i++)
        if (g->output[i].value == from)
            g->output[i].value = to;
    for (int i = 0; i < g->ngrad; i++)
        if (g->grad[i] == from)
            g->grad[i] = to;
}

gv_val gv_grad_of(const gv_graph *g, gv_val v)
{
    return v >= 0 && v < g->ngrad ? g->grad[v] : GV_NO_VAL;
}
