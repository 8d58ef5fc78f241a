/* Sums of weight gradients, taken in the order of taps, to the order of weights. */
#ifndef GV_NN_ONEDNN_WGRAD_COLLECT_H
#define GV_NN_ONEDNN_WGRAD_COLLECT_H

#include "nn/onednn/own.h"

/* For one output channel: dw[i][tap] = the sum over the parts, `size` apart, of sums[part][tap][i] */
void dn_wgrad_collect(const float *sums, float *dw, int64_t parts, int64_t size, int64_t I, int64_t taps);

#endif
