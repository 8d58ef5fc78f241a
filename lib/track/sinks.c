/* sinks: the trackers there are. */
#include "track/track.h"
#include "common/file.h"

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

/* Adds the sink of that name once; none stands for nothing. */
static int add(const char *name, const gv_sink **v, int n, int max, gv_err *err)
{
    const gv_sink *s = gv_sink_find(name, err);
    if (!s)
        return err->code;
    bool there = s == &gv_sink_none;
    for (int i = 0; i < n; i++)
        there |= v[i] == s;
    if (there)
        return n;
    if (n == max)
        return gv_fail(err, GV_EUSAGE, "a run names more than %d trackers", max);
    v[n] = s;
    return n + 1;
}

int gv_sinks_of_run(const char *run, const gv_sink **v, int max, gv_err *err)
{
    char path[4200];
    int n = 0;
    snprintf(path, sizeof path, "%.4000s/config.json", run);
    if (!gv_file_exists(path))
        return 0;
    json_t *j = gv_json_read(path, 64 << 20, err);
    if (!j)
        return err->code;
    const json_t *logger = json_object_get(j, "logger"), *also = json_object_get(logger, "also");
    const char *backend = json_string_value(json_object_get(logger, "backend"));
    if (backend)
        n = add(backend, v, n, max, err);
    for (size_t i = 0; n >= 0 && i < json_array_size(also); i++)
        if (json_is_string(json_array_get(also, i)))
            n = add(json_string_value(json_array_get(also, i)), v, n, max, err);
    json_decref(j);
    return n;
}
