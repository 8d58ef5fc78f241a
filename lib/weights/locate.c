/* locate: find published weights, or have them fetched by a process of its own (glovita-fetch): what speaks to the network
 * holds no data of ours, and what holds our data links no network at run time. */
#include "weights/fetch.h"
#include "weights/weights.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- the other process ---- */

static int code_of(int status)
{
    static const int codes[] = { GV_EUSAGE, GV_EDATA, GV_ESYS, GV_ESAVED };
    for (size_t i = 0; i < GV_COUNT(codes); i++)
        if (WIFEXITED(status) && WEXITSTATUS(status) == gv_exit_status(codes[i]))
            return codes[i];
    return GV_ESYS;
}

/* Both pipes to their ends; they carry a path and a message, so what exceeds a few kilobytes is dropped. */
static void drain(int fd, char *to, size_t most)
{
    size_t n = 0;
    char rest[512];
    for (;;) {
        ssize_t k = n + 1 < most ? read(fd, to + n, most - 1 - n) : read(fd, rest, sizeof rest);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            break;
        if (n + 1 < most)
            n += (size_t)k;
    }
    to[n] = 0;
}

/* Run glovita-fetch with these arguments: its line of output into `said`, its message into err. */
static int run_fetch(const char **args, const char *token, char *said, size_t most, gv_err *err)
{
    char program[4200], bearer[4200], progress[32], complaint[2000];
    const char *argv[16] = { "glovita-fetch" }, *env[1024];
    int out[2] = { -1, -1 }, mistake[2] = { -1, -1 }, terminal = isatty(2) ? fcntl(2, F_DUPFD, 3) : -1;
    size_t n = 1, ne = 0;
    snprintf(program, sizeof program, "%s/glovita-fetch", gv_self_dir());
    snprintf(progress, sizeof progress, "%d", terminal);
    if (terminal >= 0) {
        argv[n++] = "--progress";
        argv[n++] = progress;
    }
    for (; *args && n < 15; args++)
        argv[n++] = *args;
    for (char **e = environ; *e && ne < 1022; e++)
        if (strncmp(*e, "GLOVITA_FETCH_TOKEN=", 20) && strncmp(*e, "GLOVITA_EVENTS=", 15)) /* events are the caller's to send */
            env[ne++] = *e;
    snprintf(bearer, sizeof bearer, "GLOVITA_FETCH_TOKEN=%s", token ? token : ""); /* not an argument: those are seen by all */
    env[ne++] = bearer;
    env[ne] = NULL;
    int r = GV_OK, status = 0;
    pid_t parent = getpid(), pid = -1;
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(mistake, O_CLOEXEC) < 0 || (pid = fork()) < 0)
        r = gv_fail_sys(err, "cannot start glovita-fetch");
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || dup2(out[1], 1) < 0 || dup2(mistake[1], 2) < 0)
            _exit(70);
        execve(program, (char *const *)argv, (char *const *)env);
        environ = (char **)env;
        execvp("glovita-fetch", (char *const *)argv); /* an installed one, for programs that stand elsewhere */
        _exit(127);
    }
    if (out[1] >= 0)
        close(out[1]);
    if (mistake[1] >= 0)
        close(mistake[1]);
    if (pid > 0) {
        drain(out[0], said, most); /* a path, written at its end: stderr cannot fill meanwhile */
        drain(mistake[0], complaint, sizeof complaint);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        said[strcspn(said, "\n")] = 0;
        complaint[strcspn(complaint, "\n")] = 0;
        const char *text = strstr(complaint, ": error: ");
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
            r = gv_fail(err, GV_ESYS, "'%s' is missing: it stands beside the other programs", program);
        else if (WIFSIGNALED(status))
            r = gv_fail(err, GV_ESYS, "glovita-fetch was killed by signal %d", WTERMSIG(status));
        else if (status)
            r = gv_fail(err, code_of(status), "%s", text ? text + 9 : *complaint ? complaint : "glovita-fetch failed");
    }
    if (out[0] >= 0)
        close(out[0]);
    if (mistake[0] >= 0)
        close(mistake[0]);
    if (terminal >= 0)
        close(terminal);
    return r;
}

int gv_download(const char *url, const char *dest, const char *sha256, const char *token, gv_err *err)
{
    char said[16];
    const char *args[8];
    size_t n = 0;
    if (sha256) {
        args[n++] = "--sha256";
        args[n++] = sha256;
    }
    args[n++] = "--";
    args[n++] = url;
    args[n++] = dest;
    args[n] = NULL;
    return run_fetch(args, token, said, sizeof said, err);
}

/* ---- the search ---- */

static int explicit_path(const char *path, gv_arena *a, const char **found, gv_err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return gv_fail(err, GV_EUSAGE, "there are no weights at '%s': %s", path, strerror(errno));
    *found = S_ISDIR(st.st_mode) ? gv_usual_file(path, a, err) : gv_arena_strdup(a, path, err);
    if (!*found)
        return gv_fail(err, GV_EUSAGE, "the folder '%s' holds no %s, pytorch_model.bin, model.pth or other usual file of weights", path, gv_usual_names[0]);
    return GV_OK;
}

/* torch.hub's names end in a dash and eight digits of their digest: resnet50-0676ba61.pth. */
static const char *digest_in(const char *url, gv_arena *a, gv_err *err)
{
    const char *name = strrchr(url, '/'), *dash = name ? strrchr(name, '-') : NULL;
    size_t n = dash ? strspn(dash + 1, "0123456789abcdef") : 0;
    return n >= 8 && n <= 64 && dash[1 + n] == '.' ? gv_arena_strndup(a, dash + 1, n, err) : NULL;
}

static int fetch_hub(const gv_source *s, const char *revision, gv_arena *a, const char **path, gv_err *err)
{
    char said[4200] = "";
    const char *args[8] = { "--hub", s->hf_repo, "--revision", revision };
    if (s->sha256 && !s->url) { /* with an address, the digest is that of the file there */
        args[4] = "--sha256";
        args[5] = s->sha256;
    }
    int r = run_fetch(args, NULL, said, sizeof said, err);
    if (r == GV_OK && !(*path = gv_arena_strdup(a, said, err)))
        r = GV_ESYS;
    return r;
}

static int fetch_url(const gv_source *s, const char *dest, gv_arena *a, const char **path, gv_err *err)
{
    const char *slash = strrchr(dest, '/'), *dir = gv_arena_strndup(a, dest, (size_t)(slash - dest), err);
    int r = dir ? gv_mkdirs(dir, err) : GV_ESYS;
    if (r == GV_OK)
        r = gv_download(s->url, dest, s->sha256 ? s->sha256 : digest_in(s->url, a, err), NULL, err);
    if (r == GV_OK)
        *path = dest;
    return r;
}

/* What to do by hand: the address, the place, and the commands between them. */
static int offline(const gv_source *s, const char *url, const char *place, gv_err *err)
{
    const char *slash = strrchr(place, '/');
    const char *name = slash + 1;
    int dir = (int)(slash - place);
    return gv_fail(err, GV_EUSAGE, "the weights '%s' are not on this machine, and HF_HUB_OFFLINE forbids to fetch them; they were looked for at '%s'. On a machine with "
                   "a network: curl -L -o %s %s  Then here: mkdir -p '%.*s' && cp %s '%.*s/'", s->hf_repo ? s->hf_repo : url, place, name, url, dir, place, name, dir, place);
}

int gv_weights_locate(const gv_source *s, gv_arena *a, const char **path, gv_err *err)
{
    const char *revision = s->hf_revision ? s->hf_revision : "main", *wanted = NULL, *cached = NULL;
    *path = NULL;
    if (s->path)
        return explicit_path(s->path, a, path, err);
    if (!s->hf_repo && !s->url)
        return gv_fail(err, GV_EUSAGE, "no published weights are known for this model: give a file, or train without pretrained weights");
    if (s->hf_repo) {
        int r = gv_hub_find(s->hf_repo, revision, a, path, &wanted, err);
        if (r < 0 || *path)
            return r;
    }
    if (s->url) {
        if (!(cached = gv_torch_hub_path(s->url, a, err)))
            return err ? err->code : GV_EUSAGE;
        if (gv_file_exists(cached)) {
            *path = cached;
            return GV_OK;
        }
    }
    if (gv_offline()) {
        const char *url = s->hf_repo ? gv_hub_url(s->hf_repo, revision, gv_usual_names[0], a, err) : s->url;
        return url ? offline(s, url, wanted ? wanted : cached, err) : GV_ESYS;
    }
    gv_err first = { 0 };
    if (s->hf_repo) {
        int r = fetch_hub(s, revision, a, path, &first);
        if (r == GV_OK)
            return GV_OK;
        if (!s->url || r == GV_ESAVED)
            return gv_fail(err, r, "cannot get the weights '%s': %s", s->hf_repo, first.text);
    }
    int r = fetch_url(s, cached, a, path, err);
    if (r < 0 && first.code < 0)
        gv_fail_in(err, "%s; then", first.text);
    return r < 0 ? gv_fail_in(err, "cannot get the weights '%s'", s->hf_repo ? s->hf_repo : s->url) : r;
}
