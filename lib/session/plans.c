/* plans: one compiled graph for each batch size, over one store. */
#include "session/session.h"
#include "nn/profile.h"
#include "common/threads.h"

gv_plan_options gv_session_plan_options(const gv_config *c)
{
    static const char *const names[] = { NULL, "reference", "onednn", "cuda" };
    gv_plan_options o = { .precision = gv_session_precision(c->training.precision), .backend = names[c->training.backend], .seed = c->training.seed };
    if (!o.backend) /* double runs on the plain kernels alone */
        o.backend = o.precision == GV_FP64 || !gv_backend_known("onednn") ? "reference" : "onednn";
    o.threads = c->training.threads == GV_NONE_I64 ? gv_threads_available() : (int)c->training.threads;
    static const gv_recompute_level levels[] = { GV_RECOMPUTE_NO, GV_RECOMPUTE_AUTO, GV_RECOMPUTE_CHEAP, GV_RECOMPUTE_BLOCKS };
    o.recompute = levels[c->training.recompute];
    o.grad_scale = 1;
    return o;
}

int gv_plans_for(gv_plans *p, int64_t batch, int (*prepare)(void *, gv_network *, gv_err *), void *arg, gv_network **net, gv_plan **plan, gv_err *err)
{
    for (int i = 0; i < p->n; i++)
        if (p->v[i].batch == batch) {
            *net = p->v[i].net;
            *plan = p->v[i].plan;
            return GV_OK;
        }
    if (p->n == (int)GV_COUNT(p->v))
        return gv_fail(err, GV_EDATA, "batches of more than %zu different sizes came in", GV_COUNT(p->v));
    gv_network *w;
    int r = gv_network_build(&w, p->c, p->f, batch, p->phase, p->what, err);
    if (r < 0)
        return r;
    if (p->phase == GV_TRAIN)
        r = gv_network_differentiate(w, err);
    if (r == GV_OK && prepare)
        r = prepare(arg, w, err);
    gv_plan *q = NULL;
    if (r == GV_OK)
        r = gv_plan_make(&q, w->graph, p->store, &p->options, err);
    if (r == GV_OK && p->profile && (r = gv_plan_profile(q, p->profile, err)) < 0)
        gv_plan_close(q);
    if (r < 0) {
        gv_network_close(w);
        return r;
    }
    p->v[p->n].batch = batch;
    p->v[p->n].net = *net = w;
    p->v[p->n++].plan = *plan = q;
    return GV_OK;
}

int gv_plans_profile_table(const gv_plans *p, gv_buf *text, gv_err *err)
{
    gv_roof roof;
    int r = gv_roof_measure(&roof, p->options.backend, p->options.threads, err);
    return r == GV_OK ? gv_profile_table(p->profile, &roof, p->options.precision, text, err) : r;
}

void gv_plans_close(gv_plans *p)
{
    for (int i = 0; i < p->n; i++) {
        gv_plan_close(p->v[i].plan);
        gv_network_close(p->v[i].net);
    }
    p->n = 0;
}
