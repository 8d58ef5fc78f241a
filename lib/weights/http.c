/* http: one GET with libcurl, digest by OpenSSL's EVP. */
#include "weights/fetch.h"
#include <curl/curl.h>
#include <openssl/evp.h>
#include <strings.h>
#include <time.h>

struct job {
    gv_transfer *g;
    gv_out *out;
    CURL *curl;
    EVP_MD_CTX *digest;
    gv_err *err;
    char tag[136], linked[136]; /* ETag of the last response; X-Linked-ETag of any */
    double started, shown;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int gv_is_digest(const char *s)
{
    if (!strncmp(s, "md5:", 4))
        return strlen(s) == 36 && strspn(s + 4, "0123456789abcdefABCDEF") == 32;
    size_t n = strspn(s, "0123456789abcdefABCDEF");
    return !s[n] && n >= 8 && n <= 64;
}

/* The value of a header line if it has that name, without blanks, quotes and the mark of a weak tag. */
static int header_is(const char *line, size_t n, const char *name, char *to, size_t most)
{
    size_t k = strlen(name);
    if (n <= k || strncasecmp(line, name, k) || line[k] != ':')
        return 0;
    const char *p = line + k + 1, *e = line + n;
    while (p < e && (*p == ' ' || *p == '\t'))
        p++;
    while (e > p && (unsigned char)e[-1] <= ' ')
        e--;
    if (e - p > 2 && p[0] == 'W' && p[1] == '/')
        p += 2;
    if (e - p >= 2 && *p == '"' && e[-1] == '"')
        p++, e--;
    if ((size_t)(e - p) < most) {
        memcpy(to, p, (size_t)(e - p));
        to[e - p] = 0;
    }
    return 1;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct job *t = arg;
    n *= size;
    if (n > 5 && !strncmp(line, "HTTP/", 5))
        t->tag[0] = 0; /* the next response of a chain of redirects */
    (void)(header_is(line, n, "ETag", t->tag, sizeof t->tag) || header_is(line, n, "X-Linked-ETag", t->linked, sizeof t->linked) ||
           header_is(line, n, "X-Repo-Commit", t->g->commit, sizeof t->g->commit) ||
           header_is(line, n, "X-Error-Message", t->g->reason, sizeof t->g->reason));
    return n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct job *t = arg;
    long status = 0;
    n *= size;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) /* the page that explains an error */
        return n;
    if (gv_out_write(t->out, p, n, t->err) < 0 || EVP_DigestUpdate(t->digest, p, n) != 1)
        return 0;
    t->g->bytes += (int64_t)n;
    return n;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t got, curl_off_t up_total, curl_off_t up)
{
    struct job *t = arg;
    (void)up_total, (void)up;
    if (t->g->stop && *t->g->stop)
        return 1;
    double at = now();
    if (t->g->progress >= 0 && got > 0 && at - t->shown > 0.2) {
        t->shown = at;
        double mb = (double)got / 1e6, rate = mb / (at - t->started + 1e-9);
        if (total > 0)
            dprintf(t->g->progress, "\r%s: %.1f of %.1f MB, %.1f MB/s\033[K", t->g->label, mb, (double)total / 1e6, rate);
        else
            dprintf(t->g->progress, "\r%s: %.1f MB, %.1f MB/s\033[K", t->g->label, mb, rate);
    }
    return 0;
}

static int setup(struct job *t, char *why)
{
    gv_transfer *g = t->g;
    const char *protocols = !strncasecmp(g->url, "https:", 6) ? "https" : "http,https";
    CURLcode r = CURLE_OK;
#define SET(option, value) (r = r == CURLE_OK ? curl_easy_setopt(t->curl, option, value) : r)
    SET(CURLOPT_URL, g->url);
    SET(CURLOPT_ERRORBUFFER, why);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, protocols);
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    SET(CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTPS | (protocols[4] == ',' ? CURLPROTO_HTTP : 0)));
#endif
    SET(CURLOPT_FOLLOWLOCATION, 1L);
    SET(CURLOPT_MAXREDIRS, 10L);
    SET(CURLOPT_USERAGENT, "glovita/" GV_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT, 30L);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L); /* a minute without a byte */
    SET(CURLOPT_LOW_SPEED_TIME, 60L);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, t);
    SET(CURLOPT_NOPROGRESS, 0L);
    if (g->token) { /* curl gives it to no other host */
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        SET(CURLOPT_XOAUTH2_BEARER, g->token);
    }
#undef SET
    return r == CURLE_OK ? 0 : -1;
}

static int judge(struct job *t, CURLcode r, const char *why)
{
    gv_transfer *g = t->g;
    if (t->err && t->err->code < 0) /* the disk */
        return t->err->code;
    if (r == CURLE_ABORTED_BY_CALLBACK)
        return gv_fail(t->err, GV_ESAVED, "stopped while fetching '%s'", g->url);
    if (r == CURLE_PARTIAL_FILE)
        return gv_fail(t->err, GV_EDATA, "'%s' was cut after %lld bytes: %s", g->url, (long long)g->bytes, *why ? why : curl_easy_strerror(r));
    if (r != CURLE_OK)
        return gv_fail(t->err, GV_ESYS, "cannot fetch '%s': %s", g->url, *why ? why : curl_easy_strerror(r));
    if (g->status == 401 || g->status == 403)
        return gv_fail(t->err, GV_EDATA, "'%s' asks for a login (%ld%s%s): set HF_TOKEN, or it does not exist", g->url, g->status, *g->reason ? ": " : "", g->reason);
    if (g->status != 200)
        return gv_fail(t->err, GV_EDATA, "'%s' answered %ld%s%s", g->url, g->status, *g->reason ? ": " : "", g->reason);
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    if (EVP_DigestFinal_ex(t->digest, sum, &n) != 1)
        return gv_fail(t->err, GV_EINTERNAL, "the digest of '%s' cannot be computed", g->url);
    for (unsigned i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    /* A tag of 64 digits is the digest that the hub promises. */
    snprintf(g->etag, sizeof g->etag, "%s", *t->linked ? t->linked : t->tag);
    const char *kind = "SHA-256", *promised = g->sha256 ? g->sha256 : *t->linked && strlen(t->linked) == 64 && gv_is_digest(t->linked) ? t->linked : NULL;
    if (promised && !strncmp(promised, "md5:", 4)) {
        kind = "MD5";
        promised += 4;
    }
    if (promised && strncasecmp(hex, promised, strlen(promised)))
        return gv_fail(t->err, GV_EDATA, "'%s' has the %s digest %.16s… and not %.16s%s: it was changed or damaged on the way", g->url, kind, hex, promised,
                       strlen(promised) > 16 ? "…" : "");
    return GV_OK;
}

int gv_http_get(gv_transfer *g, gv_out *out, gv_err *err)
{
    char why[CURL_ERROR_SIZE] = "";
    struct job t = { .g = g, .out = out, .err = err, .started = now() };
    g->bytes = 0;
    g->status = 0;
    g->etag[0] = g->commit[0] = g->reason[0] = 0;
    if (g->sha256 && !gv_is_digest(g->sha256))
        return gv_fail(err, GV_EUSAGE, "'%s' is not the beginning of a SHA-256 digest: 8 to 64 hexadecimal digits", g->sha256);
    t.curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    t.digest = EVP_MD_CTX_new();
    int r;
    if (!t.curl || !t.digest || EVP_DigestInit_ex(t.digest, g->sha256 && !strncmp(g->sha256, "md5:", 4) ? EVP_md5() : EVP_sha256(), NULL) != 1 || setup(&t, why) < 0)
        r = gv_fail(err, GV_ESYS, "libcurl or libcrypto cannot start");
    else {
        CURLcode c = curl_easy_perform(t.curl);
        curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &g->status);
        if (g->progress >= 0 && t.shown > 0)
            dprintf(g->progress, "\r\033[K");
        r = judge(&t, c, why);
    }
    EVP_MD_CTX_free(t.digest);
    curl_easy_cleanup(t.curl);
    return r;
}
