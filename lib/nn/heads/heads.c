/* The table of heads. */
#include "nn/heads/heads.h"
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
