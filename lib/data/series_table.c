/* series_table: one file with many series. */
#include "data/series.h"
#include "formats/csv.h"
#include "formats/idx.h"
#include <inttypes.h>
#include <unistd.h>

enum { TEXT_CAP = 1 << 30 };

struct group { const char *id, *from, *to; size_t line; }; /* lines of one series */

struct gv_series_table {
    gv_arena arena;      /* ids, groups, the array */
    gv_series_options o;
    uint8_t *bytes;      /* of a text or an array */
    gv_table table;      /* of a text */
    struct group *group; /* of a text; NULL otherwise */
    gv_sample array;     /* [N,T] or [N,T,C]; data NULL otherwise */
    gv_rows *rows;       /* of an HDF5 file; NULL otherwise */
    int64_t n;
};

/* ---- lines with an id ---- */

static int unique(const struct group *g, size_t n, gv_err *err)
{
    gv_textmap seen = { 0 };
    int64_t at;
    int r = GV_OK;
    for (size_t i = 0; i < n && r == GV_OK; i++)
        if (gv_textmap_get(&seen, g[i].id, &at))
            r = gv_fail(err, GV_EDATA, "the lines of '%s' do not stand together: line %zu and line %zu begin one each (sort the table by its id column)", g[i].id, g[at].line, g[i].line);
        else
            r = gv_textmap_set(&seen, g[i].id, (int64_t)i, err);
    gv_textmap_release(&seen);
    return r;
}

/* Numbers are parsed when a series is read: a bad one is an error of that series alone. */
static int find_groups(gv_series_table *t, size_t n, gv_err *err)
{
    gv_buf list = { 0 };
    gv_cell id, last = { 0 };
    double time;
    int r = gv_table_open(&t->table, t->bytes, n, &t->o, &t->arena, err);
    gv_table scan = t->table;
    if (r < 0)
        return r;
    scan.ids_alone = true;
    while ((r = gv_table_next(&scan, NULL, &time, &id, err)) > 0) {
        struct group *g = list.len ? (struct group *)(void *)(list.data + list.len) - 1 : NULL;
        if (g)
            g->to = scan.start;
        if (g && last.n == id.n && !memcmp(last.p, id.p, id.n))
            continue;
        struct group new = { .id = gv_arena_strndup(&t->arena, id.p, id.n, err), .from = scan.start, .line = scan.line };
        if (!new.id || gv_buf_add(&list, &new, sizeof new, err) < 0) {
            r = GV_ESYS;
            break;
        }
        last = id;
    }
    t->n = (int64_t)(list.len / sizeof(struct group));
    if (r == GV_OK && !t->n)
        r = gv_fail(err, GV_EDATA, "the table has no line of values");
    if (r == GV_OK && (r = unique((struct group *)(void *)list.data, (size_t)t->n, err)) == GV_OK) {
        t->group = gv_arena_alloc(&t->arena, list.len, err);
        r = t->group ? GV_OK : GV_ESYS;
    }
    if (r == GV_OK) {
        memcpy(t->group, list.data, list.len);
        t->group[t->n - 1].to = t->table.end;
    }
    gv_buf_release(&list);
    return r;
}

/* ---- opening ---- */

static int open_array(gv_series_table *t, size_t n, gv_err *err)
{
    gv_sample shape;
    int r = gv_format_npy.header(t->bytes, n, &shape, err);
    if (r < 0)
        return r;
    if (gv_sample_bytes(&shape) > n)
        return gv_fail(err, GV_EDATA, "NPY of %zu bytes cannot hold the values its header claims", n);
    if ((r = gv_format_npy.decode(t->bytes, n, &t->array, NULL, n, &t->arena, err)) < 0)
        return r;
    if (t->array.ndim != 3) /* [N,T] has a last axis of one channel by now */
        return gv_fail(err, GV_EDATA, "the array has %d axes; a table of series has 2 or 3: series, time, channels", t->array.ndim);
    t->n = t->array.shape[0];
    return GV_OK;
}

int gv_series_table_open(gv_series_table **out, int fd, const char *name, const gv_series_options *o, gv_err *err)
{
    static const uint8_t hdf5[] = "\211HDF\r\n\032\n";
    gv_series_table *t = *out = gv_alloc(sizeof *t, err);
    uint8_t head[8] = { 0 };
    size_t n = 0;
    int r = t ? gv_arena_init(&t->arena, "table of series", 8ull << 30, err) : GV_ESYS;
    if (r == GV_OK)
        t->o = *o;
    if (r == GV_OK && pread(fd, head, sizeof head, 0) == sizeof head && !memcmp(head, hdf5, sizeof head)) {
        r = gv_rows_open(&t->rows, fd, name, err);
        t->n = t->rows ? gv_rows_count(t->rows) : 0;
    } else {
        if (r == GV_OK && (r = gv_read_gz_fd(fd, name, TEXT_CAP, &t->bytes, &n, err)) == GV_OK) {
            if (gv_format_npy.sniff(t->bytes, n)) /* by name: the list would link every format to whoever lists a split */
                r = open_array(t, n, err);
            else if (n && t->o.id_column && gv_format_csv.sniff(t->bytes, n))
                r = find_groups(t, n, err);
            else
                r = gv_fail(err, GV_EDATA, n ? "it is no table of series (CSV with data.id_column, NPY, HDF5)" : "the file is empty");
        }
        close(fd);
    }
    if (r < 0) {
        gv_series_table_close(t);
        *out = NULL;
        return gv_fail_in(err, "'%s'", name);
    }
    return GV_OK;
}

void gv_series_table_close(gv_series_table *t)
{
    if (!t)
        return;
    gv_rows_close(t->rows);
    gv_free(t->bytes);
    gv_arena_release(&t->arena);
    gv_free(t);
}

int64_t gv_series_table_count(const gv_series_table *t) { return t->n; }

const char *gv_series_table_id(const gv_series_table *t, int64_t row) { return t->group ? t->group[row].id : NULL; }

/* ---- reading ---- */

int gv_series_table_read(gv_series_table *t, int64_t row, gv_series *out, gv_arena *arena, gv_err *err)
{
    *out = (gv_series){ .format = "table" };
    int r = GV_OK;
    if (row < 0 || row >= t->n)
        return gv_fail(err, GV_EDATA, "row %" PRId64 " is not in the table, which has %" PRId64 " series", row, t->n);
    if (t->group)
        return gv_table_series(&t->table, t->group[row].from, t->group[row].line, t->group[row].to, &t->o, out, arena, err);
    gv_sample x = { 0 };
    if (t->rows)
        r = gv_rows_read(t->rows, row, &x, arena, err);
    else {
        x = (gv_sample){ .dtype = t->array.dtype, .ndim = 2, .shape = { t->array.shape[1], t->array.shape[2] } };
        x.data = (char *)t->array.data + (size_t)row * gv_sample_bytes(&x);
    }
    if (r == GV_OK)
        r = gv_series_array(&x, &t->o, &out->x, arena, err);
    return r < 0 ? r : gv_series_fill(&out->x, t->o.missing, err);
}
