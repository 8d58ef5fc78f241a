/*
 * What the files of the sink mlflow share. mlflow.c collects what a round brings; mlflow_runs.c finds or makes the runs it belongs
 * to; a place keeps it: mlflow_rest.c a tracking server, mlflow_store.c a SQLite store of our own.
 * Source: MLflow 3.17, its REST API and its schema; limits of mlflow/utils/validation.py.
 */
#ifndef GV_TRACK_MLFLOW_H
#define GV_TRACK_MLFLOW_H

#include "track/track.h"

typedef struct gv_mlflow gv_mlflow;

/* Every function may be done again after it has failed, or after this process died in it. Runs are JSON objects {run_id, status,
 * start_time, artifact_uri}, texts but for start_time. */
typedef struct gv_mlflow_place {
    int (*open)(gv_mlflow *m, gv_err *err);
    /* name NULL: that with `id`. The id of an active experiment; one that is not there is made. */
    int (*experiment)(gv_mlflow *m, const char *name, const char *id, char out[80], gv_err *err);
    /* Appends the active runs of the experiment whose tag has that value. */
    int (*find)(gv_mlflow *m, const char *tag, const char *value, json_t *runs, gv_err *err);
    /* tags: a list of {key, value}. GV_OK: *run is new, and the caller's. */
    int (*create)(gv_mlflow *m, const char *name, int64_t start_ms, const json_t *tags, json_t **run, gv_err *err);
    int (*get)(gv_mlflow *m, const char *id, json_t **run, gv_err *err);
    int (*drop)(gv_mlflow *m, const char *id, gv_err *err);
    /* Lists of {key, value}, metrics with timestamp and step. Params that the run has stay. repeats: metrics may be there already. */
    int (*log)(gv_mlflow *m, const char *id, json_t *metrics, json_t *params, json_t *tags, bool repeats, gv_err *err);
    int (*status)(gv_mlflow *m, const char *id, const char *status, int64_t end_ms, gv_err *err); /* end_ms < 0: not ended */
    int (*artifact)(gv_mlflow *m, const char *name, const char *path, gv_err *err);
    void (*close)(gv_mlflow *m);
} gv_mlflow_place;

/* A tag of an experiment that is made: MLflow's page shows the menus of trained models for it. */
#define GV_MLFLOW_KIND "mlflow.experimentKind"
#define GV_MLFLOW_KIND_IS "custom_model_development"

extern const gv_mlflow_place gv_mlflow_rest, gv_mlflow_store;

struct gv_mlflow {
    gv_delivery *d;
    const gv_mlflow_place *place;
    void *self;               /* the place's own, while it is open */
    char uri[1200];           /* "http://host:port/prefix", or "sqlite:////abs/mlflow.db" */
    char experiment[512];     /* its name; "": by id, or that of the run */
    char experiment_id[80];
    bool is_open, may_start;  /* may_start: a store is made where there is none */
    bool no_artifacts;        /* the server takes none: it was said */
    int64_t round;            /* what is collected belongs to it */
    json_t *metrics, *params, *tags; /* lists */
    json_t *files;            /* name -> path */
    const char *status;       /* to be told; NULL: none */
    char said[1300];          /* what `where` answers */
};

/* mlflow_runs.c. Open the place and find the run and its parent, or make them; their ids are in d->memory then. *made: it is new. */
int gv_mlflow_join(gv_mlflow *m, bool *made, gv_err *err) GV_MUST_USE;
/* Runs that a request made which nobody heard of again go. */
int gv_mlflow_alone(gv_mlflow *m, gv_err *err) GV_MUST_USE;
/* The parent ends when its folds have; it goes on when one does. */
int gv_mlflow_family(gv_mlflow *m, gv_err *err) GV_MUST_USE;
/* An id, or NULL: "run_id", "parent_id", "experiment_id", "artifact_uri". */
const char *gv_mlflow_id(const gv_mlflow *m, const char *name);

/* mlflow_names.c. A name of a metric, parameter or tag as MLflow takes it. */
void gv_mlflow_key(const char *key, char out[256]);
/* A text of at most `max` bytes, cut between characters. */
void gv_mlflow_text(const char *text, size_t max, gv_buf *out);
/* Params and tags of a run, appended. */
int gv_mlflow_params(const gv_run_facts *f, json_t *params, gv_err *err) GV_MUST_USE;
int gv_mlflow_tags(const gv_run_facts *f, json_t *tags, gv_err *err) GV_MUST_USE;
/* {key, value} of texts, appended; an empty or missing value is passed over. */
int gv_mlflow_pair(json_t *list, const char *key, const char *value, size_t max, gv_err *err) GV_MUST_USE;
/* The user who runs this, "" where nobody knows. */
const char *gv_mlflow_user(void);

/* mlflow_login.c. The parts of "http://name:word@host:port/prefix"; name and word from elsewhere where they do not stand there. */
typedef struct gv_mlflow_account {
    char base[1200];       /* the address without name and password, as requests begin */
    char host[1200];       /* "http://host:port" of it */
    char user[300], password[1000];
} gv_mlflow_account;
void gv_mlflow_login(const char *uri, gv_mlflow_account *t);
/* Percent-decoded: the first n bytes. */
void gv_mlflow_unescape(const char *s, size_t n, char *out, size_t size);

/* mlflow_files.c. Copy a file below a folder; what stands there is replaced whole. A checkpoint is linked where that can be. */
int gv_mlflow_copy(const char *path, const char *dir, const char *name, gv_err *err) GV_MUST_USE;
/* 32 hexadecimal digits at random. */
int gv_mlflow_random(char out[33], gv_err *err) GV_MUST_USE;
/* The id kept in a file: read, or drawn and written. */
int gv_mlflow_identity(const char *path, char out[33], gv_err *err) GV_MUST_USE;

#endif
