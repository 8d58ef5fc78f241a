/* The number an average window divides by: its part inside the input, with count_include_pad also that in the padding (as in torch). */
#ifndef GV_NN_OPS_AVGPOOL_H
#define GV_NN_OPS_AVGPOOL_H

#include "nn/ops/window.h"

static inline int64_t gv_avg_count(const gv_geometry *q, const int64_t o[3], bool with_pad)
{
    int64_t n = 1;
    for (int d = 0; d < 3; d++) {
        int64_t a = o[d] * q->stride[d] - q->pad[d], b = gv_min64(a + q->k[d], q->i[d] + q->pad_end[d]);
        if (!with_pad) {
            a = gv_max64(a, 0);
            b = gv_min64(b, q->i[d]);
        }
        n *= b - a;
    }
    return n;
}

#endif
