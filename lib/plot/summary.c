/* summary: a table of runs: epochs, and of each metric the best value of val with its epoch. */
#include "plot/internal.h"

enum { MAX_COLUMNS = 32, MAX_RUNS = 1000 };

typedef struct summary {
    const char *metric[MAX_COLUMNS]; /* lent by the runs' lines */
    int columns;
} summary;

/* "val_F1" is a column, made when it is new; those of single classes are none. */
static void add_column(summary *s, const char *key)
{
    if (strncmp(key, "val_", 4) || strstr(key, "_class_") || s->columns == MAX_COLUMNS)
        return;
    for (int i = 0; i < s->columns; i++)
        if (!strcmp(s->metric[i], key + 4))
            return;
    s->metric[s->columns++] = key + 4;
}

static void find_columns(summary *s, const gv_plot_run *r)
{
    const char *key;
    json_t *v;
    json_object_foreach(json_array_get(r->lines, 0), key, v)
        add_column(s, key);
}

static void cell(char *to, size_t n, const gv_plot_run *r, const char *metric)
{
    size_t at = 0;
    double best = gv_plot_best(r, metric, &at);
    if (isfinite(best))
        snprintf(to, n, "%.4f (%zu)", best, at + 1);
    else
        snprintf(to, n, "-");
}

static void print(const summary *s, const gv_plot_run *runs, int n)
{
    char text[64];
    int name = 3, width[MAX_COLUMNS];
    for (int i = 0; i < n; i++)
        name = (int)strlen(runs[i].name) > name ? (int)strlen(runs[i].name) : name;
    printf("%-*s  epochs", name, "run");
    for (int c = 0; c < s->columns; c++) {
        width[c] = (int)strlen(s->metric[c]);
        for (int i = 0; i < n; i++) {
            cell(text, sizeof text, &runs[i], s->metric[c]);
            width[c] = (int)strlen(text) > width[c] ? (int)strlen(text) : width[c];
        }
        printf("  %*s", width[c], s->metric[c]);
    }
    printf("\n");
    for (int i = 0; i < n; i++) {
        printf("%-*s  %6zu", name, runs[i].name, json_array_size(runs[i].lines));
        for (int c = 0; c < s->columns; c++) {
            cell(text, sizeof text, &runs[i], s->metric[c]);
            printf("  %*s", width[c], text);
        }
        printf("\n");
    }
}

int gv_plot_summary(const char *const *paths, int n, gv_err *err)
{
    if (n < 1 || n > MAX_RUNS)
        return gv_fail(err, GV_EUSAGE, "%d runs are given; a table holds 1 to %d", n, MAX_RUNS);
    summary s = { .columns = 0 };
    gv_plot_run *runs = gv_alloc((size_t)n * sizeof *runs, err);
    int r = runs ? GV_OK : GV_ESYS;
    for (int i = 0; r == GV_OK && i < n; i++)
        if ((r = gv_plot_run_read(&runs[i], paths[i], err)) == GV_OK)
            find_columns(&s, &runs[i]);
    if (r == GV_OK)
        print(&s, runs, n);
    for (int i = 0; runs && i < n; i++)
        json_decref(runs[i].lines);
    gv_free(runs);
    return r == GV_OK && fflush(stdout) ? gv_fail_sys(err, "cannot write to stdout") : r;
}
