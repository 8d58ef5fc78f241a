/* checkpoint: the model alone, under published names, or the original's dictionary. */
#include "session/session.h"
#include "nn/optim/optim.h"
#include <inttypes.h>

/* Parameters and buffers of the graph as named tensors, in the graph's order. */
static gv_named *model_tensors(const gv_network *net, gv_store *s, size_t *n, size_t extra, gv_err *err)
{
    int count = gv_param_count(net->graph);
    gv_named *t = gv_alloc(((size_t)count + extra + 1) * sizeof *t, err);
    *n = 0;
    for (int i = 0; t && i < count; i++) {
        const gv_stored *v = gv_store_find(s, gv_param_at(net->graph, i)->name);
        if (!v) {
            gv_fail(err, GV_EINTERNAL, "the store has no '%s'", gv_param_at(net->graph, i)->name);
            gv_free(t);
            return NULL;
        }
        t[*n] = (gv_named){ v->name, v->dtype, v->ndim, { 0 }, v->data, v->bytes };
        memcpy(t[*n].shape, v->shape, sizeof v->shape);
        size_t len = strlen(v->name);
        if (len > 19 && !strcmp(v->name + len - 19, "num_batches_tracked")) /* a scalar, as published */
            t[*n].ndim = 0;
        (*n)++;
    }
    return t;
}

int gv_checkpoint_write(const gv_network *net, gv_store *s, const char *path, int64_t epoch, int64_t step, gv_err *err)
{
    size_t n;
    gv_named *t = model_tensors(net, s, &n, 0, err);
    if (!t)
        return err->code;
    char e[24], k[24];
    snprintf(e, sizeof e, "%" PRId64, epoch);
    snprintf(k, sizeof k, "%" PRId64, step);
    gv_meta meta[] = { { "epoch", e }, { "step", k }, { "architecture", net->encoder ? net->model.arch : "precomputed" } };
    int r = gv_safetensors_write(path, t, n, meta, GV_COUNT(meta), err);
    gv_free(t);
    return r;
}

/* ---- the original's dictionary ---- */

static const gv_named *state_tensor(gv_store *s, const char *param, const char *state, gv_named *out)
{
    char name[1024];
    snprintf(name, sizeof name, "optim.%s.%s", param, state);
    const gv_stored *v = gv_store_find(s, name);
    if (!v)
        return NULL;
    *out = (gv_named){ state, v->dtype, v->ndim, { 0 }, v->data, v->bytes };
    memcpy(out->shape, v->shape, sizeof v->shape);
    return out;
}

static bool decides_head(const gv_network *net, const char *name)
{
    size_t n = strlen(net->classifier);
    return !strncmp(name, net->classifier, n) && name[n] == '.';
}

/* torch lists a module's own parameters before those of its children: a transformer's tokens come first. Its optimizers know parameters
 * by their place in that list. */
static int own_rank(const char *name)
{
    static const char *const own[] = { "cls_token", "reg_token", "pos_embed" };
    for (int i = 0; i < (int)GV_COUNT(own); i++)
        if (!strcmp(name, own[i]))
            return i;
    return GV_COUNT(own);
}

/* order[k]: the parameter of the optimizer that torch would have in place k. */
static void torch_order(const gv_optimizer *opt, int n, int *order)
{
    int k = 0;
    for (int rank = 0; rank <= own_rank(""); rank++)
        for (int i = 0; i < n; i++)
            if (own_rank(gv_optimizer_param(opt, i, NULL, NULL)) == rank)
                order[k++] = i;
}

/* torch's param_groups: one group for each (rate, decay) pair; the original has them by rising rate, those without decay last. */
typedef struct group { double scale, decay; gv_pt_value v[12]; int64_t *params; size_t n; } group;

static int by_rate(const void *a_, const void *b_)
{
    const group *a = a_, *b = b_;
    if (a->scale != b->scale)
        return a->scale < b->scale ? -1 : 1;
    return a->decay == b->decay ? 0 : a->decay > b->decay ? -1 : 1;
}

static size_t group_values(gv_pt_value *v, const gv_config *c, double lr, double decay)
{
    static const double betas[] = { 0.9, 0.999 };
    size_t k = 0;
    v[k++] = (gv_pt_value){ .key = "lr", .type = GV_PT_FLOAT, .f = lr };
    if (c->optimizer.name == GV_OPTIMIZER_SGD) {
        v[k++] = (gv_pt_value){ .key = "momentum", .type = GV_PT_FLOAT, .f = 0.9 };
        v[k++] = (gv_pt_value){ .key = "dampening", .type = GV_PT_FLOAT, .f = 0 };
        v[k++] = (gv_pt_value){ .key = "weight_decay", .type = GV_PT_FLOAT, .f = decay };
        v[k++] = (gv_pt_value){ .key = "nesterov", .type = GV_PT_BOOL, .i = c->optimizer.nesterov };
    } else {
        v[k++] = (gv_pt_value){ .key = "betas", .type = GV_PT_FLOATS, .fs = betas, .nfs = 2 };
        v[k++] = (gv_pt_value){ .key = "eps", .type = GV_PT_FLOAT, .f = 1e-8 };
        v[k++] = (gv_pt_value){ .key = "weight_decay", .type = GV_PT_FLOAT, .f = decay };
        v[k++] = (gv_pt_value){ .key = "amsgrad", .type = GV_PT_BOOL };
    }
    v[k++] = (gv_pt_value){ .key = "maximize", .type = GV_PT_BOOL };
    v[k++] = (gv_pt_value){ .key = "foreach", .type = GV_PT_NONE };
    v[k++] = (gv_pt_value){ .key = "differentiable", .type = GV_PT_BOOL };
    return k;
}

int gv_checkpoint_write_pt(const gv_network *net, gv_store *s, const gv_optimizer *opt, const gv_config *c, const char *path, int64_t epoch, double lr, gv_err *err)
{
    size_t n, k = 0;
    gv_named *t = model_tensors(net, s, &n, 0, err), *out = NULL;
    gv_arena a = { 0 };
    int r = t ? gv_arena_init(&a, "checkpoint", (size_t)256 << 20, err) : err->code;
    if (r == GV_OK && !(out = gv_arena_alloc(&a, (2 * n + 1) * sizeof *out, err)))
        r = GV_ESYS;
    const char *linear = strcmp(c->model.head->name, "regression") ? "fc.fc" : "net.1"; /* in its classification and regression heads */
    for (size_t i = 0; i < n && r == GV_OK; i++) { /* the aliased keys share a storage */
        const char *rest = t[i].name + strlen(net->classifier) + 1;
        bool is_head = decides_head(net, t[i].name);
        for (int alias = 0; alias < 2; alias++) {
            out[k] = t[i];
            out[k].name = is_head ? gv_arena_printf(&a, err, "%s.%s.%s", alias ? "head" : "cls_head", linear, rest) : gv_arena_printf(&a, err, "%smodel.%s", alias ? "" : "encoder.", t[i].name);
            if (!out[k++].name)
                r = GV_ESYS;
        }
    }
    static const char *const states[] = { "exp_avg", "exp_avg_sq", "momentum_buffer" };
    int params = opt ? gv_optimizer_count(opt) : 0;
    gv_pt_state *state = r == GV_OK ? gv_arena_alloc(&a, (size_t)(params + 1) * sizeof *state, err) : NULL;
    group *groups = state ? gv_arena_alloc(&a, (size_t)(params + 1) * sizeof *groups, err) : NULL;
    gv_pt_group *pt = groups ? gv_arena_alloc(&a, (size_t)(params + 1) * sizeof *pt, err) : NULL;
    float *steps = pt ? gv_arena_alloc(&a, sizeof *steps, err) : NULL;
    int *order = steps ? gv_arena_alloc(&a, (size_t)(params + 1) * sizeof *order, err) : NULL;
    if (!order)
        r = err->code ? err->code : GV_ESYS;
    else
        *steps = (float)gv_optimizer_steps(opt);
    size_t ngroups = 0, nstate = 0;
    if (order)
        torch_order(opt, params, order);
    for (int i = 0; i < params && r == GV_OK; i++) {
        double scale, decay;
        const char *name = gv_optimizer_param(opt, order[i], &scale, &decay);
        size_t g = 0;
        while (g < ngroups && (groups[g].scale != scale || groups[g].decay != decay))
            g++;
        if (g == ngroups) {
            groups[g].scale = scale;
            groups[g].decay = decay;
            groups[g].params = gv_arena_alloc(&a, (size_t)params * sizeof(int64_t), err);
            ngroups++;
        }
        gv_named *v = gv_arena_alloc(&a, 4 * sizeof *v, err);
        if (!v || !groups[g].params) {
            r = GV_ESYS;
            break;
        }
        groups[g].params[groups[g].n++] = i;
        size_t m = 0;
        if (c->optimizer.name != GV_OPTIMIZER_SGD)
            v[m++] = (gv_named){ "step", GV_F32T, 0, { 0 }, steps, sizeof *steps };
        for (size_t q = 0; q < GV_COUNT(states); q++)
            m += state_tensor(s, name, states[q], &v[m]) != NULL;
        if (m && *steps > 0)
            state[nstate++] = (gv_pt_state){ i, v, m };
    }
    if (ngroups)
        qsort(groups, ngroups, sizeof *groups, by_rate);
    for (size_t g = 0; g < ngroups && r == GV_OK; g++)
        pt[g] = (gv_pt_group){ groups[g].v, group_values(groups[g].v, c, lr * groups[g].scale, groups[g].decay), groups[g].params, groups[g].n };
    if (r == GV_OK)
        r = gv_pt_write(path, epoch, out, k, &(gv_pt_optimizer){ state, nstate, pt, ngroups }, err);
    gv_arena_release(&a);
    gv_free(t);
    return r;
}
