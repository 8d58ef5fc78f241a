/* The place random_resized_crop takes, from any source of uniform numbers: its tests give the ones torchvision was given. */
#ifndef GV_AUGMENT_RANDOM_RESIZED_CROP_H
#define GV_AUGMENT_RANDOM_RESIZED_CROP_H

#include "augment/augment.h"

typedef struct gv_random_resized_crop {
    int64_t size;
    double scale_min, scale_max, ratio_min, ratio_max;
    int interpolation;
} gv_random_resized_crop;

/* Draws in the order area, proportion, then row and column of a part that fits; [0, 1) each. */
void gv_random_resized_crop_place(const gv_random_resized_crop *o, int64_t h, int64_t w, double (*uniform)(void *), void *arg, gv_region *g);

#endif
