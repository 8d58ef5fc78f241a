/* stall: who waits for whom when nothing moves, from /proc alone: a stage that hangs cannot be asked. */
#include "run/stall.h"
#include "common/log.h"
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

double gv_stall_after(void)
{
    const char *s = getenv("GLOVITA_STALL");
    char *end;
    double v = s ? strtod(s, &end) : 0;
    return s && *s && !*end && v > 0 && v < 1e9 ? v : 30;
}

typedef struct life { char state; unsigned long long ticks; } life;

static life look(pid_t pid)
{
    char path[64], text[1024];
    life l = { '?', 0 };
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return l;
    text[n] = 0;
    const char *s = strrchr(text, ')'); /* the name may hold anything */
    unsigned long long user = 0, sys = 0;
    if (s && sscanf(s, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &l.state, &user, &sys) == 3)
        l.ticks = user + sys;
    return l;
}

/* POLLIN: a record waits in the pipe; POLLOUT: there is room. Both ends are opened for a moment, so the stages notice nothing. */
static int pipe_state(pid_t reader, int fd_there)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)reader, fd_there);
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
    int n = poll(&p, 1, 0);
    close(fd);
    return n < 0 ? -1 : p.revents & (POLLIN | POLLOUT);
}

/* The edge stage i waits at: its full output, else its first empty input; -1: none. */
static int waits_at(const gv_pipeline_plan *p, int i, const int *state)
{
    for (int e = 0; e < p->edges; e++)
        if (p->edge[e].from == i && state[e] >= 0 && !(state[e] & POLLOUT))
            return e;
    for (int e = 0; e < p->edges; e++)
        if (p->edge[e].to == i && state[e] >= 0 && !(state[e] & POLLIN))
            return e;
    return -1;
}

void gv_stall_tell(const gv_pipeline_plan *p, const pid_t *pid, const int *to_fd, double seconds)
{
    life before[GV_PIPE_STAGES];
    int state[GV_PIPE_EDGES], r = GV_OK;
    gv_buf cause = { 0 }, wait = { 0 };
    for (int i = 0; i < p->nodes; i++)
        before[i] = pid[i] ? look(pid[i]) : (life){ 0, 0 };
    nanosleep(&(struct timespec){ 0, 250000000 }, NULL);
    for (int e = 0; e < p->edges; e++)
        state[e] = pid[p->edge[e].to] ? pipe_state(pid[p->edge[e].to], to_fd[e]) : -1;
    for (int i = 0; i < p->nodes && r == GV_OK; i++) {
        if (!pid[i])
            continue;
        life now = look(pid[i]);
        const char *label = p->node[i].label, *does = NULL;
        if (now.state == 'T' || now.state == 't')
            does = "is stopped (by SIGSTOP or a debugger)";
        else if (now.ticks > before[i].ticks + 1 || now.state == 'R')
            does = "computes";
        else if (now.state == 'D')
            does = "waits for a disk";
        int e = does ? -1 : waits_at(p, i, state);
        if (does)
            r = gv_buf_printf(&cause, NULL, "%s'%s' %s", cause.len ? ", " : "", label, does);
        else if (e >= 0)
            r = gv_buf_printf(&wait, NULL, "%s'%s' for '%s'", wait.len ? ", " : "", label, p->node[p->edge[e].from == i ? p->edge[e].to : p->edge[e].from].label);
        else
            r = gv_buf_printf(&cause, NULL, "%s'%s' waits for something that is no stage", cause.len ? ", " : "", label);
    }
    gv_log(GV_WARNING, "no stage has moved for %.0f s: %s%s%s", seconds, cause.len ? cause.data : "every stage waits for another", wait.len ? "; waiting: " : "", wait.len ? wait.data : "");
    gv_buf_release(&cause);
    gv_buf_release(&wait);
}
