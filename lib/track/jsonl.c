/* jsonl: every line with the time its epoch ended. */
#include "track/track.h"

static int begin(gv_buf *out, gv_err *err)
{
    (void)out, (void)err;
    return GV_OK;
}

static int line(gv_buf *out, const json_t *metrics, double time, gv_err *err)
{
    json_t *j = json_object();
    if (!j || json_object_set_new(j, "time", isnan(time) ? json_null() : json_real(time)) < 0 || json_object_update(j, (json_t *)metrics) < 0) {
        json_decref(j);
        return gv_fail(err, GV_ESYS, "out of memory");
    }
    int r = gv_json_text(j, out, err);
    json_decref(j);
    return r == GV_OK ? gv_buf_add(out, "\n", 1, err) : r;
}

const gv_sink gv_sink_jsonl = { .name = "jsonl", .summary = "lines of JSON with times", .suffix = "jsonl", .begin = begin, .line = line };
