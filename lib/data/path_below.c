/* path_below: how records name a file that the user gave, outside the data set's own layout. */
#include "data/internal.h"
#include <libgen.h>

const char *gv_data_path_below(gv_data *d, const char *file, gv_arena *arena, gv_err *err)
{
    char dir[4096], base[4096];
    snprintf(dir, sizeof dir, "%s", file);
    snprintf(base, sizeof base, "%s", file);
    if (!d->root && !(d->root = gv_arena_strdup(arena, dirname(dir), err)))
        return NULL;
    snprintf(dir, sizeof dir, "%s", file);
    if (!strcmp(dirname(dir), d->root))
        return gv_arena_strdup(arena, basename(base), err);
    char *full = realpath(file, NULL), *copy = full ? gv_arena_strdup(arena, full, err) : NULL;
    if (!full)
        gv_fail_sys(err, "cannot find '%s'", file);
    free(full);
    return copy;
}
