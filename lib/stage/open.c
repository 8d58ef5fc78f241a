/* open: names of inputs and outputs: a path, "-", or "fd:N". */
#include "stage/stage.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* "fd:N": N, -1 for another name, or -2 for a bad number. */
static int named_fd(const char *path)
{
    char *end;
    if (strncmp(path, "fd:", 3))
        return -1;
    long n = strtol(path + 3, &end, 10);
    return !*end && end != path + 3 && n >= 0 && n < 1 << 20 && fcntl((int)n, F_GETFD) >= 0 ? (int)n : -2;
}

int gv_open_input_fd(const char *path, int *fd, gv_err *err)
{
    *fd = STDIN_FILENO;
    if (!path || !strcmp(path, "-"))
        return GV_OK;
    *fd = named_fd(path);
    if (*fd == -2)
        return gv_fail(err, GV_EUSAGE, "'%s' is not an open descriptor", path);
    if (*fd >= 0) {
        (void)fcntl(*fd, F_SETFD, FD_CLOEXEC);
        return GV_OK;
    }
    do
        *fd = open(path, O_RDONLY | O_CLOEXEC);
    while (*fd < 0 && errno == EINTR && !gv_stop_requested());
    if (*fd < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        gv_fail_sys(err, "cannot open '%s'", path);
        if (missing && err)
            err->code = GV_EUSAGE;
        return err ? err->code : GV_ESYS;
    }
    struct stat st;
    if (fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(*fd);
        return gv_fail(err, GV_EUSAGE, "'%s' is a directory, not a stream", path);
    }
    return GV_OK;
}

int gv_open_input(const char *path, gv_reader **r, gv_err *err)
{
    int fd, e = gv_open_input_fd(path, &fd, err);
    *r = NULL;
    return e < 0 ? e : gv_reader_open(r, fd, !path || !strcmp(path, "-") ? "stdin" : path, err);
}

int gv_open_output(const char *path, gv_kind kind, gv_writer **w, gv_err *err)
{
    *w = NULL;
    int fd;
    struct stat st;
    if (!path || !strcmp(path, "-")) {
        path = "stdout";
        fd = STDOUT_FILENO;
    } else if ((fd = named_fd(path)) == -2)
        return gv_fail(err, GV_EUSAGE, "'%s' is not an open descriptor", path);
    else if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    else if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
        return gv_writer_create(w, path, kind, err);
    else {
        do
            fd = open(path, O_WRONLY | O_CLOEXEC);
        while (fd < 0 && errno == EINTR && !gv_stop_requested());
        if (fd < 0)
            return gv_fail_sys(err, "cannot open '%s'", path);
    }
    if (isatty(fd))
        return gv_fail(err, GV_EUSAGE, "'%s' is a terminal, and records are no text: send them to a file or a program (glovita-cat shows them)", path);
    return gv_writer_open(w, fd, path, kind, err);
}
