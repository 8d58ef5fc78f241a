/* backends: the registry. */
#include "nn/backend.h"

#define GV_BACKEND(n) extern const gv_backend gv_backend_##n;
#include "nn/backends.def"
#undef GV_BACKEND

static const gv_backend *const table[] = {
#define GV_BACKEND(n) &gv_backend_##n,
#include "nn/backends.def"
#undef GV_BACKEND
};

const gv_backend *gv_backend_find(const char *name)
{
    for (size_t i = 0; i < GV_COUNT(table); i++)
        if (!strcmp(table[i]->name, name) && table[i]->version == GV_BACKEND_VERSION)
            return table[i];
    return NULL;
}

bool gv_backend_known(const char *name)
{
    return gv_backend_find(name) != NULL;
}
