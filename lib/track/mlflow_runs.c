/* mlflow_runs: the run on the server that stands for ours, and the parent that folds share. Each carries a tag with an id that is kept
 * in the run's folder (or the group's) before anything is asked for: a run that was made without our hearing of it is found again. */
#include "track/mlflow.h"
#include "common/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static const char run_tag[] = "glovita.run", group_tag[] = "glovita.group", parent_tag[] = "mlflow.parentRunId";

const char *gv_mlflow_id(const gv_mlflow *m, const char *name)
{
    const char *s = json_string_value(json_object_get(m->d->memory, name));
    return s && *s ? s : NULL;
}

static const char *text(const json_t *run, const char *name)
{
    const char *s = json_string_value(json_object_get(run, name));
    return s ? s : "";
}

/* The run with that tag among those there are: the one that is known, or the first; NULL: none. The others were made by requests that
 * nobody heard of again, have nothing in them, and go. *run is the caller's. */
static int only(gv_mlflow *m, const char *tag, const char *id, const char *known, json_t **run, gv_err *err)
{
    json_t *found = json_array(), *first = NULL;
    int r = found ? m->place->find(m, tag, id, found, err) : gv_fail(err, GV_ESYS, "out of memory");
    for (size_t i = 0; i < json_array_size(found); i++) {
        json_t *v = json_array_get(found, i);
        int64_t a = json_integer_value(json_object_get(v, "start_time")), b = json_integer_value(json_object_get(first, "start_time"));
        bool is_known = known && !strcmp(known, text(v, "run_id"));
        if (!first || is_known || a < b || (a == b && strcmp(text(v, "run_id"), text(first, "run_id")) < 0))
            first = v;
        if (is_known)
            break;
    }
    for (size_t i = 0; r == GV_OK && i < json_array_size(found); i++)
        if (json_array_get(found, i) != first)
            r = m->place->drop(m, text(json_array_get(found, i), "run_id"), err);
    *run = r == GV_OK ? json_incref(first) : NULL;
    json_decref(found);
    return r;
}

/* The run with that tag, or a new one with these. */
static int ensure(gv_mlflow *m, const char *tag, const char *id, const char *known, const char *name, json_t *tags, json_t **run, bool *made, gv_err *err)
{
    *made = false;
    *run = NULL;
    int r = gv_mlflow_pair(tags, tag, id, 64, err);
    r = r == GV_OK ? only(m, tag, id, known, run, err) : r;
    if (r == GV_OK && !*run) {
        r = m->place->create(m, name, (int64_t)(m->d->run->started * 1000), tags, run, err);
        *made = r == GV_OK;
    }
    return r;
}

/* ---- the parent ---- */

/* One process at a time works on a group's parent: the lock is its file. Returns the descriptor, < 0 on error. */
static int lock_group(gv_mlflow *m, char path[4400], gv_err *err)
{
    snprintf(path, 4400, "%.4000s/../.mlflow", m->d->run->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        const struct timespec t = { .tv_nsec = 50000000 };
        int r = errno != EWOULDBLOCK ? gv_fail_sys(err, "cannot lock '%s'", path) : m->d->stopped && m->d->stopped() ? gv_fail(err, GV_ESAVED, "stopped") : GV_OK;
        if (r < 0) {
            close(fd);
            return r;
        }
        nanosleep(&t, NULL);
    }
    return fd;
}

/* The id of a group, in the file that is its lock: read, or drawn and written where it stands. */
static int group_id(int fd, const char *path, char id[33], gv_err *err)
{
    char line[34] = "";
    ssize_t n = pread(fd, line, 32, 0);
    if (n == 32 && strspn(line, "0123456789abcdef") == 32) {
        memcpy(id, line, 33);
        return GV_OK;
    }
    if (gv_mlflow_random(id, err) < 0)
        return err->code;
    snprintf(line, sizeof line, "%s\n", id);
    if (pwrite(fd, line, 33, 0) != 33 || fdatasync(fd) < 0)
        return gv_fail_sys(err, "cannot write '%s'", path);
    return GV_OK;
}

static const char *run_name(const gv_mlflow *m, bool parent, char out[600])
{
    const gv_run_facts *f = m->d->run;
    const char *name = gv_delivery_option(m->d, "run_name"), *base = name ? name : f->group;
    if (parent || (name && !gv_run_is_fold(f)))
        snprintf(out, 250, "%.240s", base);
    else
        snprintf(out, 250, "%.150s/%.80s", base, f->fold);
    return out;
}

static int common_tags(json_t *tags, const char *name, gv_err *err)
{
    int r = gv_mlflow_pair(tags, "mlflow.runName", name, 250, err);
    r = r == GV_OK ? gv_mlflow_pair(tags, "mlflow.user", gv_mlflow_user(), 250, err) : r;
    return r == GV_OK ? gv_mlflow_pair(tags, "mlflow.source.type", "LOCAL", 250, err) : r;
}

static int join_parent(gv_mlflow *m, gv_err *err)
{
    char path[4400], id[33], name[600];
    const gv_run_facts *f = m->d->run;
    bool made;
    json_t *run = NULL, *tags = json_array();
    int fd = tags ? lock_group(m, path, err) : gv_fail(err, GV_ESYS, "out of memory");
    int r = fd < 0 ? fd : group_id(fd, path, id, err);
    r = r == GV_OK ? common_tags(tags, run_name(m, true, name), err) : r;
    r = r == GV_OK ? gv_mlflow_pair(tags, "group", f->group, 250, err) : r;
    r = r == GV_OK ? gv_mlflow_pair(tags, "dataset", f->dataset, 250, err) : r;
    r = r == GV_OK ? ensure(m, group_tag, id, gv_mlflow_id(m, "parent_id"), name, tags, &run, &made, err) : r;
    if (r == GV_OK && strcmp(text(run, "status"), "RUNNING")) /* it had ended, and goes on */
        r = m->place->status(m, text(run, "run_id"), "RUNNING", -1, err);
    if (r == GV_OK && json_object_set(m->d->memory, "parent_id", json_object_get(run, "run_id")) < 0)
        r = gv_fail(err, GV_ESYS, "out of memory");
    if (fd >= 0)
        close(fd);
    json_decref(run);
    json_decref(tags);
    return r;
}

/* Folders of the group that hold a run: folds that began. */
static int64_t begun(const gv_run_facts *f)
{
    char dir[4200], path[4600];
    int64_t n = 0;
    snprintf(dir, sizeof dir, "%.4000s/..", f->dir);
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        snprintf(path, sizeof path, "%s/%.255s/config.json", dir, e->d_name);
        n += *e->d_name != '.' && access(path, F_OK) == 0;
    }
    if (d)
        closedir(d);
    return n;
}

int gv_mlflow_family(gv_mlflow *m, gv_err *err)
{
    char path[4400];
    struct timespec now;
    const char *parent = gv_mlflow_id(m, "parent_id"), *own = gv_mlflow_id(m, "run_id");
    const gv_run_facts *f = m->d->run;
    if (!parent)
        return GV_OK;
    json_t *kids = json_array();
    int fd = kids ? lock_group(m, path, err) : gv_fail(err, GV_ESYS, "out of memory");
    int r = fd < 0 ? fd : m->place->find(m, parent_tag, parent, kids, err);
    int64_t ended = 0, bad = 0, folds = json_integer_value(json_object_get(json_object_get(f->resolved, "training"), "cv_folds")), there = begun(f);
    for (size_t i = 0; i < json_array_size(kids); i++) {
        const char *s = text(json_array_get(kids, i), "status");
        bool mine = own && !strcmp(own, text(json_array_get(kids, i), "run_id"));
        s = mine && m->status ? m->status : s;
        ended += strcmp(s, "RUNNING") && strcmp(s, "SCHEDULED");
        bad += !strcmp(s, "FAILED") || !strcmp(s, "KILLED");
    }
    folds = there > folds ? there : folds;
    clock_gettime(CLOCK_REALTIME, &now);
    if (r == GV_OK && ended == (int64_t)json_array_size(kids) && ended >= folds)
        r = m->place->status(m, parent, bad ? "FAILED" : "FINISHED", (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, err);
    else if (r == GV_OK && m->status && !strcmp(m->status, "RUNNING"))
        r = m->place->status(m, parent, "RUNNING", -1, err);
    if (fd >= 0)
        close(fd);
    json_decref(kids);
    return r;
}

/* ---- the run ---- */

/* An experiment: of the options, else of MLflow's variables, else the data set's name. Not where the run itself is given. */
static int join_experiment(gv_mlflow *m, gv_err *err)
{
    const char *id = *m->experiment ? NULL : getenv("MLFLOW_EXPERIMENT_ID"), *name = *m->experiment ? m->experiment : getenv("MLFLOW_EXPERIMENT_NAME");
    if (id && *id)
        return m->place->experiment(m, NULL, id, m->experiment_id, err);
    if (!name || !*name)
        name = *m->d->run->dataset ? m->d->run->dataset : "glovita";
    return m->place->experiment(m, name, NULL, m->experiment_id, err);
}

static int given_run(gv_mlflow *m, const char *id, json_t **run, gv_err *err)
{
    int r = m->place->get(m, id, run, err);
    if (r == GV_OK && !json_string_value(json_object_get(*run, "experiment_id")))
        r = gv_fail(err, GV_ESYS, "the run '%s' is in no experiment", id);
    if (r == GV_OK)
        snprintf(m->experiment_id, sizeof m->experiment_id, "%s", text(*run, "experiment_id"));
    return r < 0 ? gv_fail_in(err, "MLFLOW_RUN_ID") : r;
}

static int new_run(gv_mlflow *m, json_t **run, bool *made, gv_err *err)
{
    char path[4400], id[33], name[600];
    json_t *tags = json_array();
    snprintf(path, sizeof path, "%.4000s/log/mlflow.id", m->d->run->dir);
    int r = tags ? gv_mlflow_identity(path, id, err) : gv_fail(err, GV_ESYS, "out of memory");
    r = r == GV_OK ? common_tags(tags, run_name(m, false, name), err) : r;
    if (r == GV_OK && gv_mlflow_id(m, "parent_id"))
        r = gv_mlflow_pair(tags, parent_tag, gv_mlflow_id(m, "parent_id"), 250, err);
    r = r == GV_OK ? ensure(m, run_tag, id, gv_mlflow_id(m, "run_id"), name, tags, run, made, err) : r;
    json_decref(tags);
    return r;
}

int gv_mlflow_alone(gv_mlflow *m, gv_err *err)
{
    char path[4400], id[33];
    json_t *run = NULL;
    snprintf(path, sizeof path, "%.4000s/log/mlflow.id", m->d->run->dir);
    int r = gv_mlflow_identity(path, id, err);
    r = r == GV_OK ? only(m, run_tag, id, gv_mlflow_id(m, "run_id"), &run, err) : r;
    json_decref(run);
    return r;
}

int gv_mlflow_join(gv_mlflow *m, bool *made, gv_err *err)
{
    const char *given = getenv("MLFLOW_RUN_ID");
    json_t *run = NULL, *memory = m->d->memory;
    bool fold = gv_run_is_fold(m->d->run);
    int r = GV_OK;
    *made = false;
    if (given && *given) {
        r = given_run(m, given, &run, err);
        if (r == GV_OK && fold) { /* one run cannot be every fold: it is their parent */
            r = json_object_set(memory, "parent_id", json_object_get(run, "run_id")) < 0 ? gv_fail(err, GV_ESYS, "out of memory") : GV_OK;
            json_decref(run);
            run = NULL;
            r = r == GV_OK ? new_run(m, &run, made, err) : r;
        }
    } else {
        r = join_experiment(m, err);
        r = r == GV_OK && fold ? join_parent(m, err) : r;
        r = r == GV_OK ? new_run(m, &run, made, err) : r;
    }
    if (r == GV_OK && (json_object_set(memory, "run_id", json_object_get(run, "run_id")) < 0 || json_object_set_new(memory, "artifact_uri", json_string(text(run, "artifact_uri"))) < 0 ||
                       json_object_set_new(memory, "experiment_id", json_string(m->experiment_id)) < 0 || json_object_set_new(memory, "uri", json_string(m->uri)) < 0))
        r = gv_fail(err, GV_ESYS, "out of memory");
    json_decref(run);
    return r == GV_OK ? gv_delivery_keep(m->d, err) : r;
}
