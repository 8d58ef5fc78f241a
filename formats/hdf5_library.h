/*
 * The HDF5 library, loaded when the first file asks for it, and kept quiet.
 *
 *   if (gv_hdf5_load(err) < 0) return GV_ESYS;
 *   hid_t access = gv_h5.H5Pcreate(gv_h5.H5P_CLS_FILE_ACCESS_ID_g);
 *
 * It brings some 30 libraries along (libcurl's, for files in the cloud), 5 ms of each start and a MB of each process. So no program is linked with it:
 * functions are called through gv_h5, and what its headers make of variables (H5T_NATIVE_FLOAT) is the member of the variable's name; hdf5_calls.h lists both.
 */
#ifndef GV_FORMATS_HDF5_LIBRARY_H
#define GV_FORMATS_HDF5_LIBRARY_H

#include "common/err.h"
#include <hdf5.h>

/* What its constants call first; gv_hdf5_load has. */
#undef H5CHECK
#undef H5OPEN
#define H5CHECK
#define H5OPEN

typedef struct gv_hdf5_calls {
#define GV_H5(function) __typeof__(function) *function;
#define GV_H5_ID(variable) hid_t variable;
#include "formats/hdf5_calls.h"
#undef GV_H5
#undef GV_H5_ID
} gv_hdf5_calls;

extern gv_hdf5_calls gv_h5; /* of use once gv_hdf5_load has answered GV_OK */

/* Load the library of the version that the program was made for, once. In this thread it prints nothing, and it does nothing when the process ends.
 * GV_ESYS: it is missing. Any thread. */
int gv_hdf5_load(gv_err *err) GV_MUST_USE;

#endif
