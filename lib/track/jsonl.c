/* jsonl: every line with the time its epoch ended. */
#include "track/textfile.h"

static int open_it(gv_delivery *d, gv_err *err)
{
    (void)err;
    gv_track_textfile(d, "metrics.jsonl");
    return GV_OK;
}

static int line(gv_delivery *d, const json_t *metrics, int64_t epoch, double time, gv_err *err)
{
    (void)epoch;
    json_t *j = json_object();
    if (!j || json_object_set_new(j, "time", isnan(time) ? json_null() : json_real(time)) < 0 || json_object_update(j, (json_t *)metrics) < 0) {
        json_decref(j);
        return gv_fail(err, GV_ESYS, "out of memory");
    }
    int r = gv_json_text(j, &d->out, err);
    json_decref(j);
    return r == GV_OK ? gv_buf_add(&d->out, "\n", 1, err) : r;
}

const gv_sink gv_sink_jsonl = { .name = "jsonl", .summary = "lines of JSON with times", .open = open_it, .line = line };
