#include "data/open.h"
#include "data/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

int gv_roots_add(gv_roots *r, const char *dir, gv_err *err)
{
    char *full = realpath(dir, NULL);
    int fd = full ? open(full, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0) {
        gv_fail_sys(err, "'%s' cannot be used as a root of the data", dir);
        if (err)
            err->code = GV_EUSAGE;
        free(full);
        return GV_EUSAGE;
    }
    if (!r->root && !(r->root = gv_alloc(GV_MAX_ROOTS * sizeof *r->root, err)))
        goto fail;
    if (r->n == GV_MAX_ROOTS) {
        gv_fail(err, GV_EUSAGE, "more than %d roots of the data", GV_MAX_ROOTS);
        goto fail;
    }
    r->root[r->n].fd = fd;
    snprintf(r->root[r->n++].path, sizeof r->root->path, "%s", full);
    free(full);
    return GV_OK;
fail:
    close(fd);
    free(full);
    return err ? err->code : GV_ESYS;
}

int gv_roots_add_list(gv_roots *r, const char *dirs, gv_err *err)
{
    char one[4096];
    for (const char *p = dirs; p && *p;) {
        size_t n = strcspn(p, ":");
        if (n && n < sizeof one) {
            memcpy(one, p, n);
            one[n] = 0;
            if (gv_roots_add(r, one, err) < 0)
                return err->code;
        }
        p += n + (p[n] == ':');
    }
    return GV_OK;
}

void gv_roots_release(gv_roots *r)
{
    for (int i = 0; i < r->n; i++)
        close(r->root[i].fd);
    gv_free(r->root);
    *r = (gv_roots){ 0 };
}

/* What follows the root in an absolute path, "." for the root itself; NULL when it lies elsewhere. */
static const char *below(const struct gv_root *r, const char *path)
{
    size_t n = strlen(r->path);
    if (strncmp(r->path, path, n) || (path[n] != '/' && path[n] && n > 1))
        return NULL;
    path += n;
    while (*path == '/')
        path++;
    return *path ? path : ".";
}

/* openat2 below the root; kernels without it resolve the path first and compare. */
static int open_below(const struct gv_root *r, const char *path)
{
    struct open_how how = { .flags = FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, r->fd, path, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
        return fd;
    char joined[8192];
    snprintf(joined, sizeof joined, "%s/%s", r->path, path);
    char *full = realpath(joined, NULL);
    if (full && !below(r, full)) {
        errno = EXDEV;
        fd = -1;
    } else
        fd = full ? open(full, FLAGS | O_NOFOLLOW) : -1;
    int e = errno;
    free(full);
    errno = e;
    return fd;
}

static int open_resolved(const gv_roots *r, const char *full)
{
    int fd = -1;
    errno = EXDEV;
    for (int i = 0; fd < 0 && i < r->n; i++) {
        const char *rest = below(&r->root[i], full);
        if (rest)
            fd = open_below(&r->root[i], rest);
    }
    return fd;
}

static int open_any(const gv_roots *r, const char *path)
{
    char joined[8192];
    int fd = *path == '/' ? open_resolved(r, path) : open_below(&r->root[0], path);
    if (fd >= 0 || errno != EXDEV)
        return fd;
    /* A link out of the first root, or a root that is reached by one: where does it really lie? */
    snprintf(joined, sizeof joined, "%s%s%s", *path == '/' ? "" : r->root[0].path, *path == '/' ? "" : "/", path);
    char *full = realpath(joined, NULL);
    if (!full)
        return -1;
    fd = open_resolved(r, full);
    int e = errno;
    free(full);
    errno = e;
    return fd;
}

/* folder NULL: a directory is refused. */
static int open_one(const gv_roots *r, const char *path, uint64_t max, bool *folder, gv_err *err)
{
    struct stat st;
    if (!r->n)
        return gv_fail(err, GV_EDATA, "cannot open '%s': no root of the data is known", path);
    if (!*path)
        return gv_fail(err, GV_EDATA, "cannot open an empty path");
    int fd = open_any(r, path);
    if (fd < 0 && errno == EXDEV)
        return gv_fail(err, GV_EDATA, "cannot open '%s': it lies outside the data root '%s' (GLOVITA_ROOTS=DIR:DIR… names further ones)", path, r->root[0].path);
    if (fd < 0) {
        gv_fail_sys(err, "cannot open '%s' in '%s'", path, r->root[0].path);
        if (err)
            err->code = GV_EDATA; /* found bad later: this sample, not the machine */
        return GV_EDATA;
    }
    const char *why = NULL;
    if (fstat(fd, &st) < 0)
        why = strerror(errno);
    else if (folder && (*folder = S_ISDIR(st.st_mode)))
        return fd;
    else if (!S_ISREG(st.st_mode))
        why = S_ISDIR(st.st_mode) ? "it is a directory" : "it is not a regular file";
    if (!why && (!max || (uint64_t)st.st_size <= max))
        return fd;
    close(fd);
    if (why)
        return gv_fail(err, GV_EDATA, "cannot read '%s': %s", path, why);
    return gv_fail(err, GV_EDATA, "cannot read '%s': it has %" PRId64 " bytes; at most %" PRIu64 " are read", path, (int64_t)st.st_size, max);
}

int gv_roots_open(const gv_roots *r, const char *path, uint64_t max, gv_err *err)
{
    return open_one(r, path, max, NULL, err);
}

int gv_roots_open_any(const gv_roots *r, const char *path, bool *folder, gv_err *err)
{
    return open_one(r, path, 0, folder, err);
}
