/* CSV: cells in place, a line at a time. */
#include "common/csv.h"
#include "common/file.h"
#include <stdbool.h>
#include <string.h>

enum { MAX_CELLS = 4096 };

/* One line into cells, in place: quotes are taken off, doubled ones made single. Answers the text behind the line. */
static char *cells_of(char *p, char *end, char **cell, size_t *n, size_t *line, const char **bad)
{
    *n = 0;
    *bad = NULL;
    for (;;) {
        if (*n == MAX_CELLS) {
            *bad = "more than 4096 columns";
            return NULL;
        }
        char *to = cell[(*n)++] = p;
        bool quoted = p < end && *p == '"';
        if (quoted)
            for (p++;;) {
                if (p >= end) {
                    *bad = "a quote is not closed";
                    return NULL;
                }
                if (*p == '"' && !(p + 1 < end && p[1] == '"'))
                    break;
                p += *p == '"';
                *line += *p == '\n';
                *to++ = *p++;
            }
        if (quoted && p < end)
            p++;
        while (p < end && *p != ',' && *p != '\n')
            *to++ = *p++;
        char stop = p < end ? *p : '\n';
        if (stop == '\n' && to > cell[*n - 1] && to[-1] == '\r')
            to--;
        if (p < end)
            p++;
        *to = 0;
        if (stop == '\n')
            return p;
    }
}

int gv_csv_lines(gv_buf *text, const char *name, gv_csv_line *each, void *arg, gv_err *err)
{
    int r = GV_OK;
    if (!text->len)
        return GV_OK;
    if (memchr(text->data, 0, text->len))
        return gv_fail(err, GV_EDATA, "'%s' is no CSV file: it holds a NUL byte", name);
    char **cell = gv_alloc(MAX_CELLS * sizeof *cell, err), *p = text->data, *end = p + text->len;
    if (!cell)
        return GV_ESYS;
    if (text->len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3))
        p += 3;
    for (size_t line = 1; p < end && r == GV_OK; line++) {
        size_t n, first = line;
        const char *bad;
        char *next = cells_of(p, end, cell, &n, &line, &bad);
        if (!next)
            r = gv_fail(err, GV_EDATA, "'%s', line %zu: %s", name, first, bad);
        else if (n > 1 || *cell[0])
            r = each(arg, cell, n, first, err);
        p = next;
    }
    gv_free(cell);
    return r;
}

int gv_csv_read(const char *path, size_t cap, gv_csv_line *each, void *arg, gv_err *err)
{
    gv_buf text = { 0 };
    int r = gv_file_read(path, cap, &text, err);
    if (r == GV_OK)
        r = gv_csv_lines(&text, path, each, arg, err);
    gv_buf_release(&text);
    return r;
}
