/*
 * Volumes: what a file says of a part of space, [D,H,W,C], and where it lies.
 *
 *   gv_scan v;
 *   gv_scan_options o = { .ras = true };
 *   if (gv_scan_decode(bytes, &o, &v, arena, err) < 0)
 *       return gv_fail_in(err, "cannot decode '%s'", path);
 *
 * The axes are D, H, W from the slowest to the fastest in the file: z, y, x of a NIfTI file, pages, rows, columns of a TIFF file.
 * Values keep the file's type; where the file scales them (NIfTI's slope and intercept) they are float32 (float64 from float64).
 * What gzip holds is read as the file in it. A format of volumes is a file in this folder with `.volume`; it checks what its
 * header claims (gv_shape_check) before it takes memory.
 */
#ifndef GV_FORMATS_SCAN_H
#define GV_FORMATS_SCAN_H

#include "formats/format.h"

typedef struct gv_scan {
    const char *format;
    gv_sample x;         /* [D,H,W,C] */
    bool placed, turned; /* spacing is known (otherwise 1 mm); and how the axes lie (otherwise as the array's) */
    double spacing[3];   /* of D, H, W, mm */
    double affine[3][4]; /* (d, h, w, 1) to mm; the world's axes go right, anterior, superior (RAS+). The file's own matrix for (x, y, z, 1)
                          * has the first three columns in the other order */
} gv_scan;

typedef struct gv_scan_options {
    size_t max_input, max_output; /* as in gv_decode_options; max_input goes for what gzip holds */
    const char *dataset;          /* of an HDF5 file; NULL: the only one of 3 or 4 axes */
    bool ras;                     /* turn and mirror the axes so that W goes right, H anterior, D superior, as nearly as they can */
} gv_scan_options;

/* From memory. The values live in arena. GV_EDATA for content that is no volume, is cut, lies, or is too large; GV_ESYS for a full arena. */
int gv_scan_decode(gv_bytes b, const gv_scan_options *o, gv_scan *out, gv_arena *arena, gv_err *err) GV_MUST_USE;

/* Sides of voxels from elsewhere, for a volume that does not know its own: D, H, W, mm. */
void gv_scan_space(gv_scan *v, const double spacing[3]);

/* For formats: a shape of 3 axes gets one channel; others must have 4. GV_EDATA, saying which are read, for other numbers of axes. */
int gv_scan_axes(gv_sample *shape, const char *what, gv_err *err) GV_MUST_USE;
/* Turn the byte order of n elements of `size` bytes. */
void gv_swap_bytes(void *p, size_t n, size_t size);

#endif
