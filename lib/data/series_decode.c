/* series_decode: how glovita-decode reads series: a file each, or rows of one table. */
#include "data/decoders.h"
#include "data/series.h"

static int decode(const gv_config *c, const uint8_t *p, size_t n, gv_sample *x, gv_arena *arena, gv_err *err)
{
    const gv_series_fields *o = c->data.params;
    gv_series_options how = gv_series_reading(o, false);
    gv_series s;
    int r = gv_series_decode((gv_bytes){ p, n }, &how, &s, arena, err);
    if (r == GV_OK)
        r = gv_series_finish(o, &s, false, arena, err);
    if (r == GV_OK)
        *x = s.x;
    return r;
}

struct rows { const gv_series_fields *o; gv_series_table *table; };

static int rows_read(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    struct rows *f = state;
    gv_series s;
    int r = gv_series_table_read(f->table, row, &s, arena, err);
    if (r == GV_OK)
        r = gv_series_finish(f->o, &s, false, arena, err);
    if (r == GV_OK)
        *out = s.x;
    return r;
}

static void rows_close(void *state)
{
    struct rows *f = state;
    gv_series_table_close(f->table);
    gv_free(f);
}

static const gv_container table_rows = { .name = "table of series", .read = rows_read, .close = rows_close };

static int rows(const gv_config *c, int fd, const char *name, gv_rows **out, gv_err *err)
{
    struct rows *f = gv_alloc(sizeof *f, err);
    gv_series_options how;
    if (!f)
        return GV_ESYS;
    f->o = c->data.params;
    how = gv_series_reading(f->o, true);
    int r = gv_series_table_open(&f->table, fd, name, &how, err);
    if (r == GV_OK)
        r = gv_rows_wrap(out, &table_rows, f, gv_series_table_count(f->table), name, err);
    if (r < 0)
        gv_free(f);
    return r;
}

const gv_decoder gv_decoder_generic_timeseries_dataset = { .dataset = "generic_timeseries_dataset", .decode = decode, .rows = rows };
