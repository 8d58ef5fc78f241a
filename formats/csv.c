/* csv: a table of numbers, a line for each point of time, a column for each channel. Source: RFC 4180, as far as numbers need it. */
#include "formats/csv.h"
#include <inttypes.h>

enum { MOST_CELLS = GV_SERIES_CHANNELS + 2, NUMBER = 64 };
enum { ROLE_TIME = -1, ROLE_ID = -2, ROLE_NONE = -3 };

/* ---- cells ---- */

static bool is_missing(gv_cell c)
{
    static const char *const words[] = { "", "NA", "NaN", "nan", "NAN", "null", "NULL", "None", "N/A" };
    for (size_t i = 0; i < GV_COUNT(words); i++)
        if (strlen(words[i]) == c.n && !memcmp(words[i], c.p, c.n))
            return true;
    return false;
}

/* Plain decimals of up to 15 digits, whose nearest double one exact division gives. Source: Clinger 1990, "How to read floating point numbers accurately". */
static bool quick(gv_cell c, double *v)
{
    static const double ten[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    size_t i = c.n && (*c.p == '-' || *c.p == '+');
    int64_t m = 0, digits = 0, behind = -1;
    for (; i < c.n; i++) {
        if (c.p[i] == '.' && behind < 0)
            behind = 0;
        else if (c.p[i] >= '0' && c.p[i] <= '9' && digits < 15) {
            m = m * 10 + c.p[i] - '0';
            digits++;
            behind += behind >= 0;
        } else
            return false;
    }
    if (!digits)
        return false;
    *v = (double)m / ten[behind > 0 ? behind : 0];
    *v = *c.p == '-' ? -*v : *v;
    return true;
}

static bool is_number(gv_cell c, double *v)
{
    char text[NUMBER], *end;
    if (quick(c, v))
        return true;
    if (!c.n || c.n >= sizeof text || memchr(c.p, 'x', c.n) || memchr(c.p, 'X', c.n) || memchr(c.p, 'n', c.n) || memchr(c.p, 'N', c.n))
        return false;
    memcpy(text, c.p, c.n);
    text[c.n] = 0;
    *v = strtod(text, &end);
    return end == text + c.n;
}

/* The cells of the line at p; where it ends (at its line feed or the end), or NULL for an unclosed quote. n counts all, cell holds the first MOST_CELLS. */
static const char *split(const char *p, const char *end, char separator, gv_cell *cell, int *n)
{
    for (*n = 0;; p++) {
        const char *from = p;
        bool quoted = p < end && *p == '"';
        if (quoted) {
            from = ++p;
            while (p < end && *p != '"' && *p != '\n')
                p++;
            if (p == end || *p != '"')
                return NULL;
        }
        const char *stop = p;
        while (p < end && *p != separator && *p != '\n')
            p++;
        stop = quoted ? stop : p;
        while (stop > from && (stop[-1] == ' ' || stop[-1] == '\r'))
            stop--;
        while (from < stop && *from == ' ')
            from++;
        if (*n < MOST_CELLS)
            cell[*n] = (gv_cell){ from, (size_t)(stop - from) };
        ++*n;
        if (p == end || *p == '\n')
            return p;
    }
}

/* ---- which file is a table ---- */

static char separator_of(const char *p, const char *end)
{
    static const char seps[] = "\t;,";
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    for (const char *s = seps; *s; s++)
        if (memchr(p, *s, (size_t)((stop ? stop : end) - p)))
            return *s;
    return 0;
}

/* Some cell of the line at p is a number. */
static bool has_number(const char *p, const char *end, char separator)
{
    double v;
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    stop = stop ? stop : end;
    while (p <= stop) {
        const char *next = separator ? memchr(p, separator, (size_t)(stop - p)) : NULL;
        gv_cell c = { p, (size_t)((next ? next : stop) - p) };
        while (c.n && strchr("\r \"", c.p[c.n - 1]))
            c.n--;
        while (c.n && (*c.p == ' ' || *c.p == '"'))
            c.p++, c.n--;
        if (is_number(c, &v))
            return true;
        if (!next)
            break;
        p = next + 1;
    }
    return false;
}

/* Text with a number in its first or second line. */
static bool sniff(const uint8_t *bytes, size_t n)
{
    const char *p = (const char *)bytes, *end = p + (n < 65536 ? n : 65536);
    if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
        p += 3;
    for (const char *s = p; s < end; s++)
        if (((unsigned char)*s < 0x20 && !strchr("\t\r\n", *s)) || !*s || *s == 0x7f)
            return false;
    if (p == end)
        return false;
    char separator = separator_of(p, end);
    const char *second = memchr(p, '\n', (size_t)(end - p));
    return has_number(p, end, separator) || (second && has_number(second + 1, end, separator));
}

/* ---- the header ---- */

static bool same(gv_cell c, const char *name)
{
    return name && strlen(name) == c.n && !memcmp(name, c.p, c.n);
}

/* A column by its name, or by its number from 0 where there is no header. */
static int find(const gv_table *t, const char *name, const char *field, int *at, gv_err *err)
{
    char *end;
    long k = strtol(name, &end, 10);
    *at = -1;
    for (int i = 0; t->name && i < t->cells; i++)
        if (same(t->name[i], name))
            *at = i;
    if (!t->name && *name && !*end && k >= 0 && k < t->cells)
        *at = (int)k;
    if (*at >= 0)
        return GV_OK;
    return t->name ? gv_fail(err, GV_EDATA, "the table has no column '%s' (%s)", name, field)
                   : gv_fail(err, GV_EDATA, "the table has no header, and '%s' is no number from 0 to %d (%s)", name, t->cells - 1, field);
}

static int assign(gv_table *t, const gv_series_options *o, gv_err *err)
{
    int at;
    for (int i = 0; i < t->cells; i++)
        t->role[i] = ROLE_NONE;
    for (size_t k = 0; k < o->columns.n; k++) {
        if (find(t, o->columns.v[k], "data.columns", &at, err) < 0)
            return err->code;
        if (t->role[at] != ROLE_NONE)
            return gv_fail(err, GV_EDATA, "the column '%s' is named twice (data.columns)", o->columns.v[k]);
        t->role[at] = (int)t->channels++;
    }
    const struct { const char *name, *field; int role; } other[] = { { o->time_column, "data.time_column", ROLE_TIME }, { o->id_column, "data.id_column", ROLE_ID } };
    for (size_t k = 0; k < GV_COUNT(other); k++) {
        if (!other[k].name)
            continue;
        if (find(t, other[k].name, other[k].field, &at, err) < 0)
            return err->code;
        if (t->role[at] != ROLE_NONE)
            return gv_fail(err, GV_EDATA, "the column '%s' of %s has another use too", other[k].name, other[k].field);
        t->role[at] = other[k].role;
    }
    for (int i = 0; !o->columns.n && i < t->cells; i++)
        if (t->role[i] == ROLE_NONE)
            t->role[i] = (int)t->channels++;
    if (!t->channels)
        return gv_fail(err, GV_EDATA, "the table has no column of values");
    return GV_OK;
}

int gv_table_open(gv_table *t, const uint8_t *p, size_t n, const gv_series_options *o, gv_arena *arena, gv_err *err)
{
    double v;
    bool header = false;
    *t = (gv_table){ .at = (const char *)p, .end = (const char *)p + n, .missing = o->missing };
    if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
        t->at += 3;
    while (t->at < t->end && (*t->at == '\n' || *t->at == '\r'))
        t->line += *t->at++ == '\n';
    t->separator = t->at < t->end ? separator_of(t->at, t->end) : 0;
    t->cell = gv_arena_alloc(arena, MOST_CELLS * sizeof *t->cell, err);
    if (!t->cell)
        return GV_ESYS;
    const char *stop = t->at < t->end ? split(t->at, t->end, t->separator, t->cell, &t->cells) : NULL;
    if (!stop)
        return gv_fail(err, GV_EDATA, t->at < t->end ? "line %zu: a quote is not closed" : "the table has no line", t->line + 1);
    if (t->cells > MOST_CELLS)
        return gv_fail(err, GV_EDATA, "line %zu has %d cells; at most %d are read", t->line + 1, t->cells, MOST_CELLS);
    for (int i = 0; i < t->cells; i++)
        header |= !is_number(t->cell[i], &v) && !is_missing(t->cell[i]) && (!o->id_column || t->cells == 1 || same(t->cell[i], o->id_column));
    t->role = gv_arena_alloc(arena, (size_t)t->cells * sizeof *t->role, err);
    if (header && (t->name = gv_arena_alloc(arena, (size_t)t->cells * sizeof *t->name, err)))
        memcpy(t->name, t->cell, (size_t)t->cells * sizeof *t->name);
    if (!t->role || (header && !t->name))
        return GV_ESYS;
    if (header) {
        t->at = stop < t->end ? stop + 1 : stop;
        t->line++;
    }
    t->begin = t->at;
    return assign(t, o, err);
}

/* ---- lines ---- */

static const char *column(const gv_table *t, int i, char to[80])
{
    if (t->name && t->name[i].n)
        snprintf(to, 80, "column '%.*s'", (int)(t->name[i].n < 40 ? t->name[i].n : 40), t->name[i].p);
    else
        snprintf(to, 80, "column %d", i + 1);
    return to;
}

static int value_of(const gv_table *t, int i, double *v, gv_err *err)
{
    char where[80];
    gv_cell c = t->cell[i];
    if (is_number(c, v)) {
        if (fabs(*v) <= 3.4028234663852886e38 || t->role[i] == ROLE_TIME)
            return GV_OK;
        return gv_fail(err, GV_EDATA, "line %zu, %s: '%.*s' is no finite float32", t->line, column(t, i, where), (int)c.n, c.p);
    }
    if (is_missing(c)) {
        *v = NAN;
        if (t->role[i] != ROLE_TIME && t->missing != GV_MISSING_FAIL)
            return GV_OK;
        return gv_fail(err, GV_EDATA, "line %zu, %s: the value is missing ('%.*s')%s", t->line, column(t, i, where), (int)c.n, c.p, t->role[i] == ROLE_TIME ? "" : " (data.missing zero or interpolate fills it)");
    }
    return gv_fail(err, GV_EDATA, "line %zu, %s: '%.*s' is no number", t->line, column(t, i, where), (int)(c.n < 40 ? c.n : 40), c.p);
}

int gv_table_next(gv_table *t, double *value, double *time, gv_cell *id, gv_err *err)
{
    int n;
    for (t->line++; t->at < t->end && (*t->at == '\n' || (*t->at == '\r' && (t->at + 1 == t->end || t->at[1] == '\n'))); t->at++)
        t->line += *t->at == '\n';
    if (t->at >= t->end)
        return 0;
    t->start = t->at;
    const char *stop = split(t->at, t->end, t->separator, t->cell, &n);
    if (!stop)
        return gv_fail(err, GV_EDATA, "line %zu: a quote is not closed", t->line);
    if (n != t->cells)
        return gv_fail(err, GV_EDATA, "line %zu has %d cells; the first has %d", t->line, n, t->cells);
    if (memchr(t->at, 0, (size_t)(stop - t->at)))
        return gv_fail(err, GV_EDATA, "line %zu holds a NUL byte", t->line);
    *time = NAN;
    *id = (gv_cell){ "", 0 };
    for (int i = 0; i < t->cells; i++) {
        if (t->role[i] == ROLE_ID)
            *id = t->cell[i];
        else if (t->role[i] != ROLE_NONE && !t->ids_alone && value_of(t, i, t->role[i] == ROLE_TIME ? time : &value[t->role[i]], err) < 0)
            return err->code;
    }
    t->at = stop < t->end ? stop + 1 : stop;
    return 1;
}

/* ---- a series ---- */

/* Points at uneven times onto even steps from the first to the last, on the lines between them. Steps within 0.1 % of even stay. */
static int even_steps(gv_sample *x, const double *time, double *rate, gv_arena *arena, gv_err *err)
{
    int64_t n = x->shape[0], c = x->shape[1];
    double first = time[0], step = n > 1 ? (time[n - 1] - first) / (double)(n - 1) : 0;
    bool even = true;
    *rate = step > 0 ? 1 / step : 0;
    for (int64_t i = 1; i < n; i++)
        even &= fabs(time[i] - time[i - 1] - step) <= 1e-3 * step;
    if (even)
        return GV_OK;
    gv_sample y;
    int r = gv_sample_init(&y, GV_F32T, 2, x->shape, arena, err);
    if (r < 0)
        return r;
    const float *from = x->data;
    float *to = y.data;
    for (int64_t i = 0, k = 0; i < n; i++) {
        double at = i + 1 == n ? time[n - 1] : first + step * (double)i;
        while (k + 2 < n && time[k + 1] <= at)
            k++;
        double w = (at - time[k]) / (time[k + 1] - time[k]);
        for (int64_t j = 0; j < c; j++)
            to[i * c + j] = (float)((1 - w) * (double)from[k * c + j] + w * (double)from[(k + 1) * c + j]);
    }
    *x = y;
    return GV_OK;
}

int gv_table_series(gv_table *t, const char *from, size_t line, const char *stop, const gv_series_options *o, gv_series *out, gv_arena *arena, gv_err *err)
{
    int64_t most = 1, n = 0, c = t->channels;
    double time, *value = gv_arena_alloc(arena, (size_t)c * sizeof *value, err), *times = NULL;
    for (const char *p = from; p < stop && (p = memchr(p, '\n', (size_t)(stop - p))); p++)
        most++;
    int r = value ? gv_series_shape(most, c, o->max_output, err) : GV_ESYS;
    if (r == GV_OK)
        r = gv_sample_init(&out->x, GV_F32T, 2, (int64_t[]){ most, c }, arena, err);
    if (r == GV_OK && o->time_column && !(times = gv_arena_alloc(arena, (size_t)most * sizeof *times, err)))
        r = GV_ESYS;
    if (r < 0)
        return r;
    const char *end = t->end;
    gv_cell id;
    t->at = from;
    t->line = line - 1;
    t->end = stop;
    while ((r = gv_table_next(t, value, &time, &id, err)) > 0) {
        for (int64_t k = 0; k < c; k++)
            ((float *)out->x.data)[n * c + k] = (float)value[k];
        if (times && n && !(time > times[n - 1])) {
            r = gv_fail(err, GV_EDATA, "line %zu: time %g does not come after %g", t->line, time, times[n - 1]);
            break;
        }
        if (times)
            times[n] = time;
        n++;
    }
    t->end = end;
    if (r < 0)
        return r;
    if (!n)
        return gv_fail(err, GV_EDATA, "the table has no line of values");
    out->x.shape[0] = n;
    if ((r = gv_series_fill(&out->x, o->missing, err)) < 0)
        return r;
    return times ? even_steps(&out->x, times, &out->rate, arena, err) : GV_OK;
}

static int series(const uint8_t *p, size_t n, const gv_series_options *o, gv_series *out, gv_arena *arena, gv_err *err)
{
    gv_table t;
    int r = gv_table_open(&t, p, n, o, arena, err);
    return r < 0 ? r : gv_table_series(&t, t.begin, t.line + 1, t.end, o, out, arena, err);
}

const gv_format gv_format_csv = {
    .name = "csv", .summary = "table of numbers, with commas, semicolons or tabs",
    .suffixes = (const char *const[]){ ".csv", ".tsv", ".txt", NULL },
    .sniff = sniff, .series = series,
};
