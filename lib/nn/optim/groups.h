/* Inside lib/nn/optim: parameter groups. */
#ifndef GV_NN_OPTIM_GROUPS_H
#define GV_NN_OPTIM_GROUPS_H

#include "nn/optim/optim.h"

/* One more than the largest i in "blocks.i." among the parameters; 0: none. */
int64_t gv_groups_blocks(const gv_graph *g);
/* The factor of the learning rate, and the weight decay, which comes in as the common one. */
void gv_groups_of(const gv_optim_groups *o, const char *name, const char *mark, int64_t blocks, double *lr_scale, double *weight_decay);

#endif
