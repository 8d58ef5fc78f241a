/* adamw: Adam with decoupled weight decay; the loop and its sources stand in adam.c. */
#include "nn/optim/adam.h"

static void update_f32(const gv_optim_piece *p)
{
    gv_adam_f32(p, true);
}

static void update_f64(const gv_optim_piece *p)
{
    gv_adam_f64(p, true);
}

const gv_optim gv_optim_adamw = {
    .name = "AdamW", .summary = "adaptive moments, decoupled decay", .states = 2, .state = { "exp_avg", "exp_avg_sq" },
    .update_f32 = update_f32, .update_f64 = update_f64,
};
