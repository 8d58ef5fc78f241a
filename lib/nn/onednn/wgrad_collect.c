/* wgrad_collect: a file of its own, since clang gives what chooses among the variants of a GV_HOT function one name in all files that have it. */
#include "nn/onednn/wgrad_collect.h"

GV_HOT static void onednn_wgrad_collect(const float *sums, float *dw, int64_t parts, int64_t size, int64_t I, int64_t taps)
{
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t i = 0; i < I; i++) {
            float s = sums[tap * I + i];
            for (int64_t part = 1; part < parts; part++)
                s += sums[part * size + tap * I + i];
            dw[i * taps + tap] = s;
        }
}

void dn_wgrad_collect(const float *sums, float *dw, int64_t parts, int64_t size, int64_t I, int64_t taps)
{
    onednn_wgrad_collect(sums, dw, parts, size, I, taps);
}
