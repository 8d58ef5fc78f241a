/* hub_fetch: into the Hugging Face cache over the network. Apart from hub.c, so that what only looks there links no network.
 * Source: huggingface_hub's file_download, its guide to the cache. */
#include "weights/hub.h"
#include "weights/fetch.h"
#include <unistd.h>

static const char *token(gv_arena *a, gv_err *err)
{
    const char *t = gv_hub_env("HF_TOKEN") ? gv_hub_env("HF_TOKEN") : gv_hub_env("HUGGING_FACE_HUB_TOKEN"), *file = gv_hub_env("HF_TOKEN_PATH"), *h = gv_hub_home(a, err);
    gv_buf b = { 0 };
    gv_err quiet = { 0 };
    if (!t && h && (file = file ? gv_hub_folder(file, a, err) : gv_arena_printf(a, err, "%s/token", h)) && gv_file_read(file, 4096, &b, &quiet) == GV_OK && b.len)
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
    if (!is_commit(g->commit) || !gv_hub_plain(g->etag, 0))
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
    if (gv_hub_names(repo, revision, err) < 0)
        return GV_EUSAGE;
    const char *dir = gv_hub_repo_dir(repo, a, err), *blobs = dir ? gv_arena_printf(a, err, "%s/blobs", dir) : NULL, *secret = token(a, err);
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
