/*
 * Data sets of HDF5 files that strangers wrote: only a hard link to numbers stored in the file itself is opened.
 *
 *   if (gv_hdf5_load(err) < 0) …
 *   hid_t set;
 *   if (gv_hdf5_open_set(file, "scan.h5", "image", 64 << 20, &set, err) <= 0) …     // 0: there is none, err untouched
 *   int64_t shape[GV_MAX_DIMS];
 *   int axes = gv_hdf5_shape(set, shape);
 *
 * Links to other files, virtual data sets and external storage are GV_EDATA: they would open paths.
 */
#ifndef GV_FORMATS_HDF5_SET_H
#define GV_FORMATS_HDF5_SET_H

#include "common/dtype.h"
#include "formats/hdf5_library.h"
#include <stdbool.h>

/* 1 and the set (gv_h5.H5Dclose it), 0 when there is none of that name, or GV_EDATA. cache: bytes for chunks. */
int gv_hdf5_open_set(hid_t file, const char *what, const char *name, size_t cache, hid_t *out, gv_err *err) GV_MUST_USE;
/* The number of axes, at most GV_MAX_DIMS, with their sizes; -1 for other data spaces. */
int gv_hdf5_shape(hid_t set, int64_t shape[GV_MAX_DIMS]);
/* The number type of a set's elements, whatever their byte order; -1 for others. */
int gv_hdf5_dtype(hid_t set);
/* The library's type that reads as it, in this machine's byte order. */
hid_t gv_hdf5_native(gv_dtype t);

#endif
