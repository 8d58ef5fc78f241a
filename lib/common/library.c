/* library: dlopen(3) with errors that say what to install. */
#include "common/library.h"
#include <dlfcn.h>

void *gv_library_load(const gv_library *l, gv_err *err)
{
    void *loaded = dlopen(l->file, RTLD_LAZY | RTLD_LOCAL);
    if (!loaded)
        gv_fail(err, GV_ESYS, "%s's library '%s' cannot be loaded (%s); on Debian and Ubuntu, apt install %s", l->of, l->file, dlerror(), l->package);
    return loaded;
}

int gv_library_find(const gv_library *l, void *loaded, const char *name, void **symbol, gv_err *err)
{
    if ((*symbol = dlsym(loaded, name)))
        return GV_OK;
    return gv_fail(err, GV_ESYS, "%s's library '%s' has no %s; it is not the version that this program was made for", l->of, l->file, name);
}
