/* names: the trackers a run names. Apart from the sinks themselves: who only asks for names links none of them. */
#include "track/track.h"
#include "common/file.h"

#define GV_SINK(n, ...) #n,
static const char *const names[] = {
#include "track/sinks.def"
    NULL
};
#undef GV_SINK

/* Adds a tracker once; none stands for nothing. */
static int add(const char *name, const char **v, int n, int max, gv_err *err)
{
    char list[200] = "";
    int k = 0;
    for (; names[k] && strcmp(names[k], name); k++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", k ? ", " : "", names[k]);
    if (!names[k])
        return gv_fail(err, GV_EUSAGE, "'%s' is no tracker; there are: %s", name, list);
    bool there = !strcmp(name, "none");
    for (int i = 0; i < n; i++)
        there |= v[i] == names[k];
    if (there)
        return n;
    if (n == max)
        return gv_fail(err, GV_EUSAGE, "a run names more than %d trackers", max);
    v[n] = names[k];
    return n + 1;
}

int gv_trackers_of_run(const char *run, const char **v, int max, gv_err *err)
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
