/* wandb: to come. */
#include "track/track.h"
const gv_sink gv_sink_wandb = { .name = "wandb", .summary = "Weights & Biases" };
