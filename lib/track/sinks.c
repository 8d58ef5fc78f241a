/* sinks: the trackers there are. */
#include "track/track.h"

#define GV_SINK(n) extern const gv_sink gv_sink_##n;
#include "track/sinks.def"
#undef GV_SINK

#define GV_SINK(n) &gv_sink_##n,
const gv_sink *const gv_sinks[] = {
#include "track/sinks.def"
    NULL
};
#undef GV_SINK

const gv_sink *gv_sink_find(const char *name, gv_err *err)
{
    static const char *const later[] = { "wandb", "mlflow", "tensorboard" };
    char list[200] = "";
    for (int i = 0; gv_sinks[i]; i++) {
        if (!strcmp(gv_sinks[i]->name, name))
            return gv_sinks[i];
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", gv_sinks[i]->name);
    }
    for (size_t i = 0; i < GV_COUNT(later); i++)
        if (!strcmp(later[i], name)) {
            gv_fail(err, GV_EUSAGE, "delivery to '%s' is not built yet; the metrics stay in the run and can be delivered later (there are: %s)", name, list);
            return NULL;
        }
    gv_fail(err, GV_EUSAGE, "'%s' is no tracker; there are: %s", name, list);
    return NULL;
}
