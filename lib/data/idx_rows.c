/* IDX files as a container: rows of [h,w] bytes become [h,w,1]. */
#include "data/rows.h"
#include "formats/idx.h"
#include <unistd.h>

static bool sniff(const char *name, const unsigned char *h, size_t n, int64_t size)
{
    (void)size;
    if (n >= 4 && !h[0] && !h[1] && h[2] == 8 && h[3] == 3)
        return true;
    return n >= 2 && h[0] == 0x1f && h[1] == 0x8b && strstr(name, "-idx") != NULL;
}

static void close_idx(void *state)
{
    gv_idx_close(state);
    gv_free(state);
}

static int open_idx(int fd, const char *name, void **state, int64_t *rows, gv_err *err)
{
    gv_idx *x = gv_alloc(sizeof *x, err);
    int r = x ? gv_idx_open_fd(x, fd, name, err) : GV_ESYS;
    close(fd);
    if (r == GV_OK && (x->ndim != 2 || x->dtype != GV_U8))
        r = gv_fail(err, GV_EDATA, "'%s' has %d dimensions of %s; images have 3 of uint8", name, x->ndim + 1, gv_dtype_of(x->dtype)->name);
    if (r < 0) {
        if (x)
            close_idx(x);
        return r;
    }
    *state = x;
    *rows = x->n;
    return GV_OK;
}

static int read_idx(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    const gv_idx *x = state;
    if (gv_sample_init(out, GV_U8, 3, (int64_t[]){ x->shape[0], x->shape[1], 1 }, arena, err) < 0)
        return err->code;
    memcpy(out->data, gv_idx_row(x, row), x->row_bytes);
    return GV_OK;
}

extern const gv_container gv_container_idx;
const gv_container gv_container_idx = { .name = "idx", .sniff = sniff, .open = open_idx, .read = read_idx, .close = close_idx };
