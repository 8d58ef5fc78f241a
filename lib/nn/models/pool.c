/* Features to one vector per sample: the five aggregations. Rules: models.h. */
#include "nn/models/models.h"

const char *const gv_aggregation_names[] = { "cls_token", "avg", "sum", "mean_all", "joint", NULL };

/* Patch tokens without the prefix [N,L-prefix,D]. */
static gv_val patches(gv_graph *g, const gv_features *f)
{
    int64_t l = gv_dim(g, f->value, 1) - f->prefix;
    if (l < 1)
        return gv_graph_fail(g, "there is no token beside the %d in front", f->prefix);
    return f->prefix ? gv_slice(g, f->value, 1, f->prefix, l) : f->value;
}

/* [N,D]; joint of tokens [N,2,D], so that a norm behind it sees D at a time. */
static gv_val reduced(gv_graph *g, const gv_features *f, gv_aggregation method)
{
    int64_t n = gv_dim(g, f->value, 0), d = gv_dim(g, f->value, 2);
    switch (method) {
    case GV_AGG_CLS_TOKEN: return gv_reshape(g, gv_slice(g, f->value, 1, 0, 1), (int64_t[]){ n, d }, 2);
    case GV_AGG_AVG: return gv_reduce(g, GV_MEAN, patches(g, f), 1u << 1, false, GV_CLASS_REAL);
    case GV_AGG_SUM: return gv_reduce(g, GV_SUM, patches(g, f), 1u << 1, false, GV_CLASS_REAL);
    case GV_AGG_MEAN_ALL: return gv_reduce(g, GV_MEAN, f->value, 1u << 1, false, GV_CLASS_REAL);
    case GV_AGG_JOINT: {
        gv_val both[2] = { gv_slice(g, f->value, 1, 0, 1), gv_reduce(g, GV_MEAN, patches(g, f), 1u << 1, true, GV_CLASS_REAL) };
        return gv_concat(g, both, 2, 1);
    }
    }
    return gv_graph_fail(g, "aggregation %d is not known", (int)method);
}

gv_val gv_pool(gv_graph *g, const gv_model_ref *m, const gv_features *f, gv_aggregation method, bool typed, gv_aggregation *used)
{
    if (used)
        *used = method;
    if (gv_graph_error(g))
        return GV_NO_VAL;
    gv_val v;
    bool pair = false;
    if (f->kind == GV_VECTOR)
        v = f->value;
    else if (f->kind == GV_MAP)
        v = gv_reduce(g, GV_MEAN, f->value, (1u << (gv_ndim(g, f->value) - 1)) - 2, false, GV_CLASS_REAL);
    else {
        if (!f->has_class_token && (method == GV_AGG_CLS_TOKEN || method == GV_AGG_JOINT)) {
            if (typed)
                return gv_graph_fail(g, "aggregation '%s' needs a class token, and '%s' has none; avg, sum and mean_all work", gv_aggregation_names[method], m ? m->arch : "the encoder");
            method = GV_AGG_AVG;
        }
        if (used)
            *used = method;
        v = reduced(g, f, method);
        pair = method == GV_AGG_JOINT;
    }
    if (m && m->family->pooled)
        v = m->family->pooled(g, m->variant, v);
    return pair ? gv_reshape(g, v, (int64_t[]){ gv_dim(g, v, 0), 2 * gv_dim(g, v, 2) }, 2) : v;
}

gv_val gv_aggregate(gv_graph *g, const gv_features *f, gv_aggregation method, bool typed, gv_aggregation *used)
{
    return gv_pool(g, NULL, f, method, typed, used);
}
