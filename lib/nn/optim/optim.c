/* optim: the table of optimizers, and stepping all parameters at once.
 * Parameters are cut into pieces of at most PIECE elements; threads share the pieces. The norm is added up piece by piece in
 * their order, so neither it nor the step depends on the number of threads. */
#include "nn/optim/groups.h"
#include "common/threads.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { PIECE = 16384 };

static const gv_optim *const optims[] = {
#define GV_OPTIM(name, n) &gv_optim_##n,
#include "nn/optim/optims.def"
#undef GV_OPTIM
};

struct param {
    const char *name;
    char *data, *grad, *state[2];
    int64_t n;
    double lr_scale, weight_decay;
};

struct gv_optimizer {
    const gv_optim *unit;
    gv_optim_hyper h;
    gv_arena arena;
    gv_dtype type;
    size_t size; /* of one element */
    int nparam, nstate;
    struct param *param;
    const char **state;
    int64_t *step, npiece;
    struct piece { int param; int64_t at, n; } *piece;
    double *square; /* of each piece's gradient */
    double lr, grad_scale;
};

gv_optim_hyper gv_optim_defaults(void)
{
    return (gv_optim_hyper){ .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 };
}

static const gv_optim *find(const char *name)
{
    for (size_t i = 0; i < GV_COUNT(optims); i++)
        if (!strcmp(optims[i]->name, name))
            return optims[i];
    return NULL;
}

/* Bind the tensors of one parameter; gradients and state are made where they are missing. */
static int bind(gv_optimizer *o, gv_store *s, const gv_param_info *info, gv_err *err)
{
    struct param *p = &o->param[o->nparam];
    const gv_stored *t = gv_store_find(s, info->name);
    if (!t)
        return gv_fail(err, GV_EINTERNAL, "parameter '%s' is not in the store", info->name);
    p->name = gv_arena_strdup(&o->arena, info->name, err);
    const char *name = gv_arena_printf(&o->arena, err, "grad.%s", info->name);
    if (!p->name || !name)
        return err ? err->code : GV_ESYS;
    p->data = t->data;
    p->n = gv_shape_count(info->shape, info->ndim);
    if (!(t = gv_store_get(s, name, o->type, info->shape, info->ndim, err)))
        return err ? err->code : GV_ESYS;
    p->grad = t->data;
    for (int i = 0; i < o->unit->states; i++) {
        name = gv_arena_printf(&o->arena, err, "optim.%s.%s", info->name, o->unit->state[i]);
        if (!name || !(t = gv_store_get(s, name, o->type, info->shape, info->ndim, err)))
            return err ? err->code : GV_ESYS;
        p->state[i] = t->data;
        o->state[o->nstate++] = name;
    }
    o->nparam++;
    return GV_OK;
}

static int bind_all(gv_optimizer *o, const gv_optim_groups *groups, gv_store *s, const gv_graph *g, gv_err *err)
{
    int count = gv_param_count(g);
    bool some = false;
    for (int i = 0; i < count; i++)
        some |= gv_param_at(g, i)->trained;
    o->param = gv_arena_alloc(&o->arena, ((size_t)count + 1) * sizeof *o->param, err);
    o->state = gv_arena_alloc(&o->arena, (2 * (size_t)count + 2) * sizeof *o->state, err);
    int64_t one = 1, blocks = gv_groups_blocks(g), pieces = 0, k = 0;
    const gv_stored *t = gv_store_get(s, "optim.step", GV_I64T, &one, 1, err);
    if (!o->param || !o->state || !t)
        return err ? err->code : GV_ESYS;
    o->step = t->data;
    o->state[o->nstate++] = "optim.step";
    if (groups->layer_wise_lr_decay > 0 && !blocks)
        return gv_fail(err, GV_EUSAGE, "optimizer.layer_wise_lr_decay needs an encoder made of 'blocks.0', 'blocks.1', …; this one has none");
    for (int i = 0; i < count; i++) {
        const gv_param_info *info = gv_param_at(g, i);
        if (info->buffer || (some && !info->trained))
            continue;
        struct param *p = &o->param[o->nparam];
        if (bind(o, s, info, err) < 0)
            return gv_fail_in(err, "optimizer '%s'", o->unit->name);
        p->weight_decay = o->h.weight_decay;
        gv_groups_of(groups, info->name, info->mark, blocks, &p->lr_scale, &p->weight_decay);
        pieces += (p->n + PIECE - 1) / PIECE;
    }
    o->piece = gv_arena_alloc(&o->arena, (size_t)(pieces + 1) * sizeof *o->piece, err);
    o->square = gv_arena_alloc(&o->arena, (size_t)(pieces + 1) * sizeof *o->square, err);
    if (!o->piece || !o->square)
        return err ? err->code : GV_ESYS;
    for (int i = 0; i < o->nparam; i++)
        for (int64_t at = 0; at < o->param[i].n; at += PIECE)
            o->piece[k++] = (struct piece){ i, at, o->param[i].n - at < PIECE ? o->param[i].n - at : PIECE };
    o->npiece = k;
    return GV_OK;
}

int gv_optimizer_open(gv_optimizer **out, const char *name, const gv_optim_hyper *h, const gv_optim_groups *groups, gv_store *s, const gv_graph *g, gv_err *err)
{
    *out = NULL;
    const gv_optim *unit = find(name);
    if (!unit)
        return gv_fail(err, GV_EUSAGE, "optimizer '%s' is not built; SGD, Adam and AdamW are", name);
    gv_optimizer *o = gv_alloc(sizeof *o, err);
    if (!o)
        return GV_ESYS;
    *o = (gv_optimizer){ .unit = unit, .h = *h, .type = gv_store_stat_type(s) };
    o->size = gv_dtype_of(o->type)->size;
    int r = gv_arena_init(&o->arena, "optimizer", 1u << 28, err);
    if (r == GV_OK)
        r = bind_all(o, groups, s, g, err);
    if (r < 0)
        gv_optimizer_close(o);
    else
        *out = o;
    return r;
}

void gv_optimizer_close(gv_optimizer *o)
{
    if (!o)
        return;
    gv_arena_release(&o->arena);
    gv_free(o);
}

/* Sum of squares in double, in eight lanes that are fixed whatever the instruction set. */
#define SQUARES(name, T)                                          \
    GV_HOT static double name(const T *restrict x, int64_t n)     \
    {                                                             \
        double s[8] = { 0 };                                      \
        int64_t i = 0;                                            \
        for (; i + 8 <= n; i += 8)                                \
            for (int k = 0; k < 8; k++)                           \
                s[k] += (double)x[i + k] * (double)x[i + k];      \
        for (; i < n; i++)                                        \
            s[0] += (double)x[i] * (double)x[i];                  \
        return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]; \
    }
SQUARES(optim_squares_f32, float)
SQUARES(optim_squares_f64, double)

static void norm_body(void *arg, int64_t begin, int64_t end)
{
    gv_optimizer *o = arg;
    for (int64_t i = begin; i < end; i++) {
        const struct piece *c = &o->piece[i];
        const char *x = o->param[c->param].grad + (size_t)c->at * o->size;
        o->square[i] = o->size == 8 ? optim_squares_f64((const double *)x, c->n) : optim_squares_f32((const float *)x, c->n);
    }
}

static void step_body(void *arg, int64_t begin, int64_t end)
{
    gv_optimizer *o = arg;
    for (int64_t i = begin; i < end; i++) {
        const struct piece *c = &o->piece[i];
        const struct param *p = &o->param[c->param];
        size_t at = (size_t)c->at * o->size;
        gv_optim_piece piece = {
            .param = p->data + at, .grad = p->grad + at, .n = c->n, .lr = o->lr * p->lr_scale, .weight_decay = p->weight_decay,
            .grad_scale = o->grad_scale, .step = *o->step, .h = &o->h,
        };
        for (int k = 0; k < o->unit->states; k++)
            piece.state[k] = p->state[k] + at;
        (o->size == 8 ? o->unit->update_f64 : o->unit->update_f32)(&piece);
    }
}

int gv_optimizer_step(gv_optimizer *o, double lr, double *norm_out, gv_err *err)
{
    double sum = 0;
    gv_parallel(o->npiece, 4, norm_body, o);
    for (int64_t i = 0; i < o->npiece; i++) {
        if (!isfinite(o->square[i]))
            return gv_fail(err, GV_ENAN, "step %" PRId64 ": the gradient of '%s' is not finite", *o->step + 1, o->param[o->piece[i].param].name);
        sum += o->square[i];
    }
    double norm = sqrt(sum);
    if (norm_out)
        *norm_out = norm;
    o->lr = lr;
    o->grad_scale = 1;
    if (o->h.clip > 0 && o->h.clip / (norm + 1e-6) < 1) /* the 1e-6 is that of torch's clip_grad_norm_ */
        o->grad_scale = o->h.clip / (norm + 1e-6);
    ++*o->step;
    gv_parallel(o->npiece, 4, step_body, o);
    return GV_OK;
}

void gv_optimizer_zero_grads(gv_optimizer *o)
{
    for (int i = 0; i < o->nparam; i++)
        memset(o->param[i].grad, 0, (size_t)o->param[i].n * o->size);
}

int64_t gv_optimizer_steps(const gv_optimizer *o)
{
    return *o->step;
}

const char *gv_optimizer_state(const gv_optimizer *o, int i)
{
    return i >= 0 && i < o->nstate ? o->state[i] : NULL;
}

int gv_optimizer_count(const gv_optimizer *o)
{
    return o->nparam;
}

const char *gv_optimizer_param(const gv_optimizer *o, int i, double *lr_scale, double *weight_decay)
{
    if (lr_scale)
        *lr_scale = o->param[i].lr_scale;
    if (weight_decay)
        *weight_decay = o->param[i].weight_decay;
    return o->param[i].name;
}
