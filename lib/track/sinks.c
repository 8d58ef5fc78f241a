/* sinks: the trackers there are. */
#include "track/track.h"

#define GV_SINK(n, ...) &gv_sink_##n,
const gv_sink *const gv_sinks[] = {
#include "track/sinks.def"
    NULL
};
#undef GV_SINK

const gv_sink *gv_sink_find(const char *name, gv_err *err)
{
    char list[200] = "";
    for (int i = 0; gv_sinks[i]; i++) {
        if (!strcmp(gv_sinks[i]->name, name))
            return gv_sinks[i];
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", gv_sinks[i]->name);
    }
    gv_fail(err, GV_EUSAGE, "'%s' is no tracker; there are: %s", name, list);
    return NULL;
}
