/* CIFAR batches as a container: planes of 32 x 32 become [32,32,3].
 * Binary: one label byte (cifar100: coarse, fine), then 3,072 pixels. Python: see cifar_pickle.c. Archives hold the batches
 * under their published names; they are unpacked in memory. Source: cs.toronto.edu/~kriz/cifar.html. */
#include "data/cifar.h"
#include "data/rows.h"
#include "formats/idx.h"
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CAP = 1 << 30, BLOCK = 512 };
enum { BINARY = 1, PYTHON, ARCHIVE };

static const char *base_name(const char *name)
{
    const char *s = strrchr(name, '/');
    return s ? s + 1 : name;
}

static bool ends(const char *s, const char *with)
{
    size_t n = strlen(s), k = strlen(with);
    return n >= k && !strcmp(s + n - k, with);
}

int gv_cifar_kind(const char *name, const unsigned char *h, size_t n, int64_t size)
{
    const char *base = base_name(name);
    if (n > 2 && h[0] == 0x1f && h[1] == 0x8b && !strncmp(base, "cifar-10", 8) && ends(base, ".tar.gz"))
        return ARCHIVE;
    if (n > 2 && h[0] == 0x80 && (h[1] == 2 || h[1] == 3) && (!strncmp(base, "data_batch_", 11) || !strcmp(base, "test_batch") || !strcmp(base, "train") || !strcmp(base, "test")))
        return PYTHON;
    return ends(base, ".bin") && size > 0 && (size % (GV_CIFAR_PIXELS + 1) == 0 || size % (GV_CIFAR_PIXELS + 2) == 0) ? BINARY : 0;
}

static int add_part(gv_cifar *c, gv_cifar_part part, const char *name, gv_err *err)
{
    if (c->parts == GV_CIFAR_PARTS)
        return gv_fail(err, GV_EDATA, "'%s' has more than %d batches", name, GV_CIFAR_PARTS);
    c->part[c->parts++] = part;
    c->rows += part.n;
    return GV_OK;
}

/* n bytes at p, which lie at `at` of the file or of c->mem. */
static int add_batch(gv_cifar *c, const char *name, const uint8_t *p, size_t n, size_t at, gv_err *err)
{
    gv_cifar_part part = { .stride = GV_CIFAR_PIXELS };
    if (!ends(name, ".bin")) {
        size_t pixels;
        if (gv_cifar_unpickle(name, p, n, &pixels, &part.n, &c->labels, err) < 0)
            return err->code;
        part.at = at + pixels;
        return add_part(c, part, name, err);
    }
    size_t labels = n % (GV_CIFAR_PIXELS + 1) == 0 ? 1 : 2;
    part.stride += labels;
    if (!n || n % part.stride)
        return gv_fail(err, GV_EDATA, "'%s' is cut: %zu bytes are no whole number of images", name, n);
    part.n = (int64_t)(n / part.stride);
    part.at = at + labels;
    for (size_t i = 0; i < (size_t)part.n; i++)
        if (gv_buf_add(&c->labels, p + i * part.stride + labels - 1, 1, err) < 0)
            return GV_ESYS;
    return add_part(c, part, name, err);
}

/* ---- archives ---- */

/* A member of a tar file by its base name, with or without ".bin": its place; 0 when it is not there. */
static int member(const uint8_t *tar, size_t len, const char *name, const char *want, size_t *at, size_t *size, char found[101], gv_err *err)
{
    for (size_t p = 0; p + BLOCK <= len && tar[p];) {
        const char *h = (const char *)tar + p;
        uint64_t n = 0;
        for (int i = 124; i < 136 && h[i] >= '0' && h[i] <= '7'; i++)
            n = n * 8 + (uint64_t)(h[i] - '0');
        if (n > len - p - BLOCK)
            return gv_fail(err, GV_EDATA, "'%s' is cut: '%.100s' claims %" PRIu64 " bytes", name, h, n);
        memcpy(found, h, 100);
        found[100] = 0;
        const char *base = base_name(found);
        size_t k = strlen(want);
        if ((h[156] == '0' || !h[156]) && !strncmp(base, want, k) && (!base[k] || !strcmp(base + k, ".bin"))) {
            *at = p + BLOCK;
            *size = (size_t)n;
            return 1;
        }
        p += BLOCK + (size_t)((n + BLOCK - 1) / BLOCK * BLOCK);
    }
    return 0;
}

static int open_archive(gv_cifar *c, int fd, const char *name, gv_err *err)
{
    static const char *const ten[] = { "data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch", NULL };
    static const char *const hundred[] = { "train", "test", NULL };
    const char *const *want = strncmp(base_name(name), "cifar-100", 9) ? ten : hundred;
    char found[101];
    size_t at = 0, size = 0;
    int got = gv_read_gz_fd(fd, name, CAP, &c->mem, &c->size, err);
    close(fd);
    if (got < 0)
        return got;
    for (; *want; want++) {
        int r = member(c->mem, c->size, name, *want, &at, &size, found, err);
        if (!r)
            r = gv_fail(err, GV_EDATA, "'%s' holds no '%s'", name, *want);
        if (r < 0 || add_batch(c, found, c->mem + at, size, at, err) < 0)
            return gv_fail_in(err, "'%s'", name);
        if (want[1])
            c->train = c->rows;
    }
    return GV_OK;
}

static int open_plain(gv_cifar *c, int fd, const char *name, gv_err *err)
{
    uint8_t *all = NULL;
    size_t n = 0;
    int r = gv_read_gz_fd(fd, name, CAP, &all, &n, err);
    c->fd = fd; /* rows are read from the file; the bytes here are for the labels */
    struct stat st;
    if (r == GV_OK && (fstat(fd, &st) < 0 || (uint64_t)st.st_size != n))
        r = gv_fail(err, GV_EDATA, "'%s' is a gzip file; unpack it", name);
    if (r == GV_OK)
        r = add_batch(c, name, all, n, 0, err);
    c->train = c->rows;
    gv_free(all);
    return r;
}

int gv_cifar_open(gv_cifar *c, int fd, const char *name, gv_err *err)
{
    unsigned char head[16];
    struct stat st;
    ssize_t n = pread(fd, head, sizeof head, 0);
    int kind = n < 0 || fstat(fd, &st) < 0 ? 0 : gv_cifar_kind(name, head, (size_t)n, st.st_size), r;
    *c = (gv_cifar){ .fd = -1 };
    if (kind == ARCHIVE)
        r = open_archive(c, fd, name, err);
    else if (kind)
        r = open_plain(c, fd, name, err);
    else {
        close(fd);
        r = gv_fail(err, GV_EDATA, "'%s' is no CIFAR batch: neither a pickle nor a whole number of images", name);
    }
    if (r < 0)
        gv_cifar_close(c);
    return r;
}

void gv_cifar_close(gv_cifar *c)
{
    if (c->fd >= 0)
        close(c->fd);
    gv_free(c->mem);
    gv_buf_release(&c->labels);
    *c = (gv_cifar){ .fd = -1 };
}

/* ---- the container ---- */

static bool sniff(const char *name, const unsigned char *h, size_t n, int64_t size)
{
    return gv_cifar_kind(name, h, n, size) != 0;
}

static int open_rows(int fd, const char *name, void **state, int64_t *rows, gv_err *err)
{
    gv_cifar *c = gv_alloc(sizeof *c, err);
    if (!c) {
        close(fd);
        return GV_ESYS;
    }
    if (gv_cifar_open(c, fd, name, err) < 0) {
        gv_free(c);
        return err->code;
    }
    *state = c;
    *rows = c->rows;
    return GV_OK;
}

static int read_row(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    const gv_cifar *c = state;
    const gv_cifar_part *p = c->part;
    uint8_t planes[GV_CIFAR_PIXELS];
    for (; row >= p->n; p++)
        row -= p->n;
    size_t at = p->at + (size_t)row * p->stride;
    if (c->fd < 0)
        memcpy(planes, c->mem + at, sizeof planes);
    else {
        ssize_t n = pread(c->fd, planes, sizeof planes, (off_t)at);
        if (n < 0)
            return gv_fail_sys(err, "cannot read the batch");
        if (n != sizeof planes)
            return gv_fail(err, GV_EDATA, "the batch has become shorter");
    }
    if (gv_sample_init(out, GV_U8, 3, (int64_t[]){ 32, 32, 3 }, arena, err) < 0)
        return err->code;
    uint8_t *to = out->data;
    for (int i = 0; i < 1024; i++)
        for (int k = 0; k < 3; k++)
            to[3 * i + k] = planes[1024 * k + i];
    return GV_OK;
}

static void close_rows(void *state)
{
    gv_cifar_close(state);
    gv_free(state);
}

extern const gv_container gv_container_cifar;
const gv_container gv_container_cifar = { .name = "cifar", .sniff = sniff, .open = open_rows, .read = read_row, .close = close_rows };
