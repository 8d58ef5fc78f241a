/* Memory by lifetime: intervals of the list of execution and sizes in, offsets out. */
#ifndef GV_NN_PLACE_H
#define GV_NN_PLACE_H

#include "common/arena.h"
#include <stdint.h>

typedef struct gv_interval {
    int first, last;  /* both inclusive */
    size_t bytes;
    size_t offset;    /* out: a multiple of 64 */
} gv_interval;

/* No two intervals that overlap in time overlap in memory. Largest first, each into the smallest hole that holds it, else at the end.
 * `gap` bytes stay free around each (0, or 64 for guards). *total: bytes of the whole. */
int gv_place(gv_interval *v, int n, size_t gap, gv_arena *scratch, size_t *total, gv_err *err) GV_MUST_USE;

#endif
