/* lines: the epochs of a run, as metrics.jsonl has them. */
#include "plot/internal.h"
#include "common/file.h"
#include <limits.h>

enum { MAX_EPOCHS = 100000 };

/* A run is called by the last three parts of its directory: data set, group, fold. */
static void name_run(gv_plot_run *r, const char *path)
{
    static const char tail[] = "/metrics.jsonl";
    char full[PATH_MAX];
    const char *p = realpath(path, full) ? full : path;
    size_t n = strlen(p), from;
    if (n >= sizeof tail && !strcmp(p + n - (sizeof tail - 1), tail))
        n -= sizeof tail - 1;
    int parts = 0;
    for (from = n; from > 0; from--)
        if (p[from - 1] == '/' && ++parts == 3)
            break;
    snprintf(r->name, sizeof r->name, "%.*s", (int)(n - from), p + from);
}

int gv_plot_run_read(gv_plot_run *r, const char *path, gv_err *err)
{
    char file[4200];
    gv_buf b = { 0 };
    gv_plot_path(path, "metrics.jsonl", file);
    name_run(r, path);
    r->lines = json_array();
    int e = r->lines ? gv_file_read(file, (size_t)256 << 20, &b, err) : gv_fail(err, GV_ESYS, "out of memory");
    for (char *line = b.data; e == GV_OK && line && *line;) {
        char *nl = strchr(line, '\n');
        if (!nl)
            break; /* torn: its writer was killed, or is writing it now */
        json_t *j = gv_json_parse(line, (size_t)(nl - line), file, err);
        if (!j)
            e = err->code;
        else if (json_array_size(r->lines) == MAX_EPOCHS)
            e = gv_fail(err, GV_EDATA, "'%s' has more than %d lines", file, MAX_EPOCHS);
        else
            json_array_append(r->lines, j);
        json_decref(j);
        line = nl + 1;
    }
    gv_buf_release(&b);
    if (e == GV_OK && !json_array_size(r->lines))
        return gv_fail(err, GV_EDATA, "'%s' has no finished epoch yet", file);
    return e;
}

double gv_plot_value(const json_t *line, const char *prefix, const char *metric)
{
    char key[80];
    snprintf(key, sizeof key, "%s%s", prefix, metric);
    const json_t *v = json_object_get(line, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

bool gv_plot_lower(const char *metric)
{
    return !strcmp(metric, "loss") || !strcmp(metric, "MSE") || !strcmp(metric, "MAE");
}

double gv_plot_best(const gv_plot_run *r, const char *metric, size_t *at)
{
    bool lower = gv_plot_lower(metric);
    double best = NAN;
    for (size_t k = 0; k < json_array_size(r->lines); k++) {
        double v = gv_plot_value(json_array_get(r->lines, k), "val_", metric);
        if (isfinite(v) && (isnan(best) || (lower ? v < best : v > best))) {
            best = v;
            *at = k;
        }
    }
    return best;
}
