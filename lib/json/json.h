/*
 * JSON in and out, over jansson. Values are json_t; the caller owns what is returned (json_decref).
 *
 *   json_t *j = gv_json_read("labels.json", 256 << 20, &err);    // NULL: err names file, line, column
 *   gv_json_write("run/config.json", j, &err);                   // indented, keys in their order, appears whole
 *
 * Reading rejects duplicate keys, trailing text and files above the cap. Numbers are written with the fewest digits that
 * read back to the same double; NaN and infinities become null.
 */
#ifndef GV_JSON_JSON_H
#define GV_JSON_JSON_H

#include "common/field.h"
#include <jansson.h>

json_t *gv_json_read(const char *path, size_t cap, gv_err *err) GV_MUST_USE;
json_t *gv_json_parse(const char *text, size_t n, const char *what, gv_err *err) GV_MUST_USE;
int gv_json_write(const char *path, const json_t *j, gv_err *err) GV_MUST_USE;
/* The text gv_json_write writes, appended to out. */
int gv_json_pretty(const json_t *j, gv_buf *out, gv_err *err) GV_MUST_USE;
/* One line, no blanks, appended to out. */
int gv_json_text(const json_t *j, gv_buf *out, gv_err *err) GV_MUST_USE;

/* One field, or a whole table as an object, to JSON; NULL when memory is out. */
json_t *gv_field_json(const gv_field *f, const void *params, gv_err *err) GV_MUST_USE;
json_t *gv_fields_json(const gv_field *fields, const void *params, gv_err *err) GV_MUST_USE;
/* Set a field from a JSON value: the same checks and messages as the command line. `shown` names it in messages. */
int gv_field_set_json(const gv_field *f, void *params, const char *shown, const json_t *v, gv_arena *arena, gv_err *err) GV_MUST_USE;

#endif
