/* spawn: start the stages of a pipeline, watch them, name the first cause. */
#include "run/spawn.h"
#include "common/file.h"
#include "run/report.h"
#include "run/stall.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 8192, GRACE_MS = 5000, CAUSE_MS = 100, ONE_WISH_MS = 500 };

typedef struct child {
    pid_t pid;
    int pidfd, err_fd, event_fd; /* read ends; -1 when closed */
    char err_line[LINE], event_line[LINE];
    size_t err_n, event_n;
    char last_error[1200]; /* its last "error:" message */
    int done, status;      /* 0…255, or 128+signal */
    int killed_by_us;
} child;

typedef struct watch {
    gv_pipeline_plan *p;
    const gv_run_options *o;
    child *c;
    gv_report report;
    int alive, first; /* first: index of the stage that failed first, -1 */
    double first_at, stop_at, asked_at; /* asked_at: of the first signal to stop that was not SIGUSR1 */
    int stopping, at_once; /* signal; a second one came */
    int64_t epochs;        /* that were seen to end */
    const int (*edge_fd)[2];   /* closed here; the numbers are those in the children */
    double moved, patience;    /* when a stage last said something; seconds of silence before the next report */
} watch;

static volatile sig_atomic_t caught, stopped; /* stopped stays */

static void on_signal(int s)
{
    caught = stopped = s;
}

static void on_early_signal(int s)
{
    static const char text[] = "stopped before anything was begun: give the same command again\n";
    (void)s;
    if (write(2, text, sizeof text - 1) < 0)
        _exit(75);
    _exit(75);
}

/* The signals that ask a run to stop. The driver decides what becomes of them. */
static const int stops[] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP };

static void handle(void (*handler)(int))
{
    struct sigaction a = { .sa_handler = handler };
    for (size_t i = 0; i < GV_COUNT(stops); i++)
        sigaction(stops[i], &a, NULL);
}

void gv_pipe_catch_early(void)
{
    handle(on_early_signal);
}

void gv_pipe_catch(void)
{
    handle(on_signal);
}

int gv_pipe_stopped(void)
{
    return stopped;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A scheduler, or a terminal, sends its wish to every process. The one that saves finds it pending when it is ready to hear
 * (gv_catch_signals); the others go on, so that it has what it needs to finish a step, and end when their reader has. */
static void set_stops(bool saves)
{
    sigset_t wait;
    sigemptyset(&wait);
    for (size_t i = 0; i < GV_COUNT(stops); i++) {
        if (saves)
            sigaddset(&wait, stops[i]);
        else
            signal(stops[i], SIG_IGN);
    }
    sigprocmask(SIG_SETMASK, &wait, NULL);
}

/* In the child, between fork and exec: only calls that are safe there. The descriptors that stay are already without close-on-exec.
 * Signals are blocked. */
static void become(char **argv, char **env, int in, int out, int err_fd, pid_t parent, pid_t group, bool saves)
{
    setpgid(0, group);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* the driver died before the line above */
        _exit(137);
    for (int s = 1; s < 32; s++)
        if (s != SIGKILL && s != SIGSTOP)
            signal(s, SIG_DFL);
    set_stops(saves);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err_fd, 2) < 0)
        _exit(4);
    execve(argv[0], argv, env);
    char msg[256];
    int n = snprintf(msg, sizeof msg, "glovita-run: error: cannot start '%s': %s\n", argv[0], strerror(errno));
    if (write(2, msg, (size_t)n) < 0)
        _exit(4);
    _exit(4);
}

static int pipe_for(int fd[2], bool big, gv_err *err)
{
    if (pipe2(fd, O_CLOEXEC) < 0)
        return gv_fail_sys(err, "cannot create a pipe (fewer --dataloading.num_workers need fewer; 'ulimit -n' shows the limit)");
    if (big)
        (void)fcntl(fd[1], F_SETPIPE_SZ, 1 << 20); /* within the user's limit; smaller works too */
    return GV_OK;
}

/* The environment of a stage: ours, with the event descriptor, and the OpenMP settings that let stages share the cores. */
static char **environment(int event_fd, gv_arena *arena, gv_err *err)
{
    extern char **environ;
    size_t n = 0;
    while (environ[n])
        n++;
    char **env = gv_arena_alloc(arena, (n + 4) * sizeof *env, err);
    if (!env)
        return NULL;
    size_t k = 0;
    bool spin = false;
    for (size_t i = 0; i < n; i++) {
        if (!strncmp(environ[i], "GLOVITA_EVENTS=", 15))
            continue;
        spin |= !strncmp(environ[i], "GOMP_SPINCOUNT=", 15);
        env[k++] = environ[i];
    }
    env[k++] = gv_arena_printf(arena, err, "GLOVITA_EVENTS=%d", event_fd);
    if (!spin)
        env[k++] = gv_arena_strdup(arena, "GOMP_SPINCOUNT=1000", err);
    return env[k - 1] && env[0] ? env : NULL;
}

/* Many workers need many pipes: what the user may have, not what a shell gives at first. */
static void allow_files(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max && l.rlim_cur < 65536) {
        l.rlim_cur = l.rlim_max < 65536 ? l.rlim_max : 65536;
        (void)setrlimit(RLIMIT_NOFILE, &l); /* a failure is told when a pipe is wanted */
    }
}

static void keep_open(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0)
        (void)fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
}

static bool saves(const gv_pipe_node *n)
{
    return !strcmp(n->stage, "train");
}

static int start_one(watch *w, int i, int (*edge_fd)[2], pid_t group, gv_arena *arena, gv_err *err)
{
    gv_pipeline_plan *p = w->p;
    gv_pipe_node *n = &p->node[i];
    child *c = &w->c[i];
    int err_pipe[2], event_pipe[2], in = -1, out = -1, argc;
    int r = pipe_for(err_pipe, false, err);
    if (r == GV_OK)
        r = pipe_for(event_pipe, false, err);
    if (r < 0)
        return r;
    gv_buf words = { 0 };
    char program[4200];
    snprintf(program, sizeof program, "%s/glovita-%s", gv_self_dir(), n->stage);
    r = gv_shell_quote(&words, program, err);
    if (r == GV_OK && n->words.data)
        r = gv_buf_add(&words, n->words.data, n->words.len, err);
    for (int e = 0; e < p->edges && r == GV_OK; e++) {
        if (p->edge[e].from == i)
            out = edge_fd[e][1];
        if (p->edge[e].to != i)
            continue;
        if (p->edge[e].option)
            r = gv_buf_printf(&words, err, " %s fd:%d", p->edge[e].option, edge_fd[e][0]);
        else
            in = edge_fd[e][0];
    }
    bool lock = w->o->lock_fd >= 0 && saves(n);
    if (r == GV_OK && lock)
        r = gv_buf_printf(&words, err, " --lock_fd %d", w->o->lock_fd);
    char **argv = r == GV_OK ? gv_shell_split(words.data, &argc, arena, err) : NULL;
    gv_buf_release(&words);
    char **env = argv ? environment(event_pipe[1], arena, err) : NULL;
    if (!env)
        return err->code ? err->code : GV_ESYS;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), file = -1;
    if (in < 0)
        in = null;
    if (out < 0 && n->out_file) {
        out = file = open(n->out_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (file < 0)
            return gv_fail_sys(err, "cannot create '%s'", n->out_file);
    } else if (out < 0)
        out = w->o->show ? STDOUT_FILENO : null; /* the end of the flow writes files of its own */
    pid_t parent = getpid();
    /* Signals wait meanwhile: in the child the driver's handler would swallow one that came before exec. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    c->pid = fork();
    if (c->pid == 0) {
        for (int e = 0; e < p->edges; e++)
            if (p->edge[e].to == i && p->edge[e].option)
                keep_open(edge_fd[e][0]);
        keep_open(event_pipe[1]);
        if (lock)
            keep_open(w->o->lock_fd);
        become(argv, env, in, out, err_pipe[1], parent, group, saves(n));
    }
    int why = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = why;
    if (c->pid < 0)
        r = gv_fail_sys(err, "cannot start '%s'", n->label);
    else {
        setpgid(c->pid, group ? group : c->pid);
        c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
        if (c->pidfd >= 0)
            fcntl(c->pidfd, F_SETFD, FD_CLOEXEC);
        w->alive++;
    }
    c->err_fd = err_pipe[0];
    c->event_fd = event_pipe[0];
    fcntl(c->err_fd, F_SETFL, O_NONBLOCK);
    fcntl(c->event_fd, F_SETFL, O_NONBLOCK);
    close(err_pipe[1]);
    close(event_pipe[1]);
    close(null);
    if (file >= 0)
        close(file);
    return r;
}

static void take_line(watch *w, int i, bool event, const char *s, size_t n)
{
    child *c = &w->c[i];
    if (event) {
        gv_report_event(&w->report, i, s, n);
        return;
    }
    const char *e = memmem(s, n, ": error: ", 9);
    if (e) { /* kept for the verdict; shown with it */
        size_t m = n - (size_t)(e + 9 - s);
        if (m >= sizeof c->last_error)
            m = sizeof c->last_error - 1;
        memcpy(c->last_error, e + 9, m);
        c->last_error[m] = 0;
        return;
    }
    gv_report_message(&w->report, s, n);
}

static void drain(watch *w, int i, bool event)
{
    child *c = &w->c[i];
    int *fd = event ? &c->event_fd : &c->err_fd;
    char *line = event ? c->event_line : c->err_line;
    size_t *n = event ? &c->event_n : &c->err_n;
    for (;;) {
        ssize_t k = read(*fd, line + *n, LINE - *n);
        if (k < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (k > 0) {
            *n += (size_t)k;
            w->moved = now();
            w->patience = gv_stall_after();
        }
        char *nl;
        while (*n && ((nl = memchr(line, '\n', *n)) || *n == LINE || k <= 0)) {
            size_t m = nl ? (size_t)(nl - line) : *n;
            take_line(w, i, event, line, m);
            size_t used = nl ? m + 1 : m;
            memmove(line, line + used, *n - used);
            *n -= used;
        }
        if (k <= 0) {
            close(*fd);
            *fd = -1;
            return;
        }
    }
}

/* `gently`: one that saves may do so first. */
static void kill_all(watch *w, bool gently)
{
    for (int i = 0; i < w->p->nodes; i++)
        if (w->c[i].pid > 0 && !w->c[i].done) {
            w->c[i].killed_by_us = 1;
            kill(w->c[i].pid, gently && saves(&w->p->node[i]) ? SIGTERM : SIGKILL);
        }
}

static void reap(watch *w, int i)
{
    child *c = &w->c[i];
    int st;
    pid_t r = waitpid(c->pid, &st, WNOHANG);
    if (r != c->pid)
        return;
    c->done = 1;
    c->status = WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
    w->alive--;
    w->moved = now();
    if (c->err_fd >= 0)
        drain(w, i, false);
    if (c->event_fd >= 0)
        drain(w, i, true);
    if (c->pidfd >= 0)
        close(c->pidfd);
    c->pidfd = -1;
    bool fault = c->status && c->status != 128 + SIGPIPE && !c->killed_by_us;
    if (!fault)
        return;
    /* Of those that fell within the same moment the most upstream one is the cause: its readers only saw its stream cut. */
    if (w->first < 0) {
        w->first = i;
        w->first_at = now();
    } else if (i < w->first && now() - w->first_at < CAUSE_MS / 1000.0)
        w->first = i;
}

static void poll_once(watch *w, int timeout_ms)
{
    struct pollfd fd[GV_PIPE_STAGES * 3];
    int who[GV_PIPE_STAGES * 3], n = 0;
    for (int i = 0; i < w->p->nodes; i++) {
        const child *c = &w->c[i];
        const int f[3] = { c->pidfd, c->err_fd, c->event_fd };
        for (int k = 0; k < 3; k++)
            if (f[k] >= 0) {
                fd[n] = (struct pollfd){ .fd = f[k], .events = POLLIN };
                who[n++] = i * 3 + k;
            }
    }
    if (poll(fd, (nfds_t)n, timeout_ms) <= 0)
        return;
    for (int k = 0; k < n; k++) {
        if (!fd[k].revents)
            continue;
        int i = who[k] / 3;
        if (who[k] % 3 == 1 && w->c[i].err_fd >= 0)
            drain(w, i, false);
        else if (who[k] % 3 == 2 && w->c[i].event_fd >= 0)
            drain(w, i, true);
    }
    for (int i = 0; i < w->p->nodes; i++) /* in order: upstream first */
        if (w->c[i].pid > 0 && !w->c[i].done)
            reap(w, i);
}

/* A signal to the driver: the trainer finishes its step and saves, the rest ends by itself when it does; without a trainer all end.
 * A second one ends all at once: not SIGUSR1, which only ever asks to save, and not one that comes right behind the first, since a
 * scheduler tells a job's script, its srun and the step, and the first two pass it on. */
static void forward_signal(watch *w)
{
    int s = caught;
    double t = now();
    caught = 0;
    bool told = false, again = w->stopping > 0, second = s != SIGUSR1 && w->asked_at > 0 && t - w->asked_at > ONE_WISH_MS / 1000.0;
    if (s != SIGUSR1 && !w->asked_at)
        w->asked_at = t;
    if (!again)
        w->stopping = s;
    for (int i = 0; i < w->p->nodes && !again; i++)
        if (saves(&w->p->node[i]) && !w->c[i].done) {
            kill(w->c[i].pid, SIGTERM);
            told = true;
        }
    w->at_once |= second;
    if (second || (!again && !told))
        kill_all(w, false);
}

static void tell_stall(watch *w, double silence)
{
    pid_t pid[GV_PIPE_STAGES];
    int to_fd[GV_PIPE_EDGES];
    for (int i = 0; i < w->p->nodes; i++)
        pid[i] = w->c[i].done ? 0 : w->c[i].pid;
    for (int e = 0; e < w->p->edges; e++)
        to_fd[e] = w->p->edge[e].option ? w->edge_fd[e][0] : 0;
    gv_report_clear(&w->report);
    gv_stall_tell(w->p, pid, to_fd, silence);
    w->patience *= 2; /* told again, ever more rarely */
}

static void watch_all(watch *w)
{
    w->moved = now();
    w->patience = gv_stall_after();
    while (w->alive > 0) {
        poll_once(w, w->first >= 0 ? 20 : 100);
        gv_report_tick(&w->report);
        if (w->o->pictures) {
            if (w->report.epochs != w->epochs)
                gv_pictures_due(w->o->pictures);
            w->epochs = w->report.epochs;
            gv_pictures_tick(w->o->pictures);
        }
        if (w->o->trackers)
            gv_trackers_tick(w->o->trackers);
        if (caught)
            forward_signal(w);
        double t = now();
        if (w->first < 0 && t - w->moved > w->patience)
            tell_stall(w, t - w->moved);
        if (w->first >= 0 && !w->stop_at && t - w->first_at > CAUSE_MS / 1000.0) {
            kill_all(w, true);
            w->stop_at = t;
        }
        if (w->stop_at && t - w->stop_at > 1.0)
            kill_all(w, false);
        if (w->stop_at && t - w->stop_at > GRACE_MS / 1000.0)
            return; /* a child that cannot be reaped (a dead network disk) does not hold the driver */
    }
}

/* What a stage that was killed had half written goes with it. */
static void sweep(const watch *w)
{
    for (int d = 0; w->o->dirs && w->o->dirs[d]; d++)
        for (int i = 0; i < w->p->nodes; i++)
            if (w->c[i].done && w->c[i].status)
                gv_parts_remove(w->o->dirs[d], w->c[i].pid);
}

static int verdict(const watch *w, int *status, gv_err *err)
{
    *status = 0;
    int first = w->first, last = w->p->nodes - 1;
    if (first < 0 && !w->stopping && w->c[last].status) /* killed by a SIGPIPE that no reader of ours caused */
        first = last;
    if (first < 0) {
        if (!w->stopping || (w->c[last].done && w->c[last].status == 0)) /* the end came before the signal did */
            return GV_OK;
        *status = 75;
        return gv_fail(err, GV_ESAVED, "stopped by signal %d%s", w->stopping, w->at_once ? " at once: what was done since the last save is lost" : "");
    }
    const child *c = &w->c[first];
    const char *label = w->p->node[first].label;
    *status = c->status;
    if (w->stopping && c->status == 75)
        return gv_fail(err, GV_ESAVED, "stopped by signal %d%s%s", w->stopping, *c->last_error ? ": " : "", c->last_error);
    static const struct { int status, code; } table[] = { { 2, GV_EUSAGE }, { 3, GV_EDATA }, { 4, GV_ESYS }, { 5, GV_ENAN }, { 6, GV_EPEER }, { 75, GV_ESAVED }, { 100, GV_EBUSY } };
    int code = GV_EINTERNAL;
    for (size_t k = 0; k < GV_COUNT(table); k++)
        if (table[k].status == c->status)
            code = table[k].code;
    if (c->status > 128)
        return gv_fail(err, code, "stage '%s' was killed by signal %d (%s)%s%s", label, c->status - 128, strsignal(c->status - 128), *c->last_error ? ": " : "", c->last_error);
    return gv_fail(err, code, "stage '%s' ended with status %d%s%s", label, c->status, *c->last_error ? ": " : "", c->last_error);
}

int gv_pipe_run(gv_pipeline_plan *p, const gv_run_options *o, int *status, gv_err *err)
{
    watch w = { .p = p, .o = o, .first = -1 };
    if (caught) { /* before it began */
        *status = 75;
        return gv_fail(err, GV_ESAVED, "stopped by signal %d", (int)caught);
    }
    *status = 4;
    w.c = gv_arena_alloc(p->arena, (size_t)p->nodes * sizeof *w.c, err);
    int (*edge_fd)[2] = gv_arena_alloc(p->arena, (size_t)(p->edges + 1) * sizeof *edge_fd, err);
    if (!w.c || !edge_fd)
        return GV_ESYS;
    int r = gv_report_open(&w.report, o->events_path, err);
    if (r < 0)
        return r;
    w.report.what = o->what;
    w.report.quiet = o->quiet;
    w.report.terminal &= !o->plain;
    w.report.total = (double)o->total;
    for (int i = 0; i < p->nodes; i++) {
        w.c[i].pidfd = w.c[i].err_fd = w.c[i].event_fd = -1;
        gv_report_stage(&w.report, i, p->node[i].label);
    }
    gv_pipe_catch();
    signal(SIGPIPE, SIG_IGN);
    allow_files();
    int made = 0;
    for (; made < p->edges && r == GV_OK; made++)
        r = pipe_for(edge_fd[made], true, err);
    for (int i = 0; i < p->nodes && r == GV_OK; i++)
        r = start_one(&w, i, edge_fd, i ? w.c[0].pid : 0, p->arena, err);
    for (int e = 0; e < made; e++) {
        close(edge_fd[e][0]);
        close(edge_fd[e][1]);
    }
    if (r < 0) { /* could not start all: end those that run */
        kill_all(&w, false);
        w.stop_at = now();
    }
    w.edge_fd = (const int (*)[2])edge_fd;
    watch_all(&w);
    sweep(&w);
    gv_report_close(&w.report);
    if (o->pictures && (w.stopping || w.first >= 0))
        gv_pictures_close(o->pictures, 0);
    return r < 0 ? r : verdict(&w, status, err);
}
