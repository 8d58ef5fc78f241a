/* web: one request at a time with libcurl. */
#include "track/web.h"
#include <curl/curl.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A request without a file ends after SMALL_S; one with a file moves SLOWEST bytes in that time, until its receiver has all and stores it. */
enum { CONNECT_S = 5, STALL_S = 10, SMALL_S = 30, SLOWEST = 32 << 10, STORE_BYTES_S = 10 << 20, LOOK_MS = 200 };
#define BODY_MAX ((size_t)32 << 20)

struct gv_web {
    gv_web_setup s;
    CURLM *multi;
    CURL *curl;
    gv_web_answer *a;
    gv_err *err;
    int fd;              /* the file that is sent */
    int64_t left, size;
    curl_off_t moved;    /* bytes both ways */
    double since;        /* the last byte; of the monotonic clock */
    curl_off_t seen;     /* bytes then */
    double mark;         /* the last look at the speed */
    curl_off_t marked;
    double stored;       /* when all of the file was sent; 0: not yet */
    const char *why;     /* of our own ending of a transfer */
    char told[64];
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    gv_web *w = arg;
    n *= size;
    if (w->a->body.len + n > BODY_MAX) {
        w->why = "the answer is longer than 32 MiB";
        return 0;
    }
    return gv_buf_add(&w->a->body, p, n, w->err) < 0 ? 0 : n;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    gv_web *w = arg;
    n *= size;
    if (n > 10 && !strncasecmp(line, "Location:", 9)) {
        const char *p = line + 9, *e = line + n;
        while (p < e && (*p == ' ' || *p == '\t'))
            p++;
        while (e > p && (unsigned char)e[-1] <= ' ')
            e--;
        snprintf(w->a->location, sizeof w->a->location, "%.*s", (int)(e - p > 500 ? 500 : e - p), p);
    }
    return n;
}

static size_t on_read(char *p, size_t size, size_t n, void *arg)
{
    gv_web *w = arg;
    n *= size;
    if ((int64_t)n > w->left)
        n = (size_t)w->left;
    ssize_t k = n ? read(w->fd, p, n) : 0;
    if (k < 0 || (n && !k)) {
        w->why = k < 0 ? "its file cannot be read" : "its file became shorter meanwhile";
        return CURL_READFUNC_ABORT;
    }
    w->left -= k;
    return (size_t)k;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t got, curl_off_t up_total, curl_off_t up)
{
    gv_web *w = arg;
    (void)total, (void)up_total;
    w->moved = got + up;
    return 0;
}

/* Whether the transfer may go on. */
static bool in_time(gv_web *w, double begun)
{
    double at = now(), small = w->s.seconds > 0 ? w->s.seconds : SMALL_S, stall = small < STALL_S ? small : STALL_S;
    if (w->s.stopped && w->s.stopped()) {
        w->why = "stopped";
        return false;
    }
    if (w->moved != w->seen) {
        w->seen = w->moved;
        w->since = at;
    }
    if (w->size > 0 && !w->left && w->stored == 0)
        w->stored = at;
    if (w->stored > 0) {
        w->why = at - w->stored > small + (double)w->size / STORE_BYTES_S ? "it does not say that it has the file" : NULL;
    } else if (at - w->since > stall) {
        snprintf(w->told, sizeof w->told, "no byte came or went for %g s", stall);
        w->why = w->told;
    } else if (w->fd < 0) {
        snprintf(w->told, sizeof w->told, "no whole answer in %g s", small);
        w->why = at - begun > small ? w->told : NULL;
    } else if (at - w->mark > SMALL_S) {
        w->why = w->moved - w->marked < SLOWEST ? "it takes less than 32 KiB in 30 s" : NULL;
        w->mark = at;
        w->marked = w->moved;
    }
    return !w->why;
}

static CURLcode perform(gv_web *w)
{
    CURLcode c = CURLE_FAILED_INIT;
    double begun = now();
    int going = 1, left;
    w->moved = w->seen = w->marked = 0;
    w->since = w->mark = begun;
    w->stored = 0;
    if (curl_multi_add_handle(w->multi, w->curl) != CURLM_OK)
        return c;
    while (going && curl_multi_perform(w->multi, &going) == CURLM_OK && going && in_time(w, begun))
        curl_multi_poll(w->multi, NULL, 0, LOOK_MS, NULL);
    for (CURLMsg *m; (m = curl_multi_info_read(w->multi, &left));)
        if (m->msg == CURLMSG_DONE)
            c = m->data.result;
    curl_multi_remove_handle(w->multi, w->curl);
    return w->why ? CURLE_ABORTED_BY_CALLBACK : c;
}

int gv_web_open(gv_web **out, const gv_web_setup *s, gv_err *err)
{
    gv_web *w = *out = gv_alloc(sizeof *w, err);
    if (!w)
        return GV_ESYS;
    *w = (gv_web){ .s = *s, .fd = -1 };
    w->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    w->multi = w->curl ? curl_multi_init() : NULL;
    return w->multi ? GV_OK : gv_fail(err, GV_ESYS, "libcurl cannot start");
}

void gv_web_close(gv_web *w)
{
    if (!w)
        return;
    curl_easy_cleanup(w->curl);
    curl_multi_cleanup(w->multi);
    gv_free(w);
}

/* Whether the address is one of that host: it begins with it, and the host ends there. */
static bool is_ours(const char *url, const char *host)
{
    size_t n = host ? strlen(host) : 0;
    while (n && host[n - 1] == '/')
        n--;
    return n && !strncasecmp(url, host, n) && (!url[n] || url[n] == '/' || url[n] == '?');
}

/* -1 where libcurl takes one of them not. */
static int set(gv_web *w, const char *method, const char *url, const char *body, size_t n, struct curl_slist *headers, char *why)
{
    CURLcode r = CURLE_OK;
#define SET(option, value) (r = r == CURLE_OK ? curl_easy_setopt(w->curl, option, value) : r)
    SET(CURLOPT_URL, url);
    SET(CURLOPT_ERRORBUFFER, why);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERAGENT, "glovita/" GV_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, w);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, w);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, w);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_CUSTOMREQUEST, method);
    if (strcmp(method, "GET")) { /* on a connection that was used before, libcurl might send it again */
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
    }
    if (body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
        SET(CURLOPT_POSTFIELDS, body);
    }
    if (w->fd >= 0) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_READFUNCTION, on_read);
        SET(CURLOPT_READDATA, w);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)w->size);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(CURLOPT_QUICK_EXIT, 1L); /* no waiting for a name server that does not answer */
#endif
    if (w->s.ca)
        SET(CURLOPT_CAINFO, w->s.ca);
    if (w->s.cert)
        SET(CURLOPT_SSLCERT, w->s.cert);
    if (w->s.insecure) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (is_ours(url, w->s.host) && w->s.user && w->s.password) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        SET(CURLOPT_USERNAME, w->s.user);
        SET(CURLOPT_PASSWORD, w->s.password);
    } else if (is_ours(url, w->s.host) && w->s.token) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        SET(CURLOPT_XOAUTH2_BEARER, w->s.token);
    }
#undef SET
    return r == CURLE_OK ? 0 : -1;
}

/* The file to be sent, its size and its end as they are now. */
static int open_file(gv_web *w, const char *file, gv_err *err)
{
    struct stat st;
    w->left = w->size = 0;
    if (!file)
        return GV_OK;
    w->fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (w->fd < 0 || fstat(w->fd, &st) < 0)
        return gv_fail_sys(err, "cannot open '%s'", file);
    if (!S_ISREG(st.st_mode))
        return gv_fail(err, GV_EDATA, "'%s' is no regular file", file);
    w->left = w->size = st.st_size;
    return GV_OK;
}

int gv_web_call(gv_web *w, const char *method, const char *url, const char *body, size_t n, const char *file, gv_web_answer *a, gv_err *err)
{
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:"), *more = headers ? curl_slist_append(headers, body ? "Content-Type: application/json" : file ? "Content-Type: application/octet-stream" : "Accept: application/json") : NULL;
    a->status = 0;
    a->location[0] = 0;
    a->body.len = 0;
    w->a = a;
    w->err = err;
    w->why = NULL;
    int r = open_file(w, file, err);
    curl_easy_reset(w->curl);
    if (r == GV_OK && (!more || set(w, method, url, body, n, headers, why) < 0))
        r = gv_fail(err, GV_ESYS, "libcurl does not take '%s'", url);
    if (r == GV_OK) {
        CURLcode c = perform(w);
        curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &a->status);
        if (w->why && !strcmp(w->why, "stopped"))
            r = gv_fail(err, GV_ESAVED, "stopped while '%s' was asked", url);
        else if (c != CURLE_OK)
            r = err->code < 0 ? err->code : gv_fail(err, GV_ESYS, "'%s' does not answer: %s", url, w->why ? w->why : *why ? why : curl_easy_strerror(c));
        else
            r = gv_buf_add(&a->body, "", 1, err) < 0 ? GV_ESYS : GV_OK;
        a->body.len -= r == GV_OK;
    }
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    curl_slist_free_all(headers);
    return r;
}

int gv_web_escape(gv_buf *out, const char *s, const char *also, gv_err *err)
{
    int r = GV_OK;
    for (; r == GV_OK && *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c) || strchr(also, c);
        r = plain ? gv_buf_add(out, s, 1, err) : gv_buf_printf(out, err, "%%%02X", c);
    }
    return r;
}
