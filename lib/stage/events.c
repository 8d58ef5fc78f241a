/* events: JSON lines for the driver. Telemetry cannot fail a run: a reader that has gone, or is slow, costs nothing. */
#include "common/log.h"
#include "stage/stage.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static int fd = -2; /* -2: not looked for yet; -1: none */

static int open_events(void)
{
    const char *to = getenv("GLOVITA_EVENTS");
    if (!to || !*to)
        return -1;
    char *end;
    long n = strtol(to, &end, 10);
    if (!*end && n >= 0 && n < 1 << 20) {
        if (fcntl((int)n, F_SETFD, FD_CLOEXEC) == 0)
            return (int)n;
        gv_log(GV_WARNING, "GLOVITA_EVENTS is %s, which is not an open descriptor; no events are sent", to);
        return -1;
    }
    int f = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (f < 0)
        gv_log(GV_WARNING, "cannot open '%s' for events: %s", to, strerror(errno));
    return f;
}

/* write(2) with SIGPIPE held back; the signal this thread would get is taken out again. */
static void send_line(const char *p, size_t n)
{
    sigset_t pipe_set, old, pending;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
    ssize_t k;
    do
        k = write(fd, p, n); /* one call, at most PIPE_BUF bytes: lines of several writers do not mix */
    while (k < 0 && errno == EINTR);
    if (k < 0 && errno != EAGAIN) {
        if (errno == EPIPE && !sigismember(&pending, SIGPIPE)) {
            struct timespec now = { 0 };
            while (sigtimedwait(&pipe_set, NULL, &now) < 0 && errno == EINTR)
                ;
        }
        fd = -1;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void gv_event(const char *kind, const char *fmt, ...)
{
    if (fd == -2)
        fd = open_events();
    if (fd < 0)
        return;
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    if (!strcmp(kind, "progress") && (poll(&p, 1, 0) < 1 || !(p.revents & POLLOUT)))
        return;
    char line[4000];
    const char *program = gv_log_program();
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (!strncmp(program, "glovita-", 8))
        program += 8;
    int n = snprintf(line, sizeof line, "{\"ts\":%lld.%03ld,\"stage\":\"%s\",\"pid\":%ld,\"event\":\"%s\"", (long long)t.tv_sec, t.tv_nsec / 1000000, program,
                     (long)getpid(), kind);
    va_list ap;
    va_start(ap, fmt);
    int m = *fmt ? vsnprintf(line + n + 1, sizeof line - (size_t)n - 1, fmt, ap) : -1;
    va_end(ap);
    if (m >= 0) {
        line[n] = ',';
        n += 1 + m;
    }
    if (n < 0 || (size_t)n > sizeof line - 3)
        return; /* too long to be one write; the callers keep within bounds */
    line[n++] = '}';
    line[n++] = '\n';
    send_line(line, (size_t)n);
}

void gv_note(const char *text)
{
    char quoted[3000];
    gv_event("note", "\"text\":%s", gv_event_quote(quoted, sizeof quoted, text));
    if (fd < 0)
        gv_log(GV_INFO, "%s", text);
}

const char *gv_event_quote(char *to, size_t n, const char *text)
{
    size_t k = 0;
    if (n < 3)
        return "\"\"";
    to[k++] = '"';
    for (const unsigned char *p = (const unsigned char *)text; *p && k + 8 < n; p++)
        if (*p == '"' || *p == '\\') {
            to[k++] = '\\';
            to[k++] = (char)*p;
        } else if (*p < 0x20 || *p == 0x7f)
            k += (size_t)snprintf(to + k, 7, "\\u%04x", *p);
        else
            to[k++] = (char)*p;
    to[k++] = '"';
    to[k] = 0;
    return to;
}
