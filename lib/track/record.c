/* record: log/SINK.json, what was delivered so far. */
#include "track/internal.h"
#include "common/file.h"
#include <inttypes.h>

static int numbers(gv_track *t, const json_t *j, gv_err *err)
{
    gv_track_done *o = &t->done;
    o->offset = json_integer_value(json_object_get(j, "offset"));
    o->lines = json_integer_value(json_object_get(j, "lines"));
    o->bytes = json_integer_value(json_object_get(j, "bytes"));
    o->end_at = json_integer_value(json_object_get(j, "end_at"));
    o->said = json_integer_value(json_object_get(j, "said"));
    o->begun = json_is_true(json_object_get(j, "begun"));
    o->ended = (gv_run_state)json_integer_value(json_object_get(j, "ended"));
    o->digest = strtoull(json_string_value(json_object_get(j, "digest")), NULL, 16);
    if (o->offset < 0 || o->lines < 0 || o->bytes < 0 || o->end_at < 0 || o->end_at > o->bytes || o->said < 0 || (int)o->ended < GV_RUN_GOING || o->ended > GV_RUN_LOST)
        return gv_fail(err, GV_EDATA, "'%s' holds a number that cannot be; remove it to deliver from the start", t->state);
    json_t *files = json_object_get(j, "files"), *memory = json_object_get(j, "memory");
    if (json_is_object(files))
        json_object_update(t->files, files);
    if (json_is_object(memory))
        json_object_update(t->d.memory, memory);
    return GV_OK;
}

static int keep_memory(gv_track *t, gv_err *err)
{
    json_t *copy = json_deep_copy(t->d.memory);
    if (!copy)
        return gv_fail(err, GV_ESYS, "out of memory");
    json_decref(t->memory);
    t->memory = copy;
    return GV_OK;
}

int gv_track_record_read(gv_track *t, gv_err *err)
{
    if (!gv_file_exists(t->state))
        return keep_memory(t, err);
    json_t *j = gv_json_read(t->state, 64 << 20, err);
    if (!j)
        return err->code;
    const char *to = json_string_value(json_object_get(j, "to"));
    int r = GV_OK;
    if (!json_is_string(json_object_get(j, "digest")))
        r = gv_fail(err, GV_EDATA, "'%s' does not say what was delivered; remove it to deliver from the start", t->state);
    else if (!strcmp(to ? to : "", t->d.to ? t->d.to : "")) /* to another place: from the start */
        r = numbers(t, j, err);
    json_decref(j);
    return r == GV_OK ? keep_memory(t, err) : r;
}

int gv_track_forget(gv_track *t, gv_err *err)
{
    json_t *copy = json_deep_copy(t->memory);
    if (!copy)
        return gv_fail(err, GV_ESYS, "out of memory");
    json_decref(t->d.memory);
    t->d.memory = copy;
    return GV_OK;
}

int gv_track_record_write(gv_track *t, gv_err *err)
{
    char hex[20];
    const gv_track_done *o = &t->done;
    snprintf(hex, sizeof hex, "%016" PRIx64, o->digest);
    json_t *j = json_pack("{s:s, s:s?, s:I, s:I, s:I, s:I, s:s, s:I, s:b, s:i, s:O, s:O}", "sink", t->d.sink->name, "to", t->d.to, "offset", (json_int_t)o->offset, "lines",
                          (json_int_t)o->lines, "bytes", (json_int_t)o->bytes, "end_at",
                          (json_int_t)o->end_at, "digest", hex, "said", (json_int_t)o->said, "begun", o->begun, "ended", (int)o->ended,
                          "files", t->files, "memory", t->d.memory);
    int r = j ? gv_json_write(t->state, j, err) : gv_fail(err, GV_ESYS, "cannot make a record of the delivery (is '%s' UTF-8?)", t->d.to ? t->d.to : "");
    json_decref(j);
    return r == GV_OK ? keep_memory(t, err) : r;
}
