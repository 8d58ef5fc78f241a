/* mlflow_rest: a place for runs behind MLflow's REST API 2.0.
 * Source: mlflow.org/docs/latest/rest-api.html; MLflow 3.17, mlflow/server/handlers.py, store/artifact/mlflow_artifacts_repo.py. */
#include "track/mlflow.h"
#include "track/web.h"
#include "common/file.h"
#include "common/log.h"
#include <inttypes.h>
#include <math.h>
#include <unistd.h>

/* Of a request. The server's limits are 1000 metrics, 100 parameters, 100 tags, 1,000,000 bytes. */
enum { METRICS_MAX = 1000, PAIRS_MAX = 100, BYTES_MAX = 900000, PAGES_MAX = 1000, KEYS_MAX = 10000 };

struct rest {
    gv_web *web;
    gv_mlflow_account at;
    gv_web_answer answer;
    gv_buf url, body;
};

static const char *variable(const char *name)
{
    const char *s = getenv(name);
    return s && *s ? s : NULL;
}

static int open_it(gv_mlflow *m, gv_err *err)
{
    const char *insecure = variable("MLFLOW_TRACKING_INSECURE_TLS"), *timeout = variable("MLFLOW_HTTP_REQUEST_TIMEOUT");
    long seconds = timeout ? strtol(timeout, NULL, 10) : 0;
    struct rest *t = m->self = gv_alloc(sizeof *t, err);
    if (!t)
        return GV_ESYS;
    gv_mlflow_login(m->uri, &t->at);
    return gv_web_open(&t->web, &(gv_web_setup){ .host = t->at.host, .user = *t->at.user ? t->at.user : NULL, .password = *t->at.password ? t->at.password : NULL,
        .token = variable("MLFLOW_TRACKING_TOKEN"), .ca = variable("MLFLOW_TRACKING_SERVER_CERT_PATH"), .cert = variable("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
        .insecure = insecure && (!strcasecmp(insecure, "true") || !strcmp(insecure, "1")), .seconds = seconds > 0 && seconds < 86400 ? (int)seconds : 0, .stopped = m->d->stopped }, err);
}

static void close_it(gv_mlflow *m)
{
    struct rest *t = m->self;
    if (!t)
        return;
    gv_web_close(t->web);
    gv_buf_release(&t->answer.body);
    gv_buf_release(&t->url);
    gv_buf_release(&t->body);
    gv_free(t);
    m->self = NULL;
}

/* ---- asked and answered ---- */

/* What an error's body says, on one line. */
static void reason(const json_t *j, const gv_web_answer *a, char code[64], char out[400])
{
    const char *c = json_string_value(json_object_get(j, "error_code")), *s = json_string_value(json_object_get(j, "message"));
    snprintf(code, 64, "%s", c ? c : "");
    snprintf(out, 400, "%.390s", s ? s : a->body.data ? a->body.data : "");
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    size_t n = strlen(out);
    while (n && ((unsigned char)out[n - 1] & 0xc0) == 0x80) /* cut within a character */
        out[--n] = 0;
}

/* An answer that is no 200. What cannot be helped by waiting is GV_EUSAGE or GV_EDATA. */
static int refused(const struct rest *t, const json_t *j, char code[64], gv_err *err)
{
    char why[400];
    const gv_web_answer *a = &t->answer;
    const char *url = t->url.data;
    reason(j, a, code, why);
    if (a->status >= 300 && a->status < 400)
        return gv_fail(err, GV_EUSAGE, "'%s' points to '%s', and credentials follow no pointer: give that address as tracking_uri", url, a->location);
    if (a->status == 401)
        return gv_fail(err, GV_EUSAGE, "'%s' asks for a login (401): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN", t->at.host);
    if (a->status == 403 && strstr(why, "Host header"))
        return gv_fail(err, GV_EUSAGE, "'%s' does not answer to that name (403: %s): start it with 'mlflow server --allowed-hosts %s'", t->at.host, why, strstr(t->at.host, "://") + 3);
    if (a->status == 403)
        return gv_fail(err, GV_EUSAGE, "'%s' does not permit it (403): %s", url, why);
    if (a->status == 404 && !*code)
        return gv_fail(err, GV_EUSAGE, "'%s' is not there (404): is '%s' the address of an MLflow server, with its prefix?", url, t->at.base);
    if (a->status == 404)
        return gv_fail(err, GV_EDATA, "'%s': %s", t->at.base, why);
    if (a->status == 408 || a->status == 429 || a->status >= 500)
        return gv_fail(err, GV_ESYS, "'%s' answers %ld%s%s", url, a->status, *why ? ": " : "", why);
    return gv_fail(err, GV_EDATA, "'%s' refuses it (%ld): %s", url, a->status, why);
}

/* One call of the API; `what` is behind /api/2.0/mlflow/. *j: the answer, the caller's. code: of the error that the server named. */
static int call(gv_mlflow *m, const char *method, const char *what, const json_t *body, json_t **j, char code[64], gv_err *err)
{
    struct rest *t = m->self;
    *j = NULL;
    code[0] = 0;
    t->url.len = t->body.len = 0;
    int r = gv_buf_printf(&t->url, err, "%s/api/2.0/mlflow/%s", t->at.base, what);
    r = r == GV_OK && body ? gv_json_text(body, &t->body, err) : r;
    r = r == GV_OK ? gv_web_call(t->web, method, t->url.data, body ? t->body.data : NULL, t->body.len, NULL, &t->answer, err) : r;
    if (r < 0)
        return r;
    json_t *o = t->answer.body.len ? json_loadb(t->answer.body.data, t->answer.body.len, JSON_ALLOW_NUL, NULL) : NULL;
    if (t->answer.status != 200)
        r = refused(t, o, code, err);
    else if (!json_is_object(o))
        r = gv_fail(err, GV_ESYS, "'%s' answers what is no JSON object: '%.60s'", t->url.data, t->answer.body.data ? t->answer.body.data : "");
    if (r == GV_OK)
        *j = o;
    else
        json_decref(o);
    return r;
}

static int nonsense(gv_mlflow *m, const char *what, gv_err *err)
{
    return gv_fail(err, GV_ESYS, "'%s' answers without %s", ((struct rest *)m->self)->url.data, what);
}

static int post(gv_mlflow *m, const char *what, json_t *body, gv_err *err)
{
    char code[64];
    json_t *j = NULL;
    int r = body ? call(m, "POST", what, body, &j, code, err) : gv_fail(err, GV_ESYS, "out of memory");
    json_decref(body);
    json_decref(j);
    return r;
}

static int query(gv_mlflow *m, const char *what, const char *key, const char *value, json_t **j, char code[64], gv_err *err)
{
    gv_buf q = { 0 };
    int r = gv_buf_printf(&q, err, "%s?%s=", what, key);
    r = r == GV_OK ? gv_web_escape(&q, value, "", err) : r;
    r = r == GV_OK ? call(m, "GET", q.data, NULL, j, code, err) : r;
    gv_buf_release(&q);
    return r;
}

/* ---- experiments and runs ---- */

static int take_experiment(gv_mlflow *m, const json_t *j, char out[80], gv_err *err)
{
    const json_t *e = json_object_get(j, "experiment");
    const char *id = json_string_value(json_object_get(e, "experiment_id")), *stage = json_string_value(json_object_get(e, "lifecycle_stage")), *name = json_string_value(json_object_get(e, "name"));
    if (!id || !*id || strlen(id) > 70)
        return nonsense(m, "the experiment's id", err);
    if (stage && !strcmp(stage, "deleted"))
        return gv_fail(err, GV_EUSAGE, "the experiment '%s' was deleted at '%s': restore it ('mlflow experiments restore -x %s'), or take another with --logger.experiment_name", name ? name : "", ((struct rest *)m->self)->at.host, id);
    snprintf(out, 80, "%s", id);
    return GV_OK;
}

static int experiment(gv_mlflow *m, const char *name, const char *id, char out[80], gv_err *err)
{
    char code[64];
    json_t *j = NULL;
    for (int tries = 0;; tries++) {
        int r = query(m, name ? "experiments/get-by-name" : "experiments/get", name ? "experiment_name" : "experiment_id", name ? name : id, &j, code, err);
        if (r == GV_OK)
            r = take_experiment(m, j, out, err);
        json_decref(j);
        j = NULL;
        if (r == GV_OK || !name || strcmp(code, "RESOURCE_DOES_NOT_EXIST") || tries > 1)
            return r;
        gv_err_clear(err);
        json_t *body = json_pack("{s:s, s:[{s:s, s:s}]}", "name", name, "tags", "key", GV_MLFLOW_KIND, "value", GV_MLFLOW_KIND_IS);
        r = body ? call(m, "POST", "experiments/create", body, &j, code, err) : gv_fail(err, GV_ESYS, "out of memory");
        json_decref(body);
        const char *made = json_string_value(json_object_get(j, "experiment_id"));
        bool ok = r == GV_OK && made && *made && strlen(made) <= 70;
        if (ok)
            snprintf(out, 80, "%s", made);
        json_decref(j);
        j = NULL;
        if (ok)
            return GV_OK;
        if (r == GV_OK)
            return nonsense(m, "the experiment's id", err);
        if (strcmp(code, "RESOURCE_ALREADY_EXISTS")) /* else somebody else was quicker */
            return r;
        gv_err_clear(err);
    }
}

/* {run_id, status, start_time, artifact_uri, experiment_id} of a run as the API gives it; NULL where it is none. */
static json_t *run_of(const json_t *run)
{
    const json_t *info = json_object_get(run, "info"), *start = json_object_get(info, "start_time");
    const char *id = json_string_value(json_object_get(info, "run_id")), *uri = json_string_value(json_object_get(info, "artifact_uri"));
    const char *status = json_string_value(json_object_get(info, "status")), *e = json_string_value(json_object_get(info, "experiment_id"));
    json_int_t at = json_is_string(start) ? strtoll(json_string_value(start), NULL, 10) : json_integer_value(start);
    if (!id || !*id || strlen(id) > 256)
        return NULL;
    return json_pack("{s:s, s:s, s:I, s:s, s:s}", "run_id", id, "status", status ? status : "RUNNING", "start_time", at, "artifact_uri", uri ? uri : "", "experiment_id", e ? e : "");
}

static int find(gv_mlflow *m, const char *tag, const char *value, json_t *runs, gv_err *err)
{
    char code[64], filter[600], token[2000] = "";
    for (int page = 0; page < PAGES_MAX; page++) {
        snprintf(filter, sizeof filter, "tags.`%s` = '%s'", tag, value);
        json_t *j = NULL, *body = json_pack("{s:[s], s:s, s:i}", "experiment_ids", m->experiment_id, "filter", filter, "max_results", 1000);
        if (*token && json_object_set_new(body, "page_token", json_string(token)) < 0)
            json_decref(body), body = NULL;
        int r = body ? call(m, "POST", "runs/search", body, &j, code, err) : gv_fail(err, GV_ESYS, "out of memory");
        json_decref(body);
        const json_t *list = json_object_get(j, "runs");
        for (size_t i = 0; r == GV_OK && i < json_array_size(list); i++) {
            json_t *one = run_of(json_array_get(list, i));
            r = one ? json_array_append_new(runs, one) < 0 ? gv_fail(err, GV_ESYS, "out of memory") : GV_OK : nonsense(m, "a run's id", err);
        }
        const char *next = json_string_value(json_object_get(j, "next_page_token"));
        snprintf(token, sizeof token, "%s", next && strlen(next) < sizeof token ? next : "");
        json_decref(j);
        if (r < 0 || !*token)
            return r;
    }
    return GV_OK;
}

static int create(gv_mlflow *m, const char *name, int64_t start_ms, const json_t *tags, json_t **run, gv_err *err)
{
    char code[64];
    json_t *j = NULL, *body = json_pack("{s:s, s:s, s:I, s:O}", "experiment_id", m->experiment_id, "run_name", name, "start_time", (json_int_t)start_ms, "tags", tags);
    int r = body ? call(m, "POST", "runs/create", body, &j, code, err) : gv_fail(err, GV_ESYS, "out of memory");
    *run = r == GV_OK ? run_of(json_object_get(j, "run")) : NULL;
    json_decref(body);
    json_decref(j);
    return r == GV_OK && !*run ? nonsense(m, "the run's id", err) : r;
}

/* The run as the server has it, with its data. */
static int whole(gv_mlflow *m, const char *id, json_t **run, gv_err *err)
{
    char code[64];
    json_t *j = NULL;
    int r = query(m, "runs/get", "run_id", id, &j, code, err);
    *run = r == GV_OK ? json_incref(json_object_get(j, "run")) : NULL;
    json_decref(j);
    if (r < 0 && !strcmp(code, "RESOURCE_DOES_NOT_EXIST"))
        return gv_fail_in(err, "the run '%s' is no more; to deliver it anew remove '%.4000s/log/mlflow.json'", id, m->d->run->dir);
    return r == GV_OK && !*run ? nonsense(m, "the run", err) : r;
}

static int get(gv_mlflow *m, const char *id, json_t **run, gv_err *err)
{
    json_t *j = NULL;
    int r = whole(m, id, &j, err);
    *run = r == GV_OK ? run_of(j) : NULL;
    json_decref(j);
    return r == GV_OK && !*run ? nonsense(m, "the run's id", err) : r;
}

static int drop(gv_mlflow *m, const char *id, gv_err *err)
{
    return post(m, "runs/delete", json_pack("{s:s}", "run_id", id), err);
}

static int status(gv_mlflow *m, const char *id, const char *status, int64_t end_ms, gv_err *err)
{
    json_t *body = json_pack("{s:s, s:s}", "run_id", id, "status", status);
    if (body && end_ms >= 0 && json_object_set_new(body, "end_time", json_integer(end_ms)) < 0)
        json_decref(body), body = NULL;
    char code[64];
    json_t *j = NULL;
    int r = body ? call(m, "POST", "runs/update", body, &j, code, err) : gv_fail(err, GV_ESYS, "out of memory");
    if (r == GV_OK && !json_object_get(j, "run_info"))
        r = nonsense(m, "how the run stands", err);
    json_decref(body);
    json_decref(j);
    return r;
}

/* ---- what is logged ---- */

/* A part of a list that fits into a request: from *at on, which goes behind it. */
static json_t *slice(const json_t *list, size_t *at, size_t most)
{
    json_t *part = json_array();
    size_t bytes = 0;
    for (; part && *at < json_array_size(list) && json_array_size(part) < most; ++*at) {
        json_t *v = json_array_get(list, *at);
        bytes += json_dumpb(v, NULL, 0, JSON_COMPACT) + 1;
        if (json_array_size(part) && bytes > BYTES_MAX)
            break;
        if (json_array_append(part, v) < 0)
            json_decref(part), part = NULL;
    }
    return part;
}

/* The answer to what was taken is {}: one that says something else may come from somebody in between, and what can be asked for is. */
static int log_parts(gv_mlflow *m, const char *id, const char *kind, const json_t *list, size_t most, gv_err *err)
{
    char code[64];
    int r = GV_OK;
    for (size_t at = 0; r == GV_OK && at < json_array_size(list);) {
        json_t *part = slice(list, &at, most), *j = NULL, *body = part ? json_pack("{s:s, s:o}", "run_id", id, kind, part) : NULL;
        r = body ? call(m, "POST", "runs/log-batch", body, &j, code, err) : gv_fail(err, GV_ESYS, "out of memory");
        if (r == GV_OK && json_object_size(j) && strcmp(kind, "tags"))
            r = nonsense(m, "saying that it was taken", err);
        json_decref(body);
        json_decref(j);
    }
    return r;
}

static bool near(double a, double b)
{
    return a == b || fabs(a - b) <= 1e-6 * fabs(b); /* a store may keep single precision */
}

static double number(const json_t *v)
{
    return json_is_string(v) ? strtod(json_string_value(v), NULL) : json_number_value(v);
}

static int64_t whole_number(const json_t *v)
{
    return json_is_string(v) ? strtoll(json_string_value(v), NULL, 10) : (int64_t)json_number_value(v);
}

/* Leave out of `metrics` what this page of a history of `key` holds. A value stands once for a step, whatever its time: that of a line
 * whose epoch was not told of is made up. */
static void leave_out(json_t *metrics, const char *key, const json_t *history)
{
    for (size_t i = json_array_size(metrics); i-- > 0;) {
        const json_t *v = json_array_get(metrics, i);
        if (strcmp(json_string_value(json_object_get(v, "key")), key))
            continue;
        for (size_t k = 0; k < json_array_size(history); k++) {
            const json_t *h = json_array_get(history, k);
            if (whole_number(json_object_get(h, "step")) == json_integer_value(json_object_get(v, "step")) && near(number(json_object_get(h, "value")), json_number_value(json_object_get(v, "value")))) {
                json_array_remove(metrics, i);
                break;
            }
        }
    }
}

static int history(gv_mlflow *m, const char *id, const char *key, json_t *metrics, gv_err *err)
{
    char code[64], token[2000] = "";
    int r = GV_OK;
    for (int page = 0; r == GV_OK && page < PAGES_MAX; page++) {
        gv_buf q = { 0 };
        json_t *j = NULL;
        r = gv_buf_printf(&q, err, "metrics/get-history?run_id=%s&metric_key=", id);
        r = r == GV_OK ? gv_web_escape(&q, key, "", err) : r;
        if (r == GV_OK && *token) {
            r = gv_buf_printf(&q, err, "&page_token=");
            r = r == GV_OK ? gv_web_escape(&q, token, "", err) : r;
        }
        r = r == GV_OK ? call(m, "GET", q.data, NULL, &j, code, err) : r;
        const json_t *list = json_object_get(j, "metrics");
        const char *next = json_string_value(json_object_get(j, "next_page_token"));
        if (r == GV_OK && list && !json_is_array(list))
            r = nonsense(m, "a list of metrics", err);
        if (r == GV_OK)
            leave_out(metrics, key, list);
        snprintf(token, sizeof token, "%s", next && strlen(next) < sizeof token ? next : "");
        json_decref(j);
        gv_buf_release(&q);
        if (!*token)
            break;
    }
    return r;
}

/* Leave out what has arrived: the run tells the latest of each metric, and where that is not before ours its history is asked for. */
static int not_yet(gv_mlflow *m, const char *id, const json_t *run, json_t *metrics, gv_err *err)
{
    const json_t *latest = json_object_get(json_object_get(run, "data"), "metrics");
    int r = GV_OK;
    for (size_t i = 0; r == GV_OK && i < json_array_size(latest) && i < KEYS_MAX; i++) {
        const json_t *l = json_array_get(latest, i);
        const char *key = json_string_value(json_object_get(l, "key"));
        bool asked = false;
        for (size_t k = 0; key && !asked && k < json_array_size(metrics); k++) {
            const json_t *v = json_array_get(metrics, k);
            asked = !strcmp(json_string_value(json_object_get(v, "key")), key) && json_integer_value(json_object_get(v, "step")) <= whole_number(json_object_get(l, "step"));
        }
        r = asked ? history(m, id, key, metrics, err) : GV_OK;
    }
    return r;
}

/* Parameters are written once: what the run has stays. */
static void not_again(const json_t *run, json_t *params)
{
    const json_t *there = json_object_get(json_object_get(run, "data"), "params");
    for (size_t k = 0; k < json_array_size(there); k++) {
        const char *key = json_string_value(json_object_get(json_array_get(there, k), "key"));
        for (size_t i = json_array_size(params); key && i-- > 0;)
            if (!strcmp(json_string_value(json_object_get(json_array_get(params, i), "key")), key))
                json_array_remove(params, i);
    }
}

/* Older servers take less: texts are cut where they refuse. */
static int log_params(gv_mlflow *m, const char *id, json_t *params, gv_err *err)
{
    static const size_t shorter[] = { 500, 250 };
    int r = log_parts(m, id, "params", params, PAIRS_MAX, err);
    for (size_t k = 0; k < GV_COUNT(shorter) && r == GV_EDATA && strstr(err->text, "length"); k++) {
        gv_err_clear(err);
        for (size_t i = 0; i < json_array_size(params); i++) {
            gv_buf text = { 0 };
            json_t *o = json_array_get(params, i);
            gv_mlflow_text(json_string_value(json_object_get(o, "value")), shorter[k], &text);
            if (text.len)
                json_object_set_new(o, "value", json_string(text.data));
            gv_buf_release(&text);
        }
        r = log_parts(m, id, "params", params, PAIRS_MAX, err);
    }
    return r;
}

static int log_it(gv_mlflow *m, const char *id, json_t *metrics, json_t *params, json_t *tags, bool repeats, gv_err *err)
{
    json_t *run = NULL;
    int r = repeats || json_array_size(params) ? whole(m, id, &run, err) : GV_OK;
    if (r == GV_OK && run) {
        not_again(run, params);
        r = repeats ? not_yet(m, id, run, metrics, err) : GV_OK;
    }
    json_decref(run);
    r = r == GV_OK ? log_params(m, id, params, err) : r;
    r = r == GV_OK ? log_parts(m, id, "tags", tags, PAIRS_MAX, err) : r;
    return r == GV_OK ? log_parts(m, id, "metrics", metrics, METRICS_MAX, err) : r;
}

/* ---- artifacts ---- */

/* Whether the server runs on this machine: its files are ours. */
static bool is_here(const struct rest *t)
{
    char name[256] = "", host[256];
    const char *s = strstr(t->at.host, "://") + 3;
    gethostname(name, sizeof name - 1);
    snprintf(host, sizeof host, "%.*s", (int)(*s == '[' ? strcspn(s, "]") + 1 : strcspn(s, ":")), s);
    return !strcmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "[::1]") || !strcmp(host, name);
}

static int no_artifacts(gv_mlflow *m, const char *why)
{
    m->no_artifacts = true;
    gv_log(GV_WARNING, "pictures and files are not delivered: %s", why);
    return GV_OK;
}

/* mlflow-artifacts:[//host:port]/PATH -> the address of a file there. */
static int proxy_url(gv_mlflow *m, const char *uri, const char *name, gv_err *err)
{
    struct rest *t = m->self;
    const char *path = strchr(uri, ':') + 1;
    int r;
    t->url.len = 0;
    if (!strncmp(path, "//", 2)) {
        size_t n = strcspn(path + 2, "/");
        r = n ? gv_buf_printf(&t->url, err, "%.*s%.*s", (int)(strstr(t->at.base, "://") + 3 - t->at.base), t->at.base, (int)n, path + 2) : gv_buf_printf(&t->url, err, "%s", t->at.base);
        path += 2 + n;
    } else
        r = gv_buf_printf(&t->url, err, "%s", t->at.base);
    r = r == GV_OK ? gv_buf_printf(&t->url, err, "/api/2.0/mlflow-artifacts/artifacts/") : r;
    r = r == GV_OK ? gv_web_escape(&t->url, path + strspn(path, "/"), "/", err) : r;
    r = r == GV_OK ? gv_buf_add(&t->url, "/", 1, err) : r;
    return r == GV_OK ? gv_web_escape(&t->url, name, "/", err) : r;
}

static int put(gv_mlflow *m, const char *uri, const char *name, const char *path, gv_err *err)
{
    struct rest *t = m->self;
    char code[64], why[400], text[700];
    int r = proxy_url(m, uri, name, err);
    r = r == GV_OK ? gv_web_call(t->web, "PUT", t->url.data, NULL, 0, path, &t->answer, err) : r;
    if (r < 0)
        return r;
    long s = t->answer.status;
    json_t *j = t->answer.body.len ? json_loadb(t->answer.body.data, t->answer.body.len, 0, NULL) : NULL;
    reason(j, &t->answer, code, why);
    if (s == 200 && t->answer.body.len && !json_is_object(j)) /* a page of somebody in between */
        r = gv_fail(err, GV_ESYS, "'%s' answers what is no JSON object: '%.60s'", t->url.data, t->answer.body.data);
    else if (s == 200)
        r = GV_OK;
    else if (s == 404 || s == 405 || s == 501 || strstr(why, "serve-artifacts")) {
        snprintf(text, sizeof text, "'%s' answers %ld: %s", t->url.data, s, why);
        r = no_artifacts(m, text);
    } else if (s == 400 || s == 413) /* this one, for good */
        gv_log(GV_WARNING, "'%s' is not delivered: '%s' answers %ld: %s", name, t->url.data, s, why);
    else
        r = refused(t, j, code, err);
    json_decref(j);
    return r;
}

static int artifact(gv_mlflow *m, const char *name, const char *path, gv_err *err)
{
    struct rest *t = m->self;
    char dir[4096], text[600];
    const char *uri = gv_mlflow_id(m, "artifact_uri");
    if (access(path, R_OK) < 0)
        return GV_OK; /* it went meanwhile: what stands in its place comes later */
    if (!uri)
        return no_artifacts(m, "the server tells no place for them");
    if (!strncmp(uri, "mlflow-artifacts:", 17))
        return put(m, uri, name, path, err);
    if (!strncmp(uri, "file:", 5) || *uri == '/') {
        const char *at = *uri == '/' ? uri : uri + 5;
        at += !strncmp(at, "//", 2) ? 2 + strcspn(at + 2, "/") : 0;
        gv_mlflow_unescape(at, *uri == '/' ? 0 : strlen(at), dir, sizeof dir);
        if (is_here(t))
            return gv_mlflow_copy(path, *uri == '/' ? uri : dir, name, err);
        snprintf(text, sizeof text, "they belong into '%.300s' of the server's machine; start it with --serve-artifacts", uri);
        return no_artifacts(m, text);
    }
    snprintf(text, sizeof text, "they belong into '%.300s', which takes a program of its own; a server with --serve-artifacts passes them on", uri);
    return no_artifacts(m, text);
}

const gv_mlflow_place gv_mlflow_rest = {
    .open = open_it, .experiment = experiment, .find = find, .create = create, .get = get, .drop = drop, .log = log_it, .status = status,
    .artifact = artifact, .close = close_it,
};
