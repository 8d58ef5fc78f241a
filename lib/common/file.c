/* file: whole files by write-to-temporary and rename; reading with caps. */
#include "common/file.h"
#include "common/fault.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

int gv_write_full(int fd, const void *p, size_t n, gv_err *err)
{
    const char *c = p;
    while (n) {
        if (gv_fault("io")) {
            errno = ENOSPC;
            return gv_fail_sys(err, "cannot write %zu bytes", n);
        }
        ssize_t k = write(fd, c, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return gv_fail_sys(err, "cannot write %zu bytes", n);
        c += k;
        n -= (size_t)k;
    }
    return GV_OK;
}

int64_t gv_read_full(int fd, void *p, size_t n, gv_err *err)
{
    char *c = p;
    size_t got = 0;
    while (got < n) {
        ssize_t k = read(fd, c + got, n - got);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return gv_fail_sys(err, "cannot read");
        if (!k)
            break;
        got += (size_t)k;
    }
    return (int64_t)got;
}

int gv_out_open(gv_out *o, const char *path, gv_err *err)
{
    o->fd = -1;
    if ((size_t)snprintf(o->path, sizeof o->path, "%s", path) >= sizeof o->path)
        return gv_fail(err, GV_EUSAGE, "the path is longer than %zu bytes: '%.80s…'", sizeof o->path - 1, path);
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) { /* a device or FIFO is written, never replaced */
        o->part[0] = 0;
        o->fd = open(path, O_WRONLY | O_CLOEXEC);
        return o->fd < 0 ? gv_fail_sys(err, "cannot open '%s'", path) : GV_OK;
    }
    snprintf(o->part, sizeof o->part, "%s.part-%ld", path, (long)getpid());
    o->fd = open(o->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (o->fd < 0)
        return gv_fail_sys(err, "cannot create '%s'", o->part);
    return GV_OK;
}

int gv_out_write(gv_out *o, const void *p, size_t n, gv_err *err)
{
    if (gv_write_full(o->fd, p, n, err) < 0)
        return gv_fail_in(err, "'%s'", o->path);
    return GV_OK;
}

static void sync_dir_of(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* some file systems cannot; the rename stands all the same */
        close(fd);
    }
}

int gv_out_commit(gv_out *o, gv_err *err)
{
    int r = GV_OK;
    if (!o->part[0]) {
        if (close(o->fd) < 0)
            r = gv_fail_sys(err, "cannot close '%s'", o->path);
        o->fd = -1;
        return r;
    }
    if (fdatasync(o->fd) < 0 && errno != EINVAL && errno != EROFS)
        r = gv_fail_sys(err, "cannot sync '%s'", o->part);
    if (close(o->fd) < 0 && r == GV_OK)
        r = gv_fail_sys(err, "cannot close '%s'", o->part);
    o->fd = -1;
    if (r == GV_OK && rename(o->part, o->path) < 0)
        r = gv_fail_sys(err, "cannot rename '%s' to '%s'", o->part, o->path);
    if (r < 0)
        unlink(o->part);
    else
        sync_dir_of(o->path);
    return r;
}

void gv_out_abort(gv_out *o)
{
    if (o->fd >= 0) {
        close(o->fd);
        if (o->part[0])
            unlink(o->part);
        o->fd = -1;
    }
}

/* A process that has ended and that nobody has waited for writes no more. */
static bool alive(pid_t pid)
{
    char path[64], text[512];
    if (kill(pid, 0) < 0 && errno == ESRCH)
        return false;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n < 0 ? 0 : n] = 0;
    const char *name = strrchr(text, ')'); /* "PID (NAME) STATE …" */
    return !name || (strncmp(name, ") Z", 3) && strncmp(name, ") X", 3));
}

void gv_parts_remove(const char *dir, pid_t pid)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    const struct dirent *e;
    while ((e = readdir(d))) {
        const char *at = strstr(e->d_name, ".part-");
        char *end;
        long who = at ? strtol(at + 6, &end, 10) : 0;
        if (who <= 0 || *end || (pid ? who != (long)pid : alive((pid_t)who)))
            continue;
        (void)unlinkat(dirfd(d), e->d_name, 0); /* what cannot be removed is in nobody's way */
    }
    closedir(d);
}

void gv_hold_standard_fds(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd ? O_RDONLY : O_WRONLY) != fd)
            _exit(4);
}

int gv_file_write(const char *path, const void *p, size_t n, gv_err *err)
{
    gv_out o;
    int r = gv_out_open(&o, path, err);
    if (r == GV_OK)
        r = gv_out_write(&o, p, n, err);
    if (r == GV_OK)
        r = gv_out_commit(&o, err);
    gv_out_abort(&o);
    return r;
}

int gv_file_read(const char *path, size_t cap, gv_buf *b, gv_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block us */
    if (fd < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    struct stat st;
    int r = GV_OK;
    if (fstat(fd, &st) < 0)
        r = gv_fail_sys(err, "cannot stat '%s'", path);
    else if (!S_ISREG(st.st_mode))
        r = gv_fail(err, GV_EDATA, "'%s' is not a regular file", path);
    else if ((uint64_t)st.st_size > cap)
        r = gv_fail(err, GV_EDATA, "'%s' has %lld bytes; at most %zu are read", path, (long long)st.st_size, cap);
    else
        r = gv_buf_reserve(b, (size_t)st.st_size, err);
    if (r == GV_OK) {
        int64_t n = gv_read_full(fd, b->data + b->len, (size_t)st.st_size, err);
        if (n < 0)
            r = gv_fail_in(err, "'%s'", path);
        else {
            b->len += (size_t)n;
            b->data[b->len] = 0;
        }
    }
    close(fd);
    return r;
}

int gv_mkdirs(const char *path, gv_err *err)
{
    char copy[4096];
    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
        return gv_fail(err, GV_EUSAGE, "the path is longer than %zu bytes: '%.80s…'", sizeof copy - 1, path);
    for (char *p = copy + 1;; p++) {
        if (*p && *p != '/')
            continue;
        char c = *p;
        *p = 0;
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            return gv_fail_sys(err, "cannot create the directory '%s'", copy);
        if (!c)
            return GV_OK;
        *p = c;
    }
}

int gv_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

const char *gv_self_dir(void)
{
    static char dir[4096];
    if (!*dir) {
        ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);
        char *slash = n > 0 ? (dir[n] = 0, strrchr(dir, '/')) : NULL;
        if (slash)
            *slash = 0;
        else
            snprintf(dir, sizeof dir, ".");
    }
    return dir;
}
