/* tensorboard: an event file of TensorBoard: scalars by epoch, pictures, what was said, the configuration as text and as hyper-parameters.
 * Numbers of fields are those of tensorboard/compat/proto/{event,summary,tensor}.proto and of plugins/hparams. Hyper-parameters go without
 * an Experiment: TensorBoard then makes one of all runs it sees, where it would take the first run's.
 *
 * memory: name (of the file), place (its folder; null: RUN/tensorboard), time (of the last event). */
#include "common/file.h"
#include "common/log.h"
#include "track/frames.h"
#include "track/pb.h"
#include "track/track.h"
#include <inttypes.h>
#include <unistd.h>

enum { VALUE_MAX = 2000 }; /* bytes of a hyper-parameter's text */

/* ---- the file ---- */

static int new_name(gv_delivery *d, gv_err *err)
{
    char name[400], host[256] = "";
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "events.out.tfevents.%010lld.%s.%ld.0", (long long)d->run->started, *host ? host : "localhost", (long)getpid());
    char *place = d->to && gv_mkdirs(d->to, err) == GV_OK ? realpath(d->to, NULL) : NULL; /* delivery goes on from another directory too */
    if (d->to && !place)
        return err->code != GV_OK ? err->code : gv_fail_sys(err, "cannot find '%s'", d->to);
    bool ok = json_object_set_new(d->memory, "name", json_string(name)) == 0 && json_object_set_new(d->memory, "place", place ? json_string(place) : json_null()) == 0;
    free(place);
    return ok ? gv_delivery_keep(d, err) : gv_fail(err, GV_ESYS, "cannot keep the name '%s' (is it UTF-8?)", name);
}

static int open_it(gv_delivery *d, gv_err *err)
{
    char dir[4200];
    const char *name = json_string_value(json_object_get(d->memory, "name"));
    int r = name && !strchr(name, '/') ? GV_OK : new_name(d, err);
    if (r < 0)
        return r;
    const char *place = json_string_value(json_object_get(d->memory, "place"));
    if (place)
        snprintf(dir, sizeof dir, "%.4100s", place);
    else
        snprintf(dir, sizeof dir, "%.4000s/tensorboard", d->run->dir);
    snprintf(d->path, sizeof d->path, "%s/%.190s", dir, json_string_value(json_object_get(d->memory, "name")));
    return gv_mkdirs(dir, err);
}

/* ---- events ---- */

static double time_of(gv_delivery *d, double time)
{
    const json_t *last = json_object_get(d->memory, "time");
    time = isfinite(time) ? time : json_is_real(last) ? json_real_value(last) : d->run->started;
    json_object_set_new(d->memory, "time", json_real(time));
    return time;
}

/* An event with a summary; values go in until put. */
static size_t open_event(gv_pb *m, double time, int64_t step, gv_err *err)
{
    *m = (gv_pb){ .err = err };
    gv_pb_f64(m, 1, time);
    gv_pb_int(m, 2, step);
    return gv_pb_open(m, 5);
}

static int put(gv_delivery *d, gv_pb *m, size_t summary, gv_err *err)
{
    if (summary)
        gv_pb_close(m, summary);
    int r = m->r == GV_OK ? gv_frame_tfevents(&d->out, m->b.data, m->b.len, err) : m->r;
    gv_buf_release(&m->b);
    return r;
}

static void scalar(gv_pb *m, const char *tag, double x)
{
    size_t v = gv_pb_open(m, 1);
    gv_pb_text(m, 1, tag);
    gv_pb_f32(m, 2, (float)x);
    gv_pb_close(m, v);
}

/* Which plugin shows the value, and what it reads. */
static void plugin(gv_pb *m, const char *name, const void *content, size_t n)
{
    size_t meta = gv_pb_open(m, 9), p = gv_pb_open(m, 1);
    gv_pb_text(m, 1, name);
    gv_pb_bytes(m, 2, content, n);
    gv_pb_close(m, p);
    gv_pb_int(m, 4, 2); /* a tensor */
    gv_pb_close(m, meta);
}

/* Text, which TensorBoard takes for Markdown. */
static void text(gv_pb *m, const char *tag, const char *s, size_t n)
{
    size_t v = gv_pb_open(m, 1);
    gv_pb_text(m, 1, tag);
    plugin(m, "text", "", 0);
    size_t t = gv_pb_open(m, 8);
    gv_pb_int(m, 1, 7); /* strings */
    size_t shape = gv_pb_open(m, 2), dim = gv_pb_open(m, 2);
    gv_pb_int(m, 1, 1);
    gv_pb_close(m, dim);
    gv_pb_close(m, shape);
    gv_pb_bytes(m, 8, s, n);
    gv_pb_close(m, t);
    gv_pb_close(m, v);
}

/* HParamsPluginData with `content` in `field`, and the empty tensor that its readers want. */
static void hparams(gv_pb *m, const char *tag, int field, const gv_buf *content)
{
    gv_pb data = { .err = m->err };
    gv_pb_int(&data, 1, 0); /* version */
    gv_pb_bytes(&data, field, content->data, content->len);
    size_t v = gv_pb_open(m, 1);
    gv_pb_text(m, 1, tag);
    plugin(m, "hparams", data.b.data, data.b.len);
    size_t t = gv_pb_open(m, 8);
    gv_pb_int(m, 1, 1); /* floats: none */
    size_t shape = gv_pb_open(m, 2), dim = gv_pb_open(m, 2);
    gv_pb_close(m, dim);
    gv_pb_close(m, shape);
    gv_pb_close(m, t);
    gv_pb_close(m, v);
    m->r = m->r < 0 ? m->r : data.r;
    gv_buf_release(&data.b);
}

/* ---- the beginning ---- */

/* One hyper-parameter: SessionStartInfo.hparams[name] = google.protobuf.Value. */
static int hparam(void *self, const char *name, const json_t *v, gv_err *err)
{
    gv_pb *m = self;
    gv_buf s = { 0 };
    if (json_is_null(v) || (json_is_object(v) && !json_object_size(v)) || !strncmp(name, "logger.", 7) || !strcmp(name, "exp_dir"))
        return GV_OK; /* names and places are none */
    if (!json_is_string(v) && !json_is_boolean(v) && !json_is_number(v) && gv_json_text(v, &s, err) < 0)
        return err->code;
    const char *words = json_is_string(v) ? json_string_value(v) : s.data;
    size_t entry = gv_pb_open(m, 1);
    gv_pb_text(m, 1, name);
    size_t value = gv_pb_open(m, 2);
    if (json_is_number(v))
        gv_pb_f64(m, 2, json_number_value(v));
    else if (json_is_boolean(v))
        gv_pb_int(m, 4, json_is_true(v));
    else
        gv_pb_bytes(m, 3, words ? words : "", words && strlen(words) < VALUE_MAX ? strlen(words) : 0);
    gv_pb_close(m, value);
    gv_pb_close(m, entry);
    gv_buf_release(&s);
    return m->r;
}

/* A row of the table: fields that TensorBoard's Markdown would read as marks stand in code. */
static int row(void *self, const char *name, const json_t *v, gv_err *err)
{
    gv_buf *out = self, s = { 0 };
    int r = gv_json_text(v, &s, err);
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] == '|' || s.data[i] == '`')
            s.data[i] = ' ';
    r = r == GV_OK ? gv_buf_printf(out, err, "| `%s` | `%s` |\n", name, s.data) : r;
    gv_buf_release(&s);
    return r;
}

static int command(const gv_delivery *d, gv_buf *out, gv_err *err)
{
    const json_t *argv = json_object_get(d->run->runtime, "argv");
    int r = gv_buf_add(out, "    ", 4, err); /* four blanks: as it is */
    for (size_t i = 0; i < json_array_size(argv) && r == GV_OK; i++) {
        const char *word = json_string_value(json_array_get(argv, i));
        r = i ? gv_buf_add(out, " ", 1, err) : GV_OK;
        r = r == GV_OK ? gv_shell_quote(out, word ? word : "", err) : r;
    }
    return r;
}

static int begin(gv_delivery *d, bool again, gv_err *err)
{
    gv_pb m = { .err = err }, session = { .err = err };
    gv_buf table = { 0 }, words = { 0 };
    (void)again; /* the file says whether there was a beginning: it may have been cut */
    if (d->at + (int64_t)d->out.len)
        return GV_OK;
    json_object_del(d->memory, "time");
    gv_pb_f64(&m, 1, d->run->started);
    gv_pb_text(&m, 3, "brain.Event:2");
    int r = put(d, &m, 0, err);
    json_t *config = gv_run_configuration(d->run);
    r = r < 0 ? r : config ? gv_json_leaves(config, hparam, &session, err) : gv_fail(err, GV_ESYS, "out of memory");
    r = r == GV_OK ? gv_buf_printf(&table, err, "| field | value |\n| --- | --- |\n") : r;
    r = r == GV_OK ? gv_json_leaves(config, row, &table, err) : r;
    r = r == GV_OK ? command(d, &words, err) : r;
    if (r == GV_OK) {
        size_t s = open_event(&m, d->run->started, 0, err);
        gv_pb_f64(&session, 5, d->run->started);
        m.r = m.r < 0 ? m.r : session.r;
        hparams(&m, "_hparams_/session_start_info", 3, &session.b);
        text(&m, "config", table.data, table.len);
        text(&m, "command", words.data, words.len);
        r = put(d, &m, s, err);
    }
    json_decref(config);
    gv_buf_release(&session.b);
    gv_buf_release(&table);
    gv_buf_release(&words);
    return r;
}

/* ---- what comes ---- */

static int line(gv_delivery *d, const json_t *metrics, int64_t epoch, double time, gv_err *err)
{
    const char *key;
    json_t *v;
    gv_pb m;
    size_t s = open_event(&m, time_of(d, time), epoch, err);
    json_object_foreach((json_t *)metrics, key, v)
        if (json_is_number(v) && strcmp(key, "epoch"))
            scalar(&m, key, json_number_value(v));
    json_object_set_new(d->memory, "epoch", json_integer(epoch));
    return put(d, &m, s, err);
}

static int said(gv_delivery *d, double time, const char *words, gv_err *err)
{
    gv_pb m;
    gv_buf b = { 0 };
    int r = gv_buf_printf(&b, err, "    %s", words); /* as it is */
    if (r == GV_OK) {
        const json_t *epoch = json_object_get(d->memory, "epoch");
        size_t s = open_event(&m, isfinite(time) ? time : d->run->started, json_is_integer(epoch) ? json_integer_value(epoch) + 1 : 0, err);
        text(&m, "log", b.data, b.len);
        r = put(d, &m, s, err);
    }
    gv_buf_release(&b);
    return r;
}

static int picture(gv_delivery *d, const gv_run_picture *p, gv_err *err)
{
    gv_pb m;
    gv_buf b = { 0 };
    int64_t w = 0, h = 0;
    int channels = 0;
    gv_err why = { 0 };
    int r = gv_delivery_png(p->path, &b, &w, &h, &channels, &why);
    if (r == GV_OK) {
        size_t s = open_event(&m, p->time, p->step, err), v = gv_pb_open(&m, 1);
        gv_pb_text(&m, 1, p->key);
        size_t image = gv_pb_open(&m, 4);
        gv_pb_int(&m, 1, h);
        gv_pb_int(&m, 2, w);
        gv_pb_int(&m, 3, channels);
        gv_pb_bytes(&m, 4, b.data, b.len);
        gv_pb_close(&m, image);
        gv_pb_close(&m, v);
        r = put(d, &m, s, err);
    } else if (r == GV_EDATA) { /* a picture is no reason to keep the metrics back */
        gv_log(GV_WARNING, "%s", why.text);
        r = GV_OK;
    } else
        r = gv_fail(err, r, "%s", why.text);
    gv_buf_release(&b);
    return r;
}

static int usage(gv_delivery *d, const gv_usage *u, gv_err *err)
{
    gv_pb m;
    size_t s = open_event(&m, u->time, u->time > d->run->started ? (int64_t)(u->time - d->run->started) : 0, err); /* step: seconds */
    scalar(&m, "system/cpu_percent", u->cpu_percent);
    scalar(&m, "system/memory_percent", u->memory_percent);
    scalar(&m, "system/run_memory_mb", u->run_mb);
    return put(d, &m, s, err);
}

static int end(gv_delivery *d, gv_err *err)
{
    const gv_run_facts *run = d->run;
    gv_pb m, session = { .err = err };
    if (run->state != GV_RUN_FINISHED && run->state != GV_RUN_FAILED)
        return GV_OK; /* it goes on */
    double t = isfinite(run->ended) ? run->ended : time_of(d, NAN);
    gv_pb_int(&session, 1, run->state == GV_RUN_FINISHED ? 1 : 2);
    gv_pb_f64(&session, 2, t);
    size_t s = open_event(&m, t, 0, err);
    m.r = m.r < 0 ? m.r : session.r;
    hparams(&m, "_hparams_/session_end_info", 4, &session.b);
    gv_buf_release(&session.b);
    return put(d, &m, s, err);
}

/* The command that shows it: with the other runs of the data set, where the run stands among them. */
static const char *hint(gv_delivery *d, gv_arena *a)
{
    char dir[4400];
    gv_buf q = { 0 };
    gv_err err = { 0 };
    size_t n = strlen(d->run->dataset);
    snprintf(dir, sizeof dir, "%s", d->path);
    *strrchr(dir, '/') = 0;
    for (char *s = dir; n && !json_is_string(json_object_get(d->memory, "place")) && (s = strstr(s, d->run->dataset)); s += n)
        if (s > dir && s[-1] == '/' && s[n] == '/') {
            s[n] = 0;
            break;
        }
    const char *out = gv_shell_quote(&q, dir, &err) == GV_OK && q.data ? gv_arena_printf(a, &err, "%-12s tensorboard --logdir %s", "to look at", q.data) : NULL;
    gv_buf_release(&q);
    return out;
}

const gv_sink gv_sink_tensorboard = {
    .name = "tensorboard", .summary = "TensorBoard's event files",
    .open = open_it, .begin = begin, .line = line, .said = said, .picture = picture, .usage = usage, .end = end, .hint = hint,
};
