/*
 * Optimizers and schedules. An optimizer is one file and one line in optims.def; it works on the store's tensors:
 * <param>, grad.<param>, and its state optim.<param>.<state>, so that a checkpoint holds all of it by name.
 *
 *   gv_optim_hyper h = gv_optim_defaults();
 *   h.weight_decay = 0.05; h.clip = 1;
 *   r = gv_optimizer_open(&o, "AdamW", &h, &(gv_optim_groups){ .undecay_norm = true }, store, graph, &err);
 *   gv_optimizer_zero_grads(o);
 *   … gv_plan_run(…) with keep_grads, once or more …
 *   r = gv_optimizer_step(o, lr * gv_schedule(GV_COSINE_ANNEAL, epoch, epochs, warmup), &norm, &err);
 *   gv_optimizer_close(o);
 *
 * The order of operations is that of torch.optim's single-tensor code, in the store's type (f32 or f64); the result does not
 * depend on the number of threads.
 */
#ifndef GV_NN_OPTIM_OPTIM_H
#define GV_NN_OPTIM_OPTIM_H

#include "nn/nn.h"

typedef struct gv_optim_hyper {
    double weight_decay;
    double momentum; /* SGD */
    bool nesterov;   /* SGD */
    double beta1, beta2, eps; /* Adam, AdamW */
    double clip;     /* largest global gradient norm; 0 or NaN: no clipping */
} gv_optim_hyper;

gv_optim_hyper gv_optim_defaults(void); /* momentum .9, betas .9 .999, eps 1e-8, no decay, no clipping */

typedef struct gv_optim_groups {
    bool undecay_norm;          /* no weight decay for names that contain norm, bias or bn */
    double layer_wise_lr_decay; /* 0 or NaN: none; takes precedence over undecay_norm */
} gv_optim_groups;

/* One contiguous part of one parameter: what a unit updates. Pointers are of the store's type. */
typedef struct gv_optim_piece {
    void *param, *state[2];
    const void *grad;
    int64_t n;
    double lr, weight_decay;
    double grad_scale; /* of clipping; 1: none */
    int64_t step;      /* 1 for the first */
    const gv_optim_hyper *h;
} gv_optim_piece;

typedef struct gv_optim {
    const char *name, *summary;
    int states;
    const char *state[2];
    void (*update_f32)(const gv_optim_piece *p);
    void (*update_f64)(const gv_optim_piece *p);
} gv_optim;

#define GV_OPTIM(name, n) extern const gv_optim gv_optim_##n;
#include "nn/optim/optims.def"
#undef GV_OPTIM

typedef struct gv_optimizer gv_optimizer;

/* For the parameters of `g` that gv_differentiate marked as trained (all of them when it has not run yet). Their values must be
 * in the store; gradients, state and optim.step are made (zeros) where they are missing. GV_EUSAGE: an unknown name; layer-wise
 * decay on a model without blocks. */
int gv_optimizer_open(gv_optimizer **o, const char *name, const gv_optim_hyper *h, const gv_optim_groups *groups, gv_store *s, const gv_graph *g, gv_err *err) GV_MUST_USE;
void gv_optimizer_close(gv_optimizer *o);
void gv_optimizer_zero_grads(gv_optimizer *o);
/* One step. *norm (may be NULL): the global norm of the gradients before clipping, summed in double. GV_ENAN, with nothing
 * changed, when it is not finite; the message names the first such gradient. */
int gv_optimizer_step(gv_optimizer *o, double lr, double *norm, gv_err *err) GV_MUST_USE;
int64_t gv_optimizer_steps(const gv_optimizer *o); /* taken so far, counting those of a loaded state */

/* The names of the state tensors in the store, in a fixed order; NULL behind the last. Gradients are not among them. */
const char *gv_optimizer_state(const gv_optimizer *o, int i);
/* What a parameter gets: the factor of its learning rate and its weight decay. For the run's summary. */
int gv_optimizer_count(const gv_optimizer *o);
const char *gv_optimizer_param(const gv_optimizer *o, int i, double *lr_scale, double *weight_decay);

typedef enum gv_schedule_kind { GV_NO_SCHEDULE, GV_COSINE_ANNEAL, GV_STEP, GV_MULTI_STEP } gv_schedule_kind;
extern const char *const gv_schedule_names[]; /* None CosineAnneal Step MultiStep, NULL-terminated, in that order */
/* The factor of the learning rate in epoch e (from 0) of `epochs`. warmup epochs apply to CosineAnneal alone. */
double gv_schedule(gv_schedule_kind kind, int64_t e, int64_t epochs, int64_t warmup);

#endif
