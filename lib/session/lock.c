/* lock: one run in a directory. */
#include "session/lock.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { GRACE = 500, TICK_NS = 10000000 }; /* looks, and what lies between two of them: 5 s */

/* The holder wrote itself into the file and is no more: what holds the lock now is a stage of its run, which the kernel is ending. */
static bool orphaned(const char *who, const char *host)
{
    char *end;
    if (strncmp(who, "process ", 8))
        return false;
    long pid = strtol(who + 8, &end, 10);
    return pid > 0 && !strncmp(end, " on ", 4) && !strcmp(end + 4, host) && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

int gv_dir_lock(const char *dir, int *fd, gv_err *err)
{
    *fd = -1;
    int r = gv_mkdirs(dir, err);
    if (r < 0)
        return r;
    char path[4200], who[300] = "", host[128] = "?";
    gethostname(host, sizeof host - 1);
    snprintf(path, sizeof path, "%s/.lock", dir);
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    for (int look = 0; flock(f, LOCK_EX | LOCK_NB) < 0; look++) {
        int e = errno;
        ssize_t n = pread(f, who, sizeof who - 1, 0);
        who[n > 0 ? n : 0] = 0;
        who[strcspn(who, "\n")] = 0;
        if (e == EWOULDBLOCK && look < GRACE && orphaned(who, host)) {
            nanosleep(&(struct timespec){ .tv_nsec = TICK_NS }, NULL);
            continue;
        }
        close(f);
        errno = e;
        if (e == EWOULDBLOCK)
            return gv_fail(err, GV_EBUSY, "'%s' is in use by %s; wait for it, or choose another --logger.group", dir, *who ? who : "another process");
        return gv_fail_sys(err, "cannot lock '%s'", path);
    }
    int n = snprintf(who, sizeof who, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(f, 0) < 0 || pwrite(f, who, (size_t)n, 0) != n) {
        close(f);
        return gv_fail_sys(err, "cannot write '%s'", path);
    }
    *fd = f;
    return GV_OK;
}
