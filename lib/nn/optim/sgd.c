/* sgd: momentum without dampening, weight decay in the gradient, Nesterov's form on request.
 *   g += wd w;  b = mu b + g;  w -= lr (nesterov ? g + mu b : b)
 * The buffer starts from zeros, so that after the first step it is g, as in torch.optim.SGD.
 * Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"; torch.optim.SGD. */
#include "nn/optim/optim.h"

/* clang gives the resolver of a static GV_HOT function an external name: these names must differ between files. */
#define SGD(name, T)                                                                                                       \
    GV_HOT static void name(T *restrict w, const T *restrict grad, T *restrict b, int64_t n, T scale, T wd, T mu, T nesterov, T lr) \
    {                                                                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                                                  \
            T g = grad[i] * scale + wd * w[i];                                                                             \
            b[i] = b[i] * mu + g;                                                                                          \
            w[i] -= lr * (nesterov != 0 ? g + mu * b[i] : b[i]);                                                           \
        }                                                                                                                  \
    }
SGD(sgd_loop_f32, float)
SGD(sgd_loop_f64, double)

static void update_f32(const gv_optim_piece *p)
{
    sgd_loop_f32(p->param, p->grad, p->state[0], p->n, (float)p->grad_scale, (float)p->weight_decay, (float)p->h->momentum, p->h->nesterov, (float)p->lr);
}

static void update_f64(const gv_optim_piece *p)
{
    sgd_loop_f64(p->param, p->grad, p->state[0], p->n, p->grad_scale, p->weight_decay, p->h->momentum, p->h->nesterov, p->lr);
}

const gv_optim gv_optim_sgd = {
    .name = "SGD", .summary = "stochastic gradient descent with momentum", .states = 1, .state = { "momentum_buffer" },
    .update_f32 = update_f32, .update_f64 = update_f64,
};
