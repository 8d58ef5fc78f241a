/* Streams in files, by record number. */
#include "stream/file.h"
#include "tap.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static gv_err err;
static gv_arena arena;
enum { ROWS = 300, BYTES = 70000 };
static uint8_t pixels[BYTES];

static void die(void)
{
    fprintf(stderr, "%s\n", err.text);
    exit(70);
}

/* A stream in memory; every seventh record an error. */
static int made(int rows, size_t bytes)
{
    gv_writer *w;
    int fd = memfd_create("stream", 0);
    if (fd < 0 || gv_writer_open(&w, dup(fd), "m", GV_TENSOR, &err) < 0 || gv_writer_fact(w, "num_classes", gv_item_i64(5), &err) < 0 || gv_writer_start(w, &err) < 0)
        die();
    for (int i = 0; i < rows; i++) {
        gv_record rec;
        char id[32];
        int64_t shape[3] = { 1, (int64_t)bytes, 1 }, floats = 3;
        float f[3] = { (float)i, 1, 2 };
        snprintf(id, sizeof id, "s%d", i);
        memset(pixels, i, sizeof pixels);
        gv_record_init(&rec, i % 7 == 6 ? GV_ERROR_RECORD : GV_TENSOR);
        if (gv_set_text(&rec, "id", id, &err) < 0 || gv_set_i64(&rec, "y", i % 5, &err) < 0 || (i % 7 != 6 && gv_set_tensor(&rec, "x", GV_U8, shape, 3, pixels, &err) < 0) ||
            gv_set_tensor(&rec, "f", GV_F32T, &floats, 1, f, &err) < 0 || gv_set_text(&rec, "last", "text", &err) < 0 || gv_put(w, &rec, &err) < 0)
            die();
    }
    if (gv_writer_close(&w, true, &err) < 0)
        die();
    return fd;
}

struct seen { int64_t n; int bad; };

static int each(void *arg, const gv_record *header, int64_t row, const gv_record *rec, gv_err *e)
{
    struct seen *s = arg;
    int64_t y = -1, k = 0;
    char id[32];
    const gv_tensor *f = gv_get_tensor(rec, "f");
    (void)e;
    snprintf(id, sizeof id, "s%d", (int)row);
    s->bad += row != s->n++ || !gv_get_i64(header, "num_classes", &k) || k != 5 || !gv_get_text(rec, "id") || strcmp(gv_get_text(rec, "id"), id) || !gv_get_i64(rec, "y", &y) || y != row % 5;
    s->bad += !gv_get_text(rec, "last") || strcmp(gv_get_text(rec, "last"), "text") || !f || !f->bytes || *(const float *)f->data != (float)row;
    return GV_OK;
}

static void good(void)
{
    struct seen s = { 0 };
    gv_stream_file *f;
    gv_record rec;
    int fd = made(ROWS, BYTES), wrong = 0;
    ok(gv_stream_file_open(&f, dup(fd), "m", each, &s, &err) == GV_OK && s.n == ROWS && !s.bad, "every record is shown once, whole: %s", err.text);
    ok(gv_stream_file_count(f) == ROWS && gv_stream_file_header(f)->kind == GV_TENSOR, "they are counted");
    for (int k = 0; k < 2 * ROWS; k++) {
        int64_t row = k * 37 % ROWS;
        gv_arena_reset(&arena);
        if (gv_stream_file_read(f, row, &rec, &arena, &err) < 0)
            die();
        const gv_tensor *x = gv_get_tensor(&rec, "x");
        struct seen one = { .n = row };
        each(&one, gv_stream_file_header(f), row, &rec, &err);
        wrong += one.bad || (row % 7 == 6 ? x != NULL || rec.kind != GV_ERROR_RECORD : !x || x->bytes != BYTES || ((const uint8_t *)x->data)[0] != (uint8_t)row || ((const uint8_t *)x->data)[BYTES - 1] != (uint8_t)row);
    }
    ok(!wrong, "in any order, twice, each is what was written");
    ok(gv_stream_file_read(f, ROWS, &rec, &arena, &err) == GV_EDATA && strstr(err.text, "no number 300"), "one that is not there: %s", err.text);
    gv_err_clear(&err);
    ok(ftruncate(fd, 1000) == 0 && gv_stream_file_read(f, 200, &rec, &arena, &err) == GV_EDATA && strstr(err.text, "shorter"), "a file that has become shorter: %s", err.text);
    gv_err_clear(&err);
    gv_stream_file_close(f);
    close(fd);
}

static void bad(void)
{
    int fd = made(3, 100), ends[2], refused = 0, tried = 0;
    off_t size = lseek(fd, 0, SEEK_END);
    gv_stream_file *f;
    struct seen s = { 0 };
    char *bytes = gv_alloc((size_t)size, &err);
    if (pread(fd, bytes, (size_t)size, 0) != size)
        die();
    for (off_t n = 1; n < size; n++, tried++) {
        s = (struct seen){ 0 };
        if (ftruncate(fd, n) < 0)
            die();
        refused += gv_stream_file_open(&f, dup(fd), "m", each, &s, &err) == GV_EDATA && !s.bad;
        gv_err_clear(&err);
    }
    ok(tried == refused, "cut at any of %d bytes it is refused", tried);
    if (pwrite(fd, bytes, (size_t)size, 0) != size || pwrite(fd, "x", 1, size) != 1)
        die();
    ok(gv_stream_file_open(&f, dup(fd), "m", NULL, NULL, &err) == GV_EDATA && strstr(err.text, "1 bytes follow"), "bytes behind the end: %s", err.text);
    gv_err_clear(&err);
    int fine = 0;
    for (off_t at = 0; at < size; at++) { /* any byte changed: an answer, and never more */
        char c = bytes[at] ^ (char)(1 << at % 8);
        if (ftruncate(fd, size) < 0 || pwrite(fd, bytes, (size_t)size, 0) != size || pwrite(fd, &c, 1, at) != 1)
            die();
        s = (struct seen){ 0 };
        fine += gv_stream_file_open(&f, dup(fd), "m", each, &s, &err) == GV_OK;
        gv_stream_file_close(f);
        gv_err_clear(&err);
    }
    ok(fine > 100, "with one bit changed %d of %d files are still streams", fine, (int)size);
    ok(pipe(ends) == 0 && gv_stream_file_open(&f, ends[0], "p", NULL, NULL, &err) == GV_EUSAGE, "a pipe: %s", err.text);
    close(ends[1]);
    gv_err_clear(&err);
    ok(ftruncate(fd, 0) == 0 && gv_stream_file_open(&f, dup(fd), "m", NULL, NULL, &err) == GV_EDATA && strstr(err.text, "empty"), "nothing: %s", err.text);
    gv_err_clear(&err);
    gv_free(bytes);
    close(fd);
}

int main(void)
{
    if (gv_arena_init(&arena, "test", 64 << 20, &err) < 0)
        return 70;
    good();
    bad();
    gv_arena_release(&arena);
    return done();
}
