/* confusion: the confusion matrix of a classification, row-normalised or as counts. */
#include "plot/internal.h"
#include "json/json.h"
#include <inttypes.h>

enum { MAX_CLASSES = 1024, TEXTS_UP_TO = 24, NAMES_UP_TO = 60 };
#define ROOM ((size_t)2 << 30)

typedef struct matrix { int64_t k, *n, most; const char **names; bool counts; } matrix; /* most: the largest count */

static int make(matrix *m, size_t k, gv_arena *a, gv_err *err)
{
    m->k = (int64_t)k;
    m->n = gv_arena_alloc(a, k * k * sizeof *m->n, err);
    m->names = m->n ? gv_arena_alloc(a, k * sizeof *m->names, err) : NULL;
    return m->names ? GV_OK : GV_ESYS;
}

static int of_json(matrix *m, const char *path, gv_arena *a, gv_err *err)
{
    json_t *j = gv_json_read(path, (size_t)64 << 20, err);
    const json_t *rows = json_object_get(j, "confusion"), *names = json_object_get(j, "class_names");
    size_t k = json_array_size(rows);
    int r = j ? GV_OK : err->code;
    if (r == GV_OK && (!k || k > MAX_CLASSES))
        r = gv_fail(err, GV_EDATA, "'%s' has no 'confusion' of 1 to %d classes", path, MAX_CLASSES);
    if (r == GV_OK)
        r = make(m, k, a, err);
    for (size_t i = 0; r == GV_OK && i < k; i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = json_string_value(json_array_get(names, i));
        m->names[i] = name ? gv_arena_strdup(a, name, err) : gv_arena_printf(a, err, "%zu", i);
        if (!m->names[i])
            r = GV_ESYS;
        else if (json_array_size(row) != k)
            r = gv_fail(err, GV_EDATA, "'%s': row %zu of the confusion matrix does not have %zu numbers", path, i, k);
        for (size_t c = 0; r == GV_OK && c < k; c++) {
            const json_t *v = json_array_get(row, c);
            m->n[i * k + c] = json_integer_value(v);
            if (!json_is_integer(v) || m->n[i * k + c] < 0)
                r = gv_fail(err, GV_EDATA, "'%s': row %zu, column %zu of the confusion matrix is no count", path, i, c);
        }
    }
    json_decref(j);
    return r;
}

static bool class_number(const char *s, int64_t *out)
{
    char *end;
    long long v = strtoll(s, &end, 10);
    *out = v;
    return *s && !*end && v >= 0 && v < MAX_CLASSES;
}

static int of_table(matrix *m, const char *path, gv_arena *a, gv_err *err)
{
    gv_table t;
    int r = gv_table_read(&t, path, a, err);
    if (r < 0)
        return r;
    int label = gv_table_column(&t, "label"), pred = gv_table_column(&t, "pred");
    if (label < 0 || pred < 0)
        return gv_fail(err, GV_EDATA, "'%s' has no columns 'label' and 'pred'", path);
    const char *names[MAX_CLASSES];
    size_t named = 0, k = 0, whole = 0;
    for (size_t c = 0; c < t.columns && named < MAX_CLASSES; c++)
        if (!strncmp(t.cell[c], "prob_", 5))
            names[named++] = t.cell[c] + 5;
    k = named;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 1; i <= t.rows; i++) {
            const char *ys = t.cell[i * t.columns + (size_t)label], *ps = t.cell[i * t.columns + (size_t)pred];
            int64_t y, p;
            if (!*ys || !*ps)
                continue; /* failed, or without label */
            if (!class_number(ys, &y) || !class_number(ps, &p))
                return gv_fail(err, GV_EDATA, "'%s': row %zu has label '%s' and pred '%s'; classes are 0 to %d", path, i, ys, ps, MAX_CLASSES - 1);
            if (pass)
                m->n[y * m->k + p]++;
            k = (size_t)y >= k ? (size_t)y + 1 : k;
            k = (size_t)p >= k ? (size_t)p + 1 : k;
            whole++;
        }
        if (!whole)
            return gv_fail(err, GV_EDATA, "'%s' has no row with label and pred", path);
        if (!pass && make(m, k, a, err) < 0)
            return GV_ESYS;
    }
    for (size_t c = 0; c < k; c++)
        if (!(m->names[c] = c < named ? names[c] : gv_arena_printf(a, err, "%zu", c)))
            return GV_ESYS;
    return GV_OK;
}

/* Of the row's cases; NaN in an empty row. */
static double share(const matrix *m, int64_t i, int64_t c)
{
    int64_t all = 0;
    for (int64_t k = 0; k < m->k; k++)
        all += m->n[i * m->k + k];
    return all ? (double)m->n[i * m->k + c] / (double)all : NAN;
}

/* How dark a cell is, 0 to 1; NaN: nothing to show. */
static double shade(const matrix *m, int64_t i, int64_t c)
{
    return !m->counts ? share(m, i, c) : m->most ? (double)m->n[i * m->k + c] / (double)m->most : 0;
}

static void print(const matrix *m)
{
    printf("rows: true class; columns: answer; %s\n%20s", m->counts ? "cases" : "shares of the row", "");
    for (int64_t c = 0; c < m->k; c++)
        printf(" %5" PRId64, c);
    for (int64_t i = 0; i < m->k; i++) {
        char name[80];
        snprintf(name, sizeof name, "%" PRId64 " %.50s", i, m->names[i]);
        for (char *s = name; *s; s++)
            if ((unsigned char)*s < 0x20 || *s == 0x7f)
                *s = ' ';
        printf("\n%20.20s", name);
        for (int64_t c = 0; c < m->k; c++)
            if (m->counts)
                printf(" %5" PRId64, m->n[i * m->k + c]);
            else if (isnan(share(m, i, c)))
                printf("     -");
            else
                printf("  %.2f", share(m, i, c));
    }
    putchar('\n');
}

/* Column, row, text of the cells that are light (or dark) enough for it. */
static int cell_texts(gv_buf *b, const matrix *m, bool dark_cells, gv_err *err)
{
    int r = gv_buf_printf(b, err, "$%s << EOD\n", dark_cells ? "ondark" : "onlight");
    for (int64_t i = 0; r == GV_OK && i < m->k; i++)
        for (int64_t c = 0; r == GV_OK && c < m->k; c++) {
            double v = shade(m, i, c);
            if (isnan(v) ? !dark_cells : (v > 0.55) == dark_cells)
                r = m->counts ? gv_buf_printf(b, err, "%" PRId64 " %" PRId64 " %" PRId64 "\n", c, i, m->n[i * m->k + c]) : isnan(v) ? gv_buf_printf(b, err, "%" PRId64 " %" PRId64 " -\n", c, i) : gv_buf_printf(b, err, "%" PRId64 " %" PRId64 " %.2f\n", c, i, v);
        }
    return r == GV_OK ? gv_buf_printf(b, err, "-9 -9 0\nEOD\n") : r; /* a block may not be empty; this point is outside */
}

static int tics(gv_buf *b, const matrix *m, const char *axis, gv_err *err)
{
    int r = gv_buf_printf(b, err, "set %stics (", axis);
    for (int64_t i = 0; r == GV_OK && i < m->k; i++) {
        r = i ? gv_buf_add(b, ",", 1, err) : GV_OK;
        r = r < 0 ? r : gv_gnuplot_quote(b, m->names[i], 20, err);
        r = r < 0 ? r : gv_buf_printf(b, err, " %" PRId64, i);
    }
    return r == GV_OK ? gv_buf_printf(b, err, ")%s\n", *axis != 'x' ? "" : m->k > TEXTS_UP_TO ? " rotate by 90 right" : " rotate by 45 right") : r;
}

static int draw(const matrix *m, const gv_plot *p, gv_err *err)
{
    gv_buf b = { 0 };
    char part[4200], title[200];
    int cell = m->k <= 12 ? 54 : m->k <= TEXTS_UP_TO ? 42 : m->k <= NAMES_UP_TO ? 18 : 0, side = cell ? cell * (int)m->k : 900;
    size_t longest = 1;
    int64_t all = 0, right = 0;
    for (int64_t i = 0; i < m->k; i++) {
        longest = strlen(m->names[i]) > longest ? strlen(m->names[i]) : longest;
        right += m->n[i * m->k + i];
        for (int64_t c = 0; c < m->k; c++)
            all += m->n[i * m->k + c];
    }
    longest = longest > 20 ? 20 : longest;
    side = side < 260 ? 260 : side;
    int left = m->k <= NAMES_UP_TO ? 64 + (int)longest * 17 / 2 : 90, below = m->k <= NAMES_UP_TO ? 50 + (int)longest * 6 : 70, width = side + left + 110, height = side + below + 70;
    int r = gv_gnuplot_begin(&b, p, width, height, part, err);
    r = r < 0 ? r : gv_buf_printf(&b, err, "$m << EOD\n");
    for (int64_t i = 0; r == GV_OK && i < m->k; i++)
        for (int64_t c = 0; r == GV_OK && c < m->k; c++) {
            char end = c + 1 < m->k ? ' ' : '\n';
            double v = shade(m, i, c);
            r = isnan(v) ? gv_buf_printf(&b, err, "0%c", end) : gv_buf_printf(&b, err, "%.4f%c", v, end);
        }
    r = r < 0 ? r : gv_buf_printf(&b, err, "EOD\n");
    r = r < 0 || m->k > TEXTS_UP_TO ? r : cell_texts(&b, m, false, err);
    r = r < 0 || m->k > TEXTS_UP_TO ? r : cell_texts(&b, m, true, err);
    snprintf(title, sizeof title, "Confusion matrix: %" PRId64 " cases, %.1f %% right", all, all ? 100.0 * (double)right / (double)all : 0);
    r = r < 0 ? r : gv_buf_printf(&b, err, "set title ");
    r = r < 0 ? r : gv_gnuplot_quote(&b, p->title ? p->title : title, 80, err);
    r = r < 0 ? r : gv_buf_printf(&b, err,
                                  " font ',13'\nset palette defined (0 '#f7fbff', 0.25 '#c6dbef', 0.5 '#6baed6', 0.75 '#2171b5', 1 '#08306b')\nset cbrange [0:1]\n"
                                  "%s textcolor rgb '#222222'\nset cblabel '%s' offset -1.5,0\nset xrange [-0.5:%g]\nset yrange [%g:-0.5]\nset xlabel 'answer'\n"
                                  "set ylabel 'true class'\nset tics scale 0 textcolor rgb '#222222'\nset border lc rgb '#888888'\nset lmargin at screen %.4f\nset rmargin at screen %.4f\n"
                                  "set tmargin at screen %.4f\nset bmargin at screen %.4f\nunset key\nset colorbox user origin %.4f,%.4f size %.4f,%.4f\n",
                                  m->counts ? "unset cbtics\nset cbtics ('0' 0)" : "set cbtics 0.25", m->counts ? "cases" : "share of the true class",
                                  (double)m->k - 0.5, (double)m->k - 0.5, (double)left / width, (double)(left + side) / width, 1 - 50.0 / height, 1 - (50.0 + side) / height,
                                  (left + side + 16.0) / width, 1 - (50.0 + side) / height, 14.0 / width, (double)side / height);
    if (m->k <= NAMES_UP_TO) {
        r = r < 0 ? r : tics(&b, m, "x", err);
        r = r < 0 ? r : tics(&b, m, "y", err);
    }
    r = r < 0 ? r : gv_buf_printf(&b, err, "plot $m matrix using 1:2:3 with image pixels");
    if (r == GV_OK && m->k <= TEXTS_UP_TO)
        r = gv_buf_printf(&b, err, ", $onlight using 1:2:(stringcolumn(3)) with labels tc rgb '#222222' font ',%d', $ondark using 1:2:(stringcolumn(3)) with labels tc rgb '#ffffff' font ',%d'", m->k <= 12 ? 11 : 9, m->k <= 12 ? 11 : 9);
    r = r < 0 ? r : gv_buf_printf(&b, err, "\n");
    if (r == GV_OK)
        r = gv_gnuplot_run(&b, p, part, err);
    else if (part[0])
        remove(part);
    gv_buf_release(&b);
    return r;
}

int gv_plot_confusion(const char *path, const gv_plot *p, gv_err *err)
{
    char file[4200];
    gv_arena a;
    matrix m = { 0 };
    gv_plot_path(path, "val_results.json", file);
    int r = gv_arena_init(&a, "confusion matrix", ROOM, err);
    if (r < 0)
        return r;
    r = gv_plot_is_csv(file) ? of_table(&m, file, &a, err) : of_json(&m, file, &a, err);
    m.counts = p->counts;
    for (int64_t i = 0; r == GV_OK && i < m.k * m.k; i++)
        m.most = m.n[i] > m.most ? m.n[i] : m.most;
    if (r == GV_OK && p->to)
        r = draw(&m, p, err);
    else if (r == GV_OK)
        print(&m);
    gv_arena_release(&a);
    return r;
}
