#include "data/rows.h"
#include "data/internal.h"
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

struct gv_rows {
    const gv_container *kind;
    void *state;
    int64_t rows;
    char name[256];
};

#define GV_CONTAINER(n) extern const gv_container gv_container_##n;
#include "data/containers.def"
#undef GV_CONTAINER

static const gv_container *const containers[] = {
#define GV_CONTAINER(n) &gv_container_##n,
#include "data/containers.def"
#undef GV_CONTAINER
};

int gv_rows_open(gv_rows **out, int fd, const char *name, gv_err *err)
{
    unsigned char head[512];
    struct stat st;
    ssize_t n = pread(fd, head, sizeof head, 0);
    *out = NULL;
    if (n < 0 || fstat(fd, &st) < 0) {
        gv_fail_sys(err, "cannot read '%s'", name);
        close(fd);
        return err ? err->code : GV_ESYS;
    }
    for (size_t i = 0; i < GV_COUNT(containers); i++) {
        if (!containers[i]->sniff(name, head, (size_t)n, st.st_size))
            continue;
        gv_rows *f = gv_alloc(sizeof *f, err);
        if (!f) {
            close(fd);
            return GV_ESYS;
        }
        f->kind = containers[i];
        snprintf(f->name, sizeof f->name, "%s", name);
        int r = f->kind->open(fd, name, &f->state, &f->rows, err);
        if (r < 0) {
            gv_free(f);
            return r;
        }
        *out = f;
        return GV_OK;
    }
    close(fd);
    return gv_fail(err, GV_EDATA, "'%s' is no container of rows that is known here (IDX, CIFAR, HDF5, torch, streams of tensors)", name);
}

int gv_rows_wrap(gv_rows **out, const gv_container *kind, void *state, int64_t rows, const char *name, gv_err *err)
{
    gv_rows *f = *out = gv_alloc(sizeof *f, err);
    if (!f)
        return GV_ESYS;
    f->kind = kind;
    f->state = state;
    f->rows = rows;
    snprintf(f->name, sizeof f->name, "%s", name);
    return GV_OK;
}

int64_t gv_rows_count(const gv_rows *f) { return f->rows; }

int gv_rows_read(gv_rows *f, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    if (row < 0 || row >= f->rows)
        return gv_fail(err, GV_EDATA, "row %" PRId64 " is not in '%s', which has %" PRId64, row, f->name, f->rows);
    return f->kind->read(f->state, row, out, arena, err);
}

int gv_rows_bag(gv_rows *f, gv_sample *out, gv_arena *arena, gv_err *err)
{
    return f->kind->bag ? f->kind->bag(f->state, out, arena, err) : gv_fail(err, GV_EDATA, "'%s' (%s) is no bag of features", f->name, f->kind->name);
}

int gv_rows_coords(gv_rows *f, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    return f->kind->coords ? f->kind->coords(f->state, row, out, arena, err) : 0;
}

void gv_rows_close(gv_rows *f)
{
    if (!f)
        return;
    f->kind->close(f->state);
    gv_free(f);
}
