/* hub: the caches of Hugging Face and torch.hub, in the places and layouts of their own libraries.
 * Source: huggingface_hub's constants and file_download, its guide to the cache, torch/hub.py. */
#include "weights/hub.h"
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

const char *gv_hub_env(const char *name)
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
    return truth(gv_hub_env("HF_HUB_OFFLINE")) || truth(gv_hub_env("TRANSFORMERS_OFFLINE"));
}

static const char *home(void)
{
    const char *h = gv_hub_env("HOME");
    if (h)
        return h;
    const struct passwd *p = getpwuid(getuid());
    return p && p->pw_dir && *p->pw_dir ? p->pw_dir : "/";
}

/* A folder from a variable, with a leading ~ as the other libraries take it. */
const char *gv_hub_folder(const char *v, gv_arena *a, gv_err *err)
{
    return v[0] == '~' && (!v[1] || v[1] == '/') ? gv_arena_printf(a, err, "%s%s", home(), v + 1) : gv_arena_strdup(a, v, err);
}

static const char *user_cache(const char *sub, gv_arena *a, gv_err *err)
{
    const char *x = gv_hub_env("XDG_CACHE_HOME"), *base = x ? gv_hub_folder(x, a, err) : gv_arena_printf(a, err, "%s/.cache", home());
    return base ? gv_arena_printf(a, err, "%s/%s", base, sub) : NULL;
}

const char *gv_hub_home(gv_arena *a, gv_err *err)
{
    const char *v = gv_hub_env("HF_HOME");
    return v ? gv_hub_folder(v, a, err) : user_cache("huggingface", a, err);
}

static const char *hub_cache(gv_arena *a, gv_err *err)
{
    const char *v = gv_hub_env("HF_HUB_CACHE") ? gv_hub_env("HF_HUB_CACHE") : gv_hub_env("HUGGINGFACE_HUB_CACHE");
    if (v)
        return gv_hub_folder(v, a, err);
    const char *h = gv_hub_home(a, err);
    return h ? gv_arena_printf(a, err, "%s/hub", h) : NULL;
}

const char *gv_torch_hub_path(const char *url, gv_arena *a, gv_err *err)
{
    const char *v = gv_hub_env("TORCH_HOME"), *base = v ? gv_hub_folder(v, a, err) : user_cache("torch", a, err);
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
int gv_hub_plain(const char *s, int slashes)
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

int gv_hub_names(const char *repo, const char *revision, gv_err *err)
{
    if (!gv_hub_plain(repo, 1))
        return gv_fail(err, GV_EUSAGE, "'%s' is not a repository's name, as 'timm/resnet18.a1_in1k' is", repo);
    if (!gv_hub_plain(revision, 8))
        return gv_fail(err, GV_EUSAGE, "'%s' is not a branch, tag or commit", revision);
    return GV_OK;
}

const char *gv_hub_repo_dir(const char *repo, gv_arena *a, gv_err *err)
{
    const char *cache = hub_cache(a, err), *slash = strchr(repo, '/');
    if (!cache)
        return NULL;
    return slash ? gv_arena_printf(a, err, "%s/models--%.*s--%s", cache, (int)(slash - repo), repo, slash + 1)
                 : gv_arena_printf(a, err, "%s/models--%s", cache, repo);
}

const char *gv_hub_url(const char *repo, const char *revision, const char *file, gv_arena *a, gv_err *err)
{
    const char *endpoint = gv_hub_env("HF_ENDPOINT") ? gv_hub_env("HF_ENDPOINT") : "https://huggingface.co";
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
        if (gv_hub_plain(b.data, 0))
            commit = gv_arena_strdup(a, b.data, err);
    }
    gv_buf_release(&b);
    return commit;
}

int gv_hub_find(const char *repo, const char *revision, gv_arena *a, const char **path, const char **wanted, gv_err *err)
{
    *path = NULL;
    if (gv_hub_names(repo, revision, err) < 0)
        return GV_EUSAGE;
    const char *dir = gv_hub_repo_dir(repo, a, err), *commit = dir ? commit_of(dir, revision, a, err) : NULL;
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
