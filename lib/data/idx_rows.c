/* IDX files: MNIST's, gzip or not. Rows of [h,w] bytes become [h,w,1].
 * Big-endian: 0, 0, type (8: unsigned byte), number of dimensions, each dimension, then the data.
 * Source: LeCun, Cortes, Burges, "The MNIST database", section "file format". */
#include "data/rows.h"
#include "data/internal.h"
#include <fcntl.h>
#include <inttypes.h>

enum { CAP = 1 << 30 };

int gv_idx_parse(const char *name, const void *bytes, size_t n, gv_idx *out, gv_err *err)
{
    const uint8_t *p = bytes;
    if (n < 4 || p[0] || p[1])
        return gv_fail(err, GV_EDATA, "'%s' is no IDX file: it does not begin with two zero bytes", name);
    if (p[2] != 8)
        return gv_fail(err, GV_EDATA, "'%s' is an IDX file of type 0x%02x; unsigned bytes (0x08) are read", name, p[2]);
    if (p[3] < 1 || p[3] > 4)
        return gv_fail(err, GV_EDATA, "'%s' is an IDX file of %d dimensions; 1 to 4 are read", name, p[3]);
    size_t head = 4 + 4 * (size_t)p[3], want = 1;
    if (n < head)
        return gv_fail(err, GV_EDATA, "'%s' ends inside its header, after %zu bytes", name, n);
    *out = (gv_idx){ .ndim = p[3], .data = p + head };
    for (int i = 0; i < out->ndim; i++) {
        const uint8_t *d = p + 4 + 4 * i;
        out->shape[i] = (int64_t)((uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3]);
        if (!out->shape[i] || (i && out->shape[i] > GV_MAX_SIDE) || gv_mul_size(want, (size_t)out->shape[i], &want) < 0)
            return gv_fail(err, GV_EDATA, "'%s' claims a dimension of %" PRId64, name, out->shape[i]);
    }
    if (want != n - head)
        return gv_fail(err, GV_EDATA, "'%s' %s: its header claims %zu bytes of data, %zu are there", name, n - head < want ? "is cut" : "has bytes behind its data", want, n - head);
    return GV_OK;
}

struct idx { gv_buf bytes; gv_idx x; };

static bool sniff(const char *name, const unsigned char *h, size_t n, int64_t size)
{
    (void)size;
    if (n >= 4 && !h[0] && !h[1] && h[2] == 8 && h[3] >= 1 && h[3] <= 4)
        return true;
    return n >= 2 && h[0] == 0x1f && h[1] == 0x8b && strstr(name, "-idx") != NULL;
}

static void close_idx(void *state)
{
    struct idx *s = state;
    gv_buf_release(&s->bytes);
    gv_free(s);
}

static int open_idx(int fd, const char *name, void **state, int64_t *rows, gv_err *err)
{
    struct idx *s = gv_alloc(sizeof *s, err);
    int r = gv_gunzip_fd(fd, name, CAP, s ? &s->bytes : &(gv_buf){ 0 }, err);
    if (!s)
        return GV_ESYS;
    if (r == GV_OK)
        r = gv_idx_parse(name, s->bytes.data, s->bytes.len, &s->x, err);
    if (r == GV_OK && s->x.ndim != 3)
        r = gv_fail(err, GV_EDATA, "'%s' has %d dimensions; images have 3", name, s->x.ndim);
    if (r < 0) {
        close_idx(s);
        return r;
    }
    *state = s;
    *rows = s->x.shape[0];
    return GV_OK;
}

static int read_idx(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    const struct idx *s = state;
    size_t bytes = (size_t)(s->x.shape[1] * s->x.shape[2]);
    if (gv_sample_init(out, GV_U8, 3, (int64_t[]){ s->x.shape[1], s->x.shape[2], 1 }, arena, err) < 0)
        return err->code;
    memcpy(out->data, s->x.data + (size_t)row * bytes, bytes);
    return GV_OK;
}

extern const gv_container gv_container_idx;
const gv_container gv_container_idx = { .name = "idx", .sniff = sniff, .open = open_idx, .read = read_idx, .close = close_idx };
