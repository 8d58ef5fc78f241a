/* adam: moments of the gradient, weight decay added to it.
 *   g += wd w;  m += (1-b1)(g - m);  v = b2 v + (1-b2) g g;  w -= lr/(1-b1^t) m / (sqrt v / sqrt(1-b2^t) + eps)
 * AdamW instead first multiplies w by 1 - lr wd. Each product is rounded where torch.optim rounds it.
 * Source: Kingma & Ba 2014, arXiv:1412.6980, algorithm 1; Loshchilov & Hutter 2017, arXiv:1711.05101; torch.optim.Adam. */
#include "nn/optim/adam.h"
#include <math.h>

#define ADAM(name, T, SQRT)                                                                                                \
    GV_HOT static void name(T *restrict w, const T *restrict grad, T *restrict m, T *restrict v, int64_t n, T scale, T wd, \
                            T keep, T one_b1, T b2, T one_b2, T step_size, T correction, T eps)                            \
    {                                                                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                                                  \
            T x = w[i] * keep;                                                                                             \
            T g = grad[i] * scale + wd * x;                                                                                \
            m[i] += one_b1 * (g - m[i]);                                                                                   \
            v[i] = v[i] * b2 + one_b2 * g * g;                                                                             \
            w[i] = x - step_size * m[i] / (SQRT(v[i]) / correction + eps);                                                 \
        }                                                                                                                  \
    }
ADAM(adam_loop_f32, float, sqrtf)
ADAM(adam_loop_f64, double, sqrt)

/* Scalars are worked out in double and rounded once, as Python's floats are. */
#define CALL(loop, T)                                                                                                      \
    const gv_optim_hyper *h = p->h;                                                                                        \
    double c1 = 1 - pow(h->beta1, (double)p->step), c2 = 1 - pow(h->beta2, (double)p->step);                               \
    loop(p->param, p->grad, p->state[0], p->state[1], p->n, (T)p->grad_scale, decoupled ? 0 : (T)p->weight_decay,          \
         decoupled ? (T)(1 - p->lr * p->weight_decay) : 1, (T)(1 - h->beta1), (T)h->beta2, (T)(1 - h->beta2),              \
         (T)(p->lr / c1), (T)sqrt(c2), (T)h->eps)

void gv_adam_f32(const gv_optim_piece *p, bool decoupled)
{
    CALL(adam_loop_f32, float);
}

void gv_adam_f64(const gv_optim_piece *p, bool decoupled)
{
    CALL(adam_loop_f64, double);
}

static void update_f32(const gv_optim_piece *p)
{
    gv_adam_f32(p, false);
}

static void update_f64(const gv_optim_piece *p)
{
    gv_adam_f64(p, false);
}

const gv_optim gv_optim_adam = {
    .name = "Adam", .summary = "adaptive moments, decay in the gradient", .states = 2, .state = { "exp_avg", "exp_avg_sq" },
    .update_f32 = update_f32, .update_f64 = update_f64,
};
