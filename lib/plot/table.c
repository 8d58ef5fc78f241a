/* table: comma-separated values with a head line, as glovita-eval writes them. */
#include "plot/internal.h"
#include "common/file.h"

/* Take one field off *p, in place; *end is 1 at the end of its line, 2 at the end of the text. */
static char *field(char **p, int *end)
{
    char *at = *p, *from = at, *to = at;
    bool quoted = *at == '"';
    if (quoted)
        at++;
    for (; *at; at++) {
        if (quoted && at[0] == '"' && at[1] == '"')
            at++;
        else if (quoted && *at == '"') {
            quoted = false;
            continue;
        } else if (!quoted && (*at == ',' || *at == '\n' || *at == '\r'))
            break;
        *to++ = *at;
    }
    *end = !*at ? 2 : *at != ',';
    if (*at == '\r' && at[1] == '\n')
        at++;
    *p = *at ? at + 1 : at;
    *to = 0;
    return from;
}

int gv_table_read(gv_table *t, const char *path, gv_arena *a, gv_err *err)
{
    gv_buf b = { 0 };
    memset(t, 0, sizeof *t);
    int r = gv_file_read(path, (size_t)1 << 30, &b, err);
    char *text = r == GV_OK ? gv_arena_strndup(a, b.data ? b.data : "", b.len, err) : NULL;
    gv_buf_release(&b);
    if (!text)
        return err->code;
    size_t lines = 1, widest = 1;
    for (const char *p = text; *p; p++)
        lines += *p == '\n' || *p == '\r';
    for (const char *p = text; *p && *p != '\n'; p++)
        widest += *p == ',';
    if (!(t->cell = gv_arena_alloc(a, (lines + 1) * widest * sizeof *t->cell, err)))
        return GV_ESYS;
    int end = 0;
    for (char *p = text; *p; t->rows++) {
        size_t c = 0, width = t->columns ? t->columns : widest;
        for (end = 0; !end; c++) {
            char *f = field(&p, &end);
            if (c < width)
                t->cell[t->rows * width + c] = f;
        }
        if (!t->rows)
            t->columns = c; /* fewer than there are commas where names hold some */
        else if (c != t->columns)
            return gv_fail(err, GV_EDATA, "'%s': row %zu has %zu fields where the head has %zu", path, t->rows, c, t->columns);
    }
    if (!t->rows)
        return gv_fail(err, GV_EDATA, "'%s' is empty", path);
    t->rows--;
    return GV_OK;
}

int gv_table_column(const gv_table *t, const char *name)
{
    for (size_t i = 0; i < t->columns; i++)
        if (!strcmp(t->cell[i], name))
            return (int)i;
    return -1;
}
