/* The table of heads, and the linear one that several are. */
#include "nn/heads/heads.h"
#include "nn/layers/layers.h"
#include <string.h>

static const gv_head *const heads[] = {
#define GV_HEAD(n) &gv_head_##n,
#include "nn/heads/heads.def"
#undef GV_HEAD
};

const gv_head *gv_head_find(const char *name)
{
    for (size_t i = 0; i < GV_COUNT(heads); i++)
        if (!strcmp(heads[i]->variant->name, name))
            return heads[i];
    return NULL;
}

gv_val gv_head_build_on(gv_graph *g, const gv_head *head, const gv_head_in *in, const char *classifier, const gv_head_options *o)
{
    gv_enter(g, "%s", classifier && *classifier && !head->own_name ? classifier : "head");
    gv_mark(g, "classifier");
    gv_val logits = head->build(g, in, o);
    gv_leave(g);
    return logits;
}

gv_val gv_head_build(gv_graph *g, const gv_head *head, gv_val x, const char *classifier, const gv_head_options *o)
{
    return gv_head_build_on(g, head, &(gv_head_in){ .x = x, .mask = GV_NO_VAL, .target = GV_NO_VAL }, classifier, o);
}

gv_val gv_head_linear(gv_graph *g, const gv_head_in *in, const gv_head_options *o)
{
    gv_val x = o->dropout > 0 ? gv_dropout(g, in->x, o->dropout, false) : in->x;
    if (!in->axes || gv_graph_error(g))
        return gv_linear(g, x, "", .out = o->out_dim, .bias = true);
    int64_t shape[GV_MAX_DIMS] = { gv_dim(g, x, 0), 1, 1, 1, 1 }; /* a convolution over one point */
    shape[1 + in->axes] = gv_dim(g, x, 1);
    x = gv_convnd(g, gv_reshape(g, x, shape, in->axes + 2), "", .dims = in->axes, .out = o->out_dim, .kernel = { 1, 1, 1 }, .bias = true);
    return gv_reshape(g, x, (int64_t[]){ shape[0], o->out_dim }, 2);
}
