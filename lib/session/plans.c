/* plans: one compiled graph for each batch size and length of bags, over one store. Their intermediates share the store's memory, so what a
 * plan costs beside it is its graph. */
#include "session/session.h"
#include "common/log.h"
#include "common/threads.h"
#include "nn/profile.h"

gv_plan_options gv_session_plan_options(const gv_config *c)
{
    static const char *const names[] = { NULL, "reference", "onednn", "cuda" };
    gv_plan_options o = { .precision = gv_session_precision(c->training.precision), .backend = names[c->training.backend], .seed = c->training.seed };
    if (!o.backend) /* double runs on the plain kernels alone */
        o.backend = o.precision == GV_FP64 || !gv_backend_known("onednn") ? "reference" : "onednn";
    const gv_backend *b = gv_backend_find(o.backend);
    if (o.precision == GV_MIXED_BF16 && !gv_config_typed(c, "training.precision") && b && !b->has_bf16()) { /* the driver has said so already, and passes what it took */
        static bool told;
        o.precision = GV_FP32;
        if (!told)
            gv_log(GV_INFO, "precision: fp32, since this processor has no bf16 instructions");
        told = true;
    }
    o.threads = c->training.threads == GV_NONE_I64 ? gv_threads_available() : (int)c->training.threads;
    static const gv_recompute_level levels[] = { GV_RECOMPUTE_NO, GV_RECOMPUTE_AUTO, GV_RECOMPUTE_CHEAP, GV_RECOMPUTE_BLOCKS };
    o.recompute = levels[c->training.recompute];
    o.grad_scale = 1;
    return o;
}

/* A free place: behind the others, or that of the plan that was not used for longest. The first one's network is lent to the trainer. */
static int place(gv_plans *p)
{
    int at = 1;
    if (p->n < GV_PLANS)
        return p->n++;
    for (int i = 2; i < p->n; i++)
        if (p->v[i].used < p->v[at].used)
            at = i;
    gv_plan_close(p->v[at].plan);
    gv_network_close(p->v[at].net);
    return at;
}

static int make(gv_plans *p, int64_t batch, int64_t length, int (*prepare)(void *, gv_network *, gv_err *), void *arg, gv_network **net, gv_plan **plan, gv_err *err)
{
    gv_network *w;
    gv_plan *q = NULL;
    gv_facts f = *p->f;
    if (length)
        f.shape[0] = length;
    int r = gv_network_build(&w, p->c, &f, batch, p->phase, p->what, err);
    if (r < 0)
        return r;
    if (p->phase == GV_TRAIN)
        r = gv_network_differentiate(w, err);
    if (r == GV_OK && prepare)
        r = prepare(arg, w, err);
    p->options.tuning = p->tuning;
    if (r == GV_OK)
        r = gv_plan_make(&q, w->graph, p->store, &p->options, err);
    if (r == GV_OK && p->profile && (r = gv_plan_profile(q, p->profile, err)) < 0)
        gv_plan_close(q);
    if (r < 0) {
        gv_network_close(w);
        return r;
    }
    *net = w;
    *plan = q;
    return GV_OK;
}

int gv_plans_for(gv_plans *p, int64_t batch, int64_t length, int (*prepare)(void *, gv_network *, gv_err *), void *arg, gv_network **net, gv_plan **plan, gv_err *err)
{
    int at = 0;
    while (at < p->n && (p->v[at].batch != batch || p->v[at].length != length))
        at++;
    if (at == p->n) {
        size_t known = p->tuning ? gv_tuning_count(p->tuning) : 0;
        int r = make(p, batch, length, prepare, arg, net, plan, err);
        if (r < 0)
            return r;
        at = place(p);
        p->v[at].batch = batch;
        p->v[at].length = length;
        p->v[at].net = *net;
        p->v[at].plan = *plan;
        if (p->measured && gv_tuning_count(p->tuning) > known && (r = p->measured(p->measured_arg, err)) < 0)
            return r;
    }
    p->v[at].used = ++p->clock;
    *net = p->v[at].net;
    *plan = p->v[at].plan;
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
