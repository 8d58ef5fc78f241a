/* mlflow_files: ids at random, ids that are kept, and copies of artifacts. */
#include "track/mlflow.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int gv_mlflow_random(char out[33], gv_err *err)
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return gv_fail_sys(err, "cannot draw an id");
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", b[i]);
    return GV_OK;
}

int gv_mlflow_identity(const char *path, char out[33], gv_err *err)
{
    gv_buf b = { 0 };
    bool there = gv_file_read(path, 4096, &b, &(gv_err){ 0 }) == GV_OK && b.len >= 32 && strspn(b.data, "0123456789abcdef") >= 32;
    int r = GV_OK;
    if (there)
        snprintf(out, 33, "%.32s", b.data);
    else if ((r = gv_mlflow_random(out, err)) == GV_OK) {
        char line[40];
        snprintf(line, sizeof line, "%s\n", out);
        r = gv_file_write(path, line, 33, err);
    }
    gv_buf_release(&b);
    return r;
}

/* All bytes of one file behind those of another. */
static int pour(int from, int to, const char *path, gv_err *err)
{
    char buf[65536];
    for (ssize_t k; (k = copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0)) != 0;)
        if (k < 0)
            break; /* not between these two: by hand, from where it is */
    for (;;) {
        int64_t k = gv_read_full(from, buf, sizeof buf, err);
        if (k <= 0)
            return k < 0 ? gv_fail_in(err, "cannot read '%s'", path) : GV_OK;
        if (gv_write_full(to, buf, (size_t)k, err) < 0)
            return err->code;
    }
}

/* A checkpoint is replaced, never written into: a link holds what it was. */
static bool linked(const char *path, const char *to)
{
    char part[4400];
    snprintf(part, sizeof part, "%.4300s.part-%ld", to, (long)getpid());
    unlink(part);
    if (!strstr(path, "/checkpoints/") || link(path, part) < 0)
        return false;
    if (rename(part, to) == 0) {
        unlink(part); /* where both are the same file already, rename does nothing */
        return true;
    }
    unlink(part);
    return false;
}

int gv_mlflow_copy(const char *path, const char *dir, const char *name, gv_err *err)
{
    char to[4096], folder[4096];
    gv_out o;
    if (snprintf(to, sizeof to, "%s/%s", dir, name) >= (int)sizeof to)
        return gv_fail(err, GV_EDATA, "the name '%s/%s' is too long", dir, name);
    snprintf(folder, sizeof folder, "%s", to);
    *strrchr(folder, '/') = 0;
    if (gv_mkdirs(folder, err) < 0)
        return err->code;
    if (linked(path, to))
        return GV_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return gv_fail_sys(err, "cannot open '%s'", path);
    int r = gv_out_open(&o, to, err);
    if (r == GV_OK) {
        r = pour(fd, o.fd, path, err);
        r = r == GV_OK ? gv_out_commit(&o, err) : r;
        gv_out_abort(&o);
    }
    close(fd);
    return r;
}
