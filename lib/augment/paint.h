/* Painting shared by cutout and randaugment. */
#ifndef GV_AUGMENT_PAINT_H
#define GV_AUGMENT_PAINT_H

#include "augment/augment.h"

/* An RGB colour for samples of that many channels: as it is for 3, its luma otherwise. out has room for GV_MAX_CHANNELS. */
void gv_paint(const uint8_t rgb[3], int64_t channels, uint8_t *out);
/* A square of that side around a random centre, clipped, in cutout's colour. */
int gv_paint_square(gv_sample *x, int64_t size, gv_rng *rng, gv_err *err) GV_MUST_USE;

/* One operation of randaugment (0 … 14 in the order of its list), magnitude 0 … 9, sign -1 or 1; for its tests. */
int gv_randaugment_op(gv_sample *x, int op, int magnitude, double sign, gv_rng *rng, gv_arena *scratch, gv_err *err) GV_MUST_USE;

#endif
