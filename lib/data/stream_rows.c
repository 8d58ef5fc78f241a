/* Streams of tensor records as containers: row i is the x of record i. Images alone, as they came from glovita-decode or a policy of
 * tests; what was cropped for one epoch (`region`) is no sample to train on again. */
#include "data/rows.h"
#include "stream/file.h"

static bool sniff(const char *name, const unsigned char *h, size_t n, int64_t size)
{
    (void)name, (void)size;
    return n > 20 && ((h[0] & 0xf0) == 0x80 || h[0] == 0xde || h[0] == 0xdf) && memmem(h, n, "glovita-stream", 14) != NULL;
}

static int open_rows(int fd, const char *name, void **state, int64_t *rows, gv_err *err)
{
    gv_stream_file *f;
    if (gv_stream_file_open(&f, fd, name, NULL, NULL, err) < 0)
        return err->code;
    if (gv_stream_file_header(f)->kind != GV_TENSOR) {
        gv_fail(err, GV_EDATA, "'%s' holds %s records; samples are tensors", name, gv_kind_name(gv_stream_file_header(f)->kind));
        gv_stream_file_close(f);
        return err->code;
    }
    *state = f;
    *rows = gv_stream_file_count(f);
    return GV_OK;
}

static int read_row(void *state, int64_t row, gv_sample *out, gv_arena *arena, gv_err *err)
{
    gv_record *rec = gv_arena_alloc(arena, sizeof *rec, err);
    if (!rec || gv_stream_file_read(state, row, rec, arena, err) < 0)
        return err->code;
    const char *stage = gv_get_text(rec, "stage"), *reason = gv_get_text(rec, "reason");
    if (rec->kind == GV_ERROR_RECORD)
        return gv_fail(err, GV_EDATA, "%s: %s", stage ? stage : "?", reason ? reason : "?");
    const gv_tensor *x = gv_get_tensor(rec, "x");
    if (!x || x->ndim != 3)
        return gv_fail(err, GV_EDATA, "its x is no image [H,W,C]");
    if (gv_get(rec, "region"))
        return gv_fail(err, GV_EDATA, "it is a part that a policy drew for one epoch (decode it without data.augmentation.train_policy)");
    *out = (gv_sample){ .dtype = x->dtype, .ndim = x->ndim, .data = (void *)(uintptr_t)x->data };
    memcpy(out->shape, x->shape, sizeof out->shape);
    return GV_OK;
}

static void close_rows(void *state)
{
    gv_stream_file_close(state);
}

extern const gv_container gv_container_stream;
const gv_container gv_container_stream = { .name = "stream", .sniff = sniff, .open = open_rows, .read = read_row, .close = close_rows };
