/* git: which commit a run was started in, read from the files of the work tree: no program is run for it.
 * Source: gitrepository-layout(5), git-config(1). */
#include "track/track.h"
#include "common/file.h"

enum { UP_MAX = 64, FILE_MAX = 4 << 20 };

/* The file's text without its last line's end; false where there is none. */
static bool text_of(const char *dir, const char *name, gv_buf *b)
{
    char path[9000];
    b->len = 0;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!gv_file_exists(path) || gv_file_read(path, FILE_MAX, b, &(gv_err){ 0 }) < 0 || !b->data)
        return false;
    while (b->len && (b->data[b->len - 1] == '\n' || b->data[b->len - 1] == '\r'))
        b->data[--b->len] = 0;
    return true;
}

/* The .git of the folder or of one above it; of a linked work tree that of its own. */
static bool find(const char *from, char dir[4400], gv_buf *b)
{
    char at[2200], path[2400];
    snprintf(at, sizeof at, "%.2000s", from);
    for (int i = 0; i < UP_MAX && *at; i++) {
        snprintf(dir, 4400, "%s/.git", at);
        snprintf(path, sizeof path, "%s/.git/HEAD", at);
        if (gv_file_exists(path))
            return true;
        if (text_of(at, ".git", b) && !strncmp(b->data, "gitdir: ", 8)) {
            bool whole = b->data[8] == '/';
            snprintf(dir, 4400, "%s%s%.2000s", whole ? "" : at, whole ? "" : "/", b->data + 8);
            return true;
        }
        char *slash = strrchr(at, '/');
        if (!slash)
            return false;
        *slash = 0;
    }
    return false;
}

/* "<digits> refs/heads/main" of packed-refs. */
static void packed(const char *dir, const char *ref, char commit[72], gv_buf *b)
{
    size_t n = strlen(ref);
    if (text_of(dir, "packed-refs", b))
        for (const char *s = b->data; (s = strstr(s, ref)); s += n)
            if (s - b->data > 40 && s[-1] == ' ' && (s[n] == '\n' || !s[n])) {
                const char *line = s - 1;
                while (line > b->data && line[-1] != '\n')
                    line--;
                snprintf(commit, 72, "%.*s", (int)(s - 1 - line) < 70 ? (int)(s - 1 - line) : 70, line);
                return;
            }
}

/* url of [remote "origin"]; what stands before an @ of an address with :// may be a password. */
static void origin(const char *dir, char remote[512], gv_buf *b)
{
    const char *s = text_of(dir, "config", b) ? strstr(b->data, "[remote \"origin\"]") : NULL;
    const char *end = s ? strstr(s + 1, "\n[") : NULL, *url = s ? strstr(s, "url = ") : NULL;
    if (!url || (end && url > end))
        return;
    url += 6;
    int n = (int)strcspn(url, "\r\n");
    const char *scheme = strstr(url, "://"), *host = scheme && scheme - url < n ? memchr(scheme, '@', (size_t)(n - (scheme - url))) : NULL;
    if (host)
        snprintf(remote, 512, "%.*s%.*s", (int)(scheme + 3 - url), url, (int)(url + n - host - 1), host + 1);
    else
        snprintf(remote, 512, "%.*s", n, url);
}

void gv_run_git(const gv_run_facts *run, gv_git *git)
{
    char dir[4400], common[8900], ref[300];
    gv_buf b = { 0 };
    const char *cwd = json_string_value(json_object_get(run->runtime, "cwd"));
    *git = (gv_git){ "", "" };
    if (cwd && find(cwd, dir, &b) && text_of(dir, "HEAD", &b)) {
        bool named = !strncmp(b.data, "ref: ", 5);
        snprintf(ref, sizeof ref, "%.290s", named ? b.data + 5 : b.data);
        snprintf(common, sizeof common, "%s", dir);
        if (text_of(dir, "commondir", &b)) /* of a linked work tree */
            snprintf(common, sizeof common, "%s%s%.4000s", b.data[0] == '/' ? "" : dir, b.data[0] == '/' ? "" : "/", b.data);
        if (!named)
            snprintf(git->commit, sizeof git->commit, "%.70s", ref);
        else if (text_of(common, ref, &b))
            snprintf(git->commit, sizeof git->commit, "%.70s", b.data);
        else
            packed(common, ref, git->commit, &b);
        origin(common, git->remote, &b);
    }
    if (strspn(git->commit, "0123456789abcdef") != strlen(git->commit) || strlen(git->commit) < 40)
        *git = (gv_git){ "", "" };
    gv_buf_release(&b);
}
