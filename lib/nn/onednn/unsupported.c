/* Ops that the plain kernels serve here too: they move or touch each number once, in loops that are compiled for several
 * instruction sets and run in all threads already. */
#include "nn/onednn/kernels.h"

#define UNSUPPORTED(op)                                                                                    \
    int gv_onednn_##op(gv_onednn *ctx GV_UNUSED, const gv_call *c GV_UNUSED, gv_kernel *k GV_UNUSED, gv_err *err GV_UNUSED) \
    {                                                                                                      \
        return GV_UNSUPPORTED;                                                                             \
    }

UNSUPPORTED(add)
UNSUPPORTED(sub)
UNSUPPORTED(mul)
UNSUPPORTED(div)
UNSUPPORTED(affine)
UNSUPPORTED(maxpool)
UNSUPPORTED(maxpool_grad)
UNSUPPORTED(avgpool)
UNSUPPORTED(avgpool_grad)
UNSUPPORTED(reduce_max_grad)
UNSUPPORTED(broadcast)
UNSUPPORTED(reshape)
UNSUPPORTED(permute)
UNSUPPORTED(slice)
UNSUPPORTED(pad)
UNSUPPORTED(concat)
UNSUPPORTED(cast)
UNSUPPORTED(detach)
UNSUPPORTED(constant)
UNSUPPORTED(dropout)
UNSUPPORTED(topk)
UNSUPPORTED(gather)
UNSUPPORTED(gather_grad)
UNSUPPORTED(noise)
UNSUPPORTED(rotary)
UNSUPPORTED(normalize)
UNSUPPORTED(mix)
UNSUPPORTED(one_hot)
UNSUPPORTED(cross_entropy)
UNSUPPORTED(cross_entropy_grad)
UNSUPPORTED(bce_logits)
UNSUPPORTED(mse)
UNSUPPORTED(update)
UNSUPPORTED(count)
