/* The compile function of every op, from the list of ops: one without a file here fails to link. Ops that have no kernel of
 * their own say so in unsupported.c. */
#ifndef GV_NN_ONEDNN_KERNELS_H
#define GV_NN_ONEDNN_KERNELS_H

#include "nn/onednn/onednn.h"

#define GV_OP(n) gv_onednn_compile gv_onednn_##n;
#include "nn/ops/ops.def"
#undef GV_OP

#endif
