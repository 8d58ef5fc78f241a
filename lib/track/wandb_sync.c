/* wandb_sync: W&B's own program beside the delivery, so that a run is seen while it goes on. It reads the log that is written here; its
 * protocol is its own. Started where it is there, a key is known, and the run asks for W&B: typed, or WANDB_MODE=online. */
#include "track/wandb.h"
#include "common/log.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STARTS = 10, LAST_S = 25, PAUSE_MS = 20 }; /* LAST_S: for what is left at the end; the driver waits 30 s for all */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    for (const char *s = path; s && *s; s += strcspn(s, ":"), s += *s == ':') {
        char name[4200];
        snprintf(name, sizeof name, "%.*s/%s", (int)strcspn(s, ":") > 4000 ? 4000 : (int)strcspn(s, ":"), s, program);
        if (access(name, X_OK) == 0)
            return true;
    }
    return false;
}

/* Whether the run asks for W&B: its backend was given, or it is among `also`. */
static bool asked_for(const gv_run_facts *run)
{
    const json_t *typed = json_object_get(run->config, "typed"), *also = json_object_get(json_object_get(run->config, "logger"), "also");
    const char *mode = getenv("WANDB_MODE"), *s;
    bool yes = mode && (!strcmp(mode, "online") || !strcmp(mode, "run"));
    for (size_t i = 0; i < json_array_size(typed); i++)
        yes |= (s = json_string_value(json_array_get(typed, i))) && !strcmp(s, "logger.backend");
    for (size_t i = 0; i < json_array_size(also); i++)
        yes |= (s = json_string_value(json_array_get(also, i))) && !strcmp(s, "wandb");
    return yes;
}

bool gv_wandb_may_sync(const gv_delivery *d)
{
    return d->live && !d->off && !gv_wandb_offline(d) && asked_for(d->run) && gv_wandb_has_key() && in_path("wandb");
}

static void become(const gv_delivery *d, const gv_wandb *w, pid_t parent)
{
    char out[4300];
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(137);
    snprintf(out, sizeof out, "%.4000s/log/wandb-sync.out", d->run->dir);
    int null = open("/dev/null", O_RDWR), fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (null < 0 || dup2(null, 0) < 0 || dup2(fd < 0 ? null : fd, 1) < 0 || dup2(fd < 0 ? null : fd, 2) < 0)
        _exit(4);
    execlp("wandb", "wandb", "beta", "sync", "--live", w->dir, (char *)NULL);
    _exit(127);
}

/* Whether it runs. One that failed is started again later, and not for ever. */
static bool running(gv_wandb *w)
{
    int status;
    if (w->sync > 0 && waitpid(w->sync, &status, WNOHANG) == w->sync) {
        w->sync = 0;
        w->sync_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        w->sync_again = now() + (w->sync_starts < 3 ? 5 : 60);
    }
    return w->sync > 0;
}

static void start(const gv_delivery *d, gv_wandb *w)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(d, w, parent);
    w->sync = pid > 0 ? pid : 0;
    w->sync_starts++;
}

void gv_wandb_sync_stop(gv_wandb *w)
{
    const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
    if (!running(w))
        return;
    kill(w->sync, SIGTERM);
    for (double until = now() + 1; running(w) && now() < until;)
        nanosleep(&pause, NULL);
    if (running(w)) {
        kill(w->sync, SIGKILL);
        waitpid(w->sync, NULL, 0);
        w->sync = 0;
    }
}

/* Called when the log has grown. At the end, waits until all is uploaded: it ends behind the exit record. */
void gv_wandb_sync(gv_delivery *d, gv_wandb *w, bool ended)
{
    const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
    if (w->synced || !gv_wandb_may_sync(d))
        return;
    if (!running(w) && w->sync_starts < STARTS && (ended || now() >= w->sync_again))
        start(d, w);
    if (!ended)
        return;
    for (double until = now() + LAST_S; running(w) && now() < until && !(d->stopped && d->stopped());)
        nanosleep(&pause, NULL);
    w->synced = !running(w) && w->sync_status == 0;
    if (!w->synced)
        gv_log(GV_WARNING, "'wandb beta sync --live' has not uploaded all: see '%s/log/wandb-sync.out'", d->run->dir);
}
