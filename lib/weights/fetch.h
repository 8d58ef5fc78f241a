/*
 * What the process that downloads (stages/fetch.c) does, and the places of the caches. Only lib/weights and that stage
 * include this; everyone else calls gv_weights_locate or gv_download.
 */
#ifndef GV_WEIGHTS_FETCH_H
#define GV_WEIGHTS_FETCH_H

#include "common/file.h"

/* One GET. Redirects are followed, from https to https alone; the token goes to the first host alone. */
typedef struct gv_transfer {
    const char *url, *token; /* token NULL: none */
    const char *sha256;      /* 8 to 64 hex digits the body's digest must begin with, or NULL */
    const char *label;       /* in the progress line */
    int progress;            /* descriptor of a terminal, or -1 */
    volatile int *stop;      /* set by a signal: give up */
    /* answers */
    long status;             /* of the last response; 0: there was none */
    char etag[136];          /* X-Linked-ETag where there is one, else ETag; without quotes; "" */
    char commit[48];         /* X-Repo-Commit, "" */
    char reason[200];        /* X-Error-Message, "" */
    int64_t bytes;
} gv_transfer;

/* The body into `out`, which is open; the caller commits it. GV_OK means status 200 and the digest holds. Else out holds
 * nothing of use: GV_EDATA (status, digest, cut), GV_ESYS (network, disk), GV_ESAVED (stopped). */
int gv_http_get(gv_transfer *g, gv_out *out, gv_err *err) GV_MUST_USE;

/* Fetch the usual file of a repository into the Hugging Face cache, in huggingface_hub's layout, and give its path.
 * sha256 NULL: what the server promises is checked. */
int gv_hub_fetch(const char *repo, const char *revision, const char *sha256, int progress, volatile int *stop, gv_arena *a, const char **path,
                 gv_err *err) GV_MUST_USE;

/* The same lookup without a network. *path is NULL when it is not there; *wanted (may be NULL) is where it was looked for. */
int gv_hub_find(const char *repo, const char *revision, gv_arena *a, const char **path, const char **wanted, gv_err *err) GV_MUST_USE;
/* "https://huggingface.co/timm/resnet18.a1_in1k/resolve/main/model.safetensors" */
const char *gv_hub_url(const char *repo, const char *revision, const char *file, gv_arena *a, gv_err *err) GV_MUST_USE;
/* ${TORCH_HOME:-…}/hub/checkpoints/NAME of the address. */
const char *gv_torch_hub_path(const char *url, gv_arena *a, gv_err *err) GV_MUST_USE;
/* The first usual file name of a folder of weights that is there, or NULL. */
const char *gv_usual_file(const char *dir, gv_arena *a, gv_err *err) GV_MUST_USE;
extern const char *const gv_usual_names[]; /* NULL-terminated */

/* Digits a digest may have: 8 to 64, hex. */
int gv_is_digest(const char *s);

#endif
