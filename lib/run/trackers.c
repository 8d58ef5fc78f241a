/* trackers: one glovita-log a tracker, beside the run. */
#include "run/trackers.h"
#include "common/file.h"
#include "common/log.h"
#include "run/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STARTS = 20, PAUSE_NS = 10000000, OUTPUT_MAX = 1 << 20, WARNINGS_MAX = 3, NICENESS = 10 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void output_name(const gv_trackers *t, int i, char out[4200])
{
    snprintf(out, 4200, "%.4000s/log/%s.out", t->dir, t->v[i].name);
}

/* The child: what it says goes to log/SINK.out, read when the run has ended. */
static void become(const gv_trackers *t, int i, pid_t parent)
{
    char program[4200], out[4200];
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* it ends what it is doing: the record is whole in any case */
    if (getppid() != parent)
        _exit(137);
    for (int s = 1; s < 32; s++)
        if (s != SIGKILL && s != SIGSTOP)
            signal(s, SIG_DFL);
    signal(SIGINT, SIG_IGN); /* the driver decides */
    signal(SIGUSR1, SIG_IGN);
    setpgid(0, 0);
    output_name(t, i, out);
    int null = open("/dev/null", O_RDONLY), fd = open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (null < 0 || dup2(null, 0) < 0 || dup2(fd < 0 ? null : fd, 1) < 0 || dup2(fd < 0 ? null : fd, 2) < 0)
        _exit(4);
    unsetenv("GLOVITA_EVENTS");
    if (nice(NICENESS) == -1) { /* -1 may be the niceness itself */
    }
    snprintf(program, sizeof program, "%s/glovita-log", gv_self_dir());
    execl(program, program, "--deliver", t->dir, "--sink", t->v[i].name, "--follow", (char *)NULL);
    _exit(4);
}

static void start(gv_trackers *t, int i)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(t, i, parent);
    t->v[i].child = pid > 0 ? pid : 0;
    t->v[i].starts++;
}

int gv_trackers_open(gv_trackers *t, const char *run_dir, gv_err *err)
{
    const char *v[GV_TRACKERS];
    *t = (gv_trackers){ .open = true };
    snprintf(t->dir, sizeof t->dir, "%s", run_dir);
    int n = gv_trackers_of_run(run_dir, v, GV_TRACKERS, err);
    int r = n < 0 ? n : gv_run_say(run_dir, GV_RUN_GOING, 0, err);
    if (r < 0)
        return r;
    t->n = n;
    for (int i = 0; i < n; i++) {
        t->v[i].name = v[i];
        start(t, i);
    }
    return GV_OK;
}

/* Whether it has ended by now. One that was killed may start again at once, one that cannot go on later, and not for ever. */
static bool ended(gv_trackers *t, int i)
{
    int status;
    if (!t->v[i].child || waitpid(t->v[i].child, &status, WNOHANG) != t->v[i].child)
        return !t->v[i].child;
    t->v[i].child = 0;
    t->v[i].status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    t->v[i].again = now() + (t->v[i].starts < 3 ? 0.1 : 10);
    return true;
}

void gv_trackers_tick(gv_trackers *t)
{
    for (int i = 0; i < t->n; i++)
        if (ended(t, i) && t->v[i].starts < STARTS && t->v[i].status != 2 && t->v[i].status != 3 && now() >= t->v[i].again)
            start(t, i);
}

/* The lines of its output: what arrived, or why not. */
static void report(const gv_trackers *t, int i, bool quiet)
{
    char path[4200];
    gv_buf b = { 0 };
    output_name(t, i, path);
    const char *name = t->v[i].name, *text = gv_file_read(path, OUTPUT_MAX, &b, &(gv_err){ 0 }) == GV_OK && b.data ? b.data : "";
    if (t->v[i].status == 0) {
        const char *done = strstr(text, " epochs delivered, "), *place = done ? strstr(done, ": ") : NULL;
        const char *s = text;
        for (int n = 0; n < WARNINGS_MAX && (s = strstr(s, "glovita-log: warning: ")) && (!done || s < done); n++) {
            s += 22;
            gv_log(GV_WARNING, "%s: %.*s", name, (int)strcspn(s, "\n"), s);
        }
        if (place && !quiet) /* "4 epochs delivered, 4 of them now: PLACE", then what to do with it */
            fprintf(stderr, "%-12s %s", name, place + 2);
    } else if (t->v[i].status) {
        const char *why = NULL;
        for (const char *s = text; (s = strstr(s, "error: ")); s++)
            why = s + 7;
        gv_log(GV_WARNING, "%s was not told everything%s%.*s; the run is not touched by that, and 'glovita-log --deliver %s' delivers the rest", name, why ? ": " : "",
               why ? (int)strcspn(why, "\n") : 0, why ? why : "", t->dir);
    }
    gv_buf_release(&b);
}

void gv_trackers_close(gv_trackers *t, gv_run_state how, int exit_status, double seconds, bool quiet)
{
    gv_err err = { 0 };
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    if (!t->open)
        return;
    t->open = false;
    if (gv_run_say(t->dir, how, exit_status, &err) < 0)
        gv_log(GV_WARNING, "%s", err.text);
    double until = now() + seconds, tell = now() + 2;
    int stopped = gv_pipe_stopped();
    for (int left = t->n; left && now() < until && gv_pipe_stopped() == stopped;) {
        left = 0;
        for (int i = 0; i < t->n; i++) {
            if (!ended(t, i))
                left++;
            else if (t->v[i].status >= 128 && t->v[i].starts < STARTS) { /* killed */
                start(t, i);
                left++;
            }
        }
        if (left && now() >= tell && !quiet) {
            for (int i = 0; i < t->n; i++)
                if (t->v[i].child)
                    fprintf(stderr, "%-12s delivering what is left, for %.0f s at most\n", t->v[i].name, until - now());
            tell = until;
        }
        nanosleep(&pause, NULL);
    }
    for (int i = 0; i < t->n; i++) {
        if (t->v[i].child) { /* it has had its time */
            kill(t->v[i].child, SIGKILL);
            waitpid(t->v[i].child, NULL, 0);
            t->v[i].child = 0;
            t->v[i].status = 128 + SIGKILL;
        }
        report(t, i, quiet);
    }
}
