/* Values of records as JSON and back: headers, histories, glovita-cat --json. */
#ifndef GV_STAGE_CONVERT_H
#define GV_STAGE_CONVERT_H

#include "json/json.h"
#include "stream/stream.h"

/* A tensor of at most `inline_max` values becomes nested arrays, a larger one {"dtype","shape","bytes"}. Bytes become their count.
 * Text that is not UTF-8 keeps its readable part. NaN and infinities become null. NULL when memory is out. The caller owns it. */
json_t *gv_json_of_item(const gv_item *v, int64_t inline_max);
/* {"kind": …, fields in order}. */
json_t *gv_json_of_record(const gv_record *r, int64_t inline_max);

/* A JSON value as an item whose parts live in the arena. Returns GV_OK or the arena's failure. */
int gv_item_of_json(const json_t *j, gv_item *v, gv_arena *a, gv_err *err) GV_MUST_USE;

#endif
