/*
 * Arithmetic on volumes, for augmentation: float32, any values, 1 to 3 spatial axes.
 *
 *   gv_volume v;
 *   gv_sample_to_float(&x, arena, err);
 *   gv_volume_of(&x, c, &v, arena, err);            // channel c as a dense block [n0,n1,n2]
 *   gv_volume_blur(&v, (double[3]){ 1, 1, 1 }, arena, err);
 *   gv_volume_back(&v, &x, c);
 *
 * A volume of fewer than 3 axes has leading ones: an image is [1,H,W], and every function then does what it does in 2D.
 * What follows from numbers drawn at random is given as arguments here; lib/augment draws them.
 * Source of all arithmetic: batchgeneratorsv2 3cb4f07 (Apache-2.0) as behaviour; golden values in tests/golden/augment/volumes.txt.
 */
#ifndef GV_SAMPLE_VOLUME_H
#define GV_SAMPLE_VOLUME_H

#include "sample/sample.h"

enum { GV_VOLUME_AXES = 3 };

typedef struct gv_volume {
    int axes;                   /* spatial axes of the sample, 1 to 3 */
    int64_t n[GV_VOLUME_AXES];
    float *v;
} gv_volume;

/* The sample as float32, its values unchanged; new memory unless it is so already. */
int gv_sample_to_float(gv_sample *x, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Channel c of a float32 sample: the sample's own numbers where it has one channel, a copy otherwise. GV_EDATA above 3 spatial axes. */
int gv_volume_of(const gv_sample *x, int64_t c, gv_volume *v, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* The channel put back; v may have got new memory. */
void gv_volume_back(const gv_volume *v, gv_sample *x, int64_t c);

static inline int64_t gv_volume_count(const gv_volume *v)
{
    return v->n[0] * v->n[1] * v->n[2];
}

/* ---- geometry of whole samples ---- */

/* The middle of every spatial axis, size[a] long: from floor(n / 2) - floor(size / 2); zeros outside. Any dtype. */
int gv_sample_center(gv_sample *x, const int64_t *size, gv_arena *arena, gv_err *err) GV_MUST_USE;

/*
 * y[o] = x at M (o - (size - 1) / 2) + (n - 1) / 2, linear between voxels, 0 outside; M is [axes][axes] in the order of the axes.
 * PyTorch's grid_sample with align_corners False over a grid centred on the sample. in_plane: the first axis of three is only
 * cropped as gv_sample_center does, and M is 2 x 2. float32 is made of other types. GV_EDATA unless there are 2 or 3 spatial axes.
 */
int gv_sample_affine(gv_sample *x, const double *m, bool in_plane, const int64_t *size, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* The matrix of angles (radians, one an axis; two axes take the last) and scales, one an axis: Rz Ry Rx diag(scale), where the
 * first axis is x. Scales above 1 shrink what is seen. m: [axes][axes]. */
void gv_affine_matrix(int axes, const double *angle, const double *scale, double *m);

/* y[i0,i1,…] = x with axis a of y being axis order[a] of x, read backwards where flip[order[a]]; channels stay. Any dtype. */
int gv_sample_reorder(gv_sample *x, const int *order, const bool *flip, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* ---- one channel; new numbers in place or in new memory of the arena ---- */

typedef struct gv_volume_stats { float min, max; double mean, deviation; /* unbiased */ } gv_volume_stats;
void gv_volume_describe(const gv_volume *v, gv_volume_stats *s);

/* A Gaussian of sigma[a] (voxels) along each axis, cut to the odd number of taps nearest to 6 sigma + 0.5, mirrored about the edge voxels. */
int gv_volume_blur(gv_volume *v, const double sigma[GV_VOLUME_AXES], gv_arena *arena, gv_err *err) GV_MUST_USE;
/* v + strength times (2 axes v - the neighbours along each axis), edges repeated. */
int gv_volume_sharpen(gv_volume *v, double strength, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* The value of rank size^axes / 2 (from 0) of the size^axes voxels around each, from -(size / 2) on, mirrored at the edges; size 1 to
 * GV_MAX_MEDIAN. Always a value of the window; where others lie within 1/65535 of the volume's range, perhaps the next to the right one. */
enum { GV_MAX_MEDIAN = 15 };
int gv_volume_median(gv_volume *v, int size, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* Nearest voxels of round(n scale) a side, then linear back to n. scale in (0, 1]. */
int gv_volume_low_resolution(gv_volume *v, const double scale[GV_VOLUME_AXES], gv_arena *arena, gv_err *err) GV_MUST_USE;

void gv_volume_scale_add(gv_volume *v, float factor, float summand);           /* v factor + summand */
void gv_volume_contrast(gv_volume *v, double factor, bool preserve_range);     /* about the mean; cut to the old range or not */
/* On the range scaled to 0 … 1, x^gamma; of -v where inverted; mean and deviation restored where they are to be retained. */
void gv_volume_gamma(gv_volume *v, double gamma, bool invert, bool retain_stats);
/* deviation times normal[i] added to n numbers. */
void gv_volume_add_noise(float *v, const double *normal, int64_t n, float deviation);
/* A box becomes its mean. */
void gv_volume_blank(gv_volume *v, const int64_t first[GV_VOLUME_AXES], const int64_t size[GV_VOLUME_AXES]);

/* A bump, the product over the axes of how much of a Gaussian lies in each voxel, from 0 to 1: centre[a] in voxels from the start of
 * voxel 0's number (its middle is 0), deviation scale[a]. */
typedef struct gv_bump { double centre[GV_VOLUME_AXES], scale[GV_VOLUME_AXES]; } gv_bump;
int gv_volume_add_bump(gv_volume *v, const gv_bump *b, double strength, gv_arena *arena, gv_err *err) GV_MUST_USE;
/* By the bump's share the range-scaled values to the power of gamma. */
int gv_volume_local_gamma(gv_volume *v, const gv_bump *b, double gamma, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
