/* facts: what a run says of itself, from its snapshots, its place and log/status.json. */
#include "track/track.h"
#include "common/file.h"
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const states[] = { "running", "finished", "failed", "stopped", "lost" };

static int snapshot(json_t **to, const char *dir, const char *name, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%.4000s/%s", dir, name);
    *to = gv_file_exists(path) ? gv_json_read(path, 64 << 20, err) : json_object();
    if (*to && !json_is_object(*to))
        return gv_fail(err, GV_EDATA, "'%s' holds no object", path);
    return *to ? GV_OK : err->code != GV_OK ? err->code : gv_fail(err, GV_ESYS, "out of memory");
}

/* The last three parts of the run's place: data set, group, fold. */
static int place(gv_run_facts *f, gv_err *err)
{
    char *whole = realpath(f->dir, NULL), *part[3] = { "", "", "" };
    if (!whole)
        return gv_fail_sys(err, "cannot find '%s'", f->dir);
    for (int i = 2; i >= 0; i--) {
        char *slash = strrchr(whole, '/');
        if (!slash)
            break;
        *slash = 0;
        part[i] = slash + 1;
    }
    snprintf(f->exp_dir, sizeof f->exp_dir, "%.4090s", *whole ? whole : "/");
    const char *dataset = json_string_value(json_object_get(json_object_get(f->config, "data"), "dataset"));
    const char *group = json_string_value(json_object_get(json_object_get(f->config, "logger"), "group"));
    json_t *keep = json_pack("[s, s, s]", dataset ? dataset : part[0], group ? group : part[1], part[2]);
    free(whole);
    if (!keep || json_object_set_new(f->options, " place", keep) < 0) /* texts live as long as the facts */
        return gv_fail(err, GV_ESYS, "cannot keep the names of '%s' (are they UTF-8?)", f->dir);
    f->dataset = json_string_value(json_array_get(keep, 0));
    f->group = json_string_value(json_array_get(keep, 1));
    f->fold = json_string_value(json_array_get(keep, 2));
    return GV_OK;
}

/* When config.json was written: the run began. */
static double began(const char *dir)
{
    struct stat st;
    char path[4200];
    snprintf(path, sizeof path, "%.4000s/config.json", dir);
    if (stat(path, &st) < 0) {
        snprintf(path, sizeof path, "%.4000s/metrics.jsonl", dir);
        if (stat(path, &st) < 0)
            return (double)time(NULL);
    }
    return (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec;
}

int gv_run_facts_open(gv_run_facts *f, const char *dir, const char *sink, gv_err *err)
{
    *f = (gv_run_facts){ .ended = NAN };
    snprintf(f->dir, sizeof f->dir, "%s", dir);
    int r = snapshot(&f->config, dir, "config.json", err);
    r = r < 0 ? r : snapshot(&f->resolved, dir, "resolved_config.json", err);
    r = r < 0 ? r : snapshot(&f->runtime, dir, "runtime_info.json", err);
    if (r < 0)
        return r;
    json_t *logger = json_object_get(f->config, "logger");
    const char *backend = json_string_value(json_object_get(logger, "backend"));
    f->options = backend && !strcmp(backend, sink) ? json_copy(logger) : json_object();
    f->tags = json_object_get(logger, "tags");
    f->tags = f->tags && json_is_array(f->tags) ? json_incref(f->tags) : json_array();
    if (!f->options || !f->tags)
        return gv_fail(err, GV_ESYS, "out of memory");
    f->epochs = json_integer_value(json_object_get(json_object_get(f->resolved, "training"), "epochs"));
    f->started = began(dir);
    r = place(f, err);
    return r < 0 ? r : gv_run_facts_state(f, err);
}

void gv_run_facts_close(gv_run_facts *f)
{
    json_decref(f->config);
    json_decref(f->resolved);
    json_decref(f->runtime);
    json_decref(f->options);
    json_decref(f->tags);
    f->config = f->resolved = f->runtime = f->options = f->tags = NULL;
}

/* The process that holds the run wrote itself into .lock; on another host nothing is known of it. */
static bool holder_is_gone(const char *dir)
{
    char path[4200], host[128] = "", on[128];
    long pid = 0;
    gv_buf b = { 0 };
    snprintf(path, sizeof path, "%.4000s/.lock", dir);
    gethostname(host, sizeof host - 1);
    bool gone = gv_file_read(path, 4096, &b, &(gv_err){ 0 }) == GV_OK && b.data && sscanf(b.data, "process %ld on %127s", &pid, on) == 2 && pid > 0 &&
                !strcmp(on, host) && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
    gv_buf_release(&b);
    return gone;
}

int64_t gv_run_epochs(const char *dir)
{
    char path[4200];
    gv_buf b = { 0 };
    int64_t lines = 0;
    snprintf(path, sizeof path, "%.4000s/metrics.jsonl", dir);
    if (gv_file_read(path, (size_t)1 << 30, &b, &(gv_err){ 0 }) == GV_OK)
        for (size_t i = 0; i < b.len; i++)
            lines += b.data[i] == '\n';
    gv_buf_release(&b);
    return lines;
}

/* What is told by the state of its training: of runs that no driver led. */
static gv_run_state by_metrics(const gv_run_facts *f)
{
    return f->epochs > 0 && gv_run_epochs(f->dir) >= f->epochs ? GV_RUN_FINISHED : GV_RUN_GOING;
}

int gv_run_facts_state(gv_run_facts *f, gv_err *err)
{
    char path[4200];
    snprintf(path, sizeof path, "%.4000s/log/status.json", f->dir);
    f->exit_status = 0;
    f->ended = NAN;
    if (!gv_file_exists(path)) {
        f->state = by_metrics(f);
        return GV_OK;
    }
    json_t *j = gv_json_read(path, 1 << 20, err);
    if (!j)
        return err->code;
    const char *s = json_string_value(json_object_get(j, "status"));
    const json_t *since = json_object_get(j, "since"), *until = json_object_get(j, "until");
    f->state = GV_RUN_GOING;
    for (size_t i = 0; s && i < GV_COUNT(states); i++)
        if (!strcmp(s, states[i]))
            f->state = (gv_run_state)i;
    f->exit_status = (int)json_integer_value(json_object_get(j, "exit"));
    if (json_is_number(since))
        f->started = json_number_value(since);
    if (json_is_number(until))
        f->ended = json_number_value(until);
    json_decref(j);
    if (f->state == GV_RUN_GOING && holder_is_gone(f->dir))
        f->state = GV_RUN_LOST;
    return GV_OK;
}

int gv_run_say(const char *dir, gv_run_state state, int exit_status, gv_err *err)
{
    char path[4200];
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    double now = (double)(t.tv_sec * 1000 + t.tv_nsec / 1000000) / 1000, since = now;
    snprintf(path, sizeof path, "%.4000s/log", dir);
    int r = gv_mkdirs(path, err);
    snprintf(path, sizeof path, "%.4000s/log/status.json", dir);
    json_t *was = r == GV_OK && gv_file_exists(path) ? gv_json_read(path, 1 << 20, &(gv_err){ 0 }) : NULL; /* a broken one is written anew */
    if (json_is_number(json_object_get(was, "since"))) /* of its first start */
        since = json_number_value(json_object_get(was, "since"));
    json_decref(was);
    json_t *j = json_pack("{s:s, s:f, s:o, s:o}", "status", states[state], "since", since, "until", state == GV_RUN_GOING ? json_null() : json_real(now), "exit",
                          state == GV_RUN_GOING ? json_null() : json_integer(exit_status));
    if (r == GV_OK)
        r = j ? gv_json_write(path, j, err) : gv_fail(err, GV_ESYS, "out of memory");
    json_decref(j);
    return r;
}

const char *gv_delivery_option(const gv_delivery *d, const char *name)
{
    return json_string_value(json_object_get(d->run->options, name));
}

bool gv_run_is_fold(const gv_run_facts *f)
{
    const json_t *c = json_object_size(f->resolved) ? f->resolved : f->config;
    return json_is_string(json_object_get(json_object_get(c, "data"), "fold")) || json_integer_value(json_object_get(json_object_get(c, "training"), "cv_folds")) > 1;
}

json_t *gv_run_configuration(const gv_run_facts *run)
{
    json_t *j = json_copy(run->resolved);
    const char *key;
    json_t *v;
    json_object_foreach(run->config, key, v)
        if (j && !json_object_get(j, key) && strcmp(key, "typed"))
            json_object_set(j, key, v);
    return j;
}

static int64_t be32(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    return (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | p[3];
}

int gv_delivery_png(const char *path, gv_buf *b, int64_t *width, int64_t *height, int *channels, gv_err *err)
{
    static const int by_colour[7] = { 1, 0, 3, 3, 2, 0, 4 }; /* gray, RGB, palette, gray and alpha, RGBA */
    int r = gv_file_read(path, 64 << 20, b, err);
    if (r < 0)
        return r;
    int colour = b->len < 33 || memcmp(b->data, "\x89PNG\r\n\x1a\n", 8) ? 1 : b->data[25];
    if (colour < 0 || colour > 6 || !by_colour[colour])
        return gv_fail(err, GV_EDATA, "'%s' is no PNG picture; it is not delivered", path);
    *width = be32(b->data + 16);
    *height = be32(b->data + 20);
    *channels = by_colour[colour];
    return GV_OK;
}

/* One level of gv_json_leaves; path is what stands before. */
static int leaves(const json_t *o, const char *path, int depth, int (*leaf)(void *, const char *, const json_t *, gv_err *), void *self, gv_err *err)
{
    const char *key;
    json_t *v;
    int r = GV_OK;
    json_object_foreach((json_t *)o, key, v) {
        char name[1024];
        snprintf(name, sizeof name, "%s%s%s", path, *path ? "." : "", key);
        if (r == GV_OK)
            r = json_is_object(v) && json_object_size(v) && depth < 16 ? leaves(v, name, depth + 1, leaf, self, err) : leaf(self, name, v, err);
    }
    return r;
}

int gv_json_leaves(const json_t *o, int (*leaf)(void *self, const char *path, const json_t *v, gv_err *err), void *self, gv_err *err)
{
    return leaves(o, "", 0, leaf, self, err);
}
