/*
 * CSV (RFC 4180, a byte order mark is skipped): one call a line; cells live until the call returns, which answers < 0 to stop.
 * At most 4,096 columns. Lines are counted from 1; an empty one is passed over.
 */
#ifndef GV_COMMON_CSV_H
#define GV_COMMON_CSV_H

#include "common/arena.h"

typedef int gv_csv_line(void *arg, char **cell, size_t n, size_t line, gv_err *err);

int gv_csv_read(const char *path, size_t cap, gv_csv_line *each, void *arg, gv_err *err) GV_MUST_USE;
/* The same of bytes, which are cut into cells where they lie. `name` is how messages call them. */
int gv_csv_lines(gv_buf *text, const char *name, gv_csv_line *each, void *arg, gv_err *err) GV_MUST_USE;

#endif
