/* hub: the caches of Hugging Face and torch.hub, in the places and layouts of their own libraries.
 * Source: huggingface_hub's constants and file_download, its guide to the cache, torch/hub.py. */
#include "weights/fetch.h"
#include "weights/weights.h"
#include <errno.h>
#include <pwd.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const gv_usual_names[] = { "model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth", "open_clip_model.safetensors",
                                       "open_clip_pytorch_model.bin", NULL };

/* ---- places ---- */

static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

static int truth(const char *v)
{
    return v && (!strcmp(v, "1") || !strcasecmp(v, "on") || !strcasecmp(v, "yes") || !strcasecmp(v, "true"));
}

int gv_offline(void)
{
    return truth(env("HF_HUB_OFFLINE")) || truth(env("TRANSFORMERS_OFFLINE"));
}

static const char *home(void)
{
    const char *h = env("HOME");
    if (h)
        return h;
    const struct passwd *p = getpwuid(getuid());
    return p && p->pw_dir && *p->pw_dir ? p->pw_dir : "/";
}

/* A folder from a variable, with a leading ~ as the other libraries take it. */
static const char *folder(const char *v, gv_arena *a, gv_err *err)
{
    return v[0] == '~' && (!v[1] || v[1] == '/') ? gv_arena_printf(a, err, "%s%s", home(), v + 1) : gv_arena_strdup(a, v, err);
}

static const char *user_cache(const char *sub, gv_arena *a, gv_err *err)
{
    const char *x = env("XDG_CACHE_HOME"), *base = x ? folder(x, a, err) : gv_arena_printf(a, err, "%s/.cache", home());
    return base ? gv_arena_printf(a, err, "%s/%s", base, sub) : NULL;
}

static const char *hf_home(gv_arena *a, gv_err *err)
{
    const char *v = env("HF_HOME");
    return v ? folder(v, a, err) : user_cache("huggingface", a, err);
}

static const char *hub_cache(gv_arena *a, gv_err *err)
{
    const char *v = env("HF_HUB_CACHE") ? env("HF_HUB_CACHE") : env("HUGGINGFACE_HUB_CACHE");
    if (v)
        return folder(v, a, err);
    const char *h = hf_home(a, err);
    return h ? gv_arena_printf(a, err, "%s/hub", h) : NULL;
}

const char *gv_torch_hub_path(const char *url, gv_arena *a, gv_err *err)
{
    const char *v = env("TORCH_HOME"), *base = v ? folder(v, a, err) : user_cache("torch", a, err);
    size_t n = strcspn(url, "?#");
    const char *name = url + n;
    while (name > url && name[-1] != '/')
        name--;
    n = (size_t)(url + n - name);
    if (!n || n > 200 || name[0] == '.') {
        gv_fail(err, GV_EUSAGE, "the address '%s' does not end in the name of a file", url);
        return NULL;
    }
    return base ? gv_arena_printf(a, err, "%s/hub/checkpoints/%.*s", base, (int)n, name) : NULL;
}

const char *gv_usual_file(const char *dir, gv_arena *a, gv_err *err)
{
    for (int i = 0; gv_usual_names[i]; i++) {
        const char *p = gv_arena_printf(a, err, "%s/%s", dir, gv_usual_names[i]);
        if (!p || gv_file_exists(p))
            return p;
    }
    return NULL;
}

/* ---- names ---- */

/* Names become paths and addresses: letters, digits and -_. in parts that are not . or .. */
static int plain(const char *s, int slashes)
{
    if (strlen(s) > 200 || !*s || s[0] == '/' || s[strlen(s) - 1] == '/')
        return 0;
    for (const char *p = s; *p; p++) {
        if (!strchr("-_./", *p) && !(*p >= '0' && *p <= '9') && !(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z'))
            return 0;
        if (*p == '/' && --slashes < 0)
            return 0;
        if ((p == s || p[-1] == '/') && (*p == '.' || *p == '/'))
            return 0;
    }
    return 1;
}

static int check_names(const char *repo, const char *revision, gv_err *err)
{
    if (!plain(repo, 1))
        return gv_fail(err, GV_EUSAGE, "'%s' is not a repository's name, as 'timm/resnet18.a1_in1k' is", repo);
    if (!plain(revision, 8))
        return gv_fail(err, GV_EUSAGE, "'%s' is not a branch, tag or commit", revision);
    return GV_OK;
}

static const char *repo_dir(const char *repo, gv_arena *a, gv_err *err)
{
    const char *cache = hub_cache(a, err), *slash = strchr(repo, '/');
    if (!cache)
        return NULL;
    return slash ? gv_arena_printf(a, err, "%s/models--%.*s--%s", cache, (int)(slash - repo), repo, slash + 1)
                 : gv_arena_printf(a, err, "%s/models--%s", cache, repo);
}

const char *gv_hub_url(const char *repo, const char *revision, const char *file, gv_arena *a, gv_err *err)
{
    const char *endpoint = env("HF_ENDPOINT") ? env("HF_ENDPOINT") : "https://huggingface.co";
    size_t n = strlen(endpoint), k = 0;
    char quoted[800];
    while (n && endpoint[n - 1] == '/')
        n--;
    for (const char *p = revision; *p && k + 4 < sizeof quoted; p++)
        k += (size_t)snprintf(quoted + k, sizeof quoted - k, *p == '/' ? "%%2F" : "%c", *p);
    return gv_arena_printf(a, err, "%.*s/%s/resolve/%s/%s", (int)n, endpoint, repo, quoted, file);
}

/* ---- looking ---- */

/* The commit a revision stands for: what refs/ says, else the revision itself. */
static const char *commit_of(const char *dir, const char *revision, gv_arena *a, gv_err *err)
{
    const char *ref = gv_arena_printf(a, err, "%s/refs/%s", dir, revision);
    gv_buf b = { 0 };
    gv_err quiet = { 0 };
    const char *commit = ref ? revision : NULL;
    if (ref && gv_file_read(ref, 256, &b, &quiet) == GV_OK && b.len) {
        b.data[strcspn(b.data, " \r\n")] = 0;
        if (plain(b.data, 0))
            commit = gv_arena_strdup(a, b.data, err);
    }
    gv_buf_release(&b);
    return commit;
}

int gv_hub_find(const char *repo, const char *revision, gv_arena *a, const char **path, const char **wanted, gv_err *err)
{
    *path = NULL;
    if (check_names(repo, revision, err) < 0)
        return GV_EUSAGE;
    const char *dir = repo_dir(repo, a, err), *commit = dir ? commit_of(dir, revision, a, err) : NULL;
    if (!commit)
        return GV_ESYS;
    for (int i = 0; gv_usual_names[i] && !*path; i++) {
        const char *no = gv_arena_printf(a, err, "%s/.no_exist/%s/%s", dir, commit, gv_usual_names[i]);
        const char *p = gv_arena_printf(a, err, "%s/snapshots/%s/%s", dir, commit, gv_usual_names[i]);
        if (!no || !p)
            return GV_ESYS;
        if (!gv_file_exists(no) && gv_file_exists(p)) /* follows the link: a blob that is gone does not count */
            *path = p;
        if (!i && wanted)
            *wanted = p;
    }
    return GV_OK;
}

/* ---- fetching ---- */

static const char *token(gv_arena *a, gv_err *err)
{
    const char *t = env("HF_TOKEN") ? env("HF_TOKEN") : env("HUGGING_FACE_HUB_TOKEN"), *file = env("HF_TOKEN_PATH"), *h = hf_home(a, err);
    gv_buf b = { 0 };
    gv_err quiet = { 0 };
    if (!t && h && (file = file ? folder(file, a, err) : gv_arena_printf(a, err, "%s/token", h)) && gv_file_read(file, 4096, &b, &quiet) == GV_OK && b.len)
        t = gv_arena_strdup(a, b.data, err);
    gv_buf_release(&b);
    if (!t)
        return NULL;
    t += strspn(t, " \t\r\n");
    size_t n = 0;
    while ((unsigned char)t[n] > ' ' && t[n] != 0x7f)
        n++;
    return n ? gv_arena_strndup(a, t, n, err) : NULL;
}

/* A link that appears whole; on file systems without links the file itself is moved to its place. */
static int link_blob(const char *blob, const char *etag, const char *place, gv_arena *a, gv_err *err)
{
    const char *to = gv_arena_printf(a, err, "../../blobs/%s", etag), *part = gv_arena_printf(a, err, "%s.part-%ld", place, (long)getpid());
    if (!to || !part)
        return GV_ESYS;
    unlink(part);
    if (symlink(to, part) == 0) {
        if (rename(part, place) == 0)
            return GV_OK;
        unlink(part);
    } else if (rename(blob, place) == 0)
        return GV_OK;
    return gv_fail_sys(err, "cannot make '%s'", place);
}

static int mark_absent(const char *dir, const char *commit, const char *file, gv_arena *a)
{
    gv_err quiet = { 0 };
    const char *d = gv_arena_printf(a, &quiet, "%s/.no_exist/%s", dir, commit), *p = d ? gv_arena_printf(a, &quiet, "%s/%s", d, file) : NULL;
    return p && gv_mkdirs(d, &quiet) == GV_OK ? gv_file_write(p, "", 0, &quiet) : quiet.code;
}

static int is_commit(const char *s)
{
    return strlen(s) == 40 && strspn(s, "0123456789abcdef") == 40;
}

/* blobs/<tag>, snapshots/<commit>/<file> -> blob, refs/<revision>. */
static int file_away(gv_transfer *g, gv_out *out, const char *dir, const char *revision, const char *file, gv_arena *a, const char **path, gv_err *err)
{
    if (!is_commit(g->commit) || !plain(g->etag, 0))
        return gv_fail(err, GV_EDATA, "'%s' came without its commit or tag (X-Repo-Commit, ETag), so it has no place in the cache: is HF_ENDPOINT a mirror of the hub?", g->url);
    const char *blob = gv_arena_printf(a, err, "%s/blobs/%s", dir, g->etag), *snapshot = gv_arena_printf(a, err, "%s/snapshots/%s", dir, g->commit);
    const char *ref = gv_arena_printf(a, err, "%s/refs/%s", dir, revision);
    *path = snapshot ? gv_arena_printf(a, err, "%s/%s", snapshot, file) : NULL;
    if (!blob || !ref || !*path)
        return GV_ESYS;
    snprintf(out->path, sizeof out->path, "%s", blob); /* its name is known only now; the part file lies beside it */
    int r = gv_out_commit(out, err);
    if (r == GV_OK)
        r = gv_mkdirs(snapshot, err);
    if (r == GV_OK)
        r = link_blob(blob, g->etag, *path, a, err);
    if (r == GV_OK && strcmp(revision, g->commit)) {
        const char *slash = strrchr(ref, '/'), *parent = gv_arena_strndup(a, ref, (size_t)(slash - ref), err);
        r = parent ? gv_mkdirs(parent, err) : GV_ESYS;
        if (r == GV_OK)
            r = gv_file_write(ref, g->commit, 40, err);
    }
    return r;
}

int gv_hub_fetch(const char *repo, const char *revision, const char *sha256, int progress, volatile int *stop, gv_arena *a, const char **path, gv_err *err)
{
    *path = NULL;
    if (check_names(repo, revision, err) < 0)
        return GV_EUSAGE;
    const char *dir = repo_dir(repo, a, err), *blobs = dir ? gv_arena_printf(a, err, "%s/blobs", dir) : NULL, *secret = token(a, err);
    if (!blobs || gv_mkdirs(blobs, err) < 0)
        return GV_ESYS;
    for (int i = 0; gv_usual_names[i]; i++) {
        const char *file = gv_usual_names[i], *place = gv_arena_printf(a, err, "%s/%s", blobs, file);
        gv_transfer g = { .url = gv_hub_url(repo, revision, file, a, err), .token = secret, .sha256 = sha256, .label = repo, .progress = progress, .stop = stop };
        gv_out out = { .fd = -1 };
        gv_err one = { 0 };
        if (!place || !g.url)
            return GV_ESYS;
        int r = gv_out_open(&out, place, &one);
        if (r == GV_OK)
            r = gv_http_get(&g, &out, &one);
        if (r == GV_OK)
            r = file_away(&g, &out, dir, revision, file, a, path, &one);
        gv_out_abort(&out);
        if (r == GV_OK)
            return GV_OK;
        if (g.status != 404)
            return gv_fail(err, r, "%s", one.text);
        if (is_commit(g.commit))
            (void)mark_absent(dir, g.commit, file, a);
    }
    return gv_fail(err, GV_EDATA, "there are no weights in '%s' at '%s': looked for %s, pytorch_model.bin and others at %s", repo, revision, gv_usual_names[0],
                   gv_hub_url(repo, revision, "", a, err));
}
