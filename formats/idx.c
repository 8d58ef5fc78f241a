/* idx: MNIST's container, and reading of gzip files whole. */
#include "formats/idx.h"
#include "formats/gzip.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t max_bytes = (size_t)4 << 30;

static int open_path(const char *path, gv_err *err)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? gv_fail_sys(err, "cannot open '%s'", path) : fd;
}

static int regular(int fd, const char *path, size_t *n, gv_err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return gv_fail_sys(err, "cannot stat '%s'", path);
    if (!S_ISREG(st.st_mode))
        return gv_fail(err, GV_EDATA, "'%s' is not a regular file", path);
    *n = (size_t)st.st_size;
    return GV_OK;
}

int gv_read_gz(const char *path, size_t cap, uint8_t **data, size_t *len, gv_err *err)
{
    int fd = open_path(path, err);
    if (fd < 0)
        return fd;
    int r = gv_read_gz_fd(fd, path, cap, data, len, err);
    close(fd);
    return r;
}

int gv_read_gz_fd(int fd, const char *path, size_t cap, uint8_t **data, size_t *len, gv_err *err)
{
    size_t n = 0;
    int r = regular(fd, path, &n, err);
    if (r < 0)
        return r;
    uint8_t *in = NULL;
    if (n > cap)
        r = gv_fail(err, GV_EDATA, "'%s' has %zu bytes; at most %zu are read", path, n, cap);
    else if (!(in = gv_alloc(n + 1, err)))
        r = GV_ESYS;
    else {
        int64_t got = gv_read_full(fd, in, n, err);
        if (got < 0)
            r = gv_fail_in(err, "'%s'", path);
        else
            n = (size_t)got;
    }
    if (r == GV_OK && gv_is_gzip(in, n)) {
        if ((r = gv_gunzip(in, n, cap, data, len, err)) < 0)
            gv_fail_in(err, "'%s'", path);
        gv_free(in);
    } else if (r == GV_OK) {
        *data = in;
        *len = n;
    } else
        gv_free(in);
    return r;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int parse(gv_idx *x, const char *path, const uint8_t *p, size_t n, gv_err *err)
{
    static const struct { uint8_t code; gv_dtype type; } types[] = { { 8, GV_U8 }, { 9, GV_I8 }, { 0xb, GV_I16 }, { 0xc, GV_I32 }, { 0xd, GV_F32T }, { 0xe, GV_F64T } };
    if (n < 4 || p[0] || p[1])
        return gv_fail(err, GV_EDATA, "'%s' is not an IDX file: it does not begin with two zero bytes", path);
    int dims = p[3];
    bool known = false;
    for (size_t i = 0; i < GV_COUNT(types); i++)
        if (types[i].code == p[2]) {
            x->dtype = types[i].type;
            known = true;
        }
    if (!known || dims < 1 || dims > GV_MAX_DIMS)
        return gv_fail(err, GV_EDATA, "'%s' has element type %d and %d dimensions; types 8 to 14 and 1 to %d dimensions are read", path, p[2], dims, GV_MAX_DIMS);
    size_t head = 4 + 4 * (size_t)dims, bytes = gv_dtype_of(x->dtype)->size;
    if (n < head)
        return gv_fail(err, GV_EDATA, "'%s' ends after %zu bytes, inside its header", path, n);
    x->n = be32(p + 4);
    x->ndim = dims - 1;
    for (int i = 0; i < x->ndim; i++) {
        x->shape[i] = be32(p + 8 + 4 * i);
        if (gv_mul_size(bytes, (size_t)x->shape[i], &bytes) < 0 || bytes > max_bytes || !bytes)
            return gv_fail(err, GV_EDATA, "'%s' claims rows of no or too many bytes", path);
    }
    x->row_bytes = bytes;
    size_t all;
    if (gv_mul_size(bytes, (size_t)x->n, &all) < 0 || all != n - head)
        return gv_fail(err, GV_EDATA, "'%s' claims %" PRId64 " rows of %zu bytes, but %zu bytes follow the header", path, x->n, bytes, n - head);
    x->data = p + head;
    return GV_OK;
}

static void turn(uint8_t *p, size_t n, size_t size)
{
    for (size_t i = 0; i + size <= n; i += size)
        for (size_t k = 0; k < size / 2; k++) {
            uint8_t t = p[i + k];
            p[i + k] = p[i + size - 1 - k];
            p[i + size - 1 - k] = t;
        }
}

/* A plain file of bytes is used where the kernel keeps it: all strands share its pages. 1 if it was. */
static int map_plain(gv_idx *x, int fd, const char *path, gv_err *err)
{
    size_t n = 0;
    int r = regular(fd, path, &n, err);
    if (r < 0)
        return r;
    uint8_t first[4] = { 0 };
    if (n > max_bytes)
        r = gv_fail(err, GV_EDATA, "'%s' has %zu bytes; at most %zu are read", path, n, max_bytes);
    else if (n >= 8 && pread(fd, first, 4, 0) == 4 && !first[0] && !first[1] && (first[2] == 8 || first[2] == 9)) {
        void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            r = gv_fail_sys(err, "cannot map '%s'", path);
        else {
            x->map = p;
            x->map_size = n;
            x->mapped = true;
            r = parse(x, path, p, n, err);
            r = r < 0 ? r : 1;
        }
    }
    return r;
}

int gv_idx_open(gv_idx *x, const char *path, gv_err *err)
{
    memset(x, 0, sizeof *x);
    int fd = open_path(path, err);
    if (fd < 0)
        return fd;
    int r = gv_idx_open_fd(x, fd, path, err);
    close(fd);
    return r;
}

int gv_idx_open_fd(gv_idx *x, int fd, const char *path, gv_err *err)
{
    uint8_t *p;
    size_t n;
    memset(x, 0, sizeof *x);
    int r = map_plain(x, fd, path, err);
    if (r == 0 && (r = gv_read_gz_fd(fd, path, max_bytes, &p, &n, err)) == GV_OK) {
        x->map = p;
        x->map_size = n;
        r = parse(x, path, p, n, err);
        size_t size = gv_dtype_of(x->dtype)->size;
        if (r == GV_OK && size > 1)
            turn(p + (x->data - p), (size_t)x->n * x->row_bytes, size);
    }
    if (r < 0)
        gv_idx_close(x);
    return r < 0 ? r : GV_OK;
}

void gv_idx_close(gv_idx *x)
{
    if (x->mapped && x->map)
        munmap(x->map, x->map_size);
    else
        gv_free(x->map);
    memset(x, 0, sizeof *x);
}
