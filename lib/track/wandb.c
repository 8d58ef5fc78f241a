/* wandb: the offline run directory of Weights & Biases, in its own format: what `wandb sync`, `wandb beta sync --live` and `wandb leet` read.
 * Its numbers of fields are those of wandb/proto/wandb_internal.proto; what is written is what W&B's own client writes offline
 * (0.31), but for kinds of records that older readers do not know.
 *
 * memory: id, name (of the directory), place (its folder; null: in the run), records, step and time (of the last row), summary, console, best. */
#include "track/wandb.h"
#include "common/log.h"
#include "metric/metric.h"
#include "track/frames.h"
#include <inttypes.h>

static int open_it(gv_delivery *d, gv_err *err)
{
    gv_wandb *w = gv_alloc(sizeof *w, err);
    d->self = w;
    return w ? gv_wandb_place(d, w, err) : GV_ESYS;
}

static void close_it(gv_delivery *d)
{
    gv_wandb *w = d->self;
    gv_wandb_sync_stop(w);
    json_decref(w->pictures);
    gv_buf_release(&w->console);
    gv_free(w);
}

/* ---- records ---- */

void gv_wandb_open_record(gv_delivery *d, gv_pb *m, gv_err *err)
{
    json_int_t n = json_integer_value(json_object_get(d->memory, "records")) + 1;
    *m = (gv_pb){ .err = err };
    if (json_object_set_new(d->memory, "records", json_integer(n)) < 0)
        m->r = gv_fail(err, GV_ESYS, "out of memory");
    gv_pb_int(m, 1, n);
}

int gv_wandb_close_record(gv_delivery *d, gv_pb *m, gv_err *err)
{
    int r = m->r == GV_OK ? gv_frame_wandb(&d->out, d->at, m->b.data, m->b.len, err) : m->r;
    gv_buf_release(&m->b);
    return r;
}

int gv_wandb_file(gv_delivery *d, const char *path, int type, gv_err *err)
{
    gv_pb m;
    gv_wandb_open_record(d, &m, err);
    size_t files = gv_pb_open(&m, GV_WB_FILES), item = gv_pb_open(&m, 1);
    gv_pb_text(&m, 1, path);
    gv_pb_int(&m, 2, 0); /* now */
    gv_pb_int(&m, 3, type);
    gv_pb_close(&m, item);
    gv_pb_close(&m, files);
    return gv_wandb_close_record(d, &m, err);
}

/* key = JSON, as history, summary, configuration and stats have it. path2 "": the key alone. */
static void item(gv_pb *m, int field, const char *key, const char *path2, const json_t *v)
{
    size_t at = gv_pb_open(m, field);
    if (*path2) {
        gv_pb_text(m, 2, key);
        gv_pb_text(m, 2, path2);
    } else
        gv_pb_text(m, 1, key);
    gv_pb_json(m, 16, v);
    gv_pb_close(m, at);
}

static void real_item(gv_pb *m, int field, const char *key, double x)
{
    json_t *v = json_real(x);
    item(m, field, key, "", v);
    json_decref(v);
}

static void int_item(gv_pb *m, int field, const char *key, const char *path2, int64_t x)
{
    json_t *v = json_integer(x);
    item(m, field, key, path2, v);
    json_decref(v);
}

/* ---- the beginning ---- */

static int header(gv_delivery *d, gv_err *err)
{
    gv_pb m;
    gv_wandb_open_record(d, &m, err);
    size_t h = gv_pb_open(&m, GV_WB_HEADER), v = gv_pb_open(&m, 1);
    gv_pb_text(&m, 1, "glovita-" GV_VERSION);
    gv_pb_text(&m, 2, "0.12.0"); /* the first that reads version 0 of the file */
    gv_pb_close(&m, v);
    gv_pb_close(&m, h);
    return gv_wandb_close_record(d, &m, err);
}

static void tags(gv_pb *m, const gv_delivery *d)
{
    const char *env = getenv("WANDB_TAGS");
    for (size_t i = 0; i < json_array_size(d->run->tags); i++)
        gv_pb_text(m, 10, json_string_value(json_array_get(d->run->tags, i)));
    for (const char *s = json_array_size(d->run->tags) ? NULL : env; s && *s;) {
        size_t n = strcspn(s, ",");
        if (n)
            gv_pb_bytes(m, 10, s, n);
        s += n + (s[n] != 0);
    }
    if (gv_run_is_fold(d->run)) {
        char fold[280];
        snprintf(fold, sizeof fold, "fold_%.255s", d->run->fold);
        gv_pb_text(m, 10, fold);
    }
}

static int run_record(gv_delivery *d, const gv_wandb *w, const json_t *config, gv_err *err)
{
    const gv_run_facts *run = d->run;
    char name[600];
    const char *key, *group = json_string_value(json_object_get(json_object_get(run->config, "logger"), "group"));
    json_t *v;
    gv_pb m;
    gv_git git;
    snprintf(name, sizeof name, "%.255s/%.255s", run->group, run->fold);
    gv_wandb_open_record(d, &m, err);
    size_t r = gv_pb_open(&m, GV_WB_RUN);
    gv_pb_text(&m, 1, w->id);
    gv_pb_text(&m, 2, gv_wandb_setting(d, "entity", "WANDB_ENTITY", NULL));
    gv_pb_text(&m, 3, gv_wandb_project(d));
    size_t c = gv_pb_open(&m, 4);
    json_object_foreach((json_t *)config, key, v)
        item(&m, 1, key, "", v);
    gv_pb_close(&m, c);
    gv_pb_text(&m, 6, group ? group : gv_wandb_setting(d, NULL, "WANDB_RUN_GROUP", run->group));
    gv_pb_text(&m, 7, gv_wandb_setting(d, NULL, "WANDB_JOB_TYPE", "train"));
    gv_pb_text(&m, 8, gv_wandb_setting(d, "name", "WANDB_NAME", name));
    gv_pb_text(&m, 9, gv_wandb_setting(d, NULL, "WANDB_NOTES", NULL));
    tags(&m, d);
    gv_pb_text(&m, 13, json_string_value(json_object_get(run->runtime, "host")));
    gv_pb_time(&m, 17, run->started);
    gv_run_git(run, &git);
    if (*git.commit) {
        size_t g = gv_pb_open(&m, 21);
        gv_pb_text(&m, 1, git.remote);
        gv_pb_text(&m, 2, git.commit);
        gv_pb_close(&m, g);
    }
    gv_pb_close(&m, r);
    return gv_wandb_close_record(d, &m, err);
}

static int begin(gv_delivery *d, bool again, gv_err *err)
{
    gv_wandb *w = d->self;
    (void)again; /* the file says whether there was a beginning: it may have been cut */
    if (d->at + (int64_t)d->out.len)
        return GV_OK;
    static const char *const fresh[] = { "records", "step", "time", "summary", "console", "best", NULL };
    for (int i = 0; fresh[i]; i++)
        json_object_del(d->memory, fresh[i]);
    json_t *config = gv_run_configuration(d->run);
    int r = config && json_object_set_new(d->memory, "summary", json_object()) == 0 ? GV_OK : gv_fail(err, GV_ESYS, "out of memory");
    r = r == GV_OK ? header(d, err) : r;
    r = r == GV_OK ? run_record(d, w, config, err) : r;
    r = r == GV_OK ? gv_wandb_begin_files(d, w, config, err) : r;
    json_decref(config);
    return r;
}

/* ---- rows ---- */

/* A row's time, or that of the one before it, or of the start: no reader takes a row without. */
static double time_of(gv_delivery *d, double time)
{
    const json_t *last = json_object_get(d->memory, "time");
    time = isfinite(time) ? time : json_is_real(last) ? json_real_value(last) : d->run->started;
    json_object_set_new(d->memory, "time", json_real(time));
    return time;
}

static double runtime(const gv_delivery *d, double time)
{
    return time > d->run->started ? time - d->run->started : 0;
}

/* What W&B counts itself: step, time. */
static void row_items(gv_pb *m, const gv_delivery *d, int64_t step, double time)
{
    int_item(m, 1, "_step", "", step);
    real_item(m, 1, "_timestamp", time);
    real_item(m, 1, "_runtime", runtime(d, time));
}

/* Tell of a metric: its axis, and of one that is better upwards or downwards which. */
static int define(gv_delivery *d, const char *key, int goal, gv_err *err)
{
    gv_pb m;
    gv_wandb_open_record(d, &m, err);
    size_t r = gv_pb_open(&m, GV_WB_METRIC);
    gv_pb_text(&m, 1, key);
    gv_pb_text(&m, 4, strcmp(key, "epoch") ? "epoch" : NULL);
    size_t options = gv_pb_open(&m, 6);
    gv_pb_int(&m, 1, strcmp(key, "epoch") != 0); /* rows without the axis get it */
    gv_pb_int(&m, 3, 1);
    gv_pb_close(&m, options);
    if (goal) {
        size_t summary = gv_pb_open(&m, 7);
        gv_pb_int(&m, goal > 0 ? 2 : 1, 1); /* max, min */
        gv_pb_int(&m, 5, 1);                /* last */
        gv_pb_close(&m, summary);
        gv_pb_int(&m, 8, goal > 0 ? 2 : 1);
    }
    gv_pb_close(&m, r);
    return gv_wandb_close_record(d, &m, err);
}

/* 1: higher is better; -1: lower; 0: not known, or nobody minds (the training part is measured under augmentation). */
static int goal_of(const char *key)
{
    bool higher = false;
    return !strncmp(key, "val_", 4) && gv_metric_key(key, &higher) ? higher ? 1 : -1 : 0;
}

/* The summary gets the value: as it is, or with the best so far. */
static json_t *summarise(json_t *summary, const char *key, int goal, const json_t *v)
{
    const char *name = goal > 0 ? "max" : "min";
    const json_t *was = json_object_get(json_object_get(summary, key), name);
    double x = json_number_value(v);
    if (!goal || !json_is_number(v))
        return json_incref((json_t *)v);
    bool better = !json_is_number(was) || (goal > 0 ? x > json_number_value(was) : x < json_number_value(was));
    return json_pack("{s:O, s:O}", name, better ? v : was, "last", v);
}

/* W&B's own program uploads rows whose steps rise, and counts anew where they do not: the epoch, or the next after the last row's. */
static int64_t next_step(gv_delivery *d, int64_t epoch)
{
    const json_t *last = json_object_get(d->memory, "step");
    int64_t step = json_is_integer(last) && json_integer_value(last) >= epoch ? json_integer_value(last) + 1 : epoch;
    json_object_set_new(d->memory, "step", json_integer(step));
    return step;
}

/* A row of the history, its `epoch` among the values; what it holds becomes the summary, but for counters of a row that comes late. */
static int row(gv_delivery *d, const json_t *values, int64_t epoch, double time, bool counts, gv_err *err)
{
    json_t *summary = json_object_get(d->memory, "summary"), *v;
    const char *key;
    gv_pb h, s;
    int r = GV_OK;
    int64_t step = next_step(d, epoch);
    time = counts ? time_of(d, time) : time;
    json_object_foreach((json_t *)values, key, v)
        if (r == GV_OK && !json_object_get(summary, key))
            r = define(d, key, goal_of(key), err);
    if (r < 0)
        return r;
    gv_wandb_open_record(d, &h, err);
    size_t history = gv_pb_open(&h, GV_WB_HISTORY);
    json_object_foreach((json_t *)values, key, v)
        if (!json_is_null(v))
            item(&h, 1, key, "", v);
    row_items(&h, d, step, time);
    size_t at = gv_pb_open(&h, 2);
    gv_pb_int(&h, 1, step);
    gv_pb_close(&h, at);
    gv_pb_close(&h, history);
    r = gv_wandb_close_record(d, &h, err);
    gv_wandb_open_record(d, &s, err);
    size_t whole = gv_pb_open(&s, GV_WB_SUMMARY);
    json_object_foreach((json_t *)values, key, v) {
        if (!counts && !strcmp(key, "epoch"))
            continue;
        if (json_object_set_new(summary, key, summarise(summary, key, goal_of(key), v)) < 0)
            s.r = s.r < 0 ? s.r : gv_fail(err, GV_ESYS, "out of memory");
        item(&s, 1, key, "", json_object_get(summary, key));
    }
    if (counts) {
        row_items(&s, d, step, time);
        int_item(&s, 1, "_wandb", "runtime", (int64_t)runtime(d, time));
    }
    gv_pb_close(&s, whole);
    int r2 = gv_wandb_close_record(d, &s, err);
    return r < 0 ? r : r2;
}

static int line(gv_delivery *d, const json_t *metrics, int64_t epoch, double time, gv_err *err)
{
    return row(d, metrics, epoch, time, true, err);
}

/* The pictures of an epoch are one row. */
static int put_pictures(gv_delivery *d, gv_err *err)
{
    gv_wandb *w = d->self;
    int r = w->pictures && w->pictures_round == d->round ? row(d, w->pictures, w->pictures_step, w->pictures_time, false, err) : GV_OK;
    json_decref(w->pictures);
    w->pictures = NULL;
    return r;
}

static int picture(gv_delivery *d, const gv_run_picture *p, gv_err *err)
{
    gv_wandb *w = d->self;
    gv_err why = { 0 };
    json_t *image = gv_wandb_image(d->self, p, &why);
    if (!image && why.code == GV_EDATA) { /* a picture is no reason to keep the metrics back */
        gv_log(GV_WARNING, "%s", why.text);
        return GV_OK;
    }
    int r = w->pictures && (w->pictures_step != p->step || w->pictures_round != d->round) ? put_pictures(d, err) : GV_OK;
    if (!w->pictures)
        w->pictures = json_pack("{s:I}", "epoch", (json_int_t)p->step);
    w->pictures_step = p->step;
    w->pictures_round = d->round;
    w->pictures_time = p->time;
    bool ok = r == GV_OK && image && w->pictures && json_object_set(w->pictures, p->key, image) == 0;
    r = r < 0 ? r : ok ? gv_wandb_file(d, json_string_value(json_object_get(image, "path")), GV_WANDB_MEDIA, err)
              : gv_fail(err, why.code ? why.code : GV_ESYS, "%s", why.code ? why.text : "out of memory");
    json_decref(image);
    return r;
}

static int said(gv_delivery *d, double time, const char *text, gv_err *err)
{
    gv_wandb *w = d->self;
    gv_pb m;
    gv_buf l = { 0 };
    int r = gv_buf_printf(&l, err, "%s\n", text);
    if (r == GV_OK) {
        gv_wandb_open_record(d, &m, err);
        size_t o = gv_pb_open(&m, GV_WB_OUTPUT_RAW);
        gv_pb_int(&m, 1, 1); /* stdout */
        gv_pb_time(&m, 2, isfinite(time) ? time : d->run->started);
        gv_pb_bytes(&m, 3, l.data, l.len);
        gv_pb_close(&m, o);
        r = gv_wandb_close_record(d, &m, err);
    }
    w->console.len = w->round == d->round ? w->console.len : 0;
    w->round = d->round;
    r = r == GV_OK ? gv_buf_add(&w->console, l.data, l.len, err) : r;
    gv_buf_release(&l);
    return r;
}

static int usage(gv_delivery *d, const gv_usage *u, gv_err *err)
{
    gv_pb m;
    gv_wandb_open_record(d, &m, err);
    size_t s = gv_pb_open(&m, GV_WB_STATS);
    gv_pb_time(&m, 2, u->time);
    real_item(&m, 3, "cpu", u->cpu_percent); /* names of W&B's own pages */
    real_item(&m, 3, "memory_percent", u->memory_percent);
    real_item(&m, 3, "proc.memory.rssMB", u->run_mb);
    gv_pb_close(&m, s);
    return gv_wandb_close_record(d, &m, err);
}

/* ---- files, the end ---- */

/* A checkpoint becomes an artifact when the run has ended: until then there may be a better one. */
static int artifact(gv_delivery *d, const char *name, const char *path, gv_err *err)
{
    if (!strncmp(name, "checkpoints/", 12))
        return json_object_set_new(d->memory, "best", json_string(name)) < 0 ? gv_fail(err, GV_ESYS, "out of memory") : GV_OK;
    int r = gv_wandb_copy(d->self, path, name, err);
    return r == GV_OK ? gv_wandb_file(d, name, GV_WANDB_OTHER, err) : r;
}

static int end(gv_delivery *d, gv_err *err)
{
    const gv_run_facts *run = d->run;
    const char *best = json_string_value(json_object_get(d->memory, "best"));
    gv_pb m;
    if (run->state != GV_RUN_FINISHED && run->state != GV_RUN_FAILED)
        return GV_OK; /* it goes on in the same file */
    int r = put_pictures(d, err);
    json_t *before = json_incref(json_object_get(d->memory, "records"));
    r = r < 0 ? r : best ? gv_wandb_artifact(d, d->self, best, err) : GV_OK;
    if (r < 0) {
        json_decref(before);
        return r;
    }
    gv_wandb_open_record(d, &m, err);
    size_t e = gv_pb_open(&m, GV_WB_EXIT);
    gv_pb_int(&m, 1, run->state == GV_RUN_FINISHED ? 0 : run->exit_status ? run->exit_status : 1);
    gv_pb_int(&m, 2, (int64_t)runtime(d, isfinite(run->ended) ? run->ended : time_of(d, NAN)));
    gv_pb_close(&m, e);
    json_object_set_new(d->memory, "records", before); /* what stands behind is taken off when the run goes on */
    return gv_wandb_close_record(d, &m, err);
}

static int flush(gv_delivery *d, gv_err *err)
{
    int r = put_pictures(d, err);
    return r < 0 ? r : gv_wandb_flush(d, d->self, err);
}

static bool ended(const gv_delivery *d)
{
    return d->run->state == GV_RUN_FINISHED || d->run->state == GV_RUN_FAILED;
}

static void settled(gv_delivery *d)
{
    gv_wandb_sync(d, d->self, ended(d));
}

static const char *where(gv_delivery *d)
{
    const gv_wandb *w = d->self;
    return d->off ? "nowhere: WANDB_MODE is 'disabled'" : w->dir;
}

static const char *hint(gv_delivery *d, gv_arena *a)
{
    const gv_wandb *w = d->self;
    gv_buf q = { 0 };
    gv_err err = { 0 };
    if (d->off)
        return NULL;
    if (w->synced)
        return gv_arena_printf(a, &err, "%-12s by 'wandb beta sync --live'; what it said is in '%s/log/wandb-sync.out'", "uploaded", d->run->dir);
    const char *how = ended(d) ? "wandb sync" : "wandb beta sync --live";
    const char *s = gv_shell_quote(&q, w->dir, &err) == GV_OK && q.data ? gv_arena_printf(a, &err, "%-12s %s %s", "to upload", how, q.data) : NULL;
    gv_buf_release(&q);
    return s;
}

const gv_sink gv_sink_wandb = {
    .name = "wandb", .summary = "Weights & Biases",
    .open = open_it, .begin = begin, .line = line, .said = said, .picture = picture, .artifact = artifact, .usage = usage,
    .end = end, .flush = flush, .settled = settled, .where = where, .hint = hint, .close = close_it,
};
