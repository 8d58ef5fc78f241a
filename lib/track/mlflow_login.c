/* mlflow_login: a server's address, and name and password for it: of the address itself, of MLflow's variables, of ~/.mlflow/credentials.
 * Source: MLflow 3.17, mlflow/utils/credentials.py. */
#include "track/mlflow.h"
#include "common/file.h"
#include <strings.h>

/* The value of a key in the section [mlflow] of ~/.mlflow/credentials. */
static void from_file(const char *key, char *out, size_t size)
{
    char path[4200];
    const char *home = getenv("HOME");
    gv_buf b = { 0 };
    bool inside = false;
    snprintf(path, sizeof path, "%.4000s/.mlflow/credentials", home ? home : "");
    if (!home || gv_file_read(path, 1 << 16, &b, &(gv_err){ 0 }) < 0 || gv_buf_add(&b, "\n", 2, &(gv_err){ 0 }) < 0) {
        gv_buf_release(&b);
        return;
    }
    for (char *s = b.data, *nl; (nl = strchr(s, '\n')); s = nl + 1) {
        *nl = 0;
        s += strspn(s, " \t");
        for (char *e = s + strlen(s); e > s && strchr(" \t\r", e[-1]);)
            *--e = 0;
        size_t k = strcspn(s, " \t=:");
        if (*s == '[')
            inside = !strcmp(s, "[mlflow]");
        else if (inside && k == strlen(key) && !strncasecmp(s, key, k)) {
            s += k;
            snprintf(out, size, "%s", s + strspn(s, " \t=:"));
        }
    }
    gv_buf_release(&b);
}

static void credential(const char *variable, const char *key, char *out, size_t size)
{
    const char *s = getenv(variable);
    if (*out) /* stood in the address */
        return;
    if (s && *s)
        snprintf(out, size, "%s", s);
    else
        from_file(key, out, size);
}

static int hex(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void gv_mlflow_unescape(const char *s, size_t n, char *out, size_t size)
{
    size_t k = 0;
    for (size_t i = 0; i < n && k + 1 < size; i++) {
        bool coded = s[i] == '%' && i + 2 < n && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0;
        out[k++] = coded ? (char)(hex(s[i + 1]) * 16 + hex(s[i + 2])) : s[i];
        i += coded ? 2 : 0;
    }
    out[k] = 0;
}

/* "http://name:word@host:port/prefix": the parts. */
static void address(const char *uri, gv_mlflow_account *t)
{
    const char *at = strstr(uri, "://") + 3;
    size_t n = strcspn(at, "/?#");
    const char *end = at + n, *host = at;
    for (const char *s = at; s < end; s++)
        if (*s == '@')
            host = s + 1;
    if (host > at) {
        const char *colon = memchr(at, ':', (size_t)(host - 1 - at)), *to = colon ? colon : host - 1;
        gv_mlflow_unescape(at, (size_t)(to - at), t->user, sizeof t->user);
        if (colon)
            gv_mlflow_unescape(colon + 1, (size_t)(host - 2 - colon), t->password, sizeof t->password);
    }
    snprintf(t->base, sizeof t->base, "%.*s%s", (int)(at - uri), uri, host);
    snprintf(t->host, sizeof t->host, "%.*s%.*s", (int)(at - uri), uri, (int)(end - host), host);
}

void gv_mlflow_login(const char *uri, gv_mlflow_account *t)
{
    *t = (gv_mlflow_account){ 0 };
    address(uri, t);
    credential("MLFLOW_TRACKING_USERNAME", "mlflow_tracking_username", t->user, sizeof t->user);
    credential("MLFLOW_TRACKING_PASSWORD", "mlflow_tracking_password", t->password, sizeof t->password);
}
