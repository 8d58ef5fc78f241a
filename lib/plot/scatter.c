/* scatter: predicted against true numbers of a regression. */
#include "plot/internal.h"
#include "json/json.h"

enum { MAX_POINTS = 200000 };
#define ROOM ((size_t)4 << 30)

typedef struct points { size_t n; double *truth, *predicted; } points;

static int make(points *q, size_t n, gv_arena *a, gv_err *err)
{
    n = n > MAX_POINTS ? MAX_POINTS : n;
    q->truth = gv_arena_alloc(a, n * sizeof *q->truth, err);
    q->predicted = q->truth ? gv_arena_alloc(a, n * sizeof *q->predicted, err) : NULL;
    return q->predicted ? GV_OK : GV_ESYS;
}

static void add(points *q, double y, double p)
{
    if (q->n == MAX_POINTS || !isfinite(y) || !isfinite(p))
        return;
    q->truth[q->n] = y;
    q->predicted[q->n++] = p;
}

static double cell(const char *s)
{
    char *end;
    double v = strtod(s, &end);
    return *s && !*end ? v : NAN;
}

static int of_table(points *q, const char *path, gv_arena *a, gv_err *err)
{
    gv_table t;
    int r = gv_table_read(&t, path, a, err);
    if (r < 0)
        return r;
    int label = gv_table_column(&t, "label_0"), pred = gv_table_column(&t, "pred_0");
    if (label < 0 || pred < 0)
        return gv_fail(err, GV_EDATA, "'%s' has no columns 'label_0' and 'pred_0'", path);
    r = make(q, t.rows, a, err);
    for (size_t i = 1; r == GV_OK && i <= t.rows; i++)
        add(q, cell(t.cell[i * t.columns + (size_t)label]), cell(t.cell[i * t.columns + (size_t)pred]));
    return r;
}

static int of_json(points *q, const char *path, gv_arena *a, gv_err *err)
{
    json_t *j = gv_json_read(path, (size_t)256 << 20, err);
    const json_t *truth = json_object_get(j, "true"), *predicted = json_object_get(j, "predicted");
    size_t n = json_array_size(truth);
    int r = j ? GV_OK : err->code;
    if (r == GV_OK && (!n || json_array_size(predicted) != n))
        r = gv_fail(err, GV_EDATA, "'%s' has no 'true' and 'predicted' of one length", path);
    if (r == GV_OK)
        r = make(q, n, a, err);
    for (size_t i = 0; r == GV_OK && i < n; i++) {
        const json_t *y = json_array_get(truth, i), *p = json_array_get(predicted, i);
        add(q, json_is_number(y) ? json_number_value(y) : NAN, json_is_number(p) ? json_number_value(p) : NAN);
    }
    json_decref(j);
    return r;
}

static int draw(const points *q, const gv_plot *p, gv_err *err)
{
    gv_buf b = { 0 };
    char part[4200], title[200];
    double lo = q->truth[0], hi = lo, absolute = 0, squared = 0;
    for (size_t i = 0; i < q->n; i++) {
        double d = q->predicted[i] - q->truth[i];
        lo = fmin(lo, fmin(q->truth[i], q->predicted[i]));
        hi = fmax(hi, fmax(q->truth[i], q->predicted[i]));
        absolute += fabs(d);
        squared += d * d;
    }
    double room = hi > lo ? 0.05 * (hi - lo) : 1;
    snprintf(title, sizeof title, "Predicted against true: %zu cases, MAE %.4g, RMSE %.4g", q->n, absolute / (double)q->n, sqrt(squared / (double)q->n));
    int r = gv_gnuplot_begin(&b, p, p->to ? 640 : 632, p->to ? 640 : 400, part, err);
    r = r < 0 ? r : gv_buf_printf(&b, err, "$p << EOD\n");
    for (size_t i = 0; r == GV_OK && i < q->n; i++)
        r = gv_buf_printf(&b, err, "%.9g %.9g\n", q->truth[i], q->predicted[i]);
    r = r < 0 ? r : gv_buf_printf(&b, err, "EOD\nset title ");
    r = r < 0 ? r : gv_gnuplot_quote(&b, p->title ? p->title : title, 80, err);
    r = r < 0 ? r : gv_buf_printf(&b, err, "%s\nset xlabel 'true'\nset ylabel 'predicted'\nset xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n", p->to ? " font ',13'" : "", lo - room, hi + room,
                                  lo - room, hi + room);
    if (p->to)
        r = r < 0 ? r : gv_buf_printf(&b, err, "set size square\nset border 3 lc rgb '#444444'\nset tics nomirror\nset grid lc rgb '#dddddd' lt 1 lw 0.8\nset key top left\n"
                                               "plot x title 'predicted = true' with lines lc rgb '#888888' dt (6,4) lw 1.5, $p using 1:2 notitle with points pt 7 ps %s lc rgb '#%s0072B2'\n",
                                      q->n > 2000 ? "0.4" : "0.7", q->n > 500 ? "A0" : "40");
    else
        r = r < 0 ? r : gv_buf_printf(&b, err, "plot x notitle with lines, $p using 1:2 notitle with points pt 'o'\n");
    if (r == GV_OK)
        r = gv_gnuplot_run(&b, p, part, err);
    else if (part[0])
        remove(part);
    gv_buf_release(&b);
    return r;
}

int gv_plot_scatter(const char *path, const gv_plot *p, gv_err *err)
{
    char file[4200];
    gv_arena a;
    points q = { 0 };
    gv_plot_path(path, "val_results.json", file);
    int r = gv_arena_init(&a, "points", ROOM, err);
    if (r < 0)
        return r;
    r = gv_plot_is_csv(file) ? of_table(&q, file, &a, err) : of_json(&q, file, &a, err);
    if (r == GV_OK && !q.n)
        r = gv_fail(err, GV_EDATA, "'%s' has no pair of numbers to draw", file);
    if (r == GV_OK)
        r = draw(&q, p, err);
    gv_arena_release(&a);
    return r;
}
