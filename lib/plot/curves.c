/* curves: loss and metrics over epochs, of one run or several. */
#include "plot/internal.h"
#include <inttypes.h>

enum { MAX_RUNS = 8, MAX_PANELS = 9 };

static const char *const colours[MAX_RUNS] = { "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999" };

typedef struct panel { char metric[64]; bool train, val, lower; } panel;

typedef struct figure {
    gv_plot_run runs[MAX_RUNS];
    int nruns;
    panel panels[MAX_PANELS];
    int npanels;
} figure;

/* "val_F1" belongs to the panel of F1, made when it is new. */
static void add_to_panel(figure *f, const char *key, const char *only)
{
    bool train = !strncmp(key, "train_", 6), val = !strncmp(key, "val_", 4);
    const char *metric = key + (train ? 6 : 4);
    if ((!train && !val) || (only ? strcmp(metric, only) != 0 : strstr(metric, "_class_") != NULL) || strlen(metric) >= sizeof f->panels[0].metric)
        return;
    panel *p = f->panels;
    while (p < f->panels + f->npanels && strcmp(p->metric, metric))
        p++;
    if (p == f->panels + f->npanels) {
        if (f->npanels == MAX_PANELS)
            return;
        f->npanels++;
        snprintf(p->metric, sizeof p->metric, "%s", metric);
        p->lower = gv_plot_lower(metric);
    }
    p->train |= train;
    p->val |= val;
}

/* only: that metric's alone; NULL: all. */
static void find_panels(figure *f, const char *only)
{
    for (int i = 0; i < f->nruns; i++)
        for (size_t k = 0; k < json_array_size(f->runs[i].lines); k++) {
            const char *key;
            json_t *v;
            json_object_foreach(json_array_get(f->runs[i].lines, k), key, v)
                if (json_is_number(v))
                    add_to_panel(f, key, only);
        }
}

static const char *number(char *to, size_t n, double v)
{
    if (isfinite(v))
        snprintf(to, n, "%.9g", v);
    else
        snprintf(to, n, "NaN"); /* gnuplot knows no other spelling */
    return to;
}

/* $rI_P: epoch, train, val. */
static int data_block(gv_buf *b, const figure *f, int i, int p, gv_err *err)
{
    int r = gv_buf_printf(b, err, "$r%d_%d << EOD\n", i, p);
    for (size_t k = 0; r == GV_OK && k < json_array_size(f->runs[i].lines); k++) {
        const json_t *line = json_array_get(f->runs[i].lines, k), *epoch = json_object_get(line, "epoch");
        double x = json_is_integer(epoch) ? (double)json_integer_value(epoch) + 1 : (double)k + 1;
        char t[40], v[40];
        r = gv_buf_printf(b, err, "%.0f %s %s\n", x, number(t, sizeof t, gv_plot_value(line, "train_", f->panels[p].metric)),
                          number(v, sizeof v, gv_plot_value(line, "val_", f->panels[p].metric)));
    }
    return r == GV_OK ? gv_buf_printf(b, err, "EOD\n") : r;
}

/* The metric, and of a single run the best value of val and its epoch. */
static int panel_title(gv_buf *b, const figure *f, const panel *p, gv_err *err)
{
    char text[200], name[64];
    size_t at = 0;
    double best = f->nruns == 1 ? gv_plot_best(&f->runs[0], p->metric, &at) : NAN;
    snprintf(name, sizeof name, "%s", p->metric);
    for (char *s = name; *s; s++) /* Balanced_Accuracy */
        if (*s == '_')
            *s = ' ';
    if (isfinite(best))
        snprintf(text, sizeof text, "%s: best val %.4g in epoch %zu", name, best, at + 1);
    else
        snprintf(text, sizeof text, "%s", name);
    int r = gv_buf_printf(b, err, "set title ");
    r = r == GV_OK ? gv_gnuplot_quote(b, text, 0, err) : r;
    return r == GV_OK ? gv_buf_printf(b, err, "\n") : r;
}

/* One `plot` command. Of several runs each has a colour, train is dashed; a single run has a colour for train and one for val. */
static int panel_plot(gv_buf *b, const figure *f, int p, bool text, gv_err *err)
{
    int r = gv_buf_printf(b, err, "plot ");
    bool first = true;
    for (int i = 0; r == GV_OK && i < f->nruns; i++)
        for (int side = 0; r == GV_OK && side < 2; side++) {
            bool there = side ? f->panels[p].val : f->panels[p].train, few = json_array_size(f->runs[i].lines) <= 60;
            const char *colour = f->nruns > 1 ? colours[i] : colours[side];
            char name[400];
            if (text && !there)
                continue;
            snprintf(name, sizeof name, f->nruns > 1 ? "%s: %s" : "%s%s", f->nruns > 1 ? f->runs[i].name : "", side ? "val" : "train");
            r = gv_buf_printf(b, err, first ? "" : ", ");
            r = r < 0 ? r : there ? gv_buf_printf(b, err, "$r%d_%d using 1:%d with ", i, p, side ? 3 : 2) : gv_buf_printf(b, err, "NaN with ");
            if (text)
                r = r < 0 ? r : gv_buf_printf(b, err, "linespoints pt '%c' title ", side ? 'o' : '.');
            else if (f->nruns > 1 && !side)
                r = r < 0 ? r : gv_buf_printf(b, err, "lines lc rgb '%s' lw 1.5 dt (6,4) title ", colour);
            else
                r = r < 0 ? r : gv_buf_printf(b, err, "%s lc rgb '%s' lw 2 %s title ", few ? "linespoints" : "lines", colour, few ? "pt 7 ps 0.5" : "");
            r = r < 0 ? r : gv_gnuplot_quote(b, name, 70, err);
            first = false;
        }
    return r == GV_OK ? gv_buf_printf(b, err, "\n") : r;
}

static int head(gv_buf *b, const figure *f, const gv_plot *p, size_t epochs, int rows, int cols, int keys, int width, int height, gv_err *err)
{
    int key_px = 20 * keys + 14;
    int r = gv_buf_printf(b, err, "set xrange [%g:%g]\nset offsets 0,0,graph 0.05,graph 0.05\nset xlabel 'epoch'\nset format y '%%.4g'\n", epochs > 1 ? 1.0 : 0.5,
                          epochs > 1 ? (double)epochs : 1.5);
    if (r == GV_OK && epochs <= 10) /* whole numbers alone */
        r = gv_buf_printf(b, err, "set xtics 1,1\n");
    if (r < 0 || !p->to)
        return r;
    r = gv_buf_printf(b, err, "set border 3 lc rgb '#444444'\nset tics nomirror\nset grid ytics lc rgb '#dddddd' lt 1 lw 0.8\nset title offset 0,-0.4\n"
                              "set xlabel offset 0,0.5\nset multiplot layout %d,%d margins %.4f,%.4f,%.4f,%.4f spacing %.4f,%.4f title ",
                      rows, cols, 70.0 / width, 1 - 26.0 / width, (key_px + 48.0) / height, 1 - 74.0 / height, 84.0 / width, 92.0 / height);
    r = r == GV_OK ? gv_gnuplot_quote(b, p->title ? p->title : f->nruns == 1 ? f->runs[0].name : "Learning curves", 90, err) : r;
    return r == GV_OK ? gv_buf_printf(b, err, " font ',13'\nset key at screen 0.5,screen %.4f center bottom maxrows %d samplen 3\n", 8.0 / height, keys) : r;
}

static int draw(const figure *f, const gv_plot *p, gv_err *err)
{
    gv_buf b = { 0 };
    char part[4200];
    int cols = f->npanels <= 1 ? 1 : f->npanels <= 4 ? 2 : 3, rows = (f->npanels + cols - 1) / cols, keys = f->nruns > 1 ? f->nruns * 2 : 1;
    int width = cols * 430 + 60, height = rows * 300 + 60 + 20 * keys;
    size_t epochs = 0;
    for (int i = 0; i < f->nruns; i++)
        epochs = json_array_size(f->runs[i].lines) > epochs ? json_array_size(f->runs[i].lines) : epochs;
    int r = gv_gnuplot_begin(&b, p, p->to ? width : 632, p->to ? height : 320, part, err);
    for (int i = 0; r == GV_OK && i < f->nruns; i++)
        for (int k = 0; r == GV_OK && k < f->npanels; k++)
            r = data_block(&b, f, i, k, err);
    r = r == GV_OK ? head(&b, f, p, epochs, rows, cols, keys, width, height, err) : r;
    for (int k = 0; r == GV_OK && k < f->npanels && (p->to || k < 3); k++) {
        r = panel_title(&b, f, &f->panels[k], err);
        r = r == GV_OK ? panel_plot(&b, f, k, !p->to, err) : r;
        if (r == GV_OK && p->to && !k)
            r = gv_buf_printf(&b, err, "unset key\n");
    }
    if (r == GV_OK && p->to)
        r = gv_buf_printf(&b, err, "unset multiplot\n");
    if (r == GV_OK)
        r = gv_gnuplot_run(&b, p, part, err);
    gv_buf_release(&b);
    return r;
}

int gv_plot_curves(const char *const *runs, int n, const gv_plot *p, gv_err *err)
{
    if (n < 1 || n > MAX_RUNS)
        return gv_fail(err, GV_EUSAGE, "%d runs are given; a picture shows 1 to %d", n, MAX_RUNS);
    figure *f = gv_alloc(sizeof *f, err);
    int r = f ? GV_OK : GV_ESYS;
    for (int i = 0; r == GV_OK && i < n; i++) {
        f->nruns++;
        r = gv_plot_run_read(&f->runs[i], runs[i], err);
    }
    if (r == GV_OK) {
        find_panels(f, p->only);
        r = f->npanels ? draw(f, p, err) : gv_fail(err, GV_EDATA, "'%s' has no values%s%s to draw", runs[0], p->only ? " of " : "", p->only ? p->only : "");
    }
    for (int i = 0; f && i < f->nruns; i++)
        json_decref(f->runs[i].lines);
    gv_free(f);
    return r;
}
