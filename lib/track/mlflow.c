/*
 * mlflow: a run of an MLflow tracking server, or of a local store that `mlflow ui` opens (exp_dir/mlflow/mlflow.db). What a round
 * brings is collected and goes when the round is flushed: metrics, parameters and tags first, then files, then how the run stands.
 * Every step may be done again: runs are found by a tag, metrics that may have arrived are asked for, the rest replaces itself.
 */
#include "track/mlflow.h"
#include "common/file.h"
#include "common/log.h"
#include <math.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* ---- where to ---- */

static bool is_web(const char *s)
{
    return !strncasecmp(s, "http://", 7) || !strncasecmp(s, "https://", 8);
}

/* "sqlite:///" and the absolute path of the local store. */
static int local_uri(gv_mlflow *m, gv_err *err)
{
    char dir[4400];
    char *whole = realpath(m->d->run->exp_dir, NULL);
    snprintf(dir, sizeof dir, "%.4090s", whole ? whole : m->d->run->exp_dir);
    free(whole);
    if (snprintf(m->uri, sizeof m->uri, "sqlite:///%s/mlflow/mlflow.db", dir) >= (int)sizeof m->uri)
        return gv_fail(err, GV_EUSAGE, "the path '%s/mlflow/mlflow.db' is too long", dir);
    return GV_OK;
}

static int choose(gv_mlflow *m, gv_err *err)
{
    const char *option = gv_delivery_option(m->d, "tracking_uri"), *env = getenv("MLFLOW_TRACKING_URI");
    const char *uri = m->d->to ? m->d->to : option ? option : env && *env ? env : NULL;
    if (!uri)
        return local_uri(m, err);
    if (strlen(uri) >= sizeof m->uri)
        return gv_fail(err, GV_EUSAGE, "the address '%.60s…' is longer than %zu bytes", uri, sizeof m->uri - 1);
    snprintf(m->uri, sizeof m->uri, "%s", uri);
    if (is_web(uri)) {
        for (size_t n = strlen(m->uri); n && m->uri[n - 1] == '/';)
            m->uri[--n] = 0;
        return GV_OK;
    }
    if (!strncmp(uri, "sqlite:///", 10) && uri[10])
        return GV_OK;
    return gv_fail(err, GV_EUSAGE, "cannot deliver to '%s': %s; there are http://HOST:PORT, https://… and sqlite:///PATH%s", uri,
                   strstr(uri, "://") ? "that kind of server is not spoken to" : "MLflow no longer opens a folder of files", m->d->to || option ? "" : " (it stands in MLFLOW_TRACKING_URI)");
}

static int open_it(gv_delivery *d, gv_err *err)
{
    gv_mlflow *m = d->self = gv_alloc(sizeof *m, err);
    if (!m)
        return GV_ESYS;
    m->d = d;
    m->metrics = json_array();
    m->params = json_array();
    m->tags = json_array();
    m->files = json_object();
    int r = m->metrics && m->params && m->tags && m->files ? choose(m, err) : gv_fail(err, GV_ESYS, "out of memory");
    if (r < 0)
        return r;
    m->place = is_web(m->uri) ? &gv_mlflow_rest : &gv_mlflow_store;
    const char *name = gv_delivery_option(d, "experiment_name"), *was = gv_mlflow_id(m, "uri"), *id = gv_mlflow_id(m, "experiment_id");
    snprintf(m->experiment, sizeof m->experiment, "%.500s", name ? name : "");
    snprintf(m->experiment_id, sizeof m->experiment_id, "%s", id ? id : "");
    if (was && strcmp(was, m->uri)) { /* MLFLOW_TRACKING_URI is another one now */
        json_object_clear(d->memory);
        d->afresh = true;
    }
    return GV_OK;
}

static void close_it(gv_delivery *d)
{
    gv_mlflow *m = d->self;
    if (m->place && m->is_open)
        m->place->close(m);
    json_decref(m->metrics);
    json_decref(m->params);
    json_decref(m->tags);
    json_decref(m->files);
    gv_free(m);
    d->self = NULL;
}

/* ---- collected ---- */

static void forget(gv_mlflow *m)
{
    json_array_clear(m->metrics);
    json_array_clear(m->params);
    json_array_clear(m->tags);
    json_object_clear(m->files);
    m->status = NULL;
}

static gv_mlflow *of_this_round(gv_delivery *d)
{
    gv_mlflow *m = d->self;
    if (m->round != d->round)
        forget(m);
    m->round = d->round;
    return m;
}

static int ready(gv_mlflow *m, gv_err *err)
{
    if (m->is_open)
        return GV_OK;
    int r = m->place->open(m, err);
    m->is_open = true; /* the close releases what there is */
    if (r < 0) {
        m->place->close(m);
        m->is_open = false;
    }
    return r;
}

static int begin(gv_delivery *d, bool again, gv_err *err)
{
    gv_mlflow *m = of_this_round(d);
    bool made;
    (void)again;
    m->may_start = true;
    int r = ready(m, err);
    r = r == GV_OK ? gv_mlflow_join(m, &made, err) : r;
    r = r == GV_OK ? gv_mlflow_params(d->run, m->params, err) : r;
    r = r == GV_OK ? gv_mlflow_tags(d->run, m->tags, err) : r;
    if (r == GV_OK && !made)
        m->status = "RUNNING";
    return r;
}

static int metric(gv_mlflow *m, const char *key, double value, int64_t time_ms, int64_t step, gv_err *err)
{
    char name[256];
    gv_mlflow_key(key, name);
    json_t *o = json_pack("{s:s, s:f, s:I, s:I}", "key", name, "value", value, "timestamp", (json_int_t)time_ms, "step", (json_int_t)step);
    return o && json_array_append_new(m->metrics, o) == 0 ? GV_OK : gv_fail(err, GV_ESYS, "out of memory");
}

/* Times that nobody knows go up with the epochs from the run's start. */
static int line(gv_delivery *d, const json_t *metrics, int64_t epoch, double time, gv_err *err)
{
    gv_mlflow *m = of_this_round(d);
    const char *key;
    json_t *v;
    int r = GV_OK;
    int64_t ms = (int64_t)((isnan(time) ? d->run->started + (double)epoch + 1 : time) * 1000 + 0.5);
    json_object_foreach((json_t *)metrics, key, v)
        if (r == GV_OK && json_is_number(v) && strcmp(key, "epoch"))
            r = metric(m, key, json_number_value(v), ms < 0 ? 0 : ms, epoch, err);
    return r;
}

static int file(gv_mlflow *m, const char *name, const char *path, gv_err *err)
{
    return json_object_set_new(m->files, name, json_string(path)) == 0 ? GV_OK : gv_fail(err, GV_ESYS, "cannot keep the name '%s' (is it UTF-8?)", name);
}

/* Each under figures/, and the latest of its kind under its own name. */
static int picture(gv_delivery *d, const gv_run_picture *p, gv_err *err)
{
    gv_mlflow *m = of_this_round(d);
    char name[300], flat[200];
    json_t *latest = json_object_get(d->memory, "latest");
    if (!latest && json_object_set_new(d->memory, "latest", latest = json_object()) < 0)
        return gv_fail(err, GV_ESYS, "out of memory");
    snprintf(flat, sizeof flat, "%s", p->key);
    for (char *s = flat; *s; s++)
        if (*s == '/')
            *s = '_';
    snprintf(name, sizeof name, "figures/step_%04lld_%s.png", (long long)p->step, flat);
    int r = file(m, name, p->path, err);
    const json_t *was = json_object_get(latest, p->key);
    if (r == GV_OK && (!was || json_integer_value(was) <= p->step)) {
        snprintf(name, sizeof name, "%s.png", p->key);
        r = file(m, name, p->path, err);
        if (r == GV_OK && json_object_set_new(latest, p->key, json_integer(p->step)) < 0)
            r = gv_fail(err, GV_ESYS, "out of memory");
    }
    return r;
}

static int artifact(gv_delivery *d, const char *name, const char *path, gv_err *err)
{
    return file(of_this_round(d), name, path, err);
}

/* Its step is in seconds. */
static int usage(gv_delivery *d, const gv_usage *u, gv_err *err)
{
    gv_mlflow *m = of_this_round(d);
    int64_t step = u->time > d->run->started ? (int64_t)(u->time - d->run->started) : 0, ms = (int64_t)(u->time * 1000);
    const struct { const char *key; double value; } v[] = {
        { "system/cpu_utilization_percentage", u->cpu_percent }, { "system/system_memory_usage_percentage", u->memory_percent },
        { "system/system_memory_usage_megabytes", u->memory_mb }, { "system/run_memory_usage_megabytes", u->run_mb },
    };
    int r = GV_OK;
    for (size_t i = 0; r == GV_OK && i < GV_COUNT(v); i++)
        r = metric(m, v[i].key, v[i].value, ms, step, err);
    return r;
}

static int end(gv_delivery *d, gv_err *err)
{
    static const char *const status[] = { [GV_RUN_GOING] = "RUNNING", [GV_RUN_FINISHED] = "FINISHED", [GV_RUN_FAILED] = "FAILED", [GV_RUN_STOPPED] = "KILLED", [GV_RUN_LOST] = "KILLED" };
    (void)err;
    of_this_round(d)->status = status[d->run->state];
    return GV_OK;
}

/* ---- sent ---- */

static int send_files(gv_mlflow *m, gv_err *err)
{
    const char *name;
    json_t *path;
    int r = GV_OK;
    json_object_foreach(m->files, name, path) {
        if (r < 0 || m->no_artifacts)
            break;
        r = m->place->artifact(m, name, json_string_value(path), err);
    }
    return r;
}

static int send_status(gv_mlflow *m, const char *id, gv_err *err)
{
    struct timespec now;
    const gv_run_facts *f = m->d->run;
    bool going = !strcmp(m->status, "RUNNING");
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t ms = going ? -1 : isnan(f->ended) ? (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 : (int64_t)(f->ended * 1000);
    int r = m->place->status(m, id, m->status, ms, err);
    r = r == GV_OK && !going ? gv_mlflow_alone(m, err) : r;
    return r == GV_OK ? gv_mlflow_family(m, err) : r;
}

static int flush(gv_delivery *d, gv_err *err)
{
    gv_mlflow *m = of_this_round(d);
    const char *id = gv_mlflow_id(m, "run_id");
    int r = id ? ready(m, err) : gv_fail(err, GV_EDATA, "'%.4000s/log/mlflow.json' does not tell the run's id; remove it to deliver from the start", d->run->dir);
    bool going = m->status && !strcmp(m->status, "RUNNING");
    if (r == GV_OK && (json_array_size(m->metrics) || json_array_size(m->params) || json_array_size(m->tags)))
        r = m->place->log(m, id, m->metrics, m->params, m->tags, d->repeats, err);
    if (r == GV_OK && going) /* what follows may take long */
        r = send_status(m, id, err);
    r = r == GV_OK ? send_files(m, err) : r;
    if (r == GV_OK && m->status && !going)
        r = send_status(m, id, err);
    forget(m);
    return r;
}

/* ---- for people ---- */

static const char *where(gv_delivery *d)
{
    gv_mlflow *m = d->self;
    const char *experiment = gv_mlflow_id(m, "experiment_id"), *run = gv_mlflow_id(m, "run_id");
    if (is_web(m->uri) && experiment && run) {
        const char *at = strrchr(m->uri, '@'), *scheme = strstr(m->uri, "://"); /* a password in the address is told to nobody */
        snprintf(m->said, sizeof m->said, "%.*s%s/#/experiments/%s/runs/%s", at && scheme ? (int)(scheme + 3 - m->uri) : 0, m->uri, at ? at + 1 : m->uri, experiment, run);
    } else
        snprintf(m->said, sizeof m->said, "%s", strncmp(m->uri, "sqlite:///", 10) ? m->uri : m->uri + 10);
    return m->said;
}

static const char *hint(gv_delivery *d, gv_arena *a)
{
    const gv_mlflow *m = d->self;
    if (is_web(m->uri))
        return NULL;
    const char *quote = m->uri[strspn(m->uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-+")] ? "'" : "";
    return gv_arena_printf(a, &(gv_err){ 0 }, "to look at   mlflow ui --backend-store-uri %s%s%s", quote, m->uri, quote);
}

const gv_sink gv_sink_mlflow = {
    .name = "mlflow", .summary = "MLflow",
    .open = open_it, .begin = begin, .line = line, .picture = picture, .artifact = artifact, .usage = usage, .end = end, .flush = flush,
    .where = where, .hint = hint, .close = close_it,
};
