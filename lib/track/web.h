/*
 * Small requests, and files sent, over HTTP: for sinks that deliver to a server.
 *
 *   gv_web *w;  gv_web_open(&w, &(gv_web_setup){ .host = "http://127.0.0.1:5000", .token = "…", .stopped = d->stopped }, &err);
 *   gv_web_answer a = { 0 };
 *   gv_web_call(w, "POST", url, text, n, NULL, &a, &err);    // GV_OK: there is an answer, whatever its status says
 *   gv_buf_release(&a.body);  gv_web_close(w);
 *
 * Nothing is sent twice and no redirect is followed: what may have arrived is for the caller to find out. Every wait has an end:
 * 5 s to connect, 10 s without a byte (after a large file, the time its receiver needs to store it), 30 s for a request without a file.
 * `stopped` is asked every few hundred milliseconds at the latest. Name and password go to the host of the setup alone.
 */
#ifndef GV_TRACK_WEB_H
#define GV_TRACK_WEB_H

#include "common/arena.h"
#include <stdbool.h>

typedef struct gv_web gv_web;

typedef struct gv_web_setup {      /* texts are borrowed until the close; NULL: none */
    const char *host;              /* "https://host:port": what is trusted with the credentials */
    const char *user, *password, *token;
    const char *ca, *cert;         /* files: who may vouch for the server; who we are */
    bool insecure;                 /* any certificate will do */
    int seconds;                   /* for a request without a file, and at most for a wait without a byte; 0: 30 and 10 */
    int (*stopped)(void);          /* may be NULL */
} gv_web_setup;

typedef struct gv_web_answer {
    long status;
    gv_buf body;       /* at most 32 MiB, with a 0 behind it */
    char location[512]; /* where a redirect points */
} gv_web_answer;

int gv_web_open(gv_web **w, const gv_web_setup *s, gv_err *err) GV_MUST_USE;
/* body: JSON of n bytes, or NULL; file: sent from the disk as it is, or NULL. GV_ESYS: no whole answer, and what was sent may have
 * arrived; GV_ESAVED: stopped. */
int gv_web_call(gv_web *w, const char *method, const char *url, const char *body, size_t n, const char *file, gv_web_answer *a, gv_err *err) GV_MUST_USE;
void gv_web_close(gv_web *w);
/* Percent-encode what is neither unreserved nor in `also`, appended. */
int gv_web_escape(gv_buf *out, const char *s, const char *also, gv_err *err) GV_MUST_USE;

#endif
