/* Inside lib/nn/optim: the loop that Adam and AdamW share. */
#ifndef GV_NN_OPTIM_ADAM_H
#define GV_NN_OPTIM_ADAM_H

#include "nn/optim/optim.h"

void gv_adam_f32(const gv_optim_piece *p, bool decoupled);
void gv_adam_f64(const gv_optim_piece *p, bool decoupled);

#endif
