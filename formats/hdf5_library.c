/* hdf5_library: HDF5 by dlopen (hdf5_library.h). */
#include "formats/hdf5_library.h"
#include "common/library.h"
#include <pthread.h>

gv_hdf5_calls gv_h5;

static const gv_library library = {
    "HDF5",
#include "hdf5_soname.inc" /* made by the Makefile: headers do not say it */
    , "libhdf5-dev"
};
static gv_err failure;

static void load(void)
{
    void *of = gv_library_load(&library, &failure), *id;
    if (!of)
        return;
    /* A function's name may be a macro that says which version of it is meant. */
#define FIND(name, to) \
    if (gv_library_find(&library, of, #name, to, &failure) < 0) \
        return;
#define GV_H5(function) FIND(function, (void **)&gv_h5.function)
#define GV_H5_ID(variable)
#include "formats/hdf5_calls.h"
#undef GV_H5
#undef GV_H5_ID
    gv_h5.H5dont_atexit(); /* before any other call */
    if (gv_h5.H5open() < 0) {
        gv_fail(&failure, GV_ESYS, "HDF5's library '%s' does not start", library.file);
        return;
    }
#define GV_H5(function)
#define GV_H5_ID(variable) \
    FIND(variable, &id) \
    gv_h5.variable = *(hid_t *)id;
#include "formats/hdf5_calls.h"
#undef GV_H5
#undef GV_H5_ID
#undef FIND
}

int gv_hdf5_load(gv_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (failure.code)
        return gv_fail(err, failure.code, "%s", failure.text);
    gv_h5.H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return GV_OK;
}
