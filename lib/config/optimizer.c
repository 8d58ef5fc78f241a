/* optimizer: the rule of the step and the schedule of its rate. */
#include "config/internal.h"

/* Those with a unit, and those the schema knows; one that gets its unit leaves the second line. */
#define GV_OPTIM(name, n) #name,
const char *const gv_optimizer_names[] = {
#include "nn/optim/optims.def"
    "RMSprop", "Madgrad", "Muon", NULL
};
static const char *const names_built[] = {
#include "nn/optim/optims.def"
    NULL
};
#undef GV_OPTIM
static const char *const schedulers[] = { "CosineAnneal", "Step", "MultiStep", NULL };
static const char *const adjust[] = { "original", "match_rms_adamw", NULL };

#define O struct gv_optimizer_config
static const gv_field fields[] = {
    GV_ENUM(O, name, GV_OPTIMIZER_AdamW, gv_optimizer_names, "optimizer; SGD has a momentum of 0.9"),
    GV_F64(O, lr, 2e-5, GV_ABOVE_0, INFINITY, "", "base learning rate"),
    GV_F64(O, weight_decay, 0.05, 0.0, INFINITY, "", "weight decay"),
    GV_BOOL(O, nesterov, false, "Nesterov momentum (SGD)"),
    GV_F64(O, muon_momentum, 0.95, 0.0, INFINITY, "", "momentum (Muon)"),
    GV_F64S(O, muon_ns_coefficients, "3.4445 -4.775 2.0315", -INFINITY, INFINITY, "", "three Newton-Schulz coefficients (Muon)"),
    GV_F64(O, muon_eps, 1e-7, GV_ABOVE_0, INFINITY, "", "epsilon (Muon)"),
    GV_I64(O, muon_ns_steps, 5, 1, 1000, "", "Newton-Schulz iterations (Muon)"),
    GV_OPT_ENUM(O, muon_adjust_lr_fn, adjust, "how the rate follows a matrix's shape (Muon)"),
    GV_OPT_F64(O, layer_wise_lr_decay, GV_ABOVE_0, GV_BELOW_1, "", "factor of the learning rate from each transformer block to the one below it"),
    GV_BOOL(O, undecay_norm, false, "no weight decay for biases and normalisation"),
    { .name = "scheduler", .type = GV_TYPE_ENUM, .optional = true, .offset = GV_FIELD_OF(O, scheduler, int), .def.i = GV_SCHEDULER_COSINE_ANNEAL, .choices = schedulers, .unit = "", .help = "schedule of the learning rate, a step an epoch" },
    GV_I64(O, warmup_epochs, 10, 0, 1000000, "epoch", "epochs in which the learning rate rises to its base value"),
    GV_END
};
static const gv_built built[] = { { "name", names_built }, { NULL, NULL } };

const gv_block gv_block_optimizer = {
    .path = "optimizer", .summary = "optimizer and learning rate", .offset = offsetof(gv_config, optimizer), .fields = fields, .built = built,
};
