/* tuned: where the measured kernels of a machine are kept (nn/tune.h has the table). One file for each machine line, named by its hash, so
 * that machines that share a home directory do not overwrite each other's. */
#include "common/file.h"
#include "common/log.h"
#include "json/json.h"
#include "session/session.h"
#include <libgen.h>
#include <stdlib.h>
#include <xxhash.h>

enum { CAP = 32 << 20, PATH = 4200 };

/* False: there is no place for it. */
static bool place(const gv_tuning *t, char path[PATH])
{
    const char *wish = getenv("GLOVITA_KERNELS"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const char *line = gv_tuning_machine(t);
    unsigned long long hash = XXH3_64bits(line, strlen(line));
    if (wish)
        return *wish && snprintf(path, PATH, "%s", wish) < PATH;
    if (cache && *cache == '/')
        return snprintf(path, PATH, "%s/glovita/kernels-%016llx.txt", cache, hash) < PATH;
    return home && *home == '/' && snprintf(path, PATH, "%s/.cache/glovita/kernels-%016llx.txt", home, hash) < PATH;
}

static int read_text(gv_tuning *t, const char *path, const char *text, size_t n, gv_err *err)
{
    bool other;
    gv_err why = { 0 };
    if (gv_tuning_read(t, text, n, &other, &why) == GV_ESYS)
        return gv_fail(err, GV_ESYS, "%s", why.text);
    if (why.code)
        gv_log(GV_WARNING, "the measured kernels in '%s' are left out: %s (--tune makes them again)", path, why.text);
    else if (other)
        gv_log(GV_WARNING, "the measured kernels in '%s' are of another machine, library or number of threads: kernels are chosen by the rules, and results may differ by rounding", path);
    return GV_OK;
}

static int read_cache(gv_tuning *t, gv_err *err)
{
    char path[PATH];
    gv_buf text = { 0 };
    if (!place(t, path) || !gv_file_exists(path))
        return GV_OK;
    gv_err why = { 0 };
    int r = gv_file_read(path, CAP, &text, &why);
    if (r < 0)
        gv_log(GV_WARNING, "%s", why.text);
    r = r < 0 ? GV_OK : read_text(t, path, text.data, text.len, err);
    gv_buf_release(&text);
    return r;
}

/* "measured" of a run's plan.json: the lines of the table. */
static int read_run(gv_tuning *t, const char *run, gv_err *err)
{
    char path[PATH];
    gv_buf text = { 0 };
    size_t i;
    const json_t *line;
    snprintf(path, sizeof path, "%s/plan.json", run);
    if (!gv_file_exists(path)) /* it never came to its first step */
        return GV_OK;
    json_t *plan = gv_json_read(path, CAP, err);
    if (!plan)
        return err->code;
    int r = GV_OK;
    json_array_foreach(json_object_get(plan, "measured"), i, line)
        if (r == GV_OK)
            r = gv_buf_printf(&text, err, "%s\n", json_is_string(line) ? json_string_value(line) : "");
    if (r == GV_OK && text.len)
        r = read_text(t, path, text.data, text.len, err);
    json_decref(plan);
    gv_buf_release(&text);
    return r;
}

int gv_tuned_open(gv_tuning **t, const gv_plan_options *o, const char *run, gv_err *err)
{
    int r = gv_tuning_open(t, o->backend, o->threads, err);
    if (r == GV_OK)
        r = run ? read_run(*t, run, err) : read_cache(*t, err);
    return r;
}

/* One line for each call where the rules were not the best. */
static void tell(void *arg, const char *key, const gv_tuned *v, int n)
{
    char line[600];
    (void)arg;
    for (int i = 1; i < n; i++)
        if (v[i].by_rules && v[i].ms > 1.02 * v[0].ms) {
            snprintf(line, sizeof line, "tune         %s: %s, %.2f ms (%s: %.2f)\n", key, v[0].name, v[0].ms, v[i].name, v[i].ms);
            fputs(line, stderr);
        }
}

void gv_tuned_measure(gv_tuning *t)
{
    fputs("tune         measuring the kernels of this model's products and convolutions; where a line follows, the rules had chosen the one in brackets\n", stderr);
    gv_tuning_measure(t, tell, NULL);
}

int gv_tuned_save(const gv_tuning *t, gv_err *err)
{
    char path[PATH], dir[PATH];
    gv_buf text = { 0 };
    if (!place(t, path))
        return GV_OK;
    snprintf(dir, sizeof dir, "%s", path);
    int r = gv_mkdirs(dirname(dir), err);
    if (r == GV_OK)
        r = gv_tuning_text(t, &text, err);
    if (r == GV_OK)
        r = gv_file_write(path, text.data, text.len, err);
    gv_buf_release(&text);
    return r;
}
