/* csv: a row a value: time, epoch, step, key, value. */
#include "track/textfile.h"

static int open_it(gv_delivery *d, gv_err *err)
{
    (void)err;
    gv_track_textfile(d, "metrics.csv");
    return GV_OK;
}

static int line(gv_delivery *d, const json_t *metrics, int64_t e, double time, gv_err *err)
{
    const char *key;
    json_t *v;
    gv_buf *out = &d->out;
    int r = d->at + (int64_t)out->len ? GV_OK : gv_buf_printf(out, err, "time,epoch,step,key,value\n");
    const json_t *epoch = json_object_get(metrics, "epoch"), *step = json_object_get(metrics, "step");
    json_object_foreach((json_t *)metrics, key, v) {
        if (r < 0 || !json_is_number(v) || v == epoch || v == step || strpbrk(key, ",\"\n"))
            continue;
        r = isnan(time) ? GV_OK : gv_buf_printf(out, err, "%.3f", time);
        r = r < 0 ? r : gv_buf_printf(out, err, ",%lld,%lld,%s,", (long long)e, (long long)json_integer_value(step), key);
        r = r < 0 ? r : gv_json_text(v, out, err);
        r = r < 0 ? r : gv_buf_add(out, "\n", 1, err);
    }
    return r;
}

const gv_sink gv_sink_csv = { .name = "csv", .summary = "a table with a row a value", .open = open_it, .line = line };
