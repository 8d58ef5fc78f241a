/*
 * Reading a volume for training: decoded, turned, resampled, normalised by a plan. The data set makes the plan from its fields, index
 * puts it into the header (`volume`, a map), decode follows it; so a stream tells how its volumes were made.
 *
 *   gv_scan_plan p;
 *   if (gv_scan_plan_read(&p, gv_reader_header(in), err) < 0 || gv_scan_load(&p, bytes, NULL, 1, 1 << 30, &v, arena, err) < 0) …
 *
 * What comes out is float32 [D,H,W,C] without NaN, with the spacing and the matrix of its own grid.
 */
#ifndef GV_DATA_SCAN_H
#define GV_DATA_SCAN_H

#include "data/open.h"
#include "formats/scan.h"
#include "stream/stream.h"

enum { GV_ORIENTATION_AS_STORED, GV_ORIENTATION_RAS };
enum { GV_NORMALIZATION_AUTO, GV_NORMALIZATION_NONE, GV_NORMALIZATION_ZSCORE, GV_NORMALIZATION_ZSCORE_NONZERO, GV_NORMALIZATION_WINDOW };
extern const char *const gv_orientations[], *const gv_normalizations[]; /* their names, NULL behind */

typedef struct gv_scan_plan {
    bool ras, resample;
    double spacing[3];   /* wanted, D H W, mm */
    int order;           /* of the spline: 0, 1, 3 */
    int normalization;   /* GV_NORMALIZATION_*; auto: none for b2nd, which nnU-Net has normalised, zscore for others */
    double window[2];    /* low, high */
    const char *dataset; /* of HDF5 files; NULL: their only one */
} gv_scan_plan;

/* As the header's map, in the arena; nil when the arena is full (err filled). */
gv_item gv_scan_plan_item(const gv_scan_plan *p, gv_arena *arena, gv_err *err);
/* From a header; without the map nothing is turned or resampled. Texts are the header's. */
int gv_scan_plan_read(gv_scan_plan *p, const gv_record *header, gv_err *err) GV_MUST_USE;
/* What lies beside a file that does not know its voxels, as nnU-Net writes it: case.json beside case.tif, {"spacing": [z, y, x]}. 1, 0 when
 * there is none, GV_EDATA when it says something else. Only images in TIFF and NPY are asked for. */
int gv_scan_beside(const gv_roots *roots, const char *path, double spacing[3], gv_err *err) GV_MUST_USE;
/* beside: what that said, or NULL. channels: as many are wanted; one is repeated, other numbers must agree; 0: as they are. max: bytes of
 * the values. */
int gv_scan_load(const gv_scan_plan *p, gv_bytes b, const double *beside, int64_t channels, size_t max, gv_scan *v, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
