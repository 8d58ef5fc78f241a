/* The parts of color_jitter, gaussian_blur and gauss_noise that follow from numbers already drawn: their tests give those that
 * albumentations was given. */
#ifndef GV_AUGMENT_ALBUMENTATIONS_H
#define GV_AUGMENT_ALBUMENTATIONS_H

#include "augment/augment.h"

/* The four changes (0 brightness, 1 contrast, 2 saturation, 3 hue) in the given order, with factor[i] for change i. */
int gv_color_jitter(gv_sample *x, const double factor[4], const int64_t order[4], gv_err *err) GV_MUST_USE;

/* exp(-x² / 2 sigma²) for x = -size/2 … size/2, with sum 1. */
void gv_gaussian_kernel(double sigma, int size, float *weight);

/* n numbers of data (GV_U8 or GV_F32T) plus normal[i] times sigma, a fraction of the type's largest value. */
void gv_gauss_noise(void *data, gv_dtype dtype, const double *normal, size_t n, double sigma);

#endif
