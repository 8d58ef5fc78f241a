/*
 * Libraries that are loaded when something asks for them, because they bring many others along.
 *
 *   static const gv_library hdf5 = { "HDF5", "libhdf5.so.310", "libhdf5-dev" };
 *   void *of = gv_library_load(&hdf5, err);
 *   if (!of || gv_library_find(&hdf5, of, "H5open", &open, err) < 0) …
 *
 * A loaded library stays until the process ends. dlopen(3) says where it is looked for.
 */
#ifndef GV_COMMON_LIBRARY_H
#define GV_COMMON_LIBRARY_H

#include "common/err.h"

typedef struct gv_library { const char *of, *file, *package; } gv_library; /* whose it is; its soname; Debian's name of what brings it */

/* What gv_library_find wants, or NULL and GV_ESYS in err. */
void *gv_library_load(const gv_library *l, gv_err *err);
/* *symbol: the function or variable of that name. GV_ESYS: the library has none. */
int gv_library_find(const gv_library *l, void *loaded, const char *name, void **symbol, gv_err *err) GV_MUST_USE;

#endif
