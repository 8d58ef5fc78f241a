/* lock: one run in a directory. */
#include "session/lock.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int gv_dir_lock(const char *dir, int *fd, gv_err *err)
{
    *fd = -1;
    int r = gv_mkdirs(dir, err);
    if (r < 0)
        return r;
    char path[4200], who[300] = "";
    snprintf(path, sizeof path, "%s/.lock", dir);
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    if (flock(f, LOCK_EX | LOCK_NB) < 0) {
        int e = errno;
        ssize_t n = read(f, who, sizeof who - 1);
        close(f);
        who[n > 0 ? n : 0] = 0;
        who[strcspn(who, "\n")] = 0;
        errno = e;
        if (e == EWOULDBLOCK)
            return gv_fail(err, GV_EBUSY, "'%s' is in use by %s; wait for it, or choose another --logger.group", dir, *who ? who : "another process");
        return gv_fail_sys(err, "cannot lock '%s'", path);
    }
    char host[128] = "?";
    gethostname(host, sizeof host - 1);
    int n = snprintf(who, sizeof who, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(f, 0) < 0 || pwrite(f, who, (size_t)n, 0) != n) {
        close(f);
        return gv_fail_sys(err, "cannot write '%s'", path);
    }
    *fd = f;
    return GV_OK;
}
