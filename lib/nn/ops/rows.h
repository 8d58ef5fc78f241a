/* Sums over rows of a [rows, C] tensor, column by column: what batch and layer norm share. The rows are cut into GV_CHUNKS pieces, whatever
 * the number of threads, and added in order, so the result depends on nothing else. */
#ifndef GV_NN_OPS_ROWS_H
#define GV_NN_OPS_ROWS_H

#include "nn/ops/op.h"

enum { GV_CHUNKS = 32 };

/* Scratch for k sums per column. */
static inline size_t gv_rows_scratch(int64_t columns, int k)
{
    return (size_t)columns * (size_t)k * (GV_CHUNKS + 1) * sizeof(double);
}

/* part: [GV_CHUNKS, n]; the sums go to part + GV_CHUNKS * n. */
static inline double *gv_rows_total(double *part, int64_t n)
{
    double *sum = part + GV_CHUNKS * n;
    memset(sum, 0, (size_t)n * sizeof *sum);
    for (int k = 0; k < GV_CHUNKS; k++)
        for (int64_t i = 0; i < n; i++)
            sum[i] += part[k * n + i];
    return sum;
}

/* What stands behind the parts and the sums of n columns: room for a row in each piece. */
static inline void *gv_rows_room(void *part, int64_t n)
{
    return (double *)part + (GV_CHUNKS + 1) * n;
}

#endif
