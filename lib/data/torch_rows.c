/* torch: a bag of features that torch.save wrote: one tensor [N,D] (or [1,N,D]) as the root, or alone in a dictionary. CLAM's pt_files. */
#include "data/rows.h"
#include "weights/weights.h"
#include <inttypes.h>
#include <unistd.h>

enum { MOST_DIM = 1 << 20 };

struct torch { gv_weights *w; const gv_named *t; int64_t n, dim; };

static bool sniff(const char *name, const unsigned char *h, size_t n, int64_t size)
{
    size_t len = strlen(name);
    (void)size;
    return len > 3 && !strcmp(name + len - 3, ".pt") && n >= 2 && (!memcmp(h, "PK", 2) || h[0] == 0x80);
}

static int open_rows(int fd, const char *name, void **state, int64_t *rows, gv_err *err)
{
    char path[64];
    struct torch *f = gv_alloc(sizeof *f, err);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int r = f ? gv_weights_open(&f->w, path, err) : GV_ESYS;
    close(fd);
    if (r == GV_OK && gv_weights_count(f->w) != 1)
        r = gv_fail(err, GV_EDATA, "it holds %zu tensors; one of features is wanted", gv_weights_count(f->w));
    if (r == GV_OK) {
        f->t = gv_weights_at(f->w, 0);
        int skip = f->t->ndim == 3 && f->t->shape[0] == 1;
        if (f->t->ndim != 2 + skip)
            r = gv_fail(err, GV_EDATA, "its tensor has %d dimensions; [instances,features] is wanted", f->t->ndim);
        f->n = f->t->shape[skip];
        f->dim = f->t->shape[skip + 1];
        if (r == GV_OK && (f->dim < 1 || f->dim > MOST_DIM || !gv_dtype_of(f->t->dtype)->size))
            r = gv_fail(err, GV_EDATA, "its tensor has %" PRId64 " features an instance", f->dim);
    }
    if (r < 0) {
        gv_fail_in(err, "'%s'", name);
        if (f)
            gv_weights_close(f->w);
        gv_free(f);
        return r;
    }
    *state = f;
    *rows = 1;
    return GV_OK;
}

static int read_bag(void *state, gv_sample *out, gv_arena *arena, gv_err *err)
{
    const struct torch *f = state;
    if (!f->n)
        return gv_fail(err, GV_EDATA, "the bag has no instance");
    *out = (gv_sample){ .dtype = GV_F32T, .ndim = 2, .shape = { f->n, f->dim }, .data = gv_arena_alloc_dirty(arena, (size_t)(f->n * f->dim) * sizeof(float), err) };
    if (!out->data)
        return GV_ESYS;
    gv_to_f32(f->t->dtype, f->t->data, out->data, (size_t)(f->n * f->dim));
    return GV_OK;
}

static int read_row(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    (void)row;
    return read_bag(state, out, arena, err);
}

static void close_rows(void *state)
{
    gv_weights_close(((struct torch *)state)->w);
    gv_free(state);
}

extern const gv_container gv_container_torch;
const gv_container gv_container_torch = { .name = "torch", .sniff = sniff, .open = open_rows, .read = read_row, .bag = read_bag, .close = close_rows };
