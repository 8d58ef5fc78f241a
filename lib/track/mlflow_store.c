/*
 * mlflow_store: a place for runs in a SQLite file of MLflow's own schema, and a folder of artifacts beside it.
 *
 * What is made is the schema of revision 97727af70f4d (MLflow 1.30 and 2.0), the oldest that has every column used here: MLflow brings a
 * store that lacks tables it knows up to date when it opens it, so one file serves every later release, and what later
 * revisions have done to these tables leaves our statements valid. Several processes write at a time; MLflow may read meanwhile. No
 * write-ahead log: that does not work between machines that share a disk.
 * Source: MLflow 3.17, mlflow/store/db/utils.py, store/tracking/sqlalchemy_store.py, store/db_migrations.
 */
#include "track/mlflow.h"
#include "common/file.h"
#include <stdarg.h>
#include <sqlite3.h>
#include <time.h>

enum { WAIT_S = 60, NAP_NS = 20000000 };

struct store {
    sqlite3 *db;
    char path[1300], artifacts[1400]; /* absolute */
    double since;                     /* waiting for the lock */
};

static const char revision[] = "97727af70f4d";

static const char schema[] =
    "CREATE TABLE experiments (experiment_id INTEGER NOT NULL, name VARCHAR(256) NOT NULL, artifact_location VARCHAR(256), lifecycle_stage VARCHAR(32),"
    " creation_time BIGINT, last_update_time BIGINT, CONSTRAINT experiment_pk PRIMARY KEY (experiment_id),"
    " CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), UNIQUE (name));"
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));"
    "CREATE TABLE experiment_tags (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(5000), experiment_id INTEGER NOT NULL,"
    " CONSTRAINT experiment_tag_pk PRIMARY KEY (\"key\", experiment_id), FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id));"
    "CREATE TABLE runs (run_uuid VARCHAR(32) NOT NULL, name VARCHAR(250), source_type VARCHAR(20), source_name VARCHAR(500), entry_point_name VARCHAR(50),"
    " user_id VARCHAR(256), status VARCHAR(9), start_time BIGINT, end_time BIGINT, source_version VARCHAR(50), lifecycle_stage VARCHAR(20),"
    " artifact_uri VARCHAR(200), experiment_id INTEGER, deleted_time BIGINT, CONSTRAINT run_pk PRIMARY KEY (run_uuid),"
    " CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')),"
    " CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id),"
    " CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED')));"
    "CREATE TABLE tags (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(5000), run_uuid VARCHAR(32) NOT NULL, CONSTRAINT tag_pk PRIMARY KEY (\"key\", run_uuid),"
    " FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid));"
    "CREATE TABLE params (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(500) NOT NULL, run_uuid VARCHAR(32) NOT NULL,"
    " CONSTRAINT param_pk PRIMARY KEY (\"key\", run_uuid), FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid));"
    "CREATE TABLE metrics (\"key\" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL, run_uuid VARCHAR(32) NOT NULL,"
    " step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0' NOT NULL,"
    " CONSTRAINT metric_pk PRIMARY KEY (\"key\", timestamp, step, run_uuid, value, is_nan), FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), CHECK (is_nan IN (0, 1)));"
    "CREATE TABLE latest_metrics (\"key\" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT, step BIGINT NOT NULL, is_nan BOOLEAN NOT NULL,"
    " run_uuid VARCHAR(32) NOT NULL, CONSTRAINT latest_metric_pk PRIMARY KEY (\"key\", run_uuid), FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), CHECK (is_nan IN (0, 1)));"
    "CREATE TABLE registered_models (name VARCHAR(256) NOT NULL, creation_time BIGINT, last_updated_time BIGINT, description VARCHAR(5000),"
    " CONSTRAINT registered_model_pk PRIMARY KEY (name), UNIQUE (name));"
    "CREATE TABLE registered_model_tags (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(5000), name VARCHAR(256) NOT NULL,"
    " CONSTRAINT registered_model_tag_pk PRIMARY KEY (\"key\", name), FOREIGN KEY(name) REFERENCES registered_models (name) ON UPDATE cascade);"
    "CREATE TABLE model_versions (name VARCHAR(256) NOT NULL, version INTEGER NOT NULL, creation_time BIGINT, last_updated_time BIGINT, description VARCHAR(5000),"
    " user_id VARCHAR(256), current_stage VARCHAR(20), source VARCHAR(500), run_id VARCHAR(32), status VARCHAR(20), status_message VARCHAR(500), run_link VARCHAR(500),"
    " CONSTRAINT model_version_pk PRIMARY KEY (name, version), FOREIGN KEY(name) REFERENCES registered_models (name) ON UPDATE CASCADE);"
    "CREATE TABLE model_version_tags (\"key\" VARCHAR(250) NOT NULL, value VARCHAR(5000), name VARCHAR(256) NOT NULL, version INTEGER NOT NULL,"
    " CONSTRAINT model_version_tag_pk PRIMARY KEY (\"key\", name, version), FOREIGN KEY(name, version) REFERENCES model_versions (name, version) ON UPDATE cascade);"
    "CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);"
    "CREATE INDEX index_latest_metrics_run_uuid ON latest_metrics (run_uuid);"
    "CREATE INDEX index_tags_run_uuid ON tags (run_uuid);"
    "CREATE INDEX index_params_run_uuid ON params (run_uuid);";

/* The columns that are used, by table. */
static const struct { const char *table, *columns; } needs[] = {
    { "experiments", "experiment_id name artifact_location lifecycle_stage creation_time last_update_time" },
    { "runs", "run_uuid name source_type source_name entry_point_name user_id status start_time end_time source_version lifecycle_stage artifact_uri experiment_id deleted_time" },
    { "experiment_tags", "key value experiment_id" },
    { "tags", "key value run_uuid" },
    { "params", "key value run_uuid" },
    { "metrics", "key value timestamp run_uuid step is_nan" },
    { "latest_metrics", "key value timestamp step is_nan run_uuid" },
};

/* ---- SQL ---- */

static int fail(const struct store *s, gv_err *err, const char *what)
{
    int code = sqlite3_errcode(s->db) & 0xff;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return gv_fail(err, GV_ESYS, "'%s' is in use by others for too long", s->path);
    return gv_fail(err, code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? GV_EDATA : GV_ESYS, "'%s': cannot %s: %s", s->path, what, sqlite3_errmsg(s->db));
}

static int run_sql(const struct store *s, const char *sql, const char *what, gv_err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? GV_OK : fail(s, err, what);
}

/* A statement with its values bound: t a text, i an int64_t, f a double, n an int64_t in whose place NULL stands. NULL, err filled. */
static sqlite3_stmt *prepare(const struct store *s, gv_err *err, const char *sql, const char *types, ...)
{
    sqlite3_stmt *q = NULL;
    va_list ap;
    va_start(ap, types);
    int r = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);
    for (int i = 0; r == SQLITE_OK && types[i]; i++)
        r = types[i] == 't'   ? sqlite3_bind_text(q, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT)
            : types[i] == 'i' ? sqlite3_bind_int64(q, i + 1, va_arg(ap, int64_t))
            : types[i] == 'f' ? sqlite3_bind_double(q, i + 1, va_arg(ap, double))
                              : ((void)va_arg(ap, int64_t), sqlite3_bind_null(q, i + 1));
    va_end(ap);
    if (r == SQLITE_OK)
        return q;
    fail(s, err, "ask");
    sqlite3_finalize(q);
    return NULL;
}

/* A statement without rows, done. */
static int done(const struct store *s, sqlite3_stmt *q, const char *what, gv_err *err)
{
    if (!q)
        return err->code;
    int r = sqlite3_step(q) == SQLITE_DONE ? GV_OK : fail(s, err, what);
    sqlite3_finalize(q);
    return r;
}

static int begin(const struct store *s, gv_err *err)
{
    return run_sql(s, "BEGIN IMMEDIATE", "begin", err);
}

static int commit(const struct store *s, int r, gv_err *err)
{
    if (r == GV_OK && run_sql(s, "COMMIT", "write", err) == GV_OK)
        return GV_OK;
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return err->code;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the file ---- */

static int on_busy(void *arg, int tries)
{
    gv_mlflow *m = arg;
    struct store *s = m->self;
    const struct timespec nap = { .tv_nsec = NAP_NS };
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double at = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    if (!tries)
        s->since = at;
    if (at - s->since > WAIT_S || (m->d->stopped && m->d->stopped()))
        return 0;
    nanosleep(&nap, NULL);
    return 1;
}

/* Whether a table has the columns, and no other that must be given. *there: it exists. */
static int fits(const struct store *s, const char *table, const char *columns, bool *there, bool *ok, gv_err *err)
{
    sqlite3_stmt *q = prepare(s, err, "SELECT name, \"notnull\" AND dflt_value IS NULL AND NOT pk FROM pragma_table_info(?)", "t", table);
    int r, found = 0, wanted = 1;
    if (!q)
        return err->code;
    *ok = true;
    for (const char *p = columns; *p; p++)
        wanted += *p == ' ';
    while ((r = sqlite3_step(q)) == SQLITE_ROW) {
        char name[100], all[600];
        *there = true;
        snprintf(name, sizeof name, " %.90s ", (const char *)sqlite3_column_text(q, 0));
        snprintf(all, sizeof all, " %s ", columns);
        bool known = strstr(all, name);
        found += known;
        *ok &= known || !sqlite3_column_int(q, 1);
    }
    *ok &= found == wanted;
    sqlite3_finalize(q);
    return r == SQLITE_DONE ? GV_OK : fail(s, err, "read the schema");
}

static int version(const struct store *s, char out[64], gv_err *err)
{
    sqlite3_stmt *q = prepare(s, err, "SELECT version_num FROM alembic_version", "");
    snprintf(out, 64, "none");
    if (!q) { /* no such table */
        gv_err_clear(err);
        return GV_OK;
    }
    if (sqlite3_step(q) == SQLITE_ROW)
        snprintf(out, 64, "%.60s", (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    return GV_OK;
}

/* A new file gets the schema; another is used where it has what is needed. */
static int check(gv_mlflow *m, gv_err *err)
{
    struct store *s = m->self;
    char is[64];
    bool any = false, all = true;
    int r = begin(s, err);
    for (size_t i = 0; r == GV_OK && i < GV_COUNT(needs); i++) {
        bool there = false, ok = false;
        r = fits(s, needs[i].table, needs[i].columns, &there, &ok, err);
        any |= there;
        all &= there && ok;
    }
    if (r == GV_OK && !any) {
        char sql[100];
        snprintf(sql, sizeof sql, "INSERT INTO alembic_version VALUES ('%s')", revision);
        r = run_sql(s, schema, "make the tables", err);
        r = r == GV_OK ? run_sql(s, sql, "make the tables", err) : r;
    } else if (r == GV_OK && !all) {
        r = version(s, is, err);
        r = r == GV_OK ? gv_fail(err, GV_EUSAGE, "'%s' is a store of another MLflow (schema %s): bring it up to date with 'mlflow db upgrade sqlite:///%s', or move it away", s->path, is, s->path) : r;
    }
    return commit(s, r, err);
}

static int open_it(gv_mlflow *m, gv_err *err)
{
    char dir[1300], whole[4200];
    struct store *s = m->self = gv_alloc(sizeof *s, err);
    if (!s)
        return GV_ESYS;
    snprintf(s->path, sizeof s->path, "%s", m->uri + 10);
    snprintf(dir, sizeof dir, "%s", s->path);
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = 0;
    else
        snprintf(dir, sizeof dir, ".");
    if (slash && *dir && gv_mkdirs(dir, err) < 0)
        return err->code;
    char *real = realpath(slash && !*dir ? "/" : dir, NULL);
    snprintf(whole, sizeof whole, "%.4100s", real ? real : dir);
    free(real);
    if (snprintf(s->artifacts, sizeof s->artifacts, "%s/artifacts", whole) >= (int)sizeof s->artifacts)
        return gv_fail(err, GV_EUSAGE, "the path '%s/artifacts' is too long", whole);
    int r = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (r != SQLITE_OK)
        return s->db ? fail(s, err, "open it") : gv_fail(err, GV_ESYS, "out of memory");
    sqlite3_busy_handler(s->db, on_busy, m);
    return check(m, err);
}

static void close_it(gv_mlflow *m)
{
    struct store *s = m->self;
    if (!s)
        return;
    sqlite3_close(s->db);
    gv_free(s);
    m->self = NULL;
}

/* ---- experiments and runs ---- */

static int find_experiment(const struct store *s, const char *name, const char *id, char out[80], gv_err *err)
{
    sqlite3_stmt *q = prepare(s, err, name ? "SELECT experiment_id, lifecycle_stage, name FROM experiments WHERE name = ?" : "SELECT experiment_id, lifecycle_stage, name FROM experiments WHERE experiment_id = ?",
                              "t", name ? name : id);
    if (!q)
        return err->code;
    int r = sqlite3_step(q), code = GV_OK;
    out[0] = 0;
    if (r == SQLITE_ROW) {
        snprintf(out, 80, "%lld", (long long)sqlite3_column_int64(q, 0));
        const char *stage = (const char *)sqlite3_column_text(q, 1);
        if (stage && !strcmp(stage, "deleted"))
            code = gv_fail(err, GV_EUSAGE, "the experiment '%s' was deleted in '%s': restore it ('MLFLOW_TRACKING_URI=sqlite:///%s mlflow experiments restore -x %s'), or take another with --logger.experiment_name",
                           (const char *)sqlite3_column_text(q, 2), s->path, s->path, out);
    } else if (r != SQLITE_DONE)
        code = fail(s, err, "look for the experiment");
    sqlite3_finalize(q);
    return code;
}

static int experiment(gv_mlflow *m, const char *name, const char *id, char out[80], gv_err *err)
{
    struct store *s = m->self;
    char place[1600];
    int r = begin(s, err);
    if (r < 0)
        return r;
    r = find_experiment(s, name, id, out, err);
    if (r == GV_OK && !*out && !name)
        r = gv_fail(err, GV_EUSAGE, "no experiment '%s' in '%s' (MLFLOW_EXPERIMENT_ID)", id, s->path);
    else if (r == GV_OK && !*out) {
        r = done(s, prepare(s, err, "INSERT INTO experiments (name, lifecycle_stage, creation_time, last_update_time) VALUES (?, 'active', ?, ?)", "tii", name, now_ms(), now_ms()), "make the experiment", err);
        snprintf(out, 80, "%lld", (long long)sqlite3_last_insert_rowid(s->db));
        snprintf(place, sizeof place, "%s/%s", s->artifacts, out);
        r = r == GV_OK ? done(s, prepare(s, err, "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", "tt", place, out), "make the experiment", err) : r;
        r = r == GV_OK ? done(s, prepare(s, err, "INSERT INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)", "ttt", GV_MLFLOW_KIND, GV_MLFLOW_KIND_IS, out), "make the experiment", err) : r;
    }
    return commit(s, r, err);
}

static json_t *run_of(sqlite3_stmt *q)
{
    const char *v[4];
    for (int i = 0; i < 4; i++)
        v[i] = (const char *)sqlite3_column_text(q, i);
    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "run_id", v[0] ? v[0] : "", "status", v[1] ? v[1] : "", "artifact_uri", v[2] ? v[2] : "", "experiment_id", v[3] ? v[3] : "", "start_time",
                     (json_int_t)sqlite3_column_int64(q, 4));
}

#define RUN_COLUMNS "SELECT r.run_uuid, r.status, r.artifact_uri, r.experiment_id, r.start_time FROM runs r "

static int find(gv_mlflow *m, const char *tag, const char *value, json_t *runs, gv_err *err)
{
    const struct store *s = m->self;
    sqlite3_stmt *q = prepare(s, err, RUN_COLUMNS "JOIN tags t ON t.run_uuid = r.run_uuid WHERE t.key = ? AND t.value = ? AND r.lifecycle_stage = 'active' AND r.experiment_id = ?", "ttt", tag, value, m->experiment_id);
    int r = q ? SQLITE_ROW : SQLITE_ERROR;
    if (!q)
        return err->code;
    int code = GV_OK;
    while (code == GV_OK && (r = sqlite3_step(q)) == SQLITE_ROW) {
        json_t *one = run_of(q);
        if (!one || json_array_append_new(runs, one) < 0)
            code = gv_fail(err, GV_ESYS, "out of memory");
    }
    if (code == GV_OK && r != SQLITE_DONE)
        code = fail(s, err, "look for the run");
    sqlite3_finalize(q);
    return code;
}

static int get(gv_mlflow *m, const char *id, json_t **run, gv_err *err)
{
    const struct store *s = m->self;
    sqlite3_stmt *q = prepare(s, err, RUN_COLUMNS "WHERE r.run_uuid = ?", "t", id);
    if (!q)
        return err->code;
    int r = sqlite3_step(q), code = GV_OK;
    *run = r == SQLITE_ROW ? run_of(q) : NULL;
    if (!*run)
        code = r == SQLITE_DONE ? gv_fail(err, GV_EDATA, "no run '%s' in '%s'", id, s->path) : fail(s, err, "look for the run");
    sqlite3_finalize(q);
    return code;
}

static int put_pairs(const struct store *s, const char *sql, const char *id, const json_t *list, gv_err *err)
{
    int r = GV_OK;
    for (size_t i = 0; r == GV_OK && i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        r = done(s, prepare(s, err, sql, "ttt", json_string_value(json_object_get(o, "key")), json_string_value(json_object_get(o, "value")), id), "write", err);
    }
    return r;
}

static const char put_tag[] = "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?) ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value";
static const char put_param[] = "INSERT OR IGNORE INTO params (key, value, run_uuid) VALUES (?, ?, ?)";

static int create(gv_mlflow *m, const char *name, int64_t start_ms, const json_t *tags, json_t **run, gv_err *err)
{
    const struct store *s = m->self;
    char id[33], place[1600];
    *run = NULL;
    int r = gv_mlflow_random(id, err);
    r = r == GV_OK ? begin(s, err) : r;
    if (r < 0)
        return r;
    snprintf(place, sizeof place, "%s/%s/%s/artifacts", s->artifacts, m->experiment_id, id);
    r = done(s, prepare(s, err,
                        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
                        " VALUES (?, ?, 'UNKNOWN', '', '', ?, 'RUNNING', ?, NULL, '', 'active', ?, ?)", "tttitt", id, name, gv_mlflow_user(), start_ms, place, m->experiment_id), "make the run", err);
    r = r == GV_OK ? put_pairs(s, put_tag, id, tags, err) : r;
    r = commit(s, r, err);
    return r == GV_OK ? get(m, id, run, err) : r;
}

static int drop(gv_mlflow *m, const char *id, gv_err *err)
{
    const struct store *s = m->self;
    return done(s, prepare(s, err, "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE run_uuid = ?", "it", now_ms(), id), "delete a run", err);
}

static int status(gv_mlflow *m, const char *id, const char *status, int64_t end_ms, gv_err *err)
{
    const struct store *s = m->self;
    return done(s, prepare(s, err, "UPDATE runs SET status = ?, end_time = ? WHERE run_uuid = ?", end_ms < 0 ? "tnt" : "tit", status, end_ms, id), "say how the run stands", err);
}

/* ---- what is logged ---- */

static int put_metric(const struct store *s, const char *id, const json_t *o, bool repeats, gv_err *err)
{
    static const char add[] = "INSERT OR IGNORE INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?1, ?2, ?3, ?4, ?5, 0)";
    static const char add_missing[] = "INSERT OR IGNORE INTO metrics (key, value, timestamp, run_uuid, step, is_nan) SELECT ?1, ?2, ?3, ?4, ?5, 0"
        " WHERE NOT EXISTS (SELECT 1 FROM metrics WHERE run_uuid = ?4 AND key = ?1 AND step = ?5 AND value = ?2)"; /* its time may have been made up then */
    static const char latest[] = "INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (key, run_uuid) DO UPDATE SET"
        " value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = 0"
        " WHERE (excluded.step, excluded.timestamp, excluded.value) > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)";
    const char *key = json_string_value(json_object_get(o, "key"));
    double value = json_number_value(json_object_get(o, "value"));
    int64_t ms = json_integer_value(json_object_get(o, "timestamp")), step = json_integer_value(json_object_get(o, "step"));
    int r = done(s, prepare(s, err, repeats ? add_missing : add, "tfiti", key, value, ms, id, step), "write a metric", err);
    if (r == GV_OK && sqlite3_changes(s->db))
        r = done(s, prepare(s, err, latest, "tfiti", key, value, ms, id, step), "write a metric", err);
    return r;
}

static int log_it(gv_mlflow *m, const char *id, json_t *metrics, json_t *params, json_t *tags, bool repeats, gv_err *err)
{
    const struct store *s = m->self;
    int r = begin(s, err);
    if (r < 0)
        return r;
    r = put_pairs(s, put_param, id, params, err);
    r = r == GV_OK ? put_pairs(s, put_tag, id, tags, err) : r;
    for (size_t i = 0; r == GV_OK && i < json_array_size(metrics); i++)
        r = put_metric(s, id, json_array_get(metrics, i), repeats, err);
    return commit(s, r, err);
}

static int artifact(gv_mlflow *m, const char *name, const char *path, gv_err *err)
{
    const char *uri = gv_mlflow_id(m, "artifact_uri");
    if (!uri || !gv_file_exists(path))
        return GV_OK;
    if (*uri != '/') { /* a store that a server made */
        m->no_artifacts = true;
        return GV_OK;
    }
    return gv_mlflow_copy(path, uri, name, err);
}

const gv_mlflow_place gv_mlflow_store = {
    .open = open_it, .experiment = experiment, .find = find, .create = create, .get = get, .drop = drop, .log = log_it, .status = status,
    .artifact = artifact, .close = close_it,
};
